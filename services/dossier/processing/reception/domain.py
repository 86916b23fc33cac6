"""Reception: what the desk does with a dossier that came in, and the money that it waits for."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from contracts.dossier import (
    Component,
    DossierAccepted,
    DossierForwarded,
    DossierRejected,
    DossierSubmitted,
    Stage,
    Step,
)
from contracts.money import FeeLine, FeeTiming
from contracts.refusal import Refusal
from services.dossier.attachments.domain import ComponentFile
from services.dossier.catalogue.domain import Case, amount_owed, fee_lines, is_mandatory
from services.dossier.clocks.domain import Rules, promised
from services.dossier.faults import Fault
from services.dossier.processing.domain import (
    SYSTEM,
    Act,
    ActNotPossible,
    Actor,
    Dossier,
    Line,
    PaymentState,
    allowed,
    envelope,
    filing_fields,
    move,
    person,
)
from services.dossier.processing.workflow.domain import Flow, assigned_by_head, begin


class PrepaymentMissing(Refusal):
    """A fee that comes before acceptance was not paid."""

    title = "Hồ sơ chưa nộp khoản phí, lệ phí phải nộp trước"
    title_en = "The fee that comes first has not been paid"


class ComponentsMissing(Refusal):
    """What is incomplete is not accepted: the desk asks for a supplement, once and for all that is missing."""

    title = "Hồ sơ còn thiếu thành phần: cần yêu cầu bổ sung"
    title_en = "Components are missing: ask for a supplement"


class ReasonMissing(Refusal):
    """A refusal says why, and by which law; or which unit is competent (Mẫu 03)."""

    status = 422
    title = "Phải ghi rõ lý do và căn cứ pháp lý"
    title_en = "State the reason and its legal basis"


class CompetentUnitUnknown(Refusal):
    """Whoever is not competent names who is: another unit of the province."""

    status = 422
    title = "Phải nêu đúng cơ quan có thẩm quyền để hướng dẫn người dân"
    title_en = "Name the unit that is competent"


@dataclass(frozen=True, slots=True)
class Reasons:
    """Why a dossier is refused or stopped, in words without personal data."""

    reason: str
    legal_basis: str = ""
    out_of_competence: bool = False
    competent_unit: str | None = None


# ── money ─────────────────────────────────────────────────────────────────────────────────────────────────────


def submitted(dossier: Dossier, components: tuple[Component, ...], now: datetime) -> tuple[Dossier, DossierSubmitted]:
    """The dossier is at the desk from now on, and others hear of it."""
    said = DossierSubmitted(
        **envelope(dossier, now), **filing_fields(dossier.facts), submitted_at=now, components=components,
        originals_by_post=dossier.facts.originals_by_post,
    )  # fmt: skip
    return replace(dossier, submitted_at=now), said


def prepaid(
    dossier: Dossier, components: tuple[Component, ...], state: PaymentState, now: datetime
) -> tuple[Dossier, DossierSubmitted]:
    """The fee that had to come first is paid or waived: the dossier reaches the desk only now (D3'')."""
    moved = replace(move(dossier, Act.PREPAY, SYSTEM, now), payment_state=state)
    return submitted(moved, components, now)


def settle(dossier: Dossier, state: PaymentState) -> Dossier:
    """What the payment service said about the fees. Nobody else's news, so the version stays."""
    return replace(dossier, payment_state=state)


# ── acceptance ────────────────────────────────────────────────────────────────────────────────────────────────


def may_accept(dossier: Dossier, by: Actor) -> None:
    """The guards of acceptance that need no file."""
    allowed(dossier, Act.ACCEPT, by)
    if dossier.accepted_at is not None:
        raise ActNotPossible("Hồ sơ đã được tiếp nhận; cần xác nhận phần bổ sung", state=dossier.state)
    if dossier.fee_timing == FeeTiming.BEFORE_ACCEPTANCE and dossier.payment_state is PaymentState.REQUESTED:
        raise PrepaymentMissing


def check_components(case: Case, dossier: Dossier, files: Sequence[ComponentFile]) -> None:
    """Complete: every mandatory component has a file, still as it was when it was sent."""
    there = {file.component_code for file in files}
    faults = [
        Fault(f"components.{component.code}", "missing", f"Thiếu thành phần “{component.name}”")
        for component in case.components
        if component.code not in there and is_mandatory(component, dossier.facts.circumstances)
    ]
    if faults:
        raise ComponentsMissing(errors=[{"field": f.field, "rule": f.rule, "message": f.message} for f in faults])


