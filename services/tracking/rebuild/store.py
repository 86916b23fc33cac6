"""The statements of a rebuild: tables beside the tables, compared, and switched.

Names of tables and schemas cannot be parameters, so statements about them are put together here from `TABLES` and the
three schemas below, never from what anybody typed.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

import asyncpg

from kit.db import SESSION, Connection, prepare_connection
from kit.log import Places
from services.tracking.projection.store import TABLES

Schema = Literal["public", "shadow", "retired"]
"""`public` serves; `shadow` is being made; `retired` served before."""

POSITIONS = ("inbox_position", "inbox_parked")
"""How far each aggregate was heard, and what waits for a missing event: true of these tables, so it goes with them."""
PROJECTED = (*TABLES, "freshness")
ALL = (*POSITIONS, *PROJECTED)
LOCK = 0x72656275  # "rebu": one rebuild at a time
PATIENCE = "700ms"
"""How long the switch waits for a lock before it lets everybody else pass and tries again: less than the second after
which PostgreSQL looks for deadlocks."""


class RebuildRunning(Exception):
    """Another rebuild holds the lock."""


TRY_LOCK = "SELECT pg_try_advisory_lock($1)"


@asynccontextmanager
async def connected(url: str, schema: Schema) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """As the owner of the tables; what the projection's statements call by their plain names is in `schema`.

    Everything looked up here is looked up by key, so PostgreSQL is not asked to think about other ways: it knows
    nothing yet of tables that were empty a moment ago. Nothing waits for the disk: a shadow is remade, not repaired.
    """
    path = schema if schema == "public" else f"{schema}, public"
    settings = {
        **SESSION,
        "search_path": path,
        "synchronous_commit": "off",
        "maintenance_work_mem": "256MB",
        "work_mem": "64MB",
    }
    by_key = {"enable_seqscan": "off"} if path != schema else {}
    conn = await asyncpg.connect(url, server_settings={**settings, **by_key})
    try:
        await prepare_connection(conn)
        yield conn
    finally:
        await conn.close()


async def only_one(conn: Connection) -> None:
    """Raises RebuildRunning; the lock ends with the connection, however it ends."""
    if not await conn.fetchval(TRY_LOCK, LOCK):
        raise RebuildRunning


# ── making the shadow ──────────────────────────────────────────────────────────────────────────────

STORAGE = "SELECT unnest(reloptions) FROM pg_class WHERE oid = to_regclass($1)"
KEYS = """
SELECT conname AS name, pg_get_constraintdef(oid) AS definition FROM pg_constraint
WHERE conrelid = to_regclass($1) AND contype IN ('p', 'u')
"""
INDEXES = """
SELECT pg_get_indexdef(i.indexrelid) AS definition FROM pg_index AS i
WHERE i.indrelid = to_regclass($1)
  AND NOT EXISTS (SELECT FROM pg_constraint AS c WHERE c.conindid = i.indexrelid)
"""
RIGHTS = """
SELECT grantee::regrole::text AS role, privilege_type AS privilege FROM pg_class, aclexplode(relacl)
WHERE oid = to_regclass($1) AND grantee <> 0 AND grantee <> relowner
"""


async def make_shadow(conn: Connection) -> None:
    """Empty tables like those that serve, with their keys and rights; their other indexes come when they are full.

    A run that was killed may still be in its last statement there: that is waited for.
    """
    async with conn.transaction():
        await conn.execute("SET LOCAL lock_timeout = 0")
        await drop(conn, "shadow")
        await conn.execute("CREATE SCHEMA shadow")
        await conn.execute(LOG_POSITION.format(schema="shadow"))
        for table in ALL:
            await _make_like(conn, table)


LOG_POSITION = """
CREATE TABLE {schema}.log_position
    (topic text NOT NULL, partition int NOT NULL, next bigint NOT NULL, PRIMARY KEY (topic, partition))
