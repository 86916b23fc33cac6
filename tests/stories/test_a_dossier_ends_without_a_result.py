"""Scenarios 4 and 12: refused for want of competence, withdrawn, stopped; seen by the citizen in the look-up."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from deploy.demo import papers
from deploy.demo.people import Person
from deploy.demo.web import Refused, Web
from deploy.local.stack import Stack
from tests.stories.test_ways_of_filing import AN, ANSWERS, EXTRACT, Office
from tests.support import eventually

OTHER = "H99.02.02"
LAW = "Nghị định số 123/2015/NĐ-CP, Điều 6"
BEYOND = "Sổ hộ tịch gốc do phường Hòa Lạc lưu giữ"


@pytest.fixture
async def office(stack: Stack) -> AsyncIterator[Office]:
    web = Web()
    yield Office(stack, web)
    await web.close()


async def sent(office: Office, who: Person) -> str:
    draft = await office.draft(who, EXTRACT, answers=ANSWERS, delivery="online")
    await office.send_file(who, draft, "TP-TL-01", papers.declaration("To khai"))
    return await office.send(who, draft)


async def shown(who: Person, code: str, status: int) -> dict[str, Any]:
    """The dossier in the citizen's look-up, once it has that national status."""

    seen: dict[str, Any] = {}

    async def there() -> bool:
        try:
            seen.update(await who.get("tracking", f"my/dossiers/{code}"))
        except Refused:
            return False
        return bool(seen["status"]["code"] == status)

    await eventually(there, within=20, what=f"status {status} in the look-up")
    return seen


@pytest.mark.timeout(600)
async def test_refused_withdrawn_and_stopped_dossiers_are_sent_back_with_their_reason(office: Office) -> None:
    an = await office.portal.citizen(AN)
    desk, leader = await office.portal.officer("mot-cua"), await office.portal.officer("lanh-dao")

    async def act(who: Person, code: str, name: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        done: dict[str, Any] = await who.post("dossier", f"dossiers/{code}/{name}", uuid4().hex, body)
        return done

    refused, withdrawn, stopped = [await sent(office, an) for _ in range(3)]

    # 4: beyond the unit's competence
    beyond = {"reason": BEYOND, "out_of_competence": True, "competent_unit": OTHER}
    await act(desk, refused, "rejection", beyond)
    seen = await shown(an, refused, 3)
    assert seen["folder"] == "sent_back"
    assert BEYOND in str(seen["history"])
    forms = (await an.get("dossier", f"dossiers/{refused}/forms"))["items"]
    assert [form["form"] for form in forms] == ["mau-03"]
    with pytest.raises(Refused):
        await act(desk, refused, "acceptance")

    # 12: withdrawn before a decision, after acceptance; stopped by the leader
    await act(desk, withdrawn, "acceptance")
    await act(an, withdrawn, "withdrawal", {"reason": "no_longer_needed"})
    assert (await shown(an, withdrawn, 7))["folder"] == "sent_back"
    await act(desk, stopped, "acceptance")
    await act(leader, stopped, "stop", {"reason": "Có quyết định của tòa án", "legal_basis": LAW})
    assert (await shown(an, stopped, 8))["folder"] == "sent_back"

    # the citizen is told
    async def told() -> bool:
        notices = (await an.get("notification", "messages", limit=100))["items"]
        subjects = {one["subject"] for one in notices}
        return {f"Hồ sơ {refused} bị từ chối", f"Hồ sơ {stopped} đã dừng giải quyết"} <= subjects

    assert await eventually(told, within=20, what="notices of the refusal and of the stop")
