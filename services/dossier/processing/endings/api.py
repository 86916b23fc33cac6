"""A dossier ends without a result: the leader refuses or stops it, its owner withdraws it."""

from typing import Annotated

from fastapi import Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from kit.auth import Citizen, OfficerToken, Public, officer, recent
from kit.clock import now
from kit.db import Connection
from kit.http import IfMatch, Router, Tx
from kit.problems import NotFound
from services.dossier.forms import domain as forms_domain
from services.dossier.forms import store as forms
from services.dossier.forms.domain import Form
from services.dossier.processing import store, words
from services.dossier.processing.api import Code, Moved, actor, citizen_actor, expect, moved
from services.dossier.processing.disclosure.domain import check_words
from services.dossier.processing.domain import Dossier
from services.dossier.processing.endings import domain
from services.dossier.processing.endings.domain import WITHDRAWAL_REASONS, RefusalTooLate, WithdrawalReason
from services.dossier.processing.exceptions import store as exceptions
from services.dossier.processing.exceptions.domain import Rule
from services.dossier.processing.reception.api import Rejection
from services.dossier.tenant import TenantDep

router = Router(prefix="/api/v1", tags=["processing"])

Leader = Annotated[OfficerToken, Depends(officer("leader"))]


class Withdrawal(BaseModel):
    """Why, as one of the offered reasons (`GET /withdrawal-reasons`); may be left out."""

    model_config = ConfigDict(extra="forbid")

    reason: WithdrawalReason | None = None


class OfferedReason(BaseModel):
    code: WithdrawalReason
    label: str


class OfferedReasons(BaseModel):
    items: list[OfferedReason]


class Stop(BaseModel):
    """The reason that the law gives for ending the work, in Vietnamese and without personal data."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    reason: str = Field(min_length=1, max_length=2000)
    legal_basis: str = Field(min_length=1, max_length=2000)


@router.post("/dossiers/{code}/refusal")
async def refuse_dossier(
    code: Code, body: Rejection, who: Leader, tx: Tx, if_match: IfMatch, tenant: TenantDep, response: Response
) -> Moved:
    """The leader refuses what was asked for, within the appointment, with reason and law (Mẫu 03)."""
    dossier = await store.lock(tx, code)
    expect(dossier, if_match)
    check_words(dossier.facts, body.reason, body.legal_basis)
    late = await _excused(tx, dossier, who)
    ref = forms_domain.ref(code, Form.REFUSAL)
    refused, event = domain.refuse(dossier, actor(who), now(), body.reasons, tenant.units, ref, late_allowed=late)
    await store.save(tx, refused, event)
    await forms.order(tx, code, Form.REFUSAL, "", words.refusal(event, who.name))
    return moved(refused, response)


async def _excused(tx: Connection, dossier: Dossier, who: OfficerToken) -> bool:
    """Whether it is too late for the rule, and the supervisor let it be passed over; the exception is then used."""
    try:
        domain.may_refuse(dossier, actor(who), now())
    except RefusalTooLate:
        return await exceptions.use(tx, dossier.code, Rule.REFUSAL_TOO_LATE, who.ref)
    return False


@router.get("/withdrawal-reasons", dependencies=[Public])
async def list_withdrawal_reasons() -> OfferedReasons:
    """The reasons to choose from when a dossier is withdrawn."""
    return OfferedReasons(items=[OfferedReason(code=code, label=label) for code, label in WITHDRAWAL_REASONS.items()])


@router.post("/dossiers/{code}/withdrawal", dependencies=[Depends(recent(minutes=10))])
async def withdraw_dossier(
    code: Code, who: Citizen, tx: Tx, if_match: IfMatch, response: Response, body: Withdrawal | None = None
) -> Moved:
    """The owner, or who sent it for them, takes the dossier back while nothing is decided."""
    dossier = await store.lock(tx, code)
    if who.ref not in (dossier.facts.owner_ref, dossier.facts.submitter_ref):
        raise NotFound("Không có hồ sơ với mã này")
    expect(dossier, if_match)
    ref = forms_domain.ref(code, Form.STOP) if dossier.accepted_at else None
    withdrawn, event = domain.withdraw(dossier, citizen_actor(who), now(), body.reason if body else None, ref)
    await store.save(tx, withdrawn, event)
    if ref:
        await forms.order(tx, code, Form.STOP, "", words.withdrawal(withdrawn, event))
    return moved(withdrawn, response)


@router.post("/dossiers/{code}/stop")
async def stop_dossier(code: Code, body: Stop, who: Leader, tx: Tx, if_match: IfMatch, response: Response) -> Moved:
    """The leader ends the work for a reason that the law gives (Mẫu 05)."""
    dossier = await store.lock(tx, code)
    expect(dossier, if_match)
    check_words(dossier.facts, body.reason, body.legal_basis)
    ref = forms_domain.ref(code, Form.STOP)
    stopped, event = domain.stop(dossier, actor(who), now(), body.reason, body.legal_basis, ref)
    await store.save(tx, stopped, event)
    await forms.order(tx, code, Form.STOP, "", words.stop(stopped, event, who.name))
    return moved(stopped, response)
