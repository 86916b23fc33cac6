"""Filing: a draft that may be anything, and the one act that makes it a dossier.

Saving never refuses what is merely incomplete; sending does, and then says everything that is wrong at once, by field
and by component.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from contracts.dossier import (
    DeliveryMethod,
    DossierAwaitingPayment,
    DossierSubmitted,
    OwnerType,
    SubmissionChannel,
)
from contracts.money import FeeTiming
from contracts.refusal import Refusal
from services.dossier.attachments.domain import ComponentFile, Upload, components_of
from services.dossier.catalogue import domain as catalogue
from services.dossier.catalogue.domain import Case, Procedure
from services.dossier.clocks.calendar import HANOI
from services.dossier.faults import Fault
from services.dossier.processing.domain import (
    Act,
    Actor,
    Dossier,
    Facts,
    Line,
    PaymentState,
    State,
    envelope,
    filing_fields,
    permitted,
)

MAX_ANSWERS = 200_000
"""Bytes of all answers of one draft, as JSON."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A dossier that is not sent yet (Hồ sơ chưa gửi)."""

    id: UUID
    owner_ref: UUID
    procedure_id: UUID
    case: str
    receiving_unit: str
    answers: dict[str, Any]
    delivery: DeliveryMethod | None
    sms_opt_in: bool
    version: int
    """Counts its changes, for If-Match."""
    dossier_code: str | None
    """The dossier it became; from then on nothing in it changes."""
    updated_at: datetime


class DraftIncomplete(Refusal):
    """The draft cannot be sent yet; `errors` lists everything that is missing or wrong."""

    status = 422
    title = "Hồ sơ chưa thể gửi: còn thông tin hoặc thành phần chưa đúng"
    title_en = "The draft cannot be sent yet: something is missing or wrong"

    def __init__(self, faults: Sequence[Fault]) -> None:
        errors = [{"field": fault.field, "rule": fault.rule, "message": fault.message} for fault in faults]
        super().__init__(errors=errors)


class AnswersUnfit(Refusal):
    """The answers are too long or hold what cannot be stored."""

    status = 422
    title = "Nội dung tờ khai quá dài hoặc có ký tự không hợp lệ"
    title_en = "The answers are too long or hold characters that cannot be kept"


class DraftAlreadySent(Refusal):
    title = "Hồ sơ đã được gửi, không thể sửa"
    title_en = "The draft was sent and cannot be changed"


class ProcedureReplaced(Refusal):
    """The procedure changed while the draft was open; `replaced_by` names the procedures to use."""

    title = "Thủ tục này đã được thay thế, xin lập hồ sơ mới"
    title_en = "The procedure was replaced; start a new draft"


class NotOpenOnline(Refusal):
    title = "Thủ tục này chưa nhận hồ sơ trực tuyến tại cơ quan đã chọn"
    title_en = "This procedure cannot be filed online at that unit"


def change(
    draft: Draft,
    now: datetime,
    *,
    answers: Mapping[str, Any] | None = None,
    delivery: DeliveryMethod | None = None,
    sms_opt_in: bool | None = None,
) -> Draft:
    """The draft with what was given; answers are merged by name, and a null answer takes the name away."""
    if draft.dossier_code:
        raise DraftAlreadySent(code=draft.dossier_code)
    merged = {**draft.answers, **(answers or {})}
    kept = {name: value for name, value in merged.items() if value is not None}
    text = json.dumps(kept, ensure_ascii=False)
    if len(text.encode()) > MAX_ANSWERS or "\\u0000" in text:
        raise AnswersUnfit
    return replace(
        draft,
        answers=kept,
        delivery=delivery or draft.delivery,
        sms_opt_in=draft.sms_opt_in if sms_opt_in is None else sms_opt_in,
        version=draft.version + 1,
        updated_at=now,
    )


