"""The dossier on its way: its states, who may move it from one to the next, and what is then said.

`TRANSITIONS` is the whole machine, as data; an act without a row in it is refused. Every act returns the new dossier
and its events; the dossier carries the lines that the act added to its history (`unsaved`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from contracts.dossier import (
    DeliveryMethod,
    OwnerType,
    ServiceLevel,
    SubmissionChannel,
)
from contracts.money import FeeLine, FeeTiming
from contracts.refusal import Refusal


class State(StrEnum):
    """Where a dossier is (domain vocabulary; `STATUS` gives the national code)."""

    DRAFT = "draft"
    AWAITING_PREPAYMENT = "awaiting_prepayment"
    SUBMITTED = "submitted"
    SUPPLEMENT_REQUESTED_INTAKE = "supplement_requested_intake"
    SUPPLEMENT_SUBMITTED = "supplement_submitted"
    ACCEPTED = "accepted"
    ASSIGNED = "assigned"
    IN_PROCESS = "in_process"
    CONSULTING = "consulting"
    SUPPLEMENT_REQUESTED_PROCESSING = "supplement_requested_processing"
    AWAITING_FINANCIAL_OBLIGATION = "awaiting_financial_obligation"
    PENDING_APPROVAL = "pending_approval"
    RESULT_SIGNED = "result_signed"
    RESULT_READY = "result_ready"
    RETURNED = "returned"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    STOPPED = "stopped"
    CLOSED_INCOMPLETE = "closed_incomplete"
    INTERLINKED = "interlinked"
    """The parent of an interlinked group, whose members are on their way. Nobody works on a parent."""
    PARTIALLY_DONE = "partially_done"
    """The same, when at least one member has its result."""


S = State
TERMINAL = frozenset({S.RETURNED, S.REJECTED, S.WITHDRAWN, S.STOPPED, S.CLOSED_INCOMPLETE})
INTAKE = frozenset({S.SUBMITTED, S.SUPPLEMENT_REQUESTED_INTAKE})
"""Not accepted yet. `SUPPLEMENT_SUBMITTED` may be either."""
PROCESSING = frozenset(
    {S.ACCEPTED, S.ASSIGNED, S.IN_PROCESS, S.CONSULTING, S.AWAITING_FINANCIAL_OBLIGATION, S.PENDING_APPROVAL}
)
PARENT = frozenset({S.INTERLINKED, S.PARTIALLY_DONE})
ACTIVE = frozenset(State) - TERMINAL - PARENT - {S.DRAFT}
SUPPLEMENT_REQUESTED = frozenset({S.SUPPLEMENT_REQUESTED_INTAKE, S.SUPPLEMENT_REQUESTED_PROCESSING})
WORKED_ON = PROCESSING | {S.RESULT_SIGNED}
"""A step of the workflow runs."""
UNDECIDED = ACTIVE - {S.RESULT_SIGNED, S.RESULT_READY}

LABELS: Mapping[State, str] = {
    S.DRAFT: "Chưa gửi",
    S.AWAITING_PREPAYMENT: "Chờ thanh toán trước",
    S.SUBMITTED: "Mới đăng ký",
    S.SUPPLEMENT_REQUESTED_INTAKE: "Yêu cầu bổ sung (trước tiếp nhận)",
    S.SUPPLEMENT_SUBMITTED: "Đã gửi bổ sung",
    S.ACCEPTED: "Được tiếp nhận",
    S.ASSIGNED: "Đang xử lý",
    S.IN_PROCESS: "Đang xử lý",
    S.CONSULTING: "Đang xử lý",
    S.SUPPLEMENT_REQUESTED_PROCESSING: "Yêu cầu bổ sung (khi xử lý)",
    S.AWAITING_FINANCIAL_OBLIGATION: "Yêu cầu thực hiện nghĩa vụ tài chính",
    S.PENDING_APPROVAL: "Trình ký",
    S.RESULT_SIGNED: "Đã ký số",
    S.RESULT_READY: "Đã xử lý xong, chờ trả",
    S.RETURNED: "Đã trả kết quả",
    S.REJECTED: "Không được tiếp nhận / từ chối",
    S.WITHDRAWN: "Công dân rút hồ sơ",
    S.STOPPED: "Dừng xử lý",
    S.CLOSED_INCOMPLETE: "Đóng hồ sơ do không bổ sung",
    S.INTERLINKED: "Đang giải quyết liên thông",
    S.PARTIALLY_DONE: "Đã có một phần kết quả",
}


class Role(StrEnum):
    """Who acts. Officers' roles are those of identity's tokens."""

    OWNER = "owner"
    """The owner, or whom they authorised."""
    DESK = "desk"
    SPECIALIST = "specialist"
    DIVISION_HEAD = "division_head"
    LEADER = "leader"
    CLERK = "clerk"
    SUPERVISOR = "supervisor"
    """In charge of the one-stop desk (phụ trách Một cửa): may let a named rule be passed over, which is recorded."""
    INSPECTOR = "inspector"
    """Control of procedures (kiểm soát TTHC): reads everything in the province, and says why."""
    SYSTEM = "system"
    """Timers, subscribers, and online delivery."""


R = Role


class Act(StrEnum):
    """What can be done to a dossier."""

    START_DRAFT = "start_draft"
    EDIT_DRAFT = "edit_draft"
    SUBMIT = "submit"
    SUBMIT_UNPAID = "submit_unpaid"
    PREPAY = "prepay"
    REGISTER_PAPER = "register_paper"
    ACCEPT = "accept"
    REQUEST_SUPPLEMENT = "request_supplement"
    REQUEST_AGAIN = "request_again"
    REQUEST_AGAIN_PROCESSING = "request_again_processing"
    SUPPLEMENT = "supplement"
    ACCEPT_AGAIN = "accept_again"
    REJECT = "reject"
    ASSIGN = "assign"
    FORWARD = "forward"
    CONSULT = "consult"
    ANSWER_CONSULTATION = "answer_consultation"
    CONTINUE_UNANSWERED = "continue_unanswered"
    PROPOSE = "propose"
    REVIEW = "review"
    RETURN_STEP = "return_step"
    APPROVE = "approve"
    SIGN = "sign"
    ISSUE = "issue"
    SIGN_LATER = "sign_later"
    REFUSE = "refuse"
    DELIVER = "deliver"
    DELIVER_UNSIGNED = "deliver_unsigned"
    REVOKE_RESULT = "revoke_result"
    REPLACE_RESULT = "replace_result"
    EXTEND = "extend"
    WITHDRAW = "withdraw"
    STOP = "stop"
    CLOSE = "close"
    SUBMIT_INTERLINKED = "submit_interlinked"
    MEMBERS_MOVED = "members_moved"
    MEMBER_DONE = "member_done"
    ALL_MEMBERS_OVER = "all_members_over"
    ALL_MEMBERS_FAILED = "all_members_failed"
    ACKNOWLEDGE = "acknowledge"
    REQUEST_OBLIGATION = "request_obligation"
    CONFIRM_OBLIGATION = "confirm_obligation"


class Scope(StrEnum):
    """Of which unit an officer must be to act."""

    HOLDER = "holder"
    """The unit that has the dossier now."""
    COUNTER = "counter"
    """The holder, or the desk that took the dossier in: nobody else turns to the applicant."""
    ANY_DESK = "any_desk"
    """Any desk of the province (NĐ 118/2025/NĐ-CP: a result may be handed over at a third unit)."""
    CONSULTED = "consulted"
    """The unit that was asked for its opinion."""


@dataclass(frozen=True, slots=True)
class Transition:
    """One row of the machine. A target of None leaves the dossier in its state."""

    label: str
    """Its number in the specification."""
    act: Act
    sources: frozenset[State | None]
    """None: before there is anything."""
    target: State | None
    roles: frozenset[Role]
    event: str | None
    """What is said; None for what concerns nobody else."""
    scope: Scope = Scope.HOLDER


def _row(
    label: str, act: Act, sources: set[State | None] | frozenset[State], target: State | None,
    roles: set[Role], event: str | None, scope: Scope = Scope.HOLDER,
) -> Transition:  # fmt: skip
    return Transition(label, act, frozenset(sources), target, frozenset(roles), event, scope)


_WORKING = frozenset({S.ASSIGNED, S.IN_PROCESS})
_INTAKE = frozenset({S.SUBMITTED, S.SUPPLEMENT_SUBMITTED})
_C = Scope.COUNTER


TRANSITIONS: tuple[Transition, ...] = (
    _row("D1", Act.START_DRAFT, {None}, S.DRAFT, {R.OWNER, R.DESK}, None),
    _row("D2", Act.EDIT_DRAFT, {S.DRAFT}, S.DRAFT, {R.OWNER, R.DESK}, None),
    _row("D3", Act.SUBMIT, {S.DRAFT}, S.SUBMITTED, {R.OWNER}, "DossierSubmitted"),
    _row("D3'", Act.SUBMIT_UNPAID, {S.DRAFT}, S.AWAITING_PREPAYMENT, {R.OWNER}, "DossierAwaitingPayment"),
    _row("D3''", Act.PREPAY, {S.AWAITING_PREPAYMENT}, S.SUBMITTED, {R.SYSTEM}, "DossierSubmitted"),
    _row("D4", Act.REGISTER_PAPER, {None}, S.ACCEPTED, {R.DESK}, "DossierSubmitted"),
    _row("D5", Act.ACCEPT, _INTAKE, S.ACCEPTED, {R.DESK}, "DossierAccepted", _C),
    _row(
        "D6", Act.REQUEST_SUPPLEMENT, {S.SUBMITTED}, S.SUPPLEMENT_REQUESTED_INTAKE, {R.DESK}, "SupplementRequested", _C
    ),
    # A further request follows a supplement that did not mend everything; the stage decides where the dossier waits.
    _row(
        "D6'", Act.REQUEST_AGAIN, {S.SUPPLEMENT_SUBMITTED}, S.SUPPLEMENT_REQUESTED_INTAKE, {R.DESK},
        "SupplementRequested", _C,
    ),
    _row(
        "D12'", Act.REQUEST_AGAIN_PROCESSING, {S.SUPPLEMENT_SUBMITTED}, S.SUPPLEMENT_REQUESTED_PROCESSING, {R.DESK},
        "SupplementRequested", _C,
    ),
    _row("D7", Act.SUPPLEMENT, SUPPLEMENT_REQUESTED, S.SUPPLEMENT_SUBMITTED, {R.OWNER}, "SupplementSubmitted"),
    _row("D8", Act.ACCEPT_AGAIN, {S.SUPPLEMENT_SUBMITTED}, S.IN_PROCESS, {R.DESK}, "DossierAccepted", _C),
    _row("D9", Act.REJECT, _INTAKE, S.REJECTED, {R.DESK}, "DossierRejected", _C),
    _row(
        "D10", Act.ASSIGN, _WORKING | {S.ACCEPTED}, S.ASSIGNED,
        {R.DIVISION_HEAD, R.LEADER, R.SPECIALIST, R.SYSTEM}, "DossierForwarded",
    ),
    # Nothing is forwarded while the applicant pays: what they pay for is this unit's decision.
    _row(
        "D11", Act.FORWARD, PROCESSING - {S.AWAITING_FINANCIAL_OBLIGATION}, None,
        {R.DESK, R.SPECIALIST, R.DIVISION_HEAD, R.LEADER}, "DossierForwarded",
    ),
    _row(
        "D12", Act.REQUEST_SUPPLEMENT, _WORKING, S.SUPPLEMENT_REQUESTED_PROCESSING, {R.DESK}, "SupplementRequested", _C
    ),
    _row("D13", Act.CONSULT, _WORKING, S.CONSULTING, {R.SPECIALIST}, "ConsultationRequested"),
    _row(
        "D13'", Act.ANSWER_CONSULTATION, {S.CONSULTING}, S.IN_PROCESS,
        {R.SPECIALIST, R.DIVISION_HEAD, R.LEADER}, "ConsultationAnswered", Scope.CONSULTED,
    ),
    _row(
        "D13''", Act.CONTINUE_UNANSWERED, {S.CONSULTING}, S.IN_PROCESS, {R.SPECIALIST}, "ConsultationAnswered",
    ),
    _row("D14", Act.PROPOSE, _WORKING, S.PENDING_APPROVAL, {R.SPECIALIST}, "StepCompleted"),
    _row("D14'", Act.REVIEW, {S.PENDING_APPROVAL}, None, {R.DIVISION_HEAD}, "StepCompleted"),
    _row("D15", Act.RETURN_STEP, {S.PENDING_APPROVAL}, S.IN_PROCESS, {R.LEADER, R.DIVISION_HEAD}, "StepReturned"),
    # The law splits D16 between two people: the leader signs the content first, the clerk then numbers and seals it.
    _row("D16a", Act.APPROVE, {S.PENDING_APPROVAL}, None, {R.LEADER}, "StepCompleted"),
    _row("D16b", Act.SIGN, {S.PENDING_APPROVAL}, S.RESULT_SIGNED, {R.CLERK}, "ResultSigned"),
    _row("D17", Act.ISSUE, {S.RESULT_SIGNED}, S.RESULT_READY, {R.CLERK, R.DESK}, "ResultIssued"),
    # The leader signed on paper: the signed file follows; neither state nor punctuality change by it (RES-3, RES-4).
    _row("D17'", Act.SIGN_LATER, {S.RESULT_READY}, None, {R.SPECIALIST}, "ResultSigned"),
    _row("D18", Act.REFUSE, {S.PENDING_APPROVAL}, S.REJECTED, {R.LEADER}, "DossierRejected"),
    _row("D19", Act.DELIVER, {S.RESULT_READY}, S.RETURNED, {R.DESK, R.SYSTEM}, "ResultDelivered", Scope.ANY_DESK),
    _row("D19'", Act.DELIVER_UNSIGNED, {S.RESULT_READY}, S.RETURNED, {R.SUPERVISOR}, "ResultDelivered", _C),
    _row("D20", Act.EXTEND, PROCESSING, None, {R.LEADER, R.DESK}, "DeadlineExtended", _C),
    _row("D21", Act.WITHDRAW, UNDECIDED, S.WITHDRAWN, {R.OWNER}, "DossierWithdrawn"),
    _row("D22", Act.STOP, ACTIVE, S.STOPPED, {R.LEADER}, "DossierStopped"),
    _row("D23", Act.CLOSE, SUPPLEMENT_REQUESTED, S.CLOSED_INCOMPLETE, {R.SYSTEM}, "DossierClosed"),
    # I-R2: what was handed over was wrong. The dossier was settled and stays so; its document is no longer in force.
    _row("D26", Act.REVOKE_RESULT, {S.RETURNED}, None, {R.LEADER}, "ResultRevoked"),
    _row("D27", Act.REPLACE_RESULT, {S.RETURNED}, None, {R.CLERK}, "ResultRevoked"),
    # The parent of an interlinked group (§4.6): its state follows from its members' states alone.
    _row("L1", Act.SUBMIT_INTERLINKED, {S.DRAFT}, S.INTERLINKED, {R.OWNER}, "InterlinkedSubmitted"),
    _row("L2", Act.MEMBERS_MOVED, PARENT, None, {R.SYSTEM}, "InterlinkedProgressed"),
    _row("L3", Act.MEMBER_DONE, {S.INTERLINKED}, S.PARTIALLY_DONE, {R.SYSTEM}, "InterlinkedProgressed"),
    _row("L4", Act.ALL_MEMBERS_OVER, PARENT, S.RETURNED, {R.SYSTEM}, "InterlinkedProgressed"),
    _row("L5", Act.ALL_MEMBERS_FAILED, PARENT, S.REJECTED, {R.SYSTEM}, "InterlinkedProgressed"),
    # A member that was sent to another agency: that agency confirms that it has it (NĐ 63/2024/NĐ-CP).
    _row(
        "L6", Act.ACKNOWLEDGE, ACTIVE, None,
        {R.DESK, R.SPECIALIST, R.DIVISION_HEAD, R.LEADER, R.CLERK, R.SYSTEM}, "DossierAcknowledged",
    ),
    # Ours: the specification has the state (nghĩa vụ tài chính: taxes and charges that the work itself brings to
    # light) without the ways to it and back.
    _row(
        "D24", Act.REQUEST_OBLIGATION, _WORKING, S.AWAITING_FINANCIAL_OBLIGATION, {R.SPECIALIST},
        "FinancialObligationRequested",
    ),
    _row(
        "D25", Act.CONFIRM_OBLIGATION, {S.AWAITING_FINANCIAL_OBLIGATION}, S.IN_PROCESS, {R.DESK, R.SPECIALIST},
        "FinancialObligationMet", _C,
    ),
)  # fmt: skip

_BY_ACT = {(row.act, source): row for row in TRANSITIONS for source in row.sources}


class PaymentState(StrEnum):
    """Whether what the dossier costs was paid. The payment service decides; this is what we were told."""

    NONE = "none"
    REQUESTED = "requested"
    PAID = "paid"
    WAIVED = "waived"


class ActNotPossible(Refusal):
    """The dossier is in a state in which this cannot be done."""

    title = "Hồ sơ đang ở trạng thái không thực hiện được việc này"
    title_en = "The dossier is in a state in which this cannot be done"


class NotYourRole(Refusal):
    status = 403
    title = "Vai trò của bạn không được thực hiện việc này"
    title_en = "Your role may not do this"


class NotYourUnit(Refusal):
    """Only the unit that has the dossier may act on it."""

    status = 403
    title = "Hồ sơ đang do cơ quan khác giải quyết"
    title_en = "Another unit has the dossier"


class FeeUnpaid(Refusal):
    """The result is not signed before a fee that is due at acceptance was paid."""

    title = "Hồ sơ chưa nộp phí, lệ phí"
    title_en = "The fee has not been paid"


class SeparationOfDuties(Refusal):
    """Whoever drafted the result does not sign it."""

    status = 403
    title = "Người dự thảo kết quả không được ký kết quả"
    title_en = "Whoever drafted the result may not sign it"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something: a person by opaque reference, or the system."""

    ref: UUID | None
    roles: frozenset[str]
    unit: str | None = None


