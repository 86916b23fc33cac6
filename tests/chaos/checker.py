"""What must be true afterwards; every finding is a sentence, and an empty list means that nothing was lost."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import aiokafka
from aiokafka import TopicPartition

from contracts.dossier import DOSSIERS
from deploy.local.stack import Stack
from kit.worker import dead_letter_topic
from tests.chaos.faults import Place, database
from tests.support import eventually

SAYS_SOMETHING = ("dossier", "payment", "notification", "identity")
ALL_CODES = "SELECT DISTINCT key FROM outbox WHERE channel = $1"


async def settled(stack: Stack, consumers: Iterable[str], within: float) -> bool:
    """Wait until everything that was said is heard; False if it does not come to rest in time."""
    try:
        await eventually(lambda: _all_heard(stack, list(consumers)), within=within, every=0.2)
    except AssertionError:
        return False
    return True


async def _all_heard(stack: Stack, consumers: list[str]) -> bool:
    said = await _said(stack)
    return not await _pending(stack) and all([await _positions(stack, c) == said for c in consumers])


async def _said(stack: Stack) -> dict[str, int]:
    """The last version of each dossier, by its owner's archive."""
    async with database(stack, "dossier") as conn:
        rows = await conn.fetch(
            "SELECT key, max(version) AS v FROM outbox WHERE channel = $1 GROUP BY key", DOSSIERS.name
        )
    return {row["key"]: row["v"] for row in rows}


async def _pending(stack: Stack) -> int:
    async with database(stack, "dossier") as conn:
        return int(await conn.fetchval("SELECT count(*) FROM outbox WHERE published_at IS NULL"))


async def _positions(stack: Stack, consumer: str) -> dict[str, int]:
    async with database(stack, consumer) as conn:
        rows = await conn.fetch(
            "SELECT key, version FROM inbox_position WHERE channel = $1 AND version > 0", DOSSIERS.name
        )
    return {row["key"]: row["version"] for row in rows}


async def findings(stack: Stack, consumers: Iterable[str], acknowledged: list[str], poisoned: set[Place]) -> list[str]:
    """Everything that is not as it must be."""
    consumers = list(consumers)
    return [
        *_twice("acknowledged", acknowledged),
        *await _versions_have_gaps(stack),
        *await _outboxes_are_not_drained(stack, consumers),
        *[finding for consumer in consumers for finding in await _misheard(stack, consumer)],
        *await _tracking_differs(stack, acknowledged),
        *(await _told_wrongly(stack) if "notification" in consumers else []),
        *[finding for consumer in consumers for finding in await _wrong_dead_letters(stack, consumer, poisoned)],
    ]


def _twice(what: str, codes: Iterable[str]) -> list[str]:
    return [f"{code} was {what} {n} times" for code, n in Counter(codes).items() if n > 1]


async def _versions_have_gaps(stack: Stack) -> list[str]:
    async with database(stack, "dossier") as conn:
        rows = await conn.fetch(
            "SELECT key FROM outbox WHERE channel = $1 GROUP BY key "
            "HAVING count(*) <> max(version) OR min(version) <> 1",
            DOSSIERS.name,
        )
    return [f"the versions of {row['key']} are not 1..n" for row in rows]


# What was recorded a moment ago is on its way: messages to people go on being sent, and said, for a while.
FORGOTTEN = "SELECT count(*) FROM outbox WHERE published_at IS NULL AND created_at < now() - interval '5 seconds'"


async def _outboxes_are_not_drained(stack: Stack, consumers: list[str]) -> list[str]:
    left = {}
    for service in {"dossier", *(c for c in consumers if c in SAYS_SOMETHING)}:
        async with database(stack, service) as conn:
            left[service] = await conn.fetchval(FORGOTTEN)
    return [f"{n} events wait in the outbox of {service}" for service, n in left.items() if n]


async def _misheard(stack: Stack, consumer: str) -> list[str]:
    said, heard = await _said(stack), await _positions(stack, consumer)
    async with database(stack, consumer) as conn:
        parked = await conn.fetchval("SELECT count(*) FROM inbox_parked")
    return [
        *[
            f"{consumer} heard {heard.get(code, 0)} of {n} events of {code}"
            for code, n in said.items()
            if heard.get(code) != n
        ],
        *([f"{parked} events are parked at {consumer}"] if parked else []),
    ]


async def _tracking_differs(stack: Stack, acknowledged: list[str]) -> list[str]:
    async with database(stack, "tracking") as conn:
        shown = {row["code"]: row["version"] for row in await conn.fetch("SELECT code, version FROM dossier_view")}
        told = await conn.fetch("SELECT code, count(*) AS n FROM history WHERE source = 'dossier' GROUP BY code")
    said = await _said(stack)
    steps = {row["code"]: row["n"] for row in told}
    return [
        *[f"{code} was acknowledged and is not in tracking" for code in acknowledged if code not in shown],
        *[f"{code} is in tracking and nobody said it" for code in shown if code not in said],
        *[
            f"tracking shows version {shown.get(code)} of {code}, not {n}"
            for code, n in said.items()
            if shown.get(code) != n
        ],
        *[
            f"tracking tells {steps.get(code)} steps of {code}, not {n}"
            for code, n in said.items()
            if steps.get(code) != n
        ],
    ]


TOLD = """
SELECT dossier_code, array_agg(channel ORDER BY channel) AS channels
FROM message WHERE template = 'dossier_submitted' GROUP BY dossier_code
"""


async def _told_wrongly(stack: Stack) -> list[str]:
    """Each dossier's citizen is told of its sending once in each way."""
    async with database(stack, "notification") as conn:
        told = {row["dossier_code"]: row["channels"] for row in await conn.fetch(TOLD)}
    wanted = ["email", "in_app", "sms"]
    return [f"{code} was told by {told.get(code)}" for code in await _said(stack) if told.get(code) != wanted]


async def _wrong_dead_letters(stack: Stack, consumer: str, poisoned: set[Place]) -> list[str]:
    """Burying one twice, because it was killed in between, is allowed; burying anything else is not."""
    records = await everything_in(stack.infra.kafka, dead_letter_topic(consumer, DOSSIERS.name))
    buried = {_origin(dict(record.headers)) for record in records}
    return [] if buried == poisoned else [f"{consumer} buried {buried}, not the poisoned {poisoned}"]


def _origin(headers: dict[str, bytes]) -> Place:
    return headers["dlq-original-partition"].decode(), headers["dlq-original-offset"].decode()


async def everything_in(kafka: str, topic: str) -> list[Any]:
    """All records of a topic."""
    consumer = aiokafka.AIOKafkaConsumer(bootstrap_servers=kafka)
    await consumer.start()
    try:
        await consumer._client.add_topic(topic)
        partitions = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic) or ()]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        found: list[Any] = []
        while sum([await consumer.position(p) for p in partitions]) < sum(ends.values()):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += records
        return found
    finally:
        await consumer.stop()
