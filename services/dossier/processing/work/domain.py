"""The work on an accepted dossier, up to the decision: who has it, what they propose, who looks at it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from contracts.dossier import DossierForwarded, Step, StepCompleted, StepOutcome, StepReturned
from contracts.money import FeeTiming
from contracts.refusal import Refusal
from services.dossier.catalogue.domain import fold
from services.dossier.processing.domain import (
    Act,
    Actor,
    Dossier,
    FeeUnpaid,
    NotYourRole,
    PaymentState,
    Role,
    SeparationOfDuties,
    State,
    allowed,
    envelope,
    move,
    person,
)
from services.dossier.processing.workflow.domain import Flow, begin, restart, reviewed_by_head


class AlreadyAssigned(Refusal):
    """Somebody works on it; the division head or the leader may give it to somebody else."""

    title = "Hồ sơ đã có người thụ lý"
    title_en = "Somebody already works on the dossier"


class NotAssignedToYou(Refusal):
    """Whoever it was given to does the work."""

    status = 403
    title = "Hồ sơ được giao cho người khác thụ lý"
    title_en = "The dossier was given to somebody else"


class WaitsForAssignment(Refusal):
    """In this workflow the division head says who works on it."""

    title = "Hồ sơ đang chờ lãnh đạo phòng phân công"
    title_en = "The head of the division has yet to say who works on it"


class UnitUnfit(Refusal):
    """A dossier is forwarded upward, or to a unit of the level that decides such matters."""

    status = 422
    title = "Không thể chuyển hồ sơ đến cơ quan này"
    title_en = "The dossier cannot be forwarded to this unit"


class ReviewPending(Refusal):
    """The head of the division looks at the draft before the leader."""

    title = "Bản dự thảo đang chờ lãnh đạo phòng thẩm tra"
    title_en = "The head of the division has yet to review the draft"


class NothingToReview(Refusal):
    """The draft lies before the leader."""

    title = "Bản dự thảo không chờ lãnh đạo phòng thẩm tra"
    title_en = "No draft waits for the head of the division"


class AlreadySigned(Refusal):
    """From the leader's signature on, nobody takes anything back."""

    title = "Lãnh đạo đã ký kết quả"
    title_en = "The leader has signed the result"


class RefusalProposed(Refusal):
    """What lies before the leader is a draft refusal: refuse, or return it."""

    title = "Chuyên viên đề xuất từ chối; lãnh đạo từ chối hoặc trả lại dự thảo"
    title_en = "A refusal was proposed: refuse, or return the draft"


@dataclass(frozen=True, slots=True)
class Level:
    """What forwarding must know of a unit: its level of government and whom it belongs to."""

    level: str
    parent: str | None = None


# ── who has it ────────────────────────────────────────────────────────────────────────────────────────────────


def assign(
    dossier: Dossier, by: Actor, now: datetime, flow: Flow, to: UUID | None = None
) -> tuple[Dossier, DossierForwarded]:
    """A specialist takes the dossier, or its division head, the leader or the standing order gives it to one (D10)."""
    assignee = to or person(by)
    may_assign(dossier, by, assignee)
    moved = replace(move(dossier, Act.ASSIGN, by, now), assignee_ref=assignee)
    if dossier.step_role != Step.SPECIALIST:  # otherwise the step runs on: who takes it late is late
        moved = begin(moved, Step.SPECIALIST, flow, now)
    said = DossierForwarded(
        **envelope(moved, now), from_unit=dossier.current_unit, to_unit=moved.current_unit,
        step=Step.SPECIALIST, assignee_ref=assignee, step_due_at=moved.step_due_at,
    )  # fmt: skip
    return moved, said


def may_assign(dossier: Dossier, by: Actor, assignee: UUID | None = None) -> None:
    """A specialist takes only what nobody has, for themselves, where no head decides."""
    allowed(dossier, Act.ASSIGN, by)
    if by.roles & {Role.DIVISION_HEAD, Role.LEADER, Role.SYSTEM}:
        return
    if assignee not in (None, by.ref):
        raise NotYourRole("Chuyên viên chỉ nhận việc cho chính mình")
    if dossier.assignee_ref is not None:
        raise AlreadyAssigned
    if dossier.step_role == Step.DIVISION_HEAD:
        raise WaitsForAssignment


