"""When a text message may go: not at night, and not more a minute than its unit may send."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from uuid import UUID

import pytest
import yaml

from kit import settings
from kit.clients import ServiceClient
from kit.clock import now
from kit.db import Database
from kit.timers import Timer
from services.notification.people import clients, tenant, timers
from services.notification.people.domain import LOCAL
from services.notification.people.turns import domain
from services.notification.people.turns import store as turns
from services.notification.people.turns.domain import QuietHours, Texting
from services.notification.settings import Settings
from services.notification.subscribers import inbox
from tests.notification import story
from tests.notification.outside import identity, serving
from tests.tracking.hearing import hear

MakeDatabase = Callable[[str], Awaitable[Database]]
NIGHT = QuietHours(time(21), time(7))
NOON = datetime(2026, 11, 23, 5, tzinfo=UTC)
PUT_BACK = """
UPDATE message SET state = 'queued', reason = NULL, settled_at = NULL WHERE id = $1 AND state = 'failed' RETURNING id
"""
JOBS = "SELECT due_at, payload FROM timer WHERE key = $1"


@pytest.mark.parametrize(
    ("quiet", "at", "over"),
    [
        (NIGHT, "2026-11-23T20:59:59+07:00", None),
        (NIGHT, "2026-11-23T21:00:00+07:00", "2026-11-24T07:00:00+07:00"),
        (NIGHT, "2026-11-24T00:30:00+07:00", "2026-11-24T07:00:00+07:00"),
        (NIGHT, "2026-11-24T06:59:59+07:00", "2026-11-24T07:00:00+07:00"),
        (NIGHT, "2026-11-24T07:00:00+07:00", None),
        (QuietHours(time(12), time(13, 30)), "2026-11-24T13:00:00+07:00", "2026-11-24T13:30:00+07:00"),
        (QuietHours(time(12), time(13, 30)), "2026-11-24T14:00:00+07:00", None),
    ],
)
def test_quiet_hours_are_those_of_viet_nam(quiet: QuietHours, at: str, over: str | None) -> None:
    expected = datetime.fromisoformat(over) if over else None
    assert quiet.over(datetime.fromisoformat(at).astimezone(UTC)) == expected


def test_a_units_pace_is_its_own_or_everybodys() -> None:
    texting = Texting(None, {"default": 60, "H99.01": 300})
    assert texting.pace("H99.02.01") == timedelta(seconds=1)
    assert texting.pace("H99.01") == timedelta(milliseconds=200)


@pytest.fixture
async def db(make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    """Two texts to a submitter who has no phone: whatever is on its way out ends at once, for good."""
    made = await make_database("notification")
    await hear(made, story.submitted(), story.accepted(2), inbox=inbox)
    async with serving(identity(None, None)) as address:
        for name in ("identity", "dossier"):
            monkeypatch.setenv(f"MOTCUA_{name.upper()}_URL", address)
            monkeypatch.setattr(clients, name, ServiceClient(name))
        monkeypatch.setitem(settings._loaded, settings.Settings, Settings(identity_url=address))  # type: ignore[misc]
        yield made
        await clients.identity.close()
        await clients.dossier.close()


@pytest.fixture
def decide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """What the province decided about text messages, in its tenant.yaml."""

    def write(**decided: object) -> None:
        (tmp_path / "tenant.yaml").write_text(yaml.safe_dump({"text_messages": decided}))
        monkeypatch.setitem(settings._loaded, Settings, Settings(tenant=str(tmp_path)))  # type: ignore[misc]
        tenant.texting.cache_clear()

    yield write
    tenant.texting.cache_clear()


def night_of(moment: datetime) -> dict[str, str]:
    """Quiet hours, an hour before this moment and an hour after it."""
    local = moment.astimezone(LOCAL)
    return {"begin": f"{local - timedelta(hours=1):%H:%M}", "end": f"{local + timedelta(hours=1):%H:%M}"}


async def test_a_unit_sends_a_minutes_texts_at_once_and_then_one_after_the_other(db: Database) -> None:
    pace = Texting(None, {"default": 3}).pace("H99.02.01")
    waits = [domain.turn(await turns.take(db, "H99.02.01", pace, NOON)) - NOON for _ in range(5)]
    assert [max(wait, timedelta()).total_seconds() for wait in waits] == [0, 0, 0, 20, 40]
    assert domain.turn(await turns.take(db, "H99.02.02", pace, NOON)) <= NOON, "another unit has a bucket of its own"
    later = NOON + timedelta(hours=1)
    waits = [domain.turn(await turns.take(db, "H99.02.01", pace, later)) - later for _ in range(4)]
    assert [wait > timedelta() for wait in waits] == [False, False, False, True]


async def texts(db: Database) -> dict[str, UUID]:
    rows = await db.fetch("SELECT id, template FROM message WHERE channel = 'sms'")
    return {row["template"]: row["id"] for row in rows}


async def deliver(db: Database, message: UUID, *, attempt: int = 1, payload: dict[str, bool] | None = None) -> bool:
    """Whether the message went on its way."""
    await timers.deliver(db, Timer("deliver", str(message), now(), payload or {}, attempt, None))
    return await db.fetchval(PUT_BACK, message) is not None


async def job(db: Database, message: UUID) -> tuple[datetime, dict[str, bool]]:
    row = await db.fetchrow(JOBS, str(message))
    assert row
    return row["due_at"], row["payload"]


async def test_at_night_only_the_code_of_what_was_just_sent_goes_out(db: Database, decide: Callable[..., None]) -> None:
    decide(quiet_hours=night_of(now()), per_minute={"default": 60})
    message = await texts(db)
    assert not await deliver(db, message["dossier_accepted"])
    assert await deliver(db, message["dossier_submitted"])
    due, _ = await job(db, message["dossier_accepted"])
    assert timedelta(minutes=58) < due - now() <= timedelta(hours=1)


async def test_who_has_no_token_comes_back_in_its_turn_and_then_goes(db: Database, decide: Callable[..., None]) -> None:
    decide(quiet_hours=None, per_minute={"default": 1})
    message = await texts(db)
    assert await deliver(db, message["dossier_submitted"])
    assert not await deliver(db, message["dossier_accepted"])
    due, payload = await job(db, message["dossier_accepted"])
    assert timedelta(seconds=50) < due - now() <= timedelta(minutes=1)
    assert await deliver(db, message["dossier_accepted"], payload=payload)
    assert await deliver(db, message["dossier_accepted"], attempt=2), "a repetition takes no second token"


async def test_letters_know_no_night(db: Database, decide: Callable[..., None]) -> None:
    decide(quiet_hours=night_of(now()), per_minute={"default": 1})
    for row in await db.fetch("SELECT id FROM message WHERE channel = 'email'"):
        assert await deliver(db, row["id"])


def test_a_pace_that_is_none_stops_the_service_at_its_start(decide: Callable[..., None]) -> None:
    decide(per_minute={"H99.01": 0})
    with pytest.raises(ValueError, match="per_minute"):
        tenant.texting()


def test_without_a_word_of_the_province_the_night_is_quiet(decide: Callable[..., None]) -> None:
    decide()
    assert tenant.texting() == Texting(NIGHT, {"default": 60})
