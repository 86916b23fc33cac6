"""One procedure for anybody, and its versions: one officer proposes a new one, another publishes it."""

from datetime import date
from typing import Annotated, Any

import structlog
from fastapi import Body, Depends, Path, Query
from pydantic import BaseModel, ValidationError

from contracts.refusal import Refusal
from kit.auth import OfficerToken, Public, officer
from kit.db import Database
from kit.http import Db, Router, Tx
from kit.problems import NotFound
from kit.settings import load
from services.dossier import tenant
from services.dossier.catalogue import checks, store
from services.dossier.catalogue.domain import Procedure
from services.dossier.clocks import store as clocks
from services.dossier.settings import Settings
from services.dossier.tenant import PROCEDURE, Tenant, TenantDep

log = structlog.get_logger()

router = Router(prefix="/api/v1/procedures", tags=["catalogue"])

Code = Annotated[str, Path(pattern="^[A-Za-z0-9.]{1,40}$")]
Number = Annotated[int, Path(ge=1, le=1_000_000)]
Editor = Annotated[OfficerToken, Depends(officer("catalogue_editor"))]
Publisher = Annotated[OfficerToken, Depends(officer("catalogue_publisher"))]


class ProcedureFaulty(Refusal):
    """The version cannot be proposed or published; `errors` lists every fault with its place."""

    status = 422
    title = "Thủ tục còn lỗi, chưa thể công khai"
    title_en = "The procedure has faults and cannot be published"


class NothingNew(Refusal):
    title = "Nội dung này đã có trong danh mục"
    title_en = "The catalogue already has this very content"


class PublishedAlready(Refusal):
    title = "Phiên bản này đã được công khai"
    title_en = "This version is published already"


class OwnProposal(Refusal):
    """Publishing needs a second person."""

    title = "Người đề xuất không được tự công khai, cần người thứ hai"
    title_en = "Who proposed a version cannot publish it; a second person must"


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────


@router.get("/{code}", dependencies=[Public])
async def get_procedure(
    code: Code,
    db: Db,
    tenant: TenantDep,
    unit: Annotated[str | None, Query(pattern="^[A-Z0-9.]{1,35}$")] = None,
    version: Annotated[int | None, Query(ge=1, le=1_000_000)] = None,
) -> dict[str, Any]:
    """Everything a citizen must be shown (CAT-8): cases, components, e-forms, fees, steps, time limits, legal basis.

    With `unit`, service level and reason are those of that agency. Without `version` it is today's. Fee lines are those
    in force today; rates that are decided but begin later stand in `later_lines`. `offered_at` lists the agencies that
    take it. A procedure that is no longer offered has `retired` and names its successors in `replaced_by`.
    """
    found = await (store.numbered(db, code, version) if version else store.current(db, code))
    if found is None:
        raise NotFound("Không có thủ tục với mã này")
    procedure = found[1]
    if unit and not procedure.is_offered_at(unit):
        raise NotFound("Cơ quan này không tiếp nhận thủ tục này")
    shown: dict[str, Any] = PROCEDURE.dump_python(procedure.at(unit) if unit else procedure, mode="json")
    return {**shown, "cases": [_fees_of(case) for case in shown["cases"]], "offered_at": _offers(procedure, tenant)}


def _fees_of(case: dict[str, Any]) -> dict[str, Any]:
    """The case with the fee lines of today, and apart from them those that come later."""
    today = store.today().isoformat()
    lines = case["fee"]["lines"]
    later = [line for line in lines if (line["effective_from"] or "") > today]
    present = [line for line in lines if line not in later and (line["effective_to"] or today) >= today]
    return {**case, "fee": {**case["fee"], "lines": present, "later_lines": later}}


def _offers(procedure: Procedure, tenant: Tenant) -> list[dict[str, Any]]:
    offers = [procedure.offer_at(unit) for unit in sorted(tenant.receiving_units) if procedure.is_offered_at(unit)]
    return [
        {
            "unit": offer.unit,
            "name": tenant.units[offer.unit].name,
            "service_level": offer.service_level,
            "partial_reason": offer.partial_reason,
        }
        for offer in offers
    ]