def own_work(dossier: Dossier, act: Act, by: Actor) -> None:
    """The officer may do this, and it is theirs to do."""
    allowed(dossier, act, by)
    if dossier.assignee_ref not in (None, by.ref):
        raise NotAssignedToYou


@dataclass(frozen=True, slots=True)
class Order:
    """An order to forward (lệnh chuyển hồ sơ)."""

    to_unit: str
    note: str
    hours: float | None = None
    """Working hours for the step that begins; without them, those of the catalogue."""


def forward(
    dossier: Dossier, by: Actor, now: datetime, order: Order, flow: Flow, units: Mapping[str, Level], level: str
) -> tuple[Dossier, DossierForwarded]:
    """The dossier goes upward or sideways to another unit, which alone acts from now on; the old one reads (D11).

    `level` is the level of government that decides such matters, by the catalogue.
    """
    allowed(dossier, Act.FORWARD, by)
    may_hand_on(dossier)
    check_target(dossier, order.to_unit, units, level)
    moved = move(dossier, Act.FORWARD, by, now, order.note)
    role = Step(dossier.step_role or Step.SPECIALIST)
    moved = replace(
        moved, current_unit=order.to_unit, assignee_ref=None,
        reader_units=tuple(sorted({*dossier.reader_units, dossier.current_unit})),
    )  # fmt: skip
    moved = restart(moved, flow, now, order.hours)
    said = DossierForwarded(
        **envelope(moved, now), from_unit=dossier.current_unit, to_unit=order.to_unit, step=role,
        step_due_at=moved.step_due_at,
    )  # fmt: skip
    return moved, said


def check_target(dossier: Dossier, target: str, units: Mapping[str, Level], level: str) -> None:
    """Upward, back to a unit that had it, or to a unit of the level that decides; never to itself."""
    if target not in units or target == dossier.current_unit:
        raise UnitUnfit("Cơ quan nhận phải là cơ quan khác của tỉnh", unit=target)
    had_it = {dossier.facts.receiving_unit, dossier.facts.competent_unit, *dossier.reader_units}
    if target in had_it or target in _above(dossier.current_unit, units):
        return
    here = units.get(dossier.current_unit)
    if units[target].level not in {level, here.level if here else level}:
        raise UnitUnfit("Cấp của cơ quan nhận không giải quyết thủ tục này", unit=target)


def _above(unit: str, units: Mapping[str, Level]) -> set[str]:
    """Units of a higher level: those that it belongs to, and their other bodies."""
    here = units.get(unit)
    if here is None or here.parent is None:
        return set()
    return {code for code, other in units.items() if code == here.parent or other.level == units[here.parent].level}


# ── what is proposed ──────────────────────────────────────────────────────────────────────────────────────────


def propose(
    dossier: Dossier, by: Actor, now: datetime, flow: Flow, *, refusal: str | None = None
) -> tuple[Dossier, *tuple[DossierForwarded | StepCompleted, ...]]:
    """The specialist lays a draft before the head or the leader (D14), taking the dossier if nobody has yet (D10).

    `refusal` is the reason when what they propose is to refuse.
    """
    if dossier.state is State.ACCEPTED:
        taken, forwarded = assign(dossier, by, now, flow)
        moved, done = _propose(taken, by, now, flow, refusal)
        return moved, forwarded, done
    return _propose(dossier, by, now, flow, refusal)


def _propose(
    dossier: Dossier, by: Actor, now: datetime, flow: Flow, refusal: str | None
) -> tuple[Dossier, StepCompleted]:
    own_work(dossier, Act.PROPOSE, by)
    moved = replace(
        move(dossier, Act.PROPOSE, by, now, refusal), proposer_ref=by.ref, assignee_ref=by.ref,
        refusal_proposed=refusal is not None,
    )  # fmt: skip
    moved = begin(moved, Step.DIVISION_HEAD if reviewed_by_head(dossier, flow) else Step.LEADER, flow, now)
    return moved, _step_done(dossier, moved, Step.SPECIALIST, _proposed(moved), by, now)


def _proposed(dossier: Dossier) -> StepOutcome:
    return StepOutcome.REFUSAL_PROPOSED if dossier.refusal_proposed else StepOutcome.APPROVAL_PROPOSED


