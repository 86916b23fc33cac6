"""News becomes messages, on a real PostgreSQL: once, whatever Kafka repeats."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from contracts.envelope import Event
from kit.db import Database
from services.notification.subscribers import inbox
from tests.notification import story
from tests.tracking.hearing import hear

MakeDatabase = Callable[[str], Awaitable[Database]]

MESSAGES = "SELECT template, channel, state FROM message ORDER BY happened_at, template, channel"
SAID = "SELECT type FROM outbox"
JOBS = "SELECT kind, key FROM timer"
COLUMNS = """
SELECT column_name FROM information_schema.columns WHERE table_name IN ('correspondence', 'early_news', 'message')
"""
FORGET_POSITIONS = "DELETE FROM inbox_position"


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    return await make_database("notification")


async def told(db: Database, *events: Event) -> None:
    await hear(db, *events, inbox=inbox)


async def rows(db: Database, sql: str) -> list[dict[str, Any]]:
    return [dict(row) for row in await db.fetch(sql)]


async def test_scenario_1_makes_sixteen_messages(db: Database) -> None:
    await told(db, *story.all_events())
    made = await rows(db, MESSAGES)
    assert [(m["template"], m["channel"]) for m in made if m["channel"] == "sms"] == [
        ("dossier_submitted", "sms"),
        ("fee_requested", "sms"),
        ("dossier_accepted", "sms"),
        ("result_ready", "sms"),
        ("result_returned", "sms"),
    ]
    assert len(made) == 16
    assert {m["state"] for m in made if m["channel"] == "in_app"} == {"sent"}
    assert {m["state"] for m in made if m["channel"] != "in_app"} == {"queued"}


async def test_what_is_in_the_inbox_was_said_and_the_rest_has_a_job(db: Database) -> None:
    await told(db, story.submitted())
    assert [row["type"] for row in await rows(db, SAID)] == ["vn.motcua.notification.NotificationSent.v1"]
    assert [row["kind"] for row in await rows(db, JOBS)] == ["deliver", "deliver"]


async def test_hearing_everything_again_makes_no_second_message(db: Database) -> None:
    await told(db, *story.all_events())
    before = [await rows(db, sql) for sql in (MESSAGES, SAID, JOBS)]
    await told(db, *story.all_events())
    await db.execute(FORGET_POSITIONS)  # the inbox lost its memory: the messages themselves still know
    await told(db, *story.all_events())
    assert [await rows(db, sql) for sql in (MESSAGES, SAID, JOBS)] == before


async def test_fees_heard_before_their_dossier_are_told_when_it_is_known_whom_to_tell(db: Database) -> None:
    await told(db, story.requested(1))
    assert await rows(db, MESSAGES) == []
    await told(db, story.submitted())
    assert {m["template"] for m in await rows(db, MESSAGES)} == {"fee_requested", "dossier_submitted"}
    assert await rows(db, "SELECT * FROM early_news") == []


async def test_nothing_of_an_address_or_a_name_is_stored(db: Database) -> None:
    await told(db, *story.all_events())
    columns = await rows(db, COLUMNS)
    assert not {row["column_name"] for row in columns} & {"email", "phone", "address", "name", "full_name"}
