"""What databases said about a dossier's components, for the officers who work on it. Never the data themselves."""

from datetime import datetime

from pydantic import BaseModel

from kit.auth import Officer
from kit.http import Db, Router
from services.dossier.databases import store
from services.dossier.databases.domain import Outcome
from services.dossier.processing.api import Code, readable
from services.dossier.tenant import Tenant, TenantDep

router = Router(prefix="/api/v1/dossiers", tags=["databases"])


class LookupView(BaseModel):
    """One look-up that stood for a paper."""

    component_code: str | None
    database: str
    database_name: str
    outcome: str
    """`found`, `not_found`, `unavailable`."""
    may_be_requested: bool
    """The paper may be asked for in a supplement: the database could not say."""
    correction: str | None
    """Where the applicant has the data put right, when it may."""
    purpose: str
    legal_basis: str
    asked_at: datetime


class Lookups(BaseModel):
    items: list[LookupView]


@router.get("/{code}/lookups")
async def list_lookups(code: Code, who: Officer, db: Db, tenant: TenantDep) -> Lookups:
    """Which databases were asked instead of the applicant, what for, by which law, and whether they could say."""
    await readable(db, code, who)
    return Lookups(items=[_view(line, tenant) for line in await store.of_dossier(db, code)])


def _view(line: store.LookupLine, tenant: Tenant) -> LookupView:
    database = tenant.databases.get(line.database_code)
    missing = line.outcome != Outcome.FOUND
    return LookupView(
        component_code=line.component_code, database=line.database_code,
        database_name=database.name if database else line.database_code, outcome=line.outcome,
        may_be_requested=missing, correction=database.correction if missing and database else None,
        purpose=line.purpose, legal_basis=line.legal_basis, asked_at=line.asked_at,
    )  # fmt: skip
