"""Who closes their account is found nowhere any more: databases, Kafka, object storage, logs, traces."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer

from contracts.registry import CHANNELS
from deploy.demo.story import Story
from deploy.local.names import SERVICES
from deploy.local.site import has_database
from deploy.local.stack import Stack
from tests.collector import Collector
from tests.stories.people import person, register
from tests.support import eventually

CANARY = {"full_name": "Chim Hoàng Yến Canary", "identity_number": "000195000777", "email": "hoang.yen@example.vn"}
PHONE = "0900000777"
MARKS = (
    "Hoàng Yến Canary",
    "000195000777",
    "hoang.yen@example.vn",
    "900000777",
    "hoang.yen.2@example.vn",
    "Thôn Canary",
)


@pytest.mark.timeout(300)
async def test_who_closes_their_account_is_found_nowhere(stack: Stack, collector: Collector) -> None:
    story = Story(stack.site)
    try:
        canary = person(story, await register(story, PHONE, **CANARY))
        card = {
            "full_name": CANARY["full_name"],
            "identity_number": CANARY["identity_number"],
            "issued_on": "2024-05-05",
        }
        await canary.post("identity", "accounts/me/standardisation", "", card, method="PUT")
        await canary.post("identity", "accounts/me/address", "", {"address": "Thôn Canary"}, method="PUT")
        await canary.post("identity", "accounts/me/consents", "", {"purpose": "autofill", "text_version": 1})
        export = await canary.get("identity", "accounts/me/export")
        assert export["profile"]["name"] == CANARY["full_name"]
        clerk = await story.portal.officer("mot-cua")
        seen = {**card, "phone": PHONE}
        ref = (await clerk.post("identity", "desk-verifications", "", seen))["account_ref"]
        assert await in_databases(stack) >= {"identity.account", "identity.credential"}, (
            "the search finds what is there"
        )
        await eventually(lambda: in_kafka(stack, ref.encode()), within=30)

        await canary.post("identity", "accounts/me/closure", "")

        await eventually(lambda: nothing(in_databases(stack)), within=30)
        assert await in_kafka(stack, *(mark.encode() for mark in MARKS)) == set()
        assert await in_storage(stack) == set()
        assert in_logs(stack) == set()
        assert {s.name for s in list(collector.spans) if hit(f"{s.name} {s.attributes}")} == set()
        await eventually(lambda: is_tombstoned(stack, ref.encode()), within=30)
    finally:
        await story.close()


def hit(text: str) -> bool:
    return any(mark in text for mark in MARKS)


async def nothing(found: Awaitable[set[str]]) -> bool:
    return await found == set()


COLUMNS = """
SELECT c.table_name, array_agg(c.column_name::text) FILTER (WHERE c.data_type = 'bytea') AS bytes
FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' GROUP BY c.table_name
"""


async def in_databases(stack: Stack) -> set[str]:
    """The tables of all services with a row that holds one of the marks, in text, JSON or bytes."""
    return {name for service in SERVICES if has_database(service) for name in await _in_database(stack, service)}


async def _in_database(stack: Stack, service: str) -> list[str]:
    conn = await asyncpg.connect(stack.site.place(service).migration_url)
    try:
        tables = await conn.fetch(COLUMNS)
        return [
            f"{service}.{row['table_name']}" for row in tables if await _in_table(conn, row["table_name"], row["bytes"])
        ]
    finally:
        await conn.close()


async def _in_table(conn: "asyncpg.Connection[asyncpg.Record]", table: str, bytes_in: list[str] | None) -> bool:
    texts = ["t::text", *(f"encode(t.{column}, 'escape')" for column in bytes_in or ())]
    plain = [f"{text} LIKE ANY($1)" for text in texts]
    escaped = [f"encode(t.{column}, 'escape') LIKE ANY($2)" for column in bytes_in or ()]
    query = f'SELECT EXISTS (SELECT FROM "{table}" t WHERE {" OR ".join(plain + escaped)} OR $2::text[] IS NULL)'  # noqa: S608
    return bool(await conn.fetchval(query, [f"%{mark}%" for mark in MARKS], [f"%{_octal(mark)}%" for mark in MARKS]))


def _octal(mark: str) -> str:
    """As PostgreSQL escapes bytes beyond ASCII, with its backslashes kept from LIKE."""
    return "".join(chr(b) if b < 128 else f"\\\\{b:03o}" for b in mark.encode())


async def in_kafka(stack: Stack, *marks: bytes) -> set[str]:
    """The topics with a record whose key, value or headers hold one of the marks."""
    names = [channel.name for channel in CHANNELS]
    return {
        name for name, content in [item async for item in _records(stack, names)] if any(m in content for m in marks)
    }


async def is_tombstoned(stack: Stack, key: bytes) -> bool:
    """Whether the last record of the account has no value."""
    last = b""
    async for _, content in _records(stack, ["identity.accounts.v1"]):
        if content.startswith(key):
            last = content
    return last == key


async def _records(stack: Stack, topics: Iterable[str]) -> AsyncIterator[tuple[str, bytes]]:
    consumer = AIOKafkaConsumer(*topics, bootstrap_servers=stack.infra.kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        waiting = {partition for partition, end in ends.items() if end}
        await consumer.seek_to_beginning()
        while waiting:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    headers = b"".join(value for _, value in record.headers)
                    yield record.topic, (record.key or b"") + headers * bool(record.value) + (record.value or b"")
            waiting = {p for p in waiting if await consumer.position(p) < ends[p]}
    finally:
        await consumer.stop()


async def in_storage(stack: Stack) -> set[str]:
    """The objects whose bytes hold one of the marks."""
    bucket, s3 = stack.infra.s3.bucket, stack.infra.s3.client()

    def look() -> set[str]:
        names = [str(item.object_name) for item in s3.list_objects(bucket, recursive=True)]
        return {name for name in names if any(mark.encode() in s3.get_object(bucket, name).data for mark in MARKS)}

    return await asyncio.to_thread(look)


def in_logs(stack: Stack) -> set[str]:
    """The services whose log holds one of the marks."""
    return {name for name in SERVICES if hit(stack.log(name))}
