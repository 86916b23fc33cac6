"""The catalogue, for anybody."""

from typing import Annotated, Any

import structlog
from fastapi import Path, Query
from pydantic import BaseModel

from kit.auth import Public
from kit.db import Database
from kit.http import Db, Router
from kit.problems import NotFound
from kit.settings import load
from services.dossier import tenant
from services.dossier.catalogue import store
from services.dossier.catalogue.domain import Procedure
from services.dossier.clocks import store as clocks
from services.dossier.settings import Settings
from services.dossier.tenant import PROCEDURE

log = structlog.get_logger()

router = Router(prefix="/api/v1/procedures", tags=["catalogue"])


class ProcedureSummary(BaseModel):
    """One line of a search result."""

    code: str
    version: int
    name: str
    field: str
    service_level: str
    summary: str


class Procedures(BaseModel):
    items: list[ProcedureSummary]


@router.get("", dependencies=[Public])
async def find_procedures(
    db: Db,
    q: Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$")] = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> Procedures:
    """Procedures that can be filed here; `q` with or without diacritics."""
    return Procedures(items=[_summary(procedure) for procedure in await store.search(db, q, limit)])


@router.get("/{code}", dependencies=[Public])
async def get_procedure(code: Annotated[str, Path(pattern="^[A-Za-z0-9.]{1,40}$")], db: Db) -> dict[str, Any]:
    """The current version of one procedure: cases, components, e-forms, fee, steps, legal basis."""
    found = await store.current(db, code)
    if found is None:
        raise NotFound("Không có thủ tục với mã này")
    procedure: dict[str, Any] = PROCEDURE.dump_python(found[1], mode="json")
    return procedure


async def publish_folder(db: Database) -> None:
    """Bring the tenant's procedures into the catalogue, and keep its policy profiles.

    ProcedureInvalid stops the start and says what is wrong.
    """
    folder = load(Settings).tenant
    procedures = tenant.procedures(folder)
    async with db.transaction() as tx:
        new = await store.publish(tx, procedures)
        await clocks.publish(tx, tenant.load(folder).profiles)
    log.info("catalogue.published", count=new)


def _summary(procedure: Procedure) -> ProcedureSummary:
    return ProcedureSummary(
        code=procedure.code,
        version=procedure.version,
        name=procedure.name,
        field=procedure.field.name,
        service_level=procedure.service_level,
        summary=procedure.summary,
    )
