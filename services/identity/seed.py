"""Provision the tenant's demo officers: `python -m services.identity.seed`, as often as you like."""

import asyncio
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from kit import ids
from kit.db import Database
from kit.settings import load
from services.identity import passwords, store
from services.identity.settings import IdentitySettings


async def seed(db: Database, officers: Iterable[dict[str, Any]], password: str) -> int:
    """Create or update each officer; how many. A hash is kept as long as it fits the password."""
    count = 0
    for count, officer in enumerate(officers, 1):  # noqa: B007 (the count is the answer)
        await store.provision(db, await _officer(db, officer, password))
    return count


async def _officer(db: Database, entry: dict[str, Any], password: str) -> store.Officer:
    username = str(entry["username"]).lower()
    known = await store.find_officer(db, username)
    keep = known is not None and await passwords.matches(known.password_hash, password)
    return store.Officer(
        ref=known.ref if known else ids.new(),
        username=username,
        display_name=str(entry["name"]),
        unit=str(entry["unit"]),
        roles=[str(role) for role in entry["roles"]],
        password_hash=known.password_hash if known and keep else await passwords.hashed(password),
    )


async def main() -> str:
    settings = load(IdentitySettings)
    if settings.demo_password is None:
        return "MOTCUA_DEMO_PASSWORD is not set: no officer is provisioned"
    entries = _officers_of(Path(settings.tenant))
    db = await Database.open(settings.database_url, size=2)
    try:
        count = await seed(db, entries, settings.demo_password.get_secret_value())
        return f"{count} officers are provisioned"
    finally:
        await db.close()


def _officers_of(tenant: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((tenant / "officers.yaml").read_text("utf-8"))["officers"]
    return found


if __name__ == "__main__":
    sys.stdout.write(asyncio.run(main()) + "\n")
