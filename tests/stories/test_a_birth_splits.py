"""Acceptance scenario 11: one filing for a birth becomes three dossiers at three agencies; one stops no other."""

import hashlib
from datetime import datetime
from typing import Any

import asyncpg
import pytest

from deploy.demo import papers
from deploy.demo.people import Person
from deploy.demo.story import UNIT, Story
from deploy.demo.web import Refused
from deploy.local.stack import Stack
from services.dossier import tenant
from tests.dossier.family import BIRTH, BIRTH_ANSWERS
from tests.support import eventually

POLICE, INSURANCE = "H99.05.01", "H99.06"
OFFICERS = {
    UNIT: {"acceptance": "mot-cua", "proposal": "chuyen-mon", "signature": "lanh-dao", "issuance": "van-thu"},
    POLICE: {
        "acceptance": "cong-an-mot-cua", "proposal": "cong-an-mot-cua", "signature": "cong-an-lanh-dao",
        "issuance": "cong-an-van-thu",
    },
}  # fmt: skip
OVERDUE = """
WITH late AS (
    UPDATE clock SET started_at = now() - interval '4 hours', due_at = now() - interval '1 second'
    WHERE kind = 'acknowledgement' AND dossier_code = $1 RETURNING dossier_code)
UPDATE timer SET due_at = now() FROM late WHERE kind = 'acknowledgement' AND key = dossier_code
"""


