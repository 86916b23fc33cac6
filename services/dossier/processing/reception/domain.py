"""Reception: what the desk does with a dossier that came in, and the money that it waits for."""

from dataclasses import replace
from datetime import datetime

from contracts.dossier import Component, DossierAccepted, DossierSubmitted
from contracts.money import FeeLine, FeeTiming
from services.dossier.catalogue.domain import Case, fee_lines
from services.dossier.clocks.domain import Rules, promised
from services.dossier.processing.domain import (
    SYSTEM,
    Act,
    Actor,
    Dossier,
    PaymentState,
    envelope,
    filing_fields,
    move,
    person,
)


def prepaid(dossier: Dossier, components: tuple[Component, ...], now: datetime) -> tuple[Dossier, DossierSubmitted]:
    """The fee that had to come first is paid: the dossier reaches the desk only now (D3'')."""
    moved = move(dossier, Act.PREPAY, SYSTEM, now)
    moved = replace(moved, payment_state=PaymentState.PAID, submitted_at=now)
    said = DossierSubmitted(
        **envelope(moved, now), **filing_fields(moved.facts), submitted_at=now, components=components
    )
    return moved, said


def accept(dossier: Dossier, by: Actor, now: datetime, case: Case, rules: Rules) -> tuple[Dossier, DossierAccepted]:
    """The desk found the dossier complete: the processing clock starts, and what is owed now is said (D5)."""
    moved = move(dossier, Act.ACCEPT, by, now)
    due_at = promised(case, now, rules)
    lines, timing = _owed_now(dossier, case)
    moved = replace(
        moved, accepted_at=now, due_at=due_at, original_due_at=due_at, acceptor_ref=by.ref,
        policy_version=rules.policy.version, fee_lines=lines or moved.fee_lines, fee_timing=timing,
        payment_state=PaymentState.REQUESTED if lines else moved.payment_state,
        current_unit=dossier.facts.competent_unit,
    )  # fmt: skip
    said = DossierAccepted(
        **envelope(moved, now), accepted_at=now, appointment_at=due_at, unit=by.unit or dossier.current_unit,
        officer_ref=person(by), fee_lines=lines, fee_timing=timing if lines else FeeTiming.NONE,
        mau01_ref=f"{dossier.code}/mau-01", policy_version=rules.policy.version,
    )  # fmt: skip
    return moved, said


def _owed_now(dossier: Dossier, case: Case) -> tuple[tuple[FeeLine, ...], FeeTiming]:
    """Fees that acceptance asks for; none when they were paid before."""
    if case.fee.timing == FeeTiming.BEFORE_ACCEPTANCE:
        return (), dossier.fee_timing
    lines = fee_lines(case, dossier.facts.answers, dossier.facts.channel)
    return lines, case.fee.timing if lines else FeeTiming.NONE


def settle(dossier: Dossier, state: PaymentState) -> Dossier:
    """What the payment service said about the fees. Nobody else's news, so the version stays."""
    return replace(dossier, payment_state=state)
