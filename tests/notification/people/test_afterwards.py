"""After a message went out, or did not: receipts of providers, what officers see, and sending again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from typer.testing import CliRunner

from contracts.notification import FailureReason
from kit import settings as kit_settings
from kit.clock import now
from kit.db import Database
from services.notification.app import app
from services.notification.commands import operations
from services.notification.people import outcomes, store
from services.notification.people.attempts import store as attempts
from services.notification.people.attempts.domain import Outcome
from services.notification.people.domain import State
from services.notification.people.receipts import api as receipts
from services.notification.people.receipts import domain
from services.notification.settings import Settings
from services.notification.subscribers import inbox
from tests.notification import story
from tests.tracking import callers
from tests.tracking.hearing import hear

MakeDatabase = Callable[[str], Awaitable[Database]]
SECRET = "secret of receipts"
SAID = "SELECT type, convert_from(payload, 'UTF8')::json->>'version' AS version FROM outbox WHERE key = $1 ORDER BY 2"
JOB = "SELECT attempt, given_up_at FROM timer WHERE key = $1"


@pytest.fixture
async def db(make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch) -> Database:
    settings = Settings(sms_receipts_url="http://notification.test", sms_receipts_secret=SECRET)
    monkeypatch.setitem(kit_settings._loaded, Settings, settings)  # type: ignore[misc]
    made = await make_database("notification")
    await hear(made, story.submitted(), story.accepted(2), inbox=inbox)
    return made


@pytest.fixture
async def http(db: Database) -> AsyncIterator[httpx2.AsyncClient]:
    app.state.db, app.state.verifier = db, callers.verifier("notification")
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://notification.test") as client:
        yield client


async def texts(db: Database) -> list[UUID]:
    return [row["id"] for row in await db.fetch("SELECT id FROM message WHERE channel = 'sms' ORDER BY template")]


async def row(db: Database, message: UUID) -> dict[str, Any]:
    found = await db.fetchrow("SELECT * FROM message WHERE id = $1", message)
    return dict(found or {})


async def said(db: Database, message: UUID) -> list[tuple[str, str]]:
    return [(one["type"].split(".")[-2], one["version"]) for one in await db.fetch(SAID, str(message))]


async def take(db: Database, message: UUID) -> None:
    """The provider took it, and we noted that."""
    stored = await store.find(db, message)
    assert stored
    no = await attempts.begin(db, message, "esms", now())
    async with db.transaction() as tx:
        await attempts.end(tx, message, no, Outcome.TAKEN, now())
        await outcomes.sent(tx, stored.message, 1, no)


async def give_up(db: Database, message: UUID, reason: FailureReason = FailureReason.UNAVAILABLE) -> None:
    stored = await store.find(db, message)
    assert stored
    no = await attempts.begin(db, message, "esms", now())
    await attempts.end(db, message, no, Outcome.UNCLEAR, now(), "HTTP 500")
    async with db.transaction() as tx:
        await outcomes.given_up(tx, stored.message, 1, 12, reason)


# ── receipts ──

ARRIVED = {"SendStatus": "5", "SendSuccess": "1", "SendFailed": "0", "phonenumber": "0900000001"}
LOST = {"SendStatus": "5", "SendSuccess": "0", "SendFailed": "1", "phonenumber": "0900000001"}


async def told(http: httpx2.AsyncClient, message: UUID, *reports: dict[str, str]) -> list[int]:
    address = receipts.address(message, "esms") or ""
    return [(await http.get(address, params=report)).status_code for report in reports]


async def test_a_text_that_arrived_is_delivered_once_whatever_is_reported_again(
    db: Database, http: httpx2.AsyncClient
) -> None:
    message, _ = await texts(db)
    await take(db, message)
    assert await told(http, message, {"SendStatus": "7"}, LOST, ARRIVED, ARRIVED, LOST) == [204] * 5
    assert (await row(db, message))["delivery"] == "delivered"
    assert await said(db, message) == [
        ("NotificationSent", "1"), ("NotificationUndelivered", "2"), ("NotificationDelivered", "3"),
    ]  # fmt: skip


async def test_a_receipt_that_comes_before_our_own_note_is_that_note(db: Database, http: httpx2.AsyncClient) -> None:
    queued, given_up = await texts(db)
    await give_up(db, given_up)
    await told(http, queued, ARRIVED)
    await told(http, given_up, LOST)
    assert (await row(db, given_up))["state"] == "failed"
    await told(http, given_up, ARRIVED)
    for message in (queued, given_up):
        assert (await row(db, message))["state"] == "sent"
        assert (await row(db, message))["delivery"] == "delivered"
        assert await db.fetchrow(JOB, str(message)) is None
    assert [name for name, _ in await said(db, given_up)] == [
        "NotificationFailed", "NotificationSent", "NotificationDelivered",
    ]  # fmt: skip


async def test_only_the_address_that_went_with_a_message_reports_about_it(
    db: Database, http: httpx2.AsyncClient
) -> None:
    message, other = await texts(db)
    await take(db, message)
    of_other = domain.proof(SECRET, "esms", other)
    for path in (f"{message}/{of_other}", f"{message}/{'0' * 64}", f"{uuid4()}/{of_other}"):
        assert (await http.get(f"/api/v1/sms-receipts/esms/{path}", params=ARRIVED)).status_code == 404
    unknown = uuid4()
    assert await told(http, unknown, ARRIVED) == [404]
    assert (await row(db, message))["delivery"] is None
    assert not domain.is_proven("", "esms", message, domain.proof("", "esms", message))


# ── what was given up ──


async def test_officers_see_what_was_given_up_in_their_unit_and_no_address(
    db: Database, http: httpx2.AsyncClient
) -> None:
    for message in await texts(db):
        await give_up(db, message)
    desk = callers.officer("notification", "desk")
    page = (await http.get("/api/v1/failed-messages", headers=desk, params={"limit": 1})).json()
    rest = (await http.get("/api/v1/failed-messages", headers=desk, params={"cursor": page["next"]})).json()
    (item,) = page["items"]
    assert item["reason"] == "unavailable"
    assert item["attempts"][0]["outcome"] == "unclear"
    assert {item["id"], rest["items"][0]["id"]} == {str(one) for one in await texts(db)}
    assert rest["next"] is None
    elsewhere = callers.officer("notification", "desk", unit="H99.02.02")
    for path in ("failed-messages", f"failed-messages?unit={story.submitted().receiving_unit}"):
        assert (await http.get(f"/api/v1/{path}", headers=elsewhere)).json()["items"] == []
    admin = callers.officer("notification", "system_admin", unit="H99.01")
    wanted = {"channel": "sms", "reason": "unavailable", "template": "dossier_accepted"}
    assert len((await http.get("/api/v1/failed-messages", headers=admin, params=wanted)).json()["items"]) == 1


async def test_every_message_of_a_dossier_is_told_with_what_became_of_it(
    db: Database, http: httpx2.AsyncClient
) -> None:
    message, _ = await texts(db)
    await take(db, message)
    desk = callers.officer("notification", "desk")
    seen = (await http.get(f"/api/v1/dossiers/{story.CODE}/messages", headers=desk)).json()
    assert [(one["channel"], one["state"]) for one in seen] == [
        ("email", "queued"), ("in_app", "sent"), ("sms", "queued"),
        ("email", "queued"), ("in_app", "sent"), ("sms", "sent"),
    ]  # fmt: skip
    elsewhere = callers.officer("notification", "desk", unit="H99.02.02")
    assert (await http.get(f"/api/v1/dossiers/{story.CODE}/messages", headers=elsewhere)).status_code == 404
    assert (
        await http.get("/api/v1/failed-messages", headers=callers.citizen(UUID(int=1), "notification"))
    ).status_code == 403


async def test_what_was_given_up_is_sent_again_one_by_one(db: Database, http: httpx2.AsyncClient) -> None:
    message, _ = await texts(db)
    await give_up(db, message)
    desk = callers.officer("notification", "desk")
    path = f"/api/v1/failed-messages/{message}/resending"
    elsewhere = callers.officer("notification", "desk", unit="H99.02.02")
    assert (await http.post(path, headers=elsewhere)).status_code == 404
    assert (await http.post(path, headers=callers.officer("notification", "specialist"))).status_code == 403
    assert (await http.post(path, headers=desk)).json() == {"queued": 1, "more": False}
    assert (await http.post(path, headers=desk)).json()["type"] == "urn:motcua:problem:not-given-up"
    stored = await store.find(db, message)
    assert stored
    assert stored.state is State.QUEUED
    assert stored.may_have is None, "whoever sends again decides that nobody has it"
    job = await db.fetchrow(JOB, str(message))
    assert job
    assert (job["attempt"], job["given_up_at"]) == (0, None)
    await take(db, message)
    assert await said(db, message) == [("NotificationFailed", "1"), ("NotificationSent", "2")]


async def test_many_are_sent_again_by_what_they_have_in_common(db: Database, http: httpx2.AsyncClient) -> None:
    first, second = await texts(db)
    await give_up(db, first)
    await give_up(db, second, FailureReason.REJECTED)
    desk = callers.officer("notification", "desk")
    again = await http.post("/api/v1/failed-messages/resendings", headers=desk, json={"reason": "unavailable"})
    assert again.json() == {"queued": 1, "more": False}
    later = {"since": (now() + timedelta(hours=1)).isoformat()}
    assert (await http.post("/api/v1/failed-messages/resendings", headers=desk, json=later)).json()["queued"] == 0
    assert (await row(db, second))["state"] == "failed"


async def test_an_operator_lists_and_resends_from_the_command_line(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await texts(db)
    for message in (first, second):
        await give_up(db, message)
    plain = kit_settings.Settings(database_url=db.url)
    monkeypatch.setitem(kit_settings._loaded, kit_settings.Settings, plain)  # type: ignore[misc]

    async def operate(*arguments: str) -> str:
        ran = await asyncio.to_thread(CliRunner().invoke, operations, list(arguments), catch_exceptions=False)
        return ran.output

    listed = await operate("failed", "list", "--channel", "sms")
    assert {UUID(line.split()[0]) for line in listed.splitlines()} == {first, second}
    assert "unavailable  12 attempts  H99.02.01" in listed
    assert "1 message will be sent again" in await operate("failed", "resend", "--message", str(first))
    assert "1 message will be sent again" in await operate("failed", "resend", "--reason", "unavailable")
    assert "0 messages" in await operate("failed", "resend")