def accept(
    dossier: Dossier, by: Actor, now: datetime, case: Case, rules: Rules
) -> tuple[Dossier, *tuple[DossierAccepted | DossierForwarded, ...]]:
    """The desk found the dossier complete: the processing clock starts, and what is owed now is said (D5).

    Where another unit decides, the acceptance is the order that sends it there (D11): said and remembered as such.
    """
    may_accept(dossier, by)
    moved = move(dossier, Act.ACCEPT, by, now)
    due_at = promised(case, now, rules)
    lines, timing = _owed_now(dossier, case, rules.calendar.local_date(dossier.submitted_at or now))
    moved = replace(
        moved, accepted_at=now, due_at=due_at, original_due_at=due_at, acceptor_ref=by.ref,
        policy_version=rules.policy.version, fee_lines=lines or moved.fee_lines, fee_timing=timing,
        payment_state=PaymentState.REQUESTED if amount_owed(lines) else moved.payment_state,
    )  # fmt: skip
    said = DossierAccepted(
        **envelope(moved, now), accepted_at=now, appointment_at=due_at, unit=by.unit or dossier.current_unit,
        officer_ref=person(by), fee_lines=lines, fee_timing=timing if amount_owed(lines) else FeeTiming.NONE,
        mau01_ref=f"{dossier.code}/mau-01", policy_version=rules.policy.version,
    )  # fmt: skip
    flow = Flow(case.steps, rules)
    moved = begin(moved, Step.DIVISION_HEAD if assigned_by_head(flow) else Step.SPECIALIST, flow, now)
    if dossier.facts.competent_unit == dossier.current_unit:
        return moved, said
    sent, forwarded = _sent_on(moved, by, now)
    return sent, said, forwarded


def _sent_on(dossier: Dossier, by: Actor, now: datetime) -> tuple[Dossier, DossierForwarded]:
    """To the unit that decides, by the desk's order."""
    line = Line(Act.FORWARD, "D11", now, by.ref, by.unit, dossier.state, dossier.state)
    sent = replace(
        dossier, current_unit=dossier.facts.competent_unit, version=dossier.version + 1,
        unsaved=(*dossier.unsaved, line),
    )  # fmt: skip
    said = DossierForwarded(
        **envelope(sent, now), from_unit=dossier.current_unit, to_unit=sent.current_unit,
        step=Step(sent.step_role or Step.SPECIALIST), step_due_at=sent.step_due_at,
    )  # fmt: skip
    return sent, said


def _owed_now(dossier: Dossier, case: Case, submitted_on: date) -> tuple[tuple[FeeLine, ...], FeeTiming]:
    """Fees that acceptance asks for, at the rates of the day of submission; none when they were paid before."""
    if case.fee.timing == FeeTiming.BEFORE_ACCEPTANCE:
        return (), dossier.fee_timing
    lines = fee_lines(case, dossier.facts.circumstances, dossier.facts.channel, submitted_on)
    return lines, case.fee.timing if lines else FeeTiming.NONE


# ── refusal at the desk ───────────────────────────────────────────────────────────────────────────────────────


def reject(
    dossier: Dossier, by: Actor, now: datetime, why: Reasons, units: Collection[str], mau03_ref: str | None = None
) -> tuple[Dossier, DossierRejected]:
    """The desk refuses to take it in, or to go on with it after a supplement: by law, or for who is competent (D9)."""
    allowed(dossier, Act.REJECT, by)
    check_reasons(dossier, why, units)
    moved = move(dossier, Act.REJECT, by, now, why.reason)
    return moved, rejected(dossier, moved, by, now, why, mau03_ref)


def check_reasons(dossier: Dossier, why: Reasons, units: Collection[str]) -> None:
    """A reason, and a legal basis or (out of competence) another unit of the province."""
    if not why.reason.strip() or not (why.legal_basis.strip() or why.out_of_competence):
        raise ReasonMissing
    ours = (dossier.current_unit, dossier.facts.receiving_unit)
    if why.out_of_competence and (why.competent_unit not in units or why.competent_unit in ours):
        raise CompetentUnitUnknown


def rejected(
    before: Dossier, moved: Dossier, by: Actor, now: datetime, why: Reasons, mau03_ref: str | None
) -> DossierRejected:
    """What is said of a refusal, by the desk or by the leader."""
    return DossierRejected(
        **envelope(moved, now), stage=Stage.PROCESSING if before.accepted_at else Stage.INTAKE, reason=why.reason,
        legal_basis=why.legal_basis or None, competent_unit=why.competent_unit if why.out_of_competence else None,
        unit=by.unit or moved.current_unit, officer_ref=person(by), mau03_ref=mau03_ref,
    )  # fmt: skip
