"""Official forms in the database: ordered with the change they belong to, made afterwards."""

from typing import Any

import asyncpg
from pydantic import TypeAdapter

from kit import timers
from kit.db import Connection, Database
from services.dossier.clocks.calendar import HANOI
from services.dossier.forms import domain
from services.dossier.forms.domain import AnyFacts, Form, FormNotFound, Ordered
from services.dossier.history import store as history
from services.dossier.results.store import next_number

MAKE = "official_form"
"""The job that makes one, keyed by its reference."""

ADAPTERS: dict[Form, TypeAdapter[Any]] = {form: TypeAdapter(kind) for form, kind in domain.FACTS.items()}

ORDER = """
INSERT INTO official_form (dossier_code, name, form, facts, number, ordered_at, head)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""


async def order(tx: Connection, dossier_code: str, form: Form, key: str | int, facts: AnyFacts) -> str:
    """The form is issued if this transaction commits: its facts and number are kept, its document follows at once.

    Call it after saving the dossier, so that the head of the history on the form covers the act itself.

    `key` tells several forms of one kind apart (the round of a supplement; empty when there can be only one).
    Returns the reference for the event. TypeError for facts of another form.
    """
    if not isinstance(facts, domain.FACTS[form]):
        raise TypeError(f"{form} is made from {domain.FACTS[form].__name__}")
    number = None
    if form in domain.SYMBOLS:
        year = facts.at.astimezone(HANOI).year
        number = await next_number(tx, facts.unit, year, domain.SYMBOLS[form])
    name, ref = domain.name(form, key), domain.ref(dossier_code, form, key)
    told = ADAPTERS[form].dump_python(facts, mode="json")
    await tx.execute(ORDER, dossier_code, name, form, told, number, facts.at, str(await history.head(tx, dossier_code)))
    await timers.schedule(tx, MAKE, ref, facts.at)
    return ref


READ = """
SELECT dossier_code, name, form, facts, number, head, sha256 FROM official_form WHERE dossier_code = $1 AND name = $2
"""


async def read(db: Database | Connection, code: str, name: str) -> Ordered:
    """One form; FormNotFound when the dossier has none of that name."""
    row = await db.fetchrow(READ, code, name)
    if row is None:
        raise FormNotFound
    return _ordered(row)


OF_DOSSIER = """
SELECT dossier_code, name, form, facts, number, head, sha256 FROM official_form WHERE dossier_code = $1
ORDER BY ordered_at, name
"""


async def of_dossier(db: Database | Connection, code: str) -> list[Ordered]:
    """Every form of the dossier, in the order they were issued."""
    return [_ordered(row) for row in await db.fetch(OF_DOSSIER, code)]


def _ordered(row: asyncpg.Record) -> Ordered:
    form = Form(row["form"])
    facts = ADAPTERS[form].validate_python(row["facts"])
    return Ordered(row["dossier_code"], row["name"], form, facts, row["number"], row["head"], row["sha256"])


MADE = "UPDATE official_form SET sha256 = $3 WHERE dossier_code = $1 AND name = $2 AND sha256 IS NULL"


async def made(db: Database, form: Ordered, sha256: str) -> str:
    """The document is stored. Of two that were made at once the first is the form; the SHA-256 of that one."""
    await db.execute(MADE, form.dossier_code, form.name, sha256)
    kept = (await read(db, form.dossier_code, form.name)).sha256
    return kept or sha256


NEWEST = """
SELECT dossier_code, name, form, facts, number, head, sha256 FROM official_form WHERE dossier_code = $1 AND form = $2
ORDER BY ordered_at DESC LIMIT 1
"""


async def newest(db: Database | Connection, code: str, form: Form) -> Ordered:
    """The last of its kind; FormNotFound when none was issued."""
    row = await db.fetchrow(NEWEST, code, form)
    if row is None:
        raise FormNotFound
    return _ordered(row)
