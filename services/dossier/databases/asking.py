"""Asking the databases, outside every transaction: written down before, the outcome after, the data used at once."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import structlog

from kit import ids
from kit.clock import now
from kit.db import Database
from services.dossier.catalogue.domain import Answers, Case, Component
from services.dossier.databases import domain, store
from services.dossier.databases.domain import Answer, Looked, Outcome, Question
from services.dossier.databases.providers import DataSource, SourceUnavailable
from services.dossier.databases.providers.sharing import Sharing
from services.dossier.settings import Settings
from services.dossier.tenant import Tenant

log = structlog.get_logger()

PURPOSE = "Thay thế thành phần hồ sơ “{component}” của thủ tục {procedure}"


def source(settings: Settings) -> DataSource | None:
    """The databases that this installation is connected to; None when it is to none."""
    return Sharing(settings.databases_url, settings.databases_key) if settings.databases_url else None


async def lookup(
    db: Database, source: DataSource | None, question: Question, key: str, secret: bytes
) -> tuple[UUID, Answer]:
    """Ask one database. A database that is away is an outcome, not an error: the paper may be asked for instead."""
    lookup_id = ids.new()
    await store.write_down(db, lookup_id, question, domain.digest_of(question.database, key, secret), now())
    answer = await _ask(source, question, key)
    await store.answered(db, lookup_id, answer.outcome, now())
    return lookup_id, answer


async def _ask(source: DataSource | None, question: Question, key: str) -> Answer:
    if source is None:
        return Answer(Outcome.UNAVAILABLE, {})
    try:
        return await source.lookup(question, key)
    except SourceUnavailable:
        log.warning("database.unavailable", name=question.database)
        return Answer(Outcome.UNAVAILABLE, {})


async def replace_components(
    db: Database, settings: Settings, tenant: Tenant, case: Case, procedure_code: str, answers: Answers,
    owner_number: str | None, asked_by: UUID, draft_id: UUID,
) -> list[Looked]:  # fmt: skip
    """Look up, all at once, the components of a dossier that databases replace; what was found out about each."""
    wanted = domain.wanted(case, answers, owner_number)
    if not wanted:
        return []
    secret, ask = settings.digest(), source(settings)

    async def each(component: Component, keys: Sequence[str]) -> Looked:
        database = tenant.databases[component.replaced_by_database or ""]
        purpose = PURPOSE.format(component=component.name, procedure=procedure_code)
        question = Question(
            database.code, database.kind, purpose, database.legal_basis, asked_by, draft_id, component.code
        )
        found = await asyncio.gather(*(lookup(db, ask, question, key, secret) for key in keys))
        outcome = domain.together([answer.outcome for _, answer in found])
        return Looked(component.code, database.code, outcome, tuple(lookup_id for lookup_id, _ in found))

    return list(await asyncio.gather(*(each(component, keys) for component, keys in wanted)))
