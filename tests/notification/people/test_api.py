"""The portal's inbox over HTTP: everybody reads their own."""

from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID

import httpx2
import pytest

from kit.db import Database
from services.notification.app import app
from services.notification.subscribers import inbox
from tests.notification import story
from tests.tracking import callers
from tests.tracking.hearing import hear

MakeDatabase = Callable[[str], Awaitable[Database]]


def owner() -> dict[str, str]:
    return callers.citizen(story.OWNER, "notification")


@pytest.fixture
async def http(make_database: MakeDatabase) -> AsyncIterator[httpx2.AsyncClient]:
    db = await make_database("notification")
    await hear(db, *story.all_events(), inbox=inbox)
    app.state.db, app.state.verifier = db, callers.verifier("notification")
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://notification.test") as client:
        yield client


async def test_a_citizen_reads_what_happened_newest_first(http: httpx2.AsyncClient) -> None:
    page = (await http.get("/api/v1/messages", headers=owner())).json()
    assert page["items"][0]["subject"] == f"Hồ sơ {story.CODE} đã trả kết quả"
    assert f"Hồ sơ {story.CODE} đã được gửi" in {item["subject"] for item in page["items"]}
    assert [item["at"] for item in page["items"]] == sorted((item["at"] for item in page["items"]), reverse=True)
    assert len(page["items"]) == 6
    assert page["next"] is None


async def test_pages_follow_each_other_without_a_gap(http: httpx2.AsyncClient) -> None:
    whole = (await http.get("/api/v1/messages", headers=owner())).json()["items"]
    first = (await http.get("/api/v1/messages", headers=owner(), params={"limit": 4})).json()
    rest = (await http.get("/api/v1/messages", headers=owner(), params={"limit": 4, "cursor": first["next"]})).json()
    assert first["items"] + rest["items"] == whole
    assert rest["next"] is None


async def test_nobody_reads_what_was_told_to_somebody_else(http: httpx2.AsyncClient) -> None:
    page = (await http.get("/api/v1/messages", headers=callers.citizen(UUID(int=9), "notification"))).json()
    assert page["items"] == []


async def test_without_a_token_there_is_no_inbox(http: httpx2.AsyncClient) -> None:
    assert (await http.get("/api/v1/messages")).status_code == 401


async def test_a_cursor_that_is_none_of_ours_is_refused(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/api/v1/messages", headers=owner(), params={"cursor": "nonsense"})
    assert answer.json()["type"] == "urn:motcua:problem:cursor-not-ours"
