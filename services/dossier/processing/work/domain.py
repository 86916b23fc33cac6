"""The work on an accepted dossier, up to the decision."""

from dataclasses import replace
from datetime import datetime

from contracts.dossier import DossierForwarded, Step, StepCompleted, StepOutcome
from contracts.money import FeeTiming
from services.dossier.processing.domain import (
    Act,
    Actor,
    Dossier,
    FeeUnpaid,
    NotYourUnit,
    PaymentState,
    SeparationOfDuties,
    State,
    envelope,
    move,
    permitted,
    person,
)


def assign(dossier: Dossier, by: Actor, now: datetime) -> tuple[Dossier, DossierForwarded]:
    """A specialist of the unit takes the dossier (D10)."""
    moved = replace(move(dossier, Act.ASSIGN, by, now), assignee_ref=by.ref)
    said = DossierForwarded(
        **envelope(moved, now), from_unit=dossier.current_unit, to_unit=moved.current_unit,
        step=Step.SPECIALIST, assignee_ref=by.ref,
    )  # fmt: skip
    return moved, said


def propose(
    dossier: Dossier, by: Actor, now: datetime
) -> tuple[Dossier, StepCompleted] | tuple[Dossier, DossierForwarded, StepCompleted]:
    """The specialist lays the drafted result before the leader (D14), taking the dossier if nobody has yet (D10)."""
    if dossier.state is State.ACCEPTED:
        taken, forwarded = assign(dossier, by, now)
        moved, done = _propose(taken, by, now)
        return moved, forwarded, done
    return _propose(dossier, by, now)


def _propose(dossier: Dossier, by: Actor, now: datetime) -> tuple[Dossier, StepCompleted]:
    moved = replace(move(dossier, Act.PROPOSE, by, now), proposer_ref=by.ref)
    return moved, _step_done(moved, Step.SPECIALIST, StepOutcome.APPROVAL_PROPOSED, by, now)


def approve(dossier: Dossier, by: Actor, now: datetime) -> tuple[Dossier, StepCompleted]:
    """The leader, who is not the proposer, signs the content; what is due at acceptance was paid (D16, first half)."""
    may_approve(dossier, by)
    moved = move(dossier, Act.APPROVE, by, now)
    return moved, _step_done(moved, Step.LEADER, StepOutcome.DONE, by, now)


def may_approve(dossier: Dossier, by: Actor) -> None:
    """The guards of `approve`, to be asked before the effort of signing."""
    permitted(dossier.state, Act.APPROVE, by)
    if by.unit != dossier.current_unit:
        raise NotYourUnit
    if by.ref == dossier.proposer_ref:
        raise SeparationOfDuties
    if dossier.fee_timing == FeeTiming.AT_ACCEPTANCE and dossier.payment_state is PaymentState.REQUESTED:
        raise FeeUnpaid


def _step_done(dossier: Dossier, step: Step, outcome: StepOutcome, by: Actor, now: datetime) -> StepCompleted:
    return StepCompleted(
        **envelope(dossier, now), step=step, unit=dossier.current_unit, officer_ref=person(by), outcome=outcome
    )