class Birth:
    """A family, their one filing, and the agencies."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.story = stack, Story(stack.site)
        self.parent = ""

    async def send(self) -> None:
        await self.story.log_in()
        me = self.story.citizen
        draft = (await me.post("dossier", "drafts", "birth", {"procedure_code": BIRTH, "receiving_unit": UNIT}))["id"]
        filled = {"answers": BIRTH_ANSWERS, "delivery": "online"}
        await me.post("dossier", f"drafts/{draft}", "birth-fill", filled, method="PATCH")
        pdf = papers.declaration("Giay chung sinh (hu cau)")
        wish = {"file_name": "giay-chung-sinh.pdf", "content_type": "application/pdf", "size": len(pdf)}
        wish["sha256"] = hashlib.sha256(pdf).hexdigest()
        path = f"drafts/{draft}/components/TP-LTKS-02/uploads"
        ticket = await me.post("dossier", path, "birth-upload", wish)
        file = {"file": ("giay-chung-sinh.pdf", pdf, "application/pdf")}
        await self.story.web.call("POST", ticket["url"], data=ticket["fields"], files=file)
        self.parent = (await me.post("dossier", f"drafts/{draft}/submission", "birth-send"))["code"]

    async def members(self) -> dict[str, dict[str, Any]]:
        """What the citizen sees of the members in the look-up, once tracking knows them all."""
        seen = await self.seen(self.parent)
        return {member["code"]: member for member in seen.get("members", ())}

    async def seen(self, code: str) -> dict[str, Any]:
        """The dossier in the look-up; empty while tracking has not heard of it."""
        try:
            return dict(await self.story.citizen.get("tracking", f"my/dossiers/{code}", at_least=1))
        except Refused as no:
            if no.status != 404:
                raise
            return {}

    async def started(self, *members: str) -> dict[str, str]:
        """The codes of the dossiers that these members became."""

        async def all_there() -> dict[str, str] | None:
            codes = {code: member["dossier_code"] for code, member in (await self.members()).items()}
            return codes if all(codes.get(member) for member in members) else None

        found: dict[str, str] = await eventually(all_there, within=60, what=f"{members} start")
        return found

    async def officer(self, username: str) -> Person:
        return await self.story.portal.officer(username)

    async def settle(self, code: str, unit: str) -> None:
        """The agency gives the result, each step by whom it falls to."""
        for act, username in OFFICERS[unit].items():
            await (await self.officer(username)).post("dossier", f"dossiers/{code}/{act}", f"{code}-{act}")

    async def events(self, code: str) -> list[str]:
        return [told["type"] for told in (await self.seen(code)).get("history", ())]

    async def run_out(self, code: str) -> None:
        """The two working hours for the acknowledgement are over."""
        conn = await asyncpg.connect(self.stack.site.place("dossier").migration_url)
        try:
            await conn.execute(OVERDUE, code)
        finally:
            await conn.close()


@pytest.mark.timeout(300)
async def test_a_birth_splits_and_one_branch_that_fails_stops_no_other(stack: Stack) -> None:
    birth = Birth(stack)
    try:
        await birth.send()
        codes = await birth.started("birth")
        assert {code: member["state"]["code"] for code, member in (await birth.members()).items()} == {
            "birth": "in_progress", "residence": "waiting", "health_insurance": "waiting",
        }  # fmt: skip

        await birth.settle(codes["birth"], UNIT)
        codes = await birth.started("residence", "health_insurance")
        insured, residence = codes["health_insurance"], codes["residence"]

        await _acknowledgement_runs_out(birth, insured)
        await _insurance_finds_an_error(birth, insured)
        police = await birth.officer("cong-an-mot-cua")
        await police.post("dossier", f"dossiers/{residence}/acknowledgement", "ack-residence")
        await birth.settle(residence, POLICE)

        await eventually(lambda: _stands(birth, residence="has_result", health_insurance="in_progress"), within=60)
        seen = await birth.seen(birth.parent)
        assert (seen["state"]["label"], seen["status"]["code"]) == ("Đã có một phần kết quả", 4)
        stored = (await birth.story.citizen.get("dossier", "documents"))["items"]
        assert {codes["birth"], residence} <= {one["dossier_code"] for one in stored}
    finally:
        await birth.story.close()


async def _acknowledgement_runs_out(birth: Birth, insured: str) -> None:
    """Nobody at the insurance confirmed: it is reported, seen on both sides, and then done late."""
    await birth.run_out(insured)
    await eventually(lambda: _has(birth, insured, "DeadlineMissed"), within=60)
    for username in ("mot-cua", "bhxh-mot-cua"):
        waiting = (await (await birth.officer(username)).get("dossier", "unacknowledged-dossiers"))["items"]
        assert [one["overdue"] for one in waiting if one["dossier_code"] == insured] == [True]
    desk = await birth.officer("bhxh-mot-cua")
    await desk.post("dossier", f"dossiers/{insured}/acknowledgement", "ack-insured")
    await eventually(lambda: _has(birth, insured, "DossierAcknowledged"), within=60)


async def _insurance_finds_an_error(birth: Birth, insured: str) -> None:
    """What the insurance lacks is told to the citizen, and the clock for telling gave it one working day."""
    desk = await birth.officer("bhxh-mot-cua")
    found = await birth.story.citizen.get("dossier", f"dossiers/{insured}")
    calendar = tenant.load("deploy/tenants/an-binh").calendar
    sent = datetime.fromisoformat(found["submitted_at"])
    due = datetime.fromisoformat(found["next_due_at"])
    assert calendar.working_days_between(calendar.effective_day(sent), calendar.local_date(due)) <= 1
    item = {"component_code": "TP-BHYT-01", "problem": "Nơi khám chữa bệnh ban đầu không còn nhận đăng ký",
            "guidance": "Chọn nơi khám chữa bệnh khác"}  # fmt: skip
    await desk.post("dossier", f"dossiers/{insured}/supplement-requests", "ask-insured", {"items": [item]})

    async def told() -> bool:
        messages = (await birth.story.citizen.get("notification", "messages", limit=100))["items"]
        return any(one["dossier_code"] == insured and "bổ sung" in one["subject"] for one in messages)

    await eventually(told, within=60)


async def _has(birth: Birth, code: str, event: str) -> bool:
    return event in await birth.events(code)


async def _stands(birth: Birth, **states: str) -> bool:
    members = await birth.members()
    return all(members[code]["state"]["code"] == state for code, state in states.items() if members)
