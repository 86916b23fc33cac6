"""Scenarios 2, 3, 13 and the closing of 12, on real parts: asked once, put off once, closed when nobody answers.

Time passes as it does for a province: `hasty` is a replica of the dossier service in a province whose policy counts in
seconds. It shares everything else with the others, whose timers fire what it sets.
"""

import hashlib
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from deploy.demo import papers
from deploy.demo.eyes import until
from deploy.demo.story import COMPONENT, Story
from deploy.demo.web import Refused
from deploy.local.places import ROOT
from deploy.local.stack import Stack
from services.dossier import tenant

ITEM = {"component_code": COMPONENT, "problem": "Tờ khai thiếu trang 2", "guidance": "Chụp lại đủ các trang"}
FAULT = {"statement": "Chưa làm theo hướng dẫn", "components": [{"component_code": COMPONENT, "what": "Vẫn thiếu"}]}
IN_SECONDS = {
    "supplement_completion_deadline: {value: 15, unit: working_day": "{value: 0.05, unit: minute",
    "specialist_supplement_window: {value: 3, unit: working_day": "{value: 0.01, unit: minute",
}


class Tale(Story):
    """A dossier that was sent, and what people do with it."""

    async def begin(self) -> None:
        for act in (Story.log_in, Story.draft, Story.upload, Story.send):
            await act(self)

    async def does(self, username: str, path: str, body: Any = None) -> Any:
        """An officer's act on the dossier."""
        officer = await self.portal.officer(username)
        done = await officer.post("dossier", f"dossiers/{self.code}/{path}", uuid4().hex, body)
        self.version = done.get("version") or done.get("dossier", {}).get("version") or self.version
        return done

    async def refused(self, username: str, path: str, body: Any = None) -> int:
        """The status of the no."""
        with pytest.raises(Refused) as no:
            await self.does(username, path, body)
        return no.value.status

    async def answers(self) -> None:
        """The citizen sends a new declaration, and the supplement."""
        pdf = papers.declaration(f"Ban bo sung {self._run} {self.version}")
        wish = {"file_name": "bo-sung.pdf", "content_type": "application/pdf", "size": len(pdf)}
        wish["sha256"] = hashlib.sha256(pdf).hexdigest()
        path = f"dossiers/{self.code}/components/{COMPONENT}/uploads"
        ticket = await self.citizen.post("dossier", path, uuid4().hex, wish)
        file = {"file": ("bo-sung.pdf", pdf, "application/pdf")}
        await self.web.call("POST", ticket["url"], data=ticket["fields"], files=file)
        sent = await self.citizen.post("dossier", f"dossiers/{self.code}/supplement", uuid4().hex)
        self.version = sent["version"]

    async def sees(self, event: str, status: int, folder: str) -> None:
        """What tracking shows the citizen."""
        await self.eyes.news(self.citizen, self.code, self.version, (event,), status, folder)

    async def deadlines(self) -> dict[str, Any]:
        found: dict[str, Any] = await self.citizen.get("dossier", f"dossiers/{self.code}/deadlines")
        return found


@pytest.fixture
async def tale(stack: Stack) -> AsyncIterator[Tale]:
    story = Tale(stack.site)
    yield story
    await story.close()


@pytest.fixture
async def hasty(stack: Stack, tmp_path: Path) -> AsyncIterator[Tale]:
    """A dossier of a province whose time limits are seconds long."""
    province = Path(shutil.copytree(ROOT / "deploy/tenants/an-binh", tmp_path / "province"))
    policy = province / "policy.yaml"
    text = policy.read_text("utf-8")
    for long, short in IN_SECONDS.items():
        assert long in text
        text = text.replace(long, f"{long.partition(':')[0]}: {short}")
    policy.write_text(text, "utf-8")
    stack.add("dossier", name="hasty", roles="http", env={"MOTCUA_TENANT": str(province)})
    stack.start("hasty")
    await stack.wait_ready("hasty")
    port = int(stack.url("hasty").rpartition(":")[2])
    story = Tale(replace(stack.site, ports={**stack.site.ports, "dossier": port}))
    yield story
    await story.close()
    await stack.stop("hasty")