def review(dossier: Dossier, by: Actor, now: datetime, flow: Flow) -> tuple[Dossier, StepCompleted]:
    """The head of the division agrees with the draft: it goes to the leader (D14')."""
    may_review(dossier, by)
    moved = begin(move(dossier, Act.REVIEW, by, now), Step.LEADER, flow, now)
    return moved, _step_done(dossier, moved, Step.DIVISION_HEAD, _proposed(dossier), by, now)


def may_review(dossier: Dossier, by: Actor) -> None:
    allowed(dossier, Act.REVIEW, by)
    if dossier.step_role != Step.DIVISION_HEAD:
        raise NothingToReview


def return_step(dossier: Dossier, by: Actor, now: datetime, flow: Flow, comment: str) -> tuple[Dossier, StepReturned]:
    """The head or the leader sends the draft back to the specialist, saying why (D15)."""
    may_return(dossier, by)
    moved = begin(move(dossier, Act.RETURN_STEP, by, now, comment), Step.SPECIALIST, flow, now, anew=True)
    said = StepReturned(
        **envelope(moved, now), step=Step(dossier.step_role or Step.LEADER), returned_to=Step.SPECIALIST,
        unit=dossier.current_unit, officer_ref=person(by), reason=comment,
    )  # fmt: skip
    return replace(moved, refusal_proposed=False), said


def may_return(dossier: Dossier, by: Actor) -> None:
    """Whoever has it on the table sends it back, until it is signed; a head, only what waits for a head."""
    allowed(dossier, Act.RETURN_STEP, by)
    may_hand_on(dossier)
    if dossier.step_role != Step.DIVISION_HEAD and Role.LEADER not in by.roles:
        raise NothingToReview
    if dossier.step_role == Step.DIVISION_HEAD and Role.DIVISION_HEAD not in by.roles:
        raise ReviewPending


def may_hand_on(dossier: Dossier) -> None:
    """Not signed yet: what is signed goes on to the clerk and nowhere else."""
    if dossier.approved_at is not None:
        raise AlreadySigned


# ── the leader's decision to grant ────────────────────────────────────────────────────────────────────────────


def approve(dossier: Dossier, by: Actor, now: datetime, flow: Flow) -> tuple[Dossier, StepCompleted]:
    """The leader, who is not the proposer, signs the content; what is due at acceptance was paid (D16, first half)."""
    may_approve(dossier, by)
    moved = begin(replace(move(dossier, Act.APPROVE, by, now), approved_at=now), Step.CLERK, flow, now)
    return moved, _step_done(dossier, moved, Step.LEADER, StepOutcome.DONE, by, now)


def may_approve(dossier: Dossier, by: Actor) -> None:
    """The guards of `approve`, to be asked before the effort of signing."""
    allowed(dossier, Act.APPROVE, by)
    may_decide(dossier, by)
    if dossier.refusal_proposed:
        raise RefusalProposed
    if dossier.fee_timing == FeeTiming.AT_ACCEPTANCE and dossier.payment_state is PaymentState.REQUESTED:
        raise FeeUnpaid


def may_decide(dossier: Dossier, by: Actor) -> None:
    """It lies before the leader, unsigned, and somebody else drafted it."""
    may_hand_on(dossier)
    if by.ref == dossier.proposer_ref:
        raise SeparationOfDuties
    if dossier.step_role == Step.DIVISION_HEAD:
        raise ReviewPending


def conflicts(dossier: Dossier, officer: UUID, name: str) -> Iterator[str]:
    """What whoever decides should think of: nobody decides in their own matter (Luật Hộ tịch, Art. 12(1)(h)).

    Officers and citizens have accounts of their own, so a name is all that can be compared: a warning, no refusal.
    """
    facts = dossier.facts
    if officer in (facts.owner_ref, facts.submitter_ref) or (name and fold(name) == fold(facts.owner_name)):
        yield "Bạn trùng họ tên với chủ hồ sơ: không giải quyết việc của chính mình hoặc người thân thích"


def _step_done(
    before: Dossier, after: Dossier, step: Step, outcome: StepOutcome, by: Actor, now: datetime
) -> StepCompleted:
    return StepCompleted(
        **envelope(after, now), step=step, unit=after.current_unit, officer_ref=person(by), outcome=outcome,
        step_due_at=before.step_due_at,
    )  # fmt: skip
