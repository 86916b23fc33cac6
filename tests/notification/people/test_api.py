"""The portal's inbox over HTTP: everybody reads their own."""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import httpx2
import pytest

from kit.db import Database
from services.notification.app import app
from services.notification.people import words
from services.notification.subscribers import inbox
from tests.notification import story
from tests.tracking import callers
from tests.tracking.hearing import hear

MakeDatabase = Callable[[str], Awaitable[Database]]


OTP = Path("deploy/tenants/an-binh/templates/otp.yaml").read_text("utf-8")


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


async def test_who_prefers_english_reads_it_where_there_is_some(http: httpx2.AsyncClient) -> None:
    page = (await http.get("/api/v1/messages", headers={**owner(), "Accept-Language": "en-GB, vi"})).json()
    subjects = {item["subject"] for item in page["items"]}
    assert {f"Dossier {story.CODE} has been sent", f"Hồ sơ {story.CODE} đã trả kết quả"} <= subjects


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


def cursor_of(line: str) -> str:
    return base64.urlsafe_b64encode(line.encode()).decode()


@pytest.mark.parametrize(
    "cursor", ["nonsense", cursor_of("2026-11-22T00:00:00+00:00 nobody"), cursor_of("0001-01-01T00:00:00+14:00 x")]
)
async def test_a_cursor_that_is_none_of_ours_is_refused(http: httpx2.AsyncClient, cursor: str) -> None:
    answer = await http.get("/api/v1/messages", headers=owner(), params={"cursor": cursor})
    assert answer.json()["type"] == "urn:motcua:problem:cursor-not-ours"


# ── templates ──


async def test_who_words_templates_sees_them_before_anybody_gets_them(http: httpx2.AsyncClient) -> None:
    editor = callers.officer("notification", "catalogue_editor")
    lines = (await http.get("/api/v1/templates", headers=editor)).json()
    assert {"key": "otp", "version": 1, "event": None, "channels": {"sms": "always"}, "languages": ["vi"]} in lines
    seen = (await http.get("/api/v1/templates/dossier_accepted/preview", headers=editor)).json()
    assert [one["language"] for one in seen["languages"]] == ["vi", "en"]
    assert seen["languages"][0]["sms"]["text"].startswith("Ho so H99.02.01-261122-0001 da duoc tiep nhan")
    assert seen["languages"][0]["sms"]["segments"] == 1


async def test_a_draft_is_checked_as_the_service_would_and_kept_nowhere(http: httpx2.AsyncClient) -> None:
    editor = callers.officer("notification", "system_admin")
    draft = OTP.replace("{{ m }}", "{{ name }}")
    no = await http.post("/api/v1/templates/otp/preview", headers=editor, json={"text": draft})
    assert no.json()["type"] == "urn:motcua:problem:template-unusable"
    assert no.json()["detail"].startswith("body: name: not among")
    assert (await http.get("/api/v1/templates/nothing/preview", headers=editor)).status_code == 404


async def test_others_word_no_templates(http: httpx2.AsyncClient) -> None:
    for caller in (owner(), callers.officer("notification", "desk")):
        assert (await http.get("/api/v1/templates", headers=caller)).status_code == 403


async def test_a_version_of_a_template_is_one_text_for_ever(
    make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = await make_database("notification")
    await words.check(db)
    await words.check(db)
    text = words.texts()["otp"]
    for version, other, why in ((1, "other", "was another text"), (3, "third", ""), (2, "new", "above 3"), (1, "", "")):
        sources = {"vi": {**text.sources["vi"], "subject": other}} if other else text.sources
        changed = replace(text, version=version, sources=sources)
        monkeypatch.setattr(words, "texts", lambda changed=changed: {"otp": changed})
        if why:
            with pytest.raises(words.TemplateRefused, match=why):
                await words.check(db)
        else:
            await words.check(db)
