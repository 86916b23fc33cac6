"""A citizen files, the desk accepts, the fee is paid, the leader signs, the result is in hand: on real parts."""

from typing import Any

import httpx2
import pytest

from deploy.demo.story import SCENES, Story
from deploy.local.stack import Stack
from tests.support import eventually


@pytest.mark.timeout(600)
async def test_a_dossier_goes_the_whole_way(stack: Stack) -> None:
    story = Story(stack.site)
    try:
        await story.play()
        await eventually(lambda: _everybody_was_told(story), within=30, what="every message is out, and reported")
    finally:
        await story.close()
    assert [step.title for step in story.steps] == [scene.title for scene in SCENES]
    assert all(step.tracking_ms is not None for step in story.steps if step.events)
    async with httpx2.AsyncClient(base_url=stack.url("national_portal")) as portal:
        await eventually(lambda: _has_it_returned(portal, story.code), within=30, what="the national portal says 10")


async def _everybody_was_told(story: Story) -> bool:
    """Every message went out, eSMS reported those it had, and the acceptance brought its signed slip."""
    desk = await story.portal.officer("mot-cua")
    messages = await desk.get("notification", f"dossiers/{story.code}/messages")
    by_esms = [one for one in messages if one["attempts"] and one["attempts"][-1]["provider"] == "esms"]
    async with httpx2.AsyncClient(base_url=story.site.url("mail")) as mailbox:
        letters = (await mailbox.get("/messages")).json()
    slips = [file["name"] for letter in letters for file in letter["attachments"] if story.code in file["name"]]
    return (
        {one["state"] for one in messages} == {"sent"}
        and all(one["delivery"] == "delivered" for one in by_esms)
        and slips == [f"giay-tiep-nhan-{story.code}.pdf"]
    )


async def _has_it_returned(portal: httpx2.AsyncClient, code: str) -> bool:
    """The national portal has the dossier with its result, and every step on the way."""
    answer = await portal.get(f"/dossiers/{code}")
    shown: dict[str, Any] = answer.json() if answer.is_success else {}
    statuses = [line["TrangThai"] for line in shown.get("progress", [])]
    assert statuses[:2] == ["1", "2"]
    assert statuses[-2:] == ["9", "10"]
    record = shown["record"]
    return record["TrangThaiHoSo"] == "10" and len(record["DanhSachGiayToKetQua"]) == 1
