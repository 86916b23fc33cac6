"""What the National Public Service Portal is told of a dossier, for the one service that tells it.

Events name nobody. Whoever synchronises asks here at the moment of sending, keeps nothing, and each time is recorded.
"""

from datetime import datetime
from uuid import UUID

from fastapi import Request as Http
from pydantic import BaseModel

from contracts.dossier import ComponentSource, DeliveryMethod, OwnerType, SignatureStatus, Stage, SubmissionChannel
from contracts.money import FeeLine, FeeTiming
from kit.clock import now
from kit.db import Connection
from kit.files import Files, connect
from kit.http import Router, Tx
from services.dossier.attachments import store as attachments
from services.dossier.catalogue import store as catalogue
from services.dossier.catalogue.domain import Procedure
from services.dossier.clocks import store as clocks
from services.dossier.parties import store as parties
from services.dossier.parties.api import Notification, Purpose
from services.dossier.parties.domain import Particulars
from services.dossier.processing import store as dossiers
from services.dossier.processing.api import Code
from services.dossier.processing.domain import Dossier, State
from services.dossier.results import store as results
from services.dossier.results.domain import Result, ResultState, is_signed
from services.dossier.supplement import store as supplements
from services.dossier.supplement.domain import Request
from services.dossier.synchronisation import domain, store
from services.dossier.tenant import Tenant, TenantDep

router = Router(prefix="/api/v1", tags=["synchronisation"])


class OwnerRecord(BaseModel):
    """Whose matter it is, as far as the dossier knows. Not to be kept."""

    ref: UUID
    """Their account, or the reference that stands for who has none."""
    type: OwnerType
    name: str
    identity_number: str | None
    """Number of a citizen's identity, passport, or tax code; null where only their account knows it."""
    phone: str | None
    email: str | None


class FileRecord(BaseModel):
    """A file as it is now, with an address that gives its bytes for five minutes."""

    component_code: str
    name: str
    sha256: str
    size: int
    """Bytes."""
    source: ComponentSource
    signed: SignatureStatus
    result_code: str | None = None
    """The earlier result that it is, of a paper from the owner's document store."""
    url: str


class ResultRecord(BaseModel):
    """The document that answers the dossier, while it is in force."""

    code: str
    name: str
    number: str
    """Number and symbol: `15/TLHT-BS`."""
    sha256: str
    url: str
    """Gives its bytes for five minutes."""


class SupplementRecord(BaseModel):
    """One request for a supplement, as the applicant was told."""

    round: int
    stage: Stage
    unit: str
    """Name of the one-stop desk that issued it."""
    content: str
    """What is wrong, in Vietnamese; it names nobody."""
    requested_at: datetime
    components: list[str]
    answered_at: datetime | None
    due_before: datetime | None
    """The appointment before the request."""
    due_after: datetime | None
    """The appointment that was made when the supplement was confirmed."""


class SynchronisationRecord(BaseModel):
    """A dossier as it is now, with what its events leave out. Not to be kept, not to be logged."""

    code: str
    version: int
    state: State
    parent_code: str | None
    procedure_code: str
    procedure_name: str
    field_code: str
    field_name: str
    owner: OwnerRecord
    channel: SubmissionChannel
    delivery: DeliveryMethod
    unit: str
    """Name of the unit that has it now."""
    submitted_at: datetime | None
    accepted_at: datetime | None
    due_at: datetime | None
    result_at: datetime | None
    returned_at: datetime | None
    fee_lines: list[FeeLine]
    fee_timing: FeeTiming
    payment_state: str
    files: list[FileRecord]
    results: list[ResultRecord]
    result_revoked: bool
    supplements: list[SupplementRecord]


@router.get("/dossiers/{code}/synchronisation-record")
async def synchronisation_record(
    code: Code, caller: Notification, tx: Tx, tenant: TenantDep, request: Http, purpose: Purpose
) -> SynchronisationRecord:
    """What the national portal is told of the dossier now; every time is recorded, with who asked and what for."""
    dossier = await dossiers.read(tx, code)
    people = await parties.particulars_of(tx, code)
    await parties.disclose(tx, code, caller.name, purpose, now())
    procedure, _ = await catalogue.version(tx, dossier.facts.procedure_id)
    files = connect(request.app.state.settings)
    result = await results.find(tx, code)
    return SynchronisationRecord(
        **_facts(dossier, procedure, tenant),
        owner=_owner(dossier, people),
        files=await _files(tx, dossier, files),
        results=[_result(result, procedure, files)] if result and is_signed(result) else [],
        result_revoked=result is not None and result.state is ResultState.REVOKED,
        supplements=await _supplements(tx, code, tenant),
    )


def _facts(dossier: Dossier, procedure: Procedure, tenant: Tenant) -> dict[str, object]:
    facts = dossier.facts
    copied = ("code", "version", "state", "submitted_at", "accepted_at", "due_at", "result_at", "returned_at")
    of_money = ("fee_lines", "fee_timing", "payment_state")
    of_filing = ("parent_code", "procedure_code", "procedure_name", "channel", "delivery")
    return {
        **{name: getattr(dossier, name) for name in copied + of_money},
        **{name: getattr(facts, name) for name in of_filing},
        "field_code": procedure.field.code,
        "field_name": procedure.field.name,
        "unit": _unit(tenant, dossier.current_unit),
    }


def _unit(tenant: Tenant, agency: str) -> str:
    """A unit's name; its id, if the tenant's folder no longer knows it."""
    return tenant.units[agency].name if agency in tenant.units else agency


def _owner(dossier: Dossier, people: Particulars) -> OwnerRecord:
    owner, facts = people.owner, dossier.facts
    return OwnerRecord(
        ref=facts.owner_ref, type=facts.owner_type, name=owner.name or facts.owner_name,
        identity_number=owner.identity_number,
        phone=owner.phone, email=owner.email,
    )  # fmt: skip


async def _files(tx: Connection, dossier: Dossier, files: Files) -> list[FileRecord]:
    earlier = await store.results_among(tx, dossier.code)
    return [
        FileRecord(
            component_code=file.component_code, name=file.file_name, sha256=file.sha256, size=file.size,
            source=file.source, signed=file.signed, result_code=earlier.get(file.sha256),
            url=files.presign_download(f"clean/{file.sha256}", file_name=file.file_name),
        )
        for file in await attachments.files_of(tx, dossier.code)
    ]  # fmt: skip


def _result(result: Result, procedure: Procedure, files: Files) -> ResultRecord:
    url = files.presign_download(f"clean/{result.sha256}", file_name=f"ket-qua-{result.dossier_code}.pdf")
    kind = procedure.result
    return ResultRecord(code=kind.code, name=kind.name, number=result.full_number, sha256=result.sha256, url=url)


async def _supplements(tx: Connection, code: str, tenant: Tenant) -> list[SupplementRecord]:
    ran = await clocks.all_of(tx, code)
    issued = [one for one in await supplements.of_dossier(tx, code) if one.round is not None]
    return [_supplement(one, tenant, domain.appointments(one, ran)) for one in issued]


def _supplement(
    request: Request, tenant: Tenant, appointments: tuple[datetime | None, datetime | None]
) -> SupplementRecord:
    return SupplementRecord(
        round=request.round or 0,
        stage=request.stage,
        unit=_unit(tenant, request.issued_unit or request.requested_unit),
        content="; ".join(item.problem for item in request.ask.items),
        requested_at=request.issued_at or request.drafted_at,
        components=[item.component_code for item in request.ask.items],
        answered_at=request.answered_at,
        due_before=appointments[0],
        due_after=appointments[1],
    )