SYSTEM = Actor(None, frozenset({Role.SYSTEM}))


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the history ("xem quá trình xử lý")."""

    act: Act
    label: str
    at: datetime
    actor_ref: UUID | None
    unit: str | None
    from_state: State | None
    to_state: State
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What was fixed at sending and never changes."""

    procedure_id: UUID
    """The version of the procedure in our catalogue."""
    procedure_code: str
    procedure_version: int
    procedure_name: str
    case: str
    level: ServiceLevel
    receiving_unit: str
    competent_unit: str
    owner_ref: UUID
    owner_type: OwnerType
    owner_name: str
    """Printed on the official forms; never in an event."""
    submitter_ref: UUID
    channel: SubmissionChannel
    delivery: DeliveryMethod
    sms_opt_in: bool
    answers: dict[str, Any]
    originals_by_post: bool = False
    """Paper originals follow by public post."""
    assisted_by: UUID | None = None
    """The desk officer who filed it for the citizen (nộp hộ)."""

    @property
    def circumstances(self) -> dict[str, Any]:
        """The answers, with what else conditions and fees of the catalogue may ask about."""
        authorised = {"authorised": True} if self.owner_ref != self.submitter_ref else {}
        return {**self.answers, **authorised, "owner_type": self.owner_type.value}

    parent_code: str | None = None
    """The interlinked dossier that it is a member of; None for one of its own."""