class VersionView(BaseModel):
    """When one version counts."""

    version: int
    state: str
    """`proposed`, `upcoming`, `current`, `past`."""
    valid_from: date | None
    """First local day on which new drafts use it."""
    superseded_from: date | None
    """The day from which another version counts; null while none is known."""
    retired: bool


class Versions(BaseModel):
    items: list[VersionView]


@router.get("/{code}/versions", dependencies=[Public])
async def list_versions(code: Code, db: Db) -> Versions:
    """Every version, newest first. A dossier keeps the one it was filed under."""
    found = await store.history(db, code)
    if not found:
        raise NotFound("Không có thủ tục với mã này")
    return Versions(items=[_version(line) for line in found])


def _version(line: store.VersionLine) -> VersionView:
    until = None if line.superseded_from == date.max else line.superseded_from
    return VersionView(
        version=line.version, state=_state(line), valid_from=line.valid_from, superseded_from=until,
        retired=line.retired,
    )  # fmt: skip


def _state(line: store.VersionLine) -> str:
    if line.valid_from is None or line.superseded_from is None:
        return "proposed"
    if line.valid_from > store.today():
        return "upcoming" if line.superseded_from > line.valid_from else "past"
    return "current" if line.superseded_from > store.today() else "past"


# ── publishing ────────────────────────────────────────────────────────────────────────────────────────────────


class Proposed(BaseModel):
    code: str
    version: int


class Published(BaseModel):
    code: str
    version: int
    valid_from: date
    """First local day on which new drafts use it."""


@router.post("/{code}/versions", status_code=201)
async def propose_version(
    code: Code, body: Annotated[dict[str, Any], Body()], who: Editor, tx: Tx, tenant: TenantDep
) -> Proposed:
    """Propose a version: the whole procedure as in the tenant's files. It counts once somebody else publishes it."""
    procedure = await _checked({**body, "code": code}, tx, tenant)
    number = await store.propose(tx, procedure, who.ref)
    if number is None:
        raise NothingNew
    return Proposed(code=code, version=number)


@router.post("/{code}/versions/{version}/publication")
async def publish_version(code: Code, version: Number, who: Publisher, tx: Tx, tenant: TenantDep) -> Published:
    """Let a proposed version count from its effective date on, or from now on. Open dossiers keep theirs."""
    proposal = await store.proposal(tx, code, version)
    if proposal is None:
        raise NotFound("Không có phiên bản này")
    if proposal.published:
        raise PublishedAlready
    if proposal.proposed_by == who.ref:
        raise OwnProposal
    _refuse([*checks.faults(proposal.procedure, await _around(tx, tenant, proposal.procedure))])
    since = await store.sign_off(tx, proposal, who.ref)
    return Published(code=code, version=version, valid_from=since)


async def _checked(data: dict[str, Any], tx: Tx, around: Tenant) -> Procedure:
    try:
        procedure = tenant.parse(data)
    except ValidationError as exc:
        raise ProcedureFaulty(errors=tenant.places(exc)) from exc
    _refuse([*checks.faults(procedure, await _around(tx, around, procedure))])
    return procedure


def _refuse(faults: list[str]) -> None:
    if faults:
        raise ProcedureFaulty(errors=faults)


async def _around(tx: Tx, around: Tenant, procedure: Procedure) -> checks.Surroundings:
    return tenant.surroundings(around, [*await store.in_force(tx), procedure])


async def publish_folder(db: Database) -> None:
    """Bring the tenant's procedures into the catalogue, and keep its policy profiles.

    ProcedureInvalid, or GroupInvalid, stops the start and says what is wrong.
    """
    folder = load(Settings).tenant
    procedures = tenant.procedures(folder)
    tenant.check_groups(folder, procedures)
    async with db.transaction() as tx:
        new = await store.publish(tx, procedures)
        await clocks.publish(tx, tenant.load(folder).profiles)
    log.info("catalogue.published", count=new)
