"""One database and two roles for every service: its owner changes the schema, the service itself may not."""

import re
from dataclasses import dataclass, replace
from urllib.parse import quote, urlsplit

import asyncpg

from deploy.local.ports import HOST

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")

ROLE_EXISTS = "SELECT 1 FROM pg_roles WHERE rolname = $1"
DATABASE_EXISTS = "SELECT 1 FROM pg_database WHERE datname = $1"


@dataclass(frozen=True)
class Role:
    name: str
    password: str


@dataclass(frozen=True)
class Place:
    """Where one service keeps its data, and as whom."""

    admin_url: str
    database: str
    owner: Role
    app: Role

    @property
    def migration_url(self) -> str:
        return self._url(self.owner)

    @property
    def database_url(self) -> str:
        return self._url(self.app)

    def _url(self, role: Role) -> str:
        server = urlsplit(self.admin_url).netloc.rpartition("@")[2]
        return f"postgresql://{role.name}:{quote(role.password, safe='')}@{server}/{self.database}"


def admin_url(port: int, password: str) -> str:
    """Of the administrator of a server on loopback."""
    return f"postgresql://postgres:{password}@{HOST}:{port}/postgres"


async def ensure(place: Place) -> None:
    """The database with its two roles, whatever of it was there before."""
    admin = await asyncpg.connect(place.admin_url)
    try:
        for role in (place.owner, place.app):
            await _ensure_role(admin, role)
        if not await admin.fetchval(DATABASE_EXISTS, place.database):
            await admin.execute(f"CREATE DATABASE {_checked(place.database)} OWNER {_checked(place.owner.name)}")
        await _restrict(admin, place)
    finally:
        await admin.close()


async def _ensure_role(admin: "asyncpg.Connection[asyncpg.Record]", role: Role) -> None:
    verb = "ALTER" if await admin.fetchval(ROLE_EXISTS, role.name) else "CREATE"
    if re.fullmatch(r"[0-9A-Za-z_-]+", role.password) is None:
        raise ValueError("a role's password has letters and digits only")
    await admin.execute(f"{verb} ROLE {_checked(role.name)} LOGIN PASSWORD '{role.password}'")


async def _restrict(admin: "asyncpg.Connection[asyncpg.Record]", place: Place) -> None:
    """Only the two roles may enter."""
    database = _checked(place.database)
    await admin.execute(f"REVOKE CONNECT, TEMPORARY ON DATABASE {database} FROM PUBLIC")
    await admin.execute(f"GRANT CONNECT ON DATABASE {database} TO {_checked(place.app.name)}")


async def copy(template: Place, name: str) -> Place:
    """A new database with all that is in another one, to which nobody may be connected."""
    place = replace(template, database=name)
    admin = await asyncpg.connect(place.admin_url)
    try:
        source, owner = _checked(template.database), _checked(template.owner.name)
        await admin.execute(f"CREATE DATABASE {_checked(name)} TEMPLATE {source} OWNER {owner}")
        await _restrict(admin, place)
    finally:
        await admin.close()
    return place


async def drop(admin_url: str, name: str) -> None:
    admin = await asyncpg.connect(admin_url)
    try:
        await admin.execute(f"DROP DATABASE IF EXISTS {_checked(name)} WITH (FORCE)")
    finally:
        await admin.close()


def _checked(name: str) -> str:
    """Names of databases and roles cannot be parameters: only plain words are let through."""
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"{name!r} cannot be the name of a database or a role")
    return name