@pytest.mark.timeout(300)
async def test_a_supplement_is_asked_for_once_and_the_time_starts_from_zero(tale: Tale) -> None:
    await tale.begin()
    assert await tale.refused("mot-cua", "supplement-requests", {"items": []}) == 422
    await tale.does("mot-cua", "supplement-requests", {"items": [ITEM]})
    await tale.sees("SupplementRequested", 5, "supplement_requested")
    await tale.eyes.mail(tale.code, "cần bổ sung")
    await tale.eyes.text(tale.code, "can bo sung truoc")
    await tale.answers()
    await tale.sees("SupplementSubmitted", 1, "sent")

    assert await tale.refused("mot-cua", "supplement-requests", {"items": [ITEM]}) == 409
    second = await tale.does("mot-cua", "supplement-requests", {"items": [ITEM], "citizen_fault": FAULT})
    assert second["violations"] == []
    await tale.answers()
    accepted = await tale.does("mot-cua", "acceptance")
    await tale.sees("DossierAccepted", 2, "awaiting_payment")
    assert accepted["due_at"] == (await tale.deadlines())["original_due_at"]
    starts = [item for item in (await tale.deadlines())["items"] if item["kind"] == "reception_sla"]
    assert len(starts) == 3, "the desk's time ran anew after each supplement"


@pytest.mark.timeout(300)
async def test_a_request_that_breaks_the_rule_is_read_by_oversight(tale: Tale) -> None:
    await tale.begin()
    await tale.does("mot-cua", "supplement-requests", {"items": [ITEM]})
    await tale.answers()
    new = {"component_code": "TP-TL-02", "problem": "Thiếu văn bản ủy quyền", "guidance": "Tải lên bản chụp"}
    body = {"items": [ITEM, new], "citizen_fault": FAULT}
    assert (await tale.does("mot-cua", "supplement-requests", body))["violations"] == ["new_components"]

    oversight = await tale.portal.officer("kiem-soat")
    found = (await oversight.get("dossier", "violations", limit=200))["items"]
    assert [one["why"] for one in found if one["dossier_code"] == tale.code] == [["new_components"]]


@pytest.mark.timeout(300)
async def test_an_apology_gives_a_new_date_once(tale: Tale) -> None:
    await tale.begin()
    first = (await tale.does("mot-cua", "acceptance"))["due_at"]
    calendar = tenant.load(str(ROOT / "deploy/tenants/an-binh")).calendar
    later = calendar.working_day_from(date.fromisoformat(first[:10]) + timedelta(days=3))
    body = {"kind": "apology", "new_date": later.isoformat(), "reason": "Sổ hộ tịch gốc đang được tu bổ"}
    await tale.does("lanh-dao", "extension", body)
    await tale.does("mot-cua", "extension/publication")

    await tale.sees("DeadlineExtended", 2, "awaiting_payment")
    await tale.eyes.mail(tale.code, "Xin lỗi và hẹn lại")
    await tale.eyes.text(tale.code, "cham tra ket qua")
    shown = await tale.deadlines()
    assert shown["original_due_at"] == first
    assert shown["due_at"] > first
    assert await tale.refused("lanh-dao", "extension", body) == 409


@pytest.mark.timeout(300)
async def test_a_specialist_who_asks_too_late_is_a_violation_and_still_asks_through_the_desk(hasty: Tale) -> None:
    await hasty.begin()
    await hasty.does("mot-cua", "acceptance")
    await hasty.does("chuyen-mon", "assignment")

    async def window_is_over() -> bool:
        (window,) = [each for each in (await hasty.deadlines())["items"] if each["kind"] == "supplement_window"]
        return bool(window["due_at"] < (await hasty.deadlines())["asked_at"])

    await until("thời hạn yêu cầu bổ sung chưa hết", window_is_over, within=20)
    drafted = await hasty.does("chuyen-mon", "supplement-requests", {"items": [ITEM]})
    issued = await hasty.does("mot-cua", f"supplement-requests/{drafted['request_id']}/issuance")

    assert issued["violations"] == ["outside_window"]
    await hasty.sees("SupplementRequested", 5, "supplement_requested")


@pytest.mark.timeout(300)
async def test_a_dossier_that_nobody_completes_is_closed(hasty: Tale) -> None:
    await hasty.begin()
    await hasty.does("mot-cua", "supplement-requests", {"items": [ITEM]})

    await hasty.sees("DossierClosed", 8, "sent_back")
    await hasty.eyes.mail(hasty.code, "đã được đóng")
    with pytest.raises(Refused):
        await hasty.answers()