"""


async def _make_like(conn: Connection, table: str) -> None:
    named = f"public.{table}"
    options = [row[0] for row in await conn.fetch(STORAGE, named)]
    storage = ", ".join([*(o for o in options if not o.startswith("autovacuum_enabled")), "autovacuum_enabled = off"])
    await conn.execute(f"CREATE TABLE shadow.{table} (LIKE {named} INCLUDING ALL EXCLUDING INDEXES) WITH ({storage})")
    for key in await conn.fetch(KEYS, named):
        await conn.execute(f'ALTER TABLE shadow.{table} ADD CONSTRAINT "{key["name"]}" {key["definition"]}')
    for right in await conn.fetch(RIGHTS, named):
        await conn.execute(f"GRANT {right['privilege']} ON shadow.{table} TO {right['role']}")


async def finish_shadow(conn: Connection) -> None:
    """The other indexes, statistics for the planner, and vacuum as for any table."""
    for table in ALL:
        for index in await conn.fetch(INDEXES, f"public.{table}"):
            await conn.execute(_in_shadow(index["definition"], table))
        await conn.execute(f"VACUUM (ANALYZE) shadow.{table}")
        await conn.execute(f"ALTER TABLE shadow.{table} RESET (autovacuum_enabled)")


def _in_shadow(definition: str, table: str) -> str:
    """The same index, with the same name, on the table of the shadow. PostgreSQL writes ` ON public.x USING `."""
    before, mark, behind = definition.partition(f" ON public.{table} USING ")
    assert mark, definition  # noqa: S101 (how PostgreSQL writes it)
    return f"{before} ON shadow.{table} USING {behind}"


async def drop(conn: Connection, schema: Literal["shadow", "retired"]) -> None:
    await conn.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")


EXISTS = "SELECT to_regclass($1) IS NOT NULL"


async def exists(conn: Connection, schema: Schema) -> bool:
    return bool(await conn.fetchval(EXISTS, f"{schema}.log_position"))


# ── how far Kafka was read ─────────────────────────────────────────────────────────────────────────


COME_TO = """-- of the tables in this schema
INSERT INTO {schema}.log_position VALUES ($1, $2, $3)
ON CONFLICT (topic, partition) DO UPDATE SET next = excluded.next
"""


async def come_to(conn: Connection, schema: Schema, places: Mapping[tuple[str, int], int]) -> None:
    """In the transaction of what was read: a shadow that is kept can go on where it was."""
    await conn.executemany(
        COME_TO.format(schema=schema),
        [(topic, partition, offset) for (topic, partition), offset in places.items()],
    )


async def came_to(conn: Connection, schema: Schema) -> Places:
    rows = await conn.fetch(f"TABLE {schema}.log_position")
    return {(row["topic"], row["partition"]): row["next"] for row in rows}


# ── comparing ──────────────────────────────────────────────────────────────────────────────────────

BUCKETS = 256
NAMED = 100
"""Differing keys of a table that are told by name."""


SUMMED = {"statistics": ("unit", "procedure_code", "month")}
"""Tables of counters in slots: what counts are their sums by these columns, and which slot holds how much does not."""

COLUMNS = """
SELECT attname FROM pg_attribute
WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped AND attname <> 'slot' ORDER BY attnum
"""


async def _hashed(conn: Connection, table: str) -> dict[str, str]:
    """For `public` and `shadow`: the rows of the table as the key of their aggregate and a hash of all they say."""
    key = await conn.fetchval(FIRST_OF_KEY, f"public.{table}")
    rows = {schema: f"{schema}.{table}" for schema in ("public", "shadow")}
    if by := SUMMED.get(table):
        counters = [row[0] for row in await conn.fetch(COLUMNS, f"public.{table}") if row[0] not in by]
        rows = {schema: _summed(named, by, counters) for schema, named in rows.items()}
    return {
        schema: f"(SELECT {key}::text AS key, hashtextextended(told::text, 0) AS hash FROM {some} AS told)"
        for schema, some in rows.items()
    }


def _summed(table: str, by: Sequence[str], counters: Sequence[str]) -> str:
    sums = [f"sum({name})" for name in counters]
    zeros = ", ".join("0" for _ in counters)
    return (
        f"(SELECT {', '.join([*by, *sums])} FROM {table} GROUP BY {', '.join(by)} "
        f"HAVING ({', '.join(sums)}) IS DISTINCT FROM ({zeros}))"
    )


FIRST_OF_KEY = """
SELECT a.attname FROM pg_constraint AS c
JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
WHERE c.conrelid = to_regclass($1) AND c.contype = 'p'
"""


async def differing_buckets(conn: Connection, table: str) -> set[int]:
    """Buckets of keys whose rows are not the same in `public` and `shadow`: counted and summed, row by row."""
    hashed = await _hashed(conn, table)
    sums: list[set[tuple[int, int, Any]]] = []
    for schema in ("public", "shadow"):
        rows = await conn.fetch(
            f"(SELECT mod(abs(hashtext(key)::bigint), {BUCKETS})::int AS bucket, count(*), sum(hash) "
            f"FROM {hashed[schema]} AS rows GROUP BY 1)"
        )
        sums.append({tuple(row) for row in rows})
    return {bucket for bucket, _, _ in sums[0] ^ sums[1]}


async def differing_keys(
    conn: Connection, table: str, buckets: Iterable[int], consumer: str, channels: Iterable[str]
) -> tuple[list[str], int, int]:
    """In these buckets: keys whose rows differ though both have heard the same of them (some of them by name, and how
    many), and how many more keys differ because only one has heard of them.

    A row of a table that sums up many aggregates can only be held against anything while nothing moves.
    """
    live, anew = (_in_buckets(some) for some in (await _hashed(conn, table)).values())
    heard, heard_anew = (_heard_of(schema) for schema in ("public", "shadow"))
    row = await conn.fetchrow(
        "(SELECT count(*) FILTER (WHERE still) AS still, count(*) FILTER (WHERE NOT still) AS moving, "
        "count(*) FILTER (WHERE still AND heard IS NULL) AS sums, "
        f"(array_agg(key ORDER BY key) FILTER (WHERE still AND heard IS NOT NULL))[1:{NAMED}] AS keys, "
        f"(array_agg(key ORDER BY key) FILTER (WHERE still AND heard IS NULL))[1:{NAMED}] AS summed "
        f"FROM (SELECT key, heard, heard IS NOT DISTINCT FROM anew AS still "
        f"FROM (SELECT key, {heard} AS heard, {heard_anew} AS anew "
        f"FROM (SELECT DISTINCT key FROM (({live} EXCEPT {anew}) UNION ({anew} EXCEPT {live})) AS rows) AS wrong"
        ") AS known) AS judged)",
        list(buckets),
        consumer,
        list(channels),
    )
    assert row is not None  # noqa: S101 (counts are always there)
    if row["sums"] and await conn.fetchval(_any_moving(), consumer):
        return row["keys"] or [], row["still"] - row["sums"], row["moving"] + row["sums"]
    return [*(row["keys"] or []), *(row["summed"] or [])], row["still"], row["moving"]


def _in_buckets(hashed: str) -> str:
    return f"(SELECT * FROM {hashed} AS rows WHERE mod(abs(hashtext(key)::bigint), {BUCKETS})::int = ANY($1))"


def _heard_of(schema: Schema) -> str:
    """Everything that was heard of the aggregate; null for a key that is no aggregate's."""
    return (
        f"(SELECT array_agg(channel || version ORDER BY channel) FROM {schema}.inbox_position "
        "WHERE consumer = $2 AND channel = ANY($3) AND key = wrong.key)"
    )


