"""Migrations run once, in order, whole, and from wherever somebody starts them."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from deploy.local import databases
from deploy.local.databases import Place, Role
from deploy.local.infra import Infra
from kit import db as kit_db
from kit.db import Database, MigrationRefused, migrate, pending

Write = Callable[[str, str], None]


@pytest.fixture
async def empty(infra: Infra) -> AsyncIterator[Place]:
    """A database in which nothing is."""
    name = f"test_empty_{uuid4().hex[:8]}"
    place = Place(infra.postgres, name, Role(f"{name}_owner", "test"), Role(f"{name}_app", "test"))
    await databases.ensure(place)
    yield place
    await databases.drop(infra.postgres, name)
    admin = await asyncpg.connect(infra.postgres)
    for role in (place.owner, place.app):
        await admin.execute(f"DROP ROLE {role.name}")
    await admin.close()


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a migration of the service `shop`; kit has none of its own here."""
    folder = tmp_path / "services/shop/migrations"
    folder.mkdir(parents=True)
    monkeypatch.setattr(kit_db, "ROOT", tmp_path)

    def write_file(name: str, sql: str) -> None:
        (folder / name).write_text(sql)

    return write_file


async def run(place: Place) -> list[str]:
    return await migrate(place.migration_url, "shop", place.database_url)


async def ask(place: Place, sql: str) -> object:
    conn = await asyncpg.connect(place.migration_url)
    try:
        return await conn.fetchval(sql)
    finally:
        await conn.close()


async def test_files_run_once_in_order(empty: Place, write: Write) -> None:
    write("0001_parcels.sql", "CREATE TABLE parcel (name text)")
    write("0010_more.sql", "ALTER TABLE parcel RENAME COLUMN grams TO weight")
    write("0002_weight.sql", "ALTER TABLE parcel ADD grams int")
    write("notes.sql", "this is no migration")

    assert await run(empty) == ["shop/0001_parcels.sql", "shop/0002_weight.sql", "shop/0010_more.sql"]
    assert await run(empty) == []
    write("0011_later.sql", "ALTER TABLE parcel ADD sent_at timestamptz")
    assert await run(empty) == ["shop/0011_later.sql"]
    assert await ask(empty, "SELECT count(*) FROM schema_migration") == 4


async def test_kits_own_files_come_first(empty: Place) -> None:
    ran = await migrate(empty.migration_url, "payment", empty.database_url)

    owners = [name.split("/")[0] for name in ran]
    assert owners == sorted(owners)
    assert {"kit", "payment"} == set(owners)


async def test_a_file_that_ran_must_not_change(empty: Place, write: Write) -> None:
    write("0001_parcels.sql", "CREATE TABLE parcel (name text)")
    await run(empty)
    write("0001_parcels.sql", "CREATE TABLE parcel (name text, weight int)")
    write("0002_weight.sql", "ALTER TABLE parcel ADD weight int")

    with pytest.raises(MigrationRefused, match=r"shop/0001_parcels.sql was changed"):
        await run(empty)

    assert await ask(empty, "SELECT count(*) FROM schema_migration") == 1


async def test_a_file_that_fails_leaves_no_trace_and_runs_when_it_was_mended(empty: Place, write: Write) -> None:
    write("0001_parcels.sql", "CREATE TABLE parcel (name text); CREATE TABLE parcel (name text)")
    with pytest.raises(asyncpg.DuplicateTableError):
        await run(empty)
    assert await ask(empty, "SELECT to_regclass('parcel')") is None

    write("0001_parcels.sql", "CREATE TABLE parcel (name text)")

    assert await run(empty) == ["shop/0001_parcels.sql"]


async def test_another_application_role_is_no_change_of_the_files(empty: Place, write: Write) -> None:
    write("0001_parcels.sql", "CREATE TABLE parcel (name text); GRANT SELECT ON parcel TO :app_role")
    await run(empty)

    assert await migrate(empty.migration_url, "shop", empty.migration_url) == []


async def test_started_from_several_places_at_once_each_file_runs_once(empty: Place, write: Write) -> None:
    write("0001_parcels.sql", "CREATE TABLE parcel (name text); SELECT pg_sleep(0.5)")
    write("0002_slow.sql", "SELECT pg_sleep(3.5)")  # longer than anybody waits for a lock
    write("0003_index.sql", "-- no-transaction\nCREATE INDEX CONCURRENTLY parcel_name ON parcel (name)")

    ran = await asyncio.gather(*[run(empty) for _ in range(3)])

    assert sorted(name for names in ran for name in names) == [
        "shop/0001_parcels.sql",
        "shop/0002_slow.sql",
        "shop/0003_index.sql",
    ]


async def test_an_index_may_be_made_without_a_transaction(empty: Place, write: Write) -> None:
    write("0001_parcels.sql", "CREATE TABLE parcel (name text)")
    write("0002_index.sql", "-- no-transaction\nCREATE INDEX CONCURRENTLY parcel_name ON parcel (name)")

    await run(empty)

    assert await ask(empty, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'parcel_name'::regclass")


async def test_a_table_in_use_is_waited_for_without_making_others_wait(empty: Place, write: Write) -> None:
    write("0001_parcels.sql", "CREATE TABLE parcel (name text)")
    await run(empty)
    write("0002_weight.sql", "ALTER TABLE parcel ADD weight int")
    user = await asyncpg.connect(empty.database_url)
    transaction = user.transaction()
    await transaction.start()
    await user.execute("SELECT * FROM parcel")
    waiting = asyncio.create_task(run(empty))

    await asyncio.wait([waiting], timeout=3.5)  # its first attempt gives up after three seconds
    assert not waiting.done()
    await transaction.rollback()

    assert await waiting == ["shop/0002_weight.sql"]
    await user.close()


async def test_the_application_may_use_what_was_made_and_nothing_more(empty: Place, write: Write) -> None:
    write("0001_parcels.sql", "CREATE TABLE parcel (id bigserial, name text); REVOKE DELETE ON parcel FROM :app_role")
    await run(empty)
    app = await asyncpg.connect(empty.database_url)

    await app.execute("INSERT INTO parcel (name) VALUES ('p')")
    await app.execute("UPDATE parcel SET name = 'q'")
    for forbidden in ("DELETE FROM parcel", "DROP TABLE parcel", "CREATE TABLE x ()", "DELETE FROM schema_migration"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute(forbidden)
    await app.close()


async def test_what_is_missing_is_named(empty: Place, write: Write) -> None:
    write("0001_parcels.sql", "CREATE TABLE parcel (name text)")
    db = await Database.open(empty.database_url, size=1)
    assert await pending(db, "shop") == ["shop/0001_parcels.sql"]
    await run(empty)
    write("0002_weight.sql", "ALTER TABLE parcel ADD weight int")

    assert await pending(db, "shop") == ["shop/0002_weight.sql"]
    await run(empty)
    assert await pending(db, "shop") == []
    await db.close()


async def test_a_url_without_a_user_is_refused(empty: Place, write: Write) -> None:
    with pytest.raises(MigrationRefused, match="names no user"):
        await migrate(empty.migration_url, "shop", re.sub(r"//.*@", "//", empty.database_url))