def missing(case: Case, answers: Mapping[str, Any], uploads: Sequence[Upload]) -> list[Fault]:
    """Mandatory components without a file."""
    there = {upload.component_code for upload in uploads}
    return [
        Fault(f"components.{component.code}", "missing", f"Thiếu thành phần “{component.name}”, xin tải tệp lên")
        for component in case.components
        if component.code not in there and catalogue.is_mandatory(component, answers)
    ]


def delivery_faults(procedure: Procedure, draft: Draft) -> list[Fault]:
    if draft.delivery is None:
        return [Fault("delivery", "required", "Xin chọn cách nhận kết quả")]
    if draft.delivery not in procedure.delivery:
        return [Fault("delivery", "not_offered", "Thủ tục này không trả kết quả theo cách đã chọn")]
    return []


def code_for(template: str, agency: str, day: date, number: int) -> str:
    """The dossier's code: unit, local date of sending, running number of that day (which may outgrow four digits)."""
    return template.format(agency=agency, yymmdd=f"{day:%y%m%d}", seq=number)


@dataclass(frozen=True, slots=True)
class Applicant:
    """Who sends: the logged-in account."""

    ref: UUID
    name: str
    owner_type: OwnerType = OwnerType.CITIZEN


def submit(
    draft: Draft,
    applicant: Applicant,
    procedure: Procedure,
    code: str,
    files: Sequence[ComponentFile],
    now: datetime,
) -> tuple[Dossier, DossierSubmitted | DossierAwaitingPayment]:
    """The draft becomes a dossier: at the desk (D3), or first at the till where the fee comes before (D3')."""
    facts = _facts(draft, applicant, procedure, SubmissionChannel.PROVINCIAL_PORTAL)
    return sent(facts, procedure.case(draft.case), code, files, applicant.ref, now)


def sent(
    facts: Facts, case: Case, code: str, files: Sequence[ComponentFile], by: UUID, now: datetime
) -> tuple[Dossier, DossierSubmitted | DossierAwaitingPayment]:
    """What was put together is sent, by a person or as a member of an interlinked group (D3, D3')."""
    lines = catalogue.fee_lines(case, facts.answers, facts.channel, now.astimezone(HANOI).date())
    prepay = case.fee.timing == FeeTiming.BEFORE_ACCEPTANCE and sum(line.amount for line in lines) > 0
    act = Act.SUBMIT_UNPAID if prepay else Act.SUBMIT
    row = permitted(State.DRAFT, act, Actor(by, frozenset({"owner"})))
    target = row.target or State.DRAFT
    line = Line(act, row.label, now, by, facts.receiving_unit, State.DRAFT, target)
    dossier = Dossier(code, facts, target, facts.receiving_unit, version=1, unsaved=(line,))
    common = {**envelope(dossier, now), **filing_fields(facts)}
    if prepay:
        dossier = replace(dossier, fee_lines=lines, fee_timing=case.fee.timing, payment_state=PaymentState.REQUESTED)
        amount = sum(line.amount for line in lines)
        return dossier, DossierAwaitingPayment(**common, fee_lines=lines, amount=amount)
    return replace(dossier, submitted_at=now), DossierSubmitted(
        **common, submitted_at=now, components=components_of(files)
    )


def _facts(draft: Draft, applicant: Applicant, procedure: Procedure, channel: SubmissionChannel) -> Facts:
    if draft.delivery is None:
        raise DraftIncomplete(delivery_faults(procedure, draft))
    return Facts(
        procedure_id=draft.procedure_id,
        procedure_code=procedure.code,
        procedure_version=procedure.version,
        procedure_name=procedure.name,
        case=draft.case,
        level=procedure.offer_at(draft.receiving_unit).service_level,
        receiving_unit=draft.receiving_unit,
        competent_unit=draft.receiving_unit,
        owner_ref=draft.owner_ref,
        owner_type=applicant.owner_type,
        owner_name=applicant.name,
        submitter_ref=applicant.ref,
        channel=channel,
        delivery=draft.delivery,
        sms_opt_in=draft.sms_opt_in,
        answers=draft.answers,
    )
