"""The supervisor lets a named rule be passed over."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends
from pydantic import BaseModel, ConfigDict, Field

from kit.auth import OfficerToken, officer
from kit.http import Router, Tx
from services.dossier.processing.api import Code, readable
from services.dossier.processing.exceptions import store
from services.dossier.processing.exceptions.domain import ExceptionGranted, Rule

router = Router(prefix="/api/v1", tags=["processing"])

Supervisor = Annotated[OfficerToken, Depends(officer("supervisor"))]


class ExceptionRequest(BaseModel):
    """Which rule may be passed over, and why."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    rule: Rule
    reason: str = Field(min_length=10, max_length=1000)


class Granted(BaseModel):
    id: UUID


@router.post("/dossiers/{code}/exceptions", status_code=201)
async def grant_exception(code: Code, body: ExceptionRequest, who: Supervisor, tx: Tx) -> Granted:
    """Let one rule be passed over once for this dossier; who allowed it, why, and who used it stays on record."""
    dossier = await readable(tx, code, who, "exception")
    granted = await store.grant(tx, dossier.code, body.rule, body.reason, who.ref, who.unit)
    if granted is None:
        raise ExceptionGranted
    return Granted(id=granted)
