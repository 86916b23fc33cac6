"""PostgreSQL: one pool a process, whole transactions, migrations from plain SQL files."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import unquote, urlsplit

import asyncpg
import structlog
from asyncpg.pool import PoolConnectionProxy

from kit.problems import Unavailable

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
else:
    Connection = asyncpg.Connection
"""What a `tx` is: a connection inside a transaction."""

log = structlog.get_logger()

ACQUIRE_TIMEOUT = 3.0
"""Seconds to wait for a free connection before answering 503 instead of hanging."""

_AGAIN = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.InvalidCachedStatementError,
)
_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.PostgresSystemError,
    asyncpg.LockNotAvailableError,
    asyncpg.InternalClientError,  # a connection whose end was announced while nobody was listening
    asyncpg.ReadOnlySQLTransactionError,  # a primary that was just made a standby
    Unavailable,
    OSError,  # TimeoutError is one
)

_MISTAKES = (FileNotFoundError, FileExistsError, PermissionError, IsADirectoryError, NotADirectoryError)
"""OSErrors that waiting does not mend."""


def may_retry(exc: BaseException) -> bool:
    """The transaction lost a race or met a migration: the same work may succeed at once when begun anew."""
    return isinstance(exc, _AGAIN)


def is_transient(exc: BaseException) -> bool:
    """The trouble is outside the work itself (a server away, full or restarting): wait, then try again."""
    if isinstance(exc, asyncpg.InterfaceError):
        return "clos" in str(exc)  # "connection is closed", "pool is closing"; other InterfaceErrors are mistakes
    if isinstance(exc, _MISTAKES):
        return False
    return may_retry(exc) or isinstance(exc, _AWAY)


class Database:
    """The service's own database."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", url: str) -> None:
        self._pool = pool
        self.url = url

    @classmethod
    async def open(cls, url: str, *, size: int = 8) -> "Database":
        pool = await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=size,
            init=prepare_connection,
            reset=_as_it_is,
            command_timeout=30,
            max_cacheable_statement_size=64_000,
            timeout=10,
            server_settings=SESSION,
        )
        return cls(pool, url)

    async def close(self) -> None:
        try:
            await asyncio.wait_for(self._pool.close(), 10)
        except TimeoutError:
            self._pool.terminate()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection of the pool, in autocommit; `Unavailable` when none is free in time."""
        try:
            conn = await self._pool.acquire(timeout=ACQUIRE_TIMEOUT)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as exc:
            log.warning("database.unavailable", error=type(exc).__name__)
            raise Unavailable from exc
        try:
            yield conn
        finally:
            await self._pool.release(conn)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Everything inside happens together or not at all."""
        async with self.connection() as conn, conn.transaction():
            yield conn

    async def fetch(self, sql: str, *args: Any) -> list[asyncpg.Record]:
        async with self.connection() as conn:
            return await conn.fetch(sql, *args)

    async def fetchrow(self, sql: str, *args: Any) -> asyncpg.Record | None:
        async with self.connection() as conn:
            return await conn.fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: Any) -> Any:
        async with self.connection() as conn:
            return await conn.fetchval(sql, *args)

    async def execute(self, sql: str, *args: Any) -> str:
        async with self.connection() as conn:
            return await conn.execute(sql, *args)


async def _as_it_is(conn: Connection) -> None:
    """Nothing is set on a pooled connection that its next user could trip over, so asyncpg need not ask the server
    to forget everything at each return: that would be one round trip more for every statement."""


SESSION = {
    "jit": "off",  # every statement here is short; compiling would cost more than running
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
}


async def prepare_connection(conn: Connection) -> None:
    """jsonb comes and goes as Python objects."""
    for name in ("json", "jsonb"):
        await conn.set_type_codec(name, encoder=_encode, decoder=json.loads, schema="pg_catalog")


def _encode(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str, separators=(",", ":"))


# ── migrations ────────────────────────────────────────────────────────────────────────────────────────────────

MIGRATION_LOCK = 0x6D6F7463  # "motc"
ROOT = Path(__file__).parent.parent


class MigrationRefused(Exception):
    """The database and the files disagree; the message says about what."""


async def migrate(url: str, service: str, app_url: str = "") -> list[str]:
    """Bring the database at `url` (as its owner) to the newest schema; return the names of the files that ran.

    kit's own files come first, then the service's. Safe to run from several places at once (advisory lock). A file that
    ran before must not have changed (checksum). `app_url` names the role that the application uses: it may read and
    write rows, and nothing else; `:app_role` in a file stands for it.
    """
    conn = await asyncpg.connect(url, server_settings={"lock_timeout": "3s"})
    try:
        while not await conn.fetchval("SELECT pg_try_advisory_lock($1)", MIGRATION_LOCK):  # noqa: ASYNC110
            # Try, do not queue: a waiting statement holds a snapshot, and CREATE INDEX CONCURRENTLY waits for that.
            await asyncio.sleep(0.2)
        role = _role_of(app_url or url)
        await _prepare_schema(conn, role)
        return [name for name, sql in _files(service) if await _apply(conn, name, sql, role)]
    finally:
        await conn.close()


def _role_of(url: str) -> str:
    user = urlsplit(url).username
    if not user:
        raise MigrationRefused("the database URL names no user")
    return '"' + unquote(user).replace('"', '""') + '"'


def _files(service: str) -> list[tuple[str, str]]:
    folders = [("kit", ROOT / "kit/migrations"), (service, ROOT / "services" / service / "migrations")]
    return [
        (f"{owner}/{file.name}", file.read_text("utf-8"))
        for owner, folder in folders
        for file in sorted(folder.glob("[0-9][0-9][0-9][0-9]_*.sql"))
    ]


async def _prepare_schema(conn: Connection, role: str) -> None:
    await conn.execute(
        f"""CREATE TABLE IF NOT EXISTS schema_migration
              (name text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());
            GRANT USAGE ON SCHEMA public TO {role};
            GRANT SELECT ON schema_migration TO {role};
            ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role};
            ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO {role};"""
    )


async def _apply(conn: Connection, name: str, sql: str, role: str) -> bool:
    digest = hashlib.sha256(sql.encode()).hexdigest()
    known = await conn.fetchval("SELECT sha256 FROM schema_migration WHERE name = $1", name)
    if known == digest:
        return False
    if known:
        raise MigrationRefused(f"{name} was changed after it had run: put it back and write a new file instead")
    for attempt in range(5):
        try:
            await _run(conn, name, sql.replace(":app_role", role), digest)
            return True
        except asyncpg.LockNotAvailableError:  # never queue behind who uses the table: others would queue behind us
            await asyncio.sleep(2**attempt)
    raise MigrationRefused(f"{name} could not get its lock; try again when the database is less busy")


async def _run(conn: Connection, name: str, sql: str, digest: str) -> None:
    record = "INSERT INTO schema_migration (name, sha256) VALUES ($1, $2)"
    if sql.startswith("-- no-transaction"):  # CREATE INDEX CONCURRENTLY
        await conn.execute(sql)
        await conn.execute(record, name, digest)
        return
    async with conn.transaction():
        await conn.execute(sql)
        await conn.execute(record, name, digest)


async def pending(db: Database, service: str) -> list[str]:
    """Names of migrations that this code has and the database has not."""
    migrated = await db.fetchval("SELECT to_regclass('schema_migration') IS NOT NULL")
    done = {row["name"] for row in await db.fetch("SELECT name FROM schema_migration")} if migrated else set()
    return [name for name, _ in _files(service) if name not in done]
