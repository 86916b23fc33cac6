"""Inspections, and who looked at a dossier."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from kit.auth import Caller, CitizenToken, OfficerToken, officer
from kit.clock import now
from kit.http import Db, Router, Tx
from kit.problems import Forbidden
from services.dossier.processing import store as dossiers
from services.dossier.processing.api import Code, readable
from services.dossier.processing.reading import store
from services.dossier.processing.reading.domain import INSPECTION_LASTS

router = Router(prefix="/api/v1", tags=["reading"])

Inspector = Annotated[OfficerToken, Depends(officer("inspector"))]
SEES_WHO_READ = frozenset({"inspector", "supervisor", "leader"})


class InspectionRequest(BaseModel):
    """Why an inspector looks at a dossier, for example the number of a complaint."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    reason: str = Field(min_length=10, max_length=1000)


class Inspection(BaseModel):
    """Until `ends_at` the inspector reads the dossier, and every reading is remembered with the reason."""

    id: UUID
    ends_at: datetime


class Reading(BaseModel):
    """One look of an officer at the dossier. A citizen is told the unit and the time, not the person."""

    officer_ref: UUID | None
    unit: str
    right_to_read: str
    what: str
    reason: str | None
    at: datetime


class Readings(BaseModel):
    items: list[Reading]


@router.post("/dossiers/{code}/inspections", status_code=201)
async def open_inspection(code: Code, body: InspectionRequest, who: Inspector, tx: Tx) -> Inspection:
    """An inspector of the province says why they look at a dossier, and may then read all of it for eight hours."""
    dossier = await dossiers.read(tx, code)
    moment = now()
    ends_at = moment + INSPECTION_LASTS
    made = await store.inspect(tx, dossier.code, who.ref, who.unit, body.reason, moment, ends_at)
    return Inspection(id=made, ends_at=ends_at)


@router.get("/dossiers/{code}/readings")
async def list_readings(
    code: Code, caller: Caller, db: Db, limit: Annotated[int, Query(ge=1, le=500)] = 100
) -> Readings:
    """Who looked at the dossier, the newest first: for its owner, and for leader, supervisor and inspector."""
    if isinstance(caller, OfficerToken) and not caller.roles & SEES_WHO_READ:
        raise Forbidden
    dossier = await readable(db, code, caller, "readings")
    rows = await store.readings(db, dossier.code, None, limit)
    hidden = {"officer_ref": None, "reason": None} if isinstance(caller, CitizenToken) else {}
    return Readings(items=[Reading(**{**row, **hidden}) for row in rows])
