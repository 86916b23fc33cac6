"""Provision the tenant's units and officers: `python -m services.identity.seed`, as often as you like.

With MOTCUA_DEMO_PASSWORD every officer gets that password, for demonstrations. Without it they have none: each chooses
one by a code to their own phone, and so does the first administrator.
"""

import asyncio
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from contracts import identifiers
from kit import ids
from kit.db import Database
from kit.settings import load
from services.identity import passwords
from services.identity.officers import domain, store
from services.identity.officers.domain import Officer, Unit
from services.identity.settings import IdentitySettings


async def seed(db: Database, officers: Iterable[dict[str, Any]], password: str | None) -> int:
    """Create or update each officer; how many. A hash is kept as long as it fits the password.

    Hashing is slow on purpose, so the officers of a demonstration share one hash.
    """
    count, known = 0, _Hashes(password)
    for count, entry in enumerate(officers, 1):  # noqa: B007 (the count is the answer)
        made = await _officer(db, entry, known)
        async with db.transaction() as tx:
            await store.provision(tx, made)
    return count


async def _officer(db: Database, entry: dict[str, Any], hashes: "_Hashes") -> Officer:
    username = domain.username(str(entry["username"]))
    known = await store.find_officer(db, username)
    phone = entry.get("phone")
    return Officer(
        ref=known.ref if known else ids.new(),
        username=username,
        display_name=str(entry["name"]),
        unit=str(entry["unit"]),
        roles=domain.roles(map(str, entry["roles"])),
        title=str(entry.get("title", "")),
        phone=identifiers.phone_number(str(phone)) if phone else None,
        password_hash=await hashes.keep_or_make(known.password_hash if known else None),
    )


class _Hashes:
    """Hashes of the one password that is given out, made or checked once."""

    def __init__(self, password: str | None) -> None:
        self._password = password
        self._good: str | None = None

    async def keep_or_make(self, known: str | None) -> str | None:
        """The known hash when it fits, or one that does; None (or the known one) when no password is given out."""
        if self._password is None or (known and known == self._good):
            return known
        if known and await passwords.matches(known, self._password):
            self._good = known
        self._good = self._good or await passwords.hashed(self._password)
        return self._good


async def seed_units(db: Database, entries: Iterable[dict[str, Any]]) -> None:
    """The tenant's agencies, also the closed ones."""
    async with db.transaction() as tx:
        for entry in entries:
            await store.save_unit(tx, _unit(entry))


def _unit(entry: dict[str, Any]) -> Unit:
    ended = {name: entry.get(name) for name in ("valid_to", "successor")}
    return Unit(entry["id"], entry["name"], entry["level"], entry["parent"], entry["valid_from"], **ended)


async def main() -> str:
    settings = load(IdentitySettings)
    tenant, password = Path(settings.tenant), settings.demo_password
    db = await Database.open(settings.database_url, size=2)
    try:
        await seed_units(db, _read(tenant, "units"))
        count = await seed(db, _read(tenant, "officers"), password.get_secret_value() if password else None)
        return f"{count} officers are provisioned"
    finally:
        await db.close()


def _read(tenant: Path, what: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((tenant / f"{what}.yaml").read_text("utf-8"))[what]
    return found


if __name__ == "__main__":
    sys.stdout.write(asyncio.run(main()) + "\n")
