"""What Kafka has forgotten, the owner's archive still has: published again for one system outside, and nobody else."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from contracts import asyncapi
from contracts.dossier import DOSSIERS
from contracts.identity import ACCOUNTS
from deploy.local.infra import Secured
from kit import ops, outbox
from kit.clock import now
from kit.db import Database
from kit.ops import replay_topic
from kit.settings import Settings
from tests.conftest import MakeDatabase
from tests.kit.kafka import Kafka, histories

PUBLISHED = "UPDATE outbox SET published_at = now()"
IDS = "SELECT event_id::text FROM outbox WHERE channel = $1 AND key = ANY($2) ORDER BY key, version"
CODES = ["H99.02.01-261122-0001", "H99.02.01-261122-0002"]


@pytest.fixture
async def archive(make_database: MakeDatabase) -> Database:
    """The history of two dossiers, told in turns, and published: Kafka may have forgotten it."""
    db = await make_database("dossier")
    example = next(body for _, body in asyncapi.examples(DOSSIERS, DOSSIERS.events[0]))
    for version in range(1, 40):
        events = [{**example, "dossier_code": code, "version": version, "occurred_at": now()} for code in CODES]
        async with db.transaction() as tx:
            await outbox.record(tx, DOSSIERS, *map(DOSSIERS.events[0].model_validate, events))
    await db.execute(PUBLISHED)
    return db


@pytest.fixture
async def asked_by(secured: Secured, kafka: Kafka) -> str:
    """A system outside with a replay topic."""
    name = f"tax-{uuid4().hex[:8]}"
    await kafka.create(replay_topic(name), 1)
    return name


@pytest.fixture
def operator(secured: Secured, archive: Database, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`await operator("replay", …)`: the command of the dossier service, in a thread with an event loop of its own."""
    told = Settings(database_url=archive.url, kafka=secured.plain)
    monkeypatch.setattr("kit.settings._loaded", {Settings: told})
    return lambda *arguments: asyncio.to_thread(CliRunner().invoke, ops.cli("dossier"), list(arguments))


async def test_events_are_published_again_in_order_with_their_ids_for_one_system(
    operator: Any, archive: Database, kafka: Kafka, asked_by: str
) -> None:
    said = await operator("replay", DOSSIERS.name, "--to", asked_by)

    records = await kafka.everything_on(replay_topic(asked_by))
    assert said.exit_code == 0, said.output
    assert "78 events were published again" in said.output
    assert histories(records) == {code: list(range(1, 40)) for code in CODES}
    ids = [row["event_id"] for row in await archive.fetch(IDS, DOSSIERS.name, CODES)]
    assert [dict(record.headers)["ce_id"].decode() for record in records] == ids
    assert await archive.fetchval("SELECT count(*) FROM outbox WHERE published_at IS NULL") == 0, "nobody else hears it"


async def test_one_dossier_can_be_asked_for(operator: Any, kafka: Kafka, asked_by: str) -> None:
    await operator("replay", DOSSIERS.name, "--to", asked_by, "--key", CODES[1])

    assert histories(await kafka.everything_on(replay_topic(asked_by))) == {CODES[1]: list(range(1, 40))}


async def test_what_is_counted_only_is_not_sent(operator: Any, kafka: Kafka, asked_by: str) -> None:
    said = await operator("replay", DOSSIERS.name, "--to", asked_by, "--dry-run")

    assert "78 events would be" in said.output
    assert await kafka.everything_on(replay_topic(asked_by)) == []


async def test_an_internal_channel_is_never_published_again_for_outside(
    operator: Any, kafka: Kafka, asked_by: str
) -> None:
    said = await operator("replay", ACCOUNTS.name, "--to", asked_by)

    assert said.exit_code == 2
    assert "is not public" in said.output


async def test_a_time_can_be_asked_for(operator: Any, kafka: Kafka, asked_by: str) -> None:
    await operator("replay", DOSSIERS.name, "--to", asked_by, "--since", "2100-01-01")

    assert await kafka.everything_on(replay_topic(asked_by)) == []