@dataclass(frozen=True, slots=True)
class Dossier:
    """One dossier (hồ sơ) after sending."""

    code: str
    facts: Facts
    state: State
    current_unit: str
    version: int = 0
    """Number of its events."""
    payment_state: PaymentState = PaymentState.NONE
    fee_timing: FeeTiming = FeeTiming.NONE
    fee_lines: tuple[FeeLine, ...] = ()
    submitted_at: datetime | None = None
    accepted_at: datetime | None = None
    due_at: datetime | None = None
    original_due_at: datetime | None = None
    policy_version: str = ""
    acceptor_ref: UUID | None = None
    assignee_ref: UUID | None = None
    proposer_ref: UUID | None = None
    result_at: datetime | None = None
    outcome: str | None = None
    returned_at: datetime | None = None
    sla_state: str = "on_time"
    """How it stands against its deadlines; kept by the clocks."""
    next_due_at: datetime | None = None
    """The deadline that whoever's turn it is has to keep; kept by the clocks."""
    step: str | None = None
    """Code of the step of the case's workflow that runs; None before acceptance and once there is a result."""
    step_role: str | None = None
    """Who works in that step."""
    step_due_at: datetime | None = None
    refusal_proposed: bool = False
    """What lies before the leader is a draft refusal."""
    approved_at: datetime | None = None
    """When the leader signed the content: from then on nobody takes anything back."""
    consulted_unit: str | None = None
    """Whose opinion is awaited."""
    reader_units: tuple[str, ...] = ()
    """Units that had it, or were asked, besides those of its facts: they read on."""
    unsaved: tuple[Line, ...] = field(default=())
    step_began: bool = False
    """A step began or ended since it was loaded: its clock follows."""