def _any_moving() -> str:
    return (
        "(SELECT EXISTS (SELECT FROM public.inbox_position AS p FULL JOIN shadow.inbox_position AS s "
        "USING (consumer, channel, key) WHERE consumer = $1 AND p.version IS DISTINCT FROM s.version))"
    )


async def ahead(conn: Connection, consumer: str) -> list[asyncpg.Record]:
    """Aggregates of which live has heard more, with what it has heard."""
    return await conn.fetch(
        "(SELECT p.channel, p.key, p.version FROM public.inbox_position AS p "
        "LEFT JOIN shadow.inbox_position AS s USING (consumer, channel, key) "
        "WHERE consumer = $1 AND p.version > coalesce(s.version, 0))",
        consumer,
    )


async def not_reached(conn: Connection, consumer: str, ahead: Sequence[asyncpg.Record]) -> list[str]:
    """Of these, the ones that the shadow has still not come to."""
    rows = await conn.fetch(
        "(SELECT DISTINCT key FROM unnest($2::text[], $3::text[], $4::int[]) AS wanted (channel, key, version) "
        "WHERE version > coalesce((SELECT version FROM shadow.inbox_position AS s "
        "WHERE s.consumer = $1 AND s.channel = wanted.channel AND s.key = wanted.key), 0) ORDER BY key)",
        consumer,
        *([row[name] for row in ahead] for name in ("channel", "key", "version")),
    )
    return [row["key"] for row in rows]


# ── the switch ─────────────────────────────────────────────────────────────────────────────────────


async def hold_projection(conn: Connection) -> None:
    """In a transaction: from here on nothing is projected, while everything can be read.

    The positions first: whoever projects asks for them before anything else, so it waits there and holds nothing that
    the switch needs. Raises LockNotAvailableError when somebody is in the way for longer than PATIENCE.
    """
    await conn.execute(f"SET LOCAL lock_timeout = '{PATIENCE}'")
    await conn.execute(f"LOCK TABLE {_list('public', POSITIONS)} IN ACCESS EXCLUSIVE MODE")
    await conn.execute(f"LOCK TABLE {_list('public', PROJECTED)} IN SHARE ROW EXCLUSIVE MODE")


async def switch(conn: Connection, source: Literal["shadow", "retired"], heard: Places) -> None:
    """In the same transaction: what serves goes to `retired`, what is in `source` serves.

    `heard`: how far Kafka had certainly been read by what served, for whoever wants it back.
    """
    await conn.execute("CREATE SCHEMA leaving")
    for table in ALL:
        await conn.execute(f"ALTER TABLE public.{table} SET SCHEMA leaving")
        await conn.execute(f"ALTER TABLE {source}.{table} SET SCHEMA public")
    await drop(conn, source)
    await drop(conn, "retired")
    await conn.execute("ALTER SCHEMA leaving RENAME TO retired")
    await conn.execute(LOG_POSITION.format(schema="retired"))
    await come_to(conn, "retired", heard)


def _list(schema: Schema, tables: Iterable[str]) -> str:
    return ", ".join(f"{schema}.{table}" for table in tables)
