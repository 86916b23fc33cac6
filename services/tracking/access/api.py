"""HTTP in: what officers looked at, for those who control it; and the scope that their questions are held to."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Query
from pydantic import AwareDatetime, BaseModel

from kit.auth import OfficerToken, officer
from kit.http import Db, Router
from services.tracking.access import domain, store
from services.tracking.settings import parents

router = Router(prefix="/api/v1", tags=["Nhật ký truy cập"])

Inspector = Annotated[OfficerToken, Depends(officer(domain.INSPECTOR))]
Reason = Annotated[
    str | None, Query(max_length=1000, description="Why an inspector looks, ten letters at least; kept in the log.")
]


def scope_of(who: OfficerToken, reason: str | None, unit: str | None = None) -> domain.Scope:
    """What this officer may see now, or the part of it that belongs to one unit."""
    return domain.scope(who.roles, who.unit, reason, parents()).narrowed(unit, parents())


class Access(BaseModel):
    """One look of an officer."""

    id: int
    at: AwareDatetime
    officer_ref: UUID
    unit: str
    """Where the officer worked then."""
    roles: list[str]
    what: str
    """`dossier`, `control_sheet`, `register`, `search` or `export`."""
    access_right: str
    reason: str | None
    criteria: dict[str, Any]
    """What was asked for; never a person's name or number."""
    rows: int
    """How many dossiers were shown."""
    codes: list[str]
    """Which; of an export the first thousand."""


class Accesses(BaseModel):
    """Looks, the newest first."""

    items: list[Access]
    next: int | None
    """Give it as `before` for the next page; null on the last."""


@router.get("/accesses")
async def list_accesses(
    who: Inspector,
    db: Db,
    code: Annotated[str | None, Query(max_length=60)] = None,
    officer_ref: UUID | None = None,
    before: Annotated[int, Query(ge=1)] = 2**63 - 1,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Accesses:
    """Who looked at which dossiers, when and why: for the control of procedures. Nobody can change or remove a line."""
    rows = await store.accesses(db, code.strip().upper() if code else None, officer_ref, before, limit)
    items = [Access(**dict(row)) for row in rows]
    return Accesses(items=items, next=items[-1].id if len(items) == limit else None)