def permitted(state: State | None, act: Act, by: Actor) -> Transition:
    """The row of the machine that lets `by` do this now, or the refusal."""
    row = _BY_ACT.get((act, state))
    if row is None:
        raise ActNotPossible(f"Trạng thái hiện tại: {LABELS[state] if state else 'chưa có'}", state=state)
    if not row.roles & by.roles:
        raise NotYourRole
    return row


def allowed(dossier: Dossier, act: Act, by: Actor) -> Transition:
    """`permitted`, and the officer is of a unit that may act: only the current one, where the row says no other."""
    row = permitted(dossier.state, act, by)
    if by.unit is not None and not _in_scope(dossier, row.scope, by):
        raise NotYourUnit
    return row


def _in_scope(dossier: Dossier, scope: Scope, by: Actor) -> bool:
    match scope:
        case Scope.HOLDER:
            return by.unit == dossier.current_unit
        case Scope.COUNTER:
            at_desk = by.roles & {Role.DESK, Role.SUPERVISOR} and by.unit == dossier.facts.receiving_unit
            return bool(at_desk) or by.unit == dossier.current_unit
        case Scope.ANY_DESK:
            return Role.DESK in by.roles
        case Scope.CONSULTED:
            return by.unit == dossier.consulted_unit


def move(dossier: Dossier, act: Act, by: Actor, now: datetime, reason: str | None = None) -> Dossier:
    """The dossier after the act, with one more version and one more line of history."""
    row = allowed(dossier, act, by)
    target = row.target or dossier.state
    line = Line(act, row.label, now, by.ref, by.unit or dossier.current_unit, dossier.state, target, reason)
    moved = replace(
        dossier, state=target, version=dossier.version + 1, unsaved=(*dossier.unsaved, line),
        consulted_unit=dossier.consulted_unit if target is State.CONSULTING else None,
    )  # fmt: skip
    return moved if target in WORKED_ON else without_step(moved)


def without_step(dossier: Dossier) -> Dossier:
    """No step of the workflow runs: before acceptance, while the applicant completes, and at the end."""
    return replace(
        dossier, step=None, step_role=None, step_due_at=None, step_began=dossier.step_began or dossier.step is not None
    )


def envelope(dossier: Dossier, now: datetime) -> dict[str, Any]:
    """What every event about the dossier says."""
    return {"version": dossier.version, "occurred_at": now, "dossier_code": dossier.code}


def filing_fields(facts: Facts) -> dict[str, Any]:
    """The part of a dossier that others may know from the moment it is sent."""
    return {
        name: getattr(facts, name)
        for name in (
            *("procedure_code", "procedure_version", "procedure_name", "case", "level", "receiving_unit"),
            *("competent_unit", "owner_ref", "owner_type", "submitter_ref", "channel", "delivery", "sms_opt_in"),
            "parent_code",
        )
    }


def person(by: Actor) -> UUID:
    """The reference of somebody who is a person, not the system."""
    if by.ref is None:
        raise NotYourRole
    return by.ref
