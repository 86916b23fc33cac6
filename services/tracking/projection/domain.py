"""What each event means to somebody who looks a dossier up.

A change names only the fields that an event sets. Later events win, field by field, so changes of one dossier
can be merged. The national status and the folder are computed by the database from these fields (migrations/0001).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.dossier import (
    AboutDossier,
    ConsultationAnswered,
    ConsultationRequested,
    DeadlineExtended,
    DeadlineMissed,
    DossierAccepted,
    DossierAcknowledged,
    DossierAwaitingPayment,
    DossierClosed,
    DossierEvent,
    DossierForwarded,
    DossierRejected,
    DossierStopped,
    DossierSubmitted,
    DossierWithdrawn,
    Filing,
    FinancialObligationMet,
    FinancialObligationRequested,
    GroupState,
    InterlinkedProgressed,
    InterlinkedSubmitted,
    OwnerLinked,
    ResultDelivered,
    ResultIssued,
    ResultQuestionAnswered,
    ResultQuestioned,
    ResultRevoked,
    ResultSigned,
    Stage,
    StepCompleted,
    StepOutcome,
    StepReturned,
    SupplementRequested,
    SupplementSubmitted,
)
from contracts.identity import AccountEvent, AccountStandardised
from contracts.notification import MessageEvent, NotificationFailed, NotificationUndelivered
from contracts.payment import FeePaid, FeeRefunded, FeeRequested, FeeWaived, PaymentEvent, ReceiptIssued


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a dossier's history."""

    code: str
    version: int
    type: str
    at: datetime
    unit: str | None = None
    detail: Mapping[str, Any] | None = None


Change = dict[str, Any]
"""Column → value, for the columns that an event sets."""


def merged(changes: Iterable[tuple[str, Change]]) -> dict[str, Change]:
    """The changes of each dossier as one, later ones winning; dossiers in the order of their codes.

    That is the order of row locks too: projections that meet on the same dossiers never deadlock.
    """
    by_code: dict[str, Change] = {}
    for code, change in changes:
        by_code.setdefault(code, {}).update(change)
    return dict(sorted(by_code.items()))


# ── dossiers ───────────────────────────────────────────────────────────────────────────────────────


def dossier_change(event: DossierEvent) -> Change:
    """What the event sets in the view."""
    read = _DOSSIER.get(type(event))
    return {"version": event.version, **(read(event) if read else {})}


def _filed(event: Filing, state: str, submitted_at: datetime) -> Change:
    return {
        "state": state,
        "procedure_code": event.procedure_code,
        "procedure_name": event.procedure_name,
        "unit": event.receiving_unit,
        "receiving_unit": event.receiving_unit,
        "competent_unit": event.competent_unit,
        "channel": event.channel.value,
        "owner_ref": event.owner_ref,
        "submitter_ref": event.submitter_ref,
        "delivery": event.delivery.value,
        "submitted_at": submitted_at,
        **({"parent_code": event.parent_code} if event.parent_code else {}),
    }


def _interlinked(event: InterlinkedSubmitted) -> Change:
    return {**_filed(event, "interlinked", event.submitted_at), "members": _members(event)}


_GROUP_STATES = {
    GroupState.PROCESSING: "interlinked",
    GroupState.PARTIALLY_DONE: "partially_done",
    GroupState.RETURNED: "returned",
    GroupState.WITHOUT_RESULT: "rejected",
}


def _progressed(event: InterlinkedProgressed) -> Change:
    said = {
        "state": _GROUP_STATES.get(event.state),
        "members": _members(event),
        "accepted_at": event.accepted_at,
        "due_at": event.due_at,
        "returned_at": event.returned_at,
        "ended_at": event.returned_at,
    }
    return {name: value for name, value in said.items() if value is not None}


def _members(event: InterlinkedSubmitted | InterlinkedProgressed) -> dict[str, Any]:
    """An object, because a batch of lists would arrive in the database as one of two dimensions."""
    return event.model_dump(mode="json", include={"members"})


def _accepted(event: DossierAccepted) -> Change:
    state = "in_process" if event.again else "accepted"
    return {
        "state": state,
        "accepted_at": event.accepted_at,
        "due_at": event.appointment_at,
        "unit": event.unit,
    }


def _supplement_requested(event: SupplementRequested) -> Change:
    intake = event.stage == Stage.INTAKE
    state = "supplement_requested_intake" if intake else "supplement_requested_processing"
    return {"state": state, "supplement_due_at": event.due_at}


def _forwarded(event: DossierForwarded) -> Change:
    """Given to an officer it is assigned; handed to another unit, it stays what it was."""
    return {"unit": event.to_unit, **({"state": "assigned"} if event.assignee_ref else {})}


def _step_completed(event: StepCompleted) -> Change:
    proposed = event.outcome in (StepOutcome.APPROVAL_PROPOSED, StepOutcome.REFUSAL_PROPOSED)
    return {"state": "pending_approval"} if proposed else {}


def _issued(event: ResultIssued) -> Change:
    return {
        "state": "result_ready",
        "issued_at": event.issued_at,
        "ended_at": event.issued_at,
        "punctuality": event.outcome.value,
        "result_ref": event.result_ref,
    }


def _over(event: AboutDossier, state: str) -> Change:
    """It ended without a result."""
    return {"state": state, "ended_at": event.occurred_at}


# ResultSigned moves nothing: it comes with ResultIssued, or after it when the result was signed on paper first.
_DOSSIER: dict[type, Callable[[Any], Change]] = {
    DossierAwaitingPayment: lambda e: _filed(e, "awaiting_prepayment", e.occurred_at),
    DossierSubmitted: lambda e: _filed(e, "submitted", e.submitted_at),
    DossierAccepted: _accepted,
    DossierRejected: lambda e: _over(e, "rejected"),
    SupplementRequested: _supplement_requested,
    SupplementSubmitted: lambda _: {"state": "supplement_submitted"},
    DossierForwarded: _forwarded,
    StepCompleted: _step_completed,
    StepReturned: lambda _: {"state": "in_process"},
    ConsultationRequested: lambda _: {"state": "consulting"},
    ConsultationAnswered: lambda _: {"state": "in_process"},
    FinancialObligationRequested: lambda _: {"state": "awaiting_financial_obligation"},
    FinancialObligationMet: lambda _: {"state": "in_process"},
    ResultIssued: _issued,
    ResultDelivered: lambda e: {"state": "returned", "returned_at": e.at},
    DeadlineExtended: lambda e: {"due_at": e.new_due_at},
    DossierWithdrawn: lambda e: _over(e, "withdrawn"),
    DossierStopped: lambda e: _over(e, "stopped"),
    DossierClosed: lambda e: _over(e, "closed_incomplete"),
    OwnerLinked: lambda e: {"owner_ref": e.owner_ref, "submitter_ref": e.submitter_ref},
    InterlinkedSubmitted: _interlinked,
    InterlinkedProgressed: _progressed,
}


# ── payments ───────────────────────────────────────────────────────────────────────────────────────


def payment_change(event: PaymentEvent) -> Change:
    """What the event sets in the view: the state of the assessment that was spoken of last."""
    read = _PAYMENT.get(type(event))
    return {"payment_version": event.version, **(read(event) if read else {})}


def _fee_requested(event: FeeRequested) -> Change:
    return {
        "fee_state": "requested",
        "fee_amount": event.amount,
        "fee_timing": event.timing.value,
        "fee_due_at": event.due_at,
    }


_PAYMENT: dict[type, Callable[[Any], Change]] = {
    FeeRequested: _fee_requested,
    FeePaid: lambda e: {} if e.outstanding else {"fee_state": "paid"},
    FeeWaived: lambda _: {"fee_state": "waived"},
    FeeRefunded: lambda _: {"fee_state": "refunded"},
}


# ── history ────────────────────────────────────────────────────────────────────────────────────────

TOLD: dict[type, tuple[str, str | None, frozenset[str]]] = {
    # event: its label, the field that names the unit, the fields that the citizen reads
    DossierAwaitingPayment: (
        "Đã gửi, chờ thanh toán trước",
        "receiving_unit",
        frozenset({"amount", "due_at"}),
    ),
    DossierSubmitted: ("Gửi hồ sơ", "receiving_unit", frozenset()),
    DossierAccepted: ("Tiếp nhận hồ sơ", "unit", frozenset({"appointment_at", "mau01_ref"})),
    DossierRejected: (
        "Từ chối hồ sơ",
        "unit",
        frozenset({"reason", "legal_basis", "competent_unit", "mau03_ref"}),
    ),
    SupplementRequested: (
        "Yêu cầu bổ sung hồ sơ",
        "issued_by_unit",
        frozenset({"round", "items", "citizen_fault", "needs_original", "due_at", "mau02_ref"}),
    ),
    SupplementSubmitted: ("Gửi bổ sung", None, frozenset({"round", "changed_components"})),
    DossierForwarded: ("Chuyển xử lý", "to_unit", frozenset({"from_unit", "step", "step_due_at"})),
    StepCompleted: ("Hoàn thành bước xử lý", "unit", frozenset({"step", "outcome", "step_due_at"})),
    StepReturned: ("Chuyển lại bước trước", "unit", frozenset({"step", "returned_to"})),
    ConsultationRequested: (
        "Lấy ý kiến cơ quan phối hợp",
        "asking_unit",
        frozenset({"consulted_unit", "due_at"}),
    ),
    ConsultationAnswered: ("Kết thúc lấy ý kiến cơ quan phối hợp", "consulted_unit", frozenset()),
    FinancialObligationRequested: (
        "Yêu cầu thực hiện nghĩa vụ tài chính",
        "unit",
        frozenset({"purpose", "legal_basis", "amount", "clock_paused"}),
    ),
    FinancialObligationMet: ("Đã thực hiện nghĩa vụ tài chính", "unit", frozenset()),
    ResultSigned: ("Ký số kết quả", None, frozenset({"number", "symbol"})),
    ResultIssued: ("Ban hành kết quả", None, frozenset({"result_ref", "valid_to", "outcome", "delivery"})),
    ResultDelivered: ("Trả kết quả", None, frozenset({"channel"})),
    ResultRevoked: (
        "Thu hồi hoặc thay thế kết quả",
        "unit",
        frozenset({"number", "symbol", "reason", "legal_basis", "replaced_by"}),
    ),
    DeadlineExtended: (
        "Gia hạn ngày hẹn trả",
        None,
        frozenset({"kind", "old_due_at", "new_due_at", "reason", "mau04_ref"}),
    ),
    DeadlineMissed: ("Quá hạn", "unit", frozenset({"deadline", "due_at"})),
    DossierWithdrawn: ("Công dân rút hồ sơ", None, frozenset({"reason", "mau05_ref"})),
    DossierStopped: ("Dừng xử lý", None, frozenset({"reason", "legal_basis", "mau05_ref"})),
    DossierClosed: ("Đóng hồ sơ do không bổ sung", None, frozenset({"reason", "mau05_ref"})),
    InterlinkedSubmitted: ("Gửi hồ sơ liên thông", "receiving_unit", frozenset()),
    InterlinkedProgressed: ("Cập nhật các thủ tục liên thông", None, frozenset()),
    OwnerLinked: ("Gắn hồ sơ với tài khoản của chủ hồ sơ", None, frozenset()),
    DossierAcknowledged: ("Cơ quan giải quyết đã nhận hồ sơ liên thông", "unit", frozenset()),
    ResultQuestioned: ("Cơ quan liên thông đề nghị kiểm tra kết quả", "asking_unit", frozenset({"reason"})),
    ResultQuestionAnswered: ("Đã trả lời đề nghị kiểm tra kết quả", "unit", frozenset({"outcome"})),
    FeeRequested: ("Yêu cầu nộp phí, lệ phí", None, frozenset({"lines", "amount", "due_at"})),
    FeePaid: ("Đã thanh toán phí, lệ phí", None, frozenset({"amount", "method"})),
    FeeWaived: ("Được miễn phí, lệ phí", None, frozenset({"amount", "reason"})),
    FeeRefunded: ("Đã hoàn phí, lệ phí", None, frozenset({"amount", "reason"})),
    ReceiptIssued: (
        "Cấp biên lai",
        None,
        frozenset({"receipt_no", "form_symbol", "symbol", "kind", "amount"}),
    ),
}

LABELS = {event.__name__: label for event, (label, _, _) in TOLD.items()}
"""What a line of the history is called."""


def entry(event: DossierEvent | PaymentEvent) -> Entry:
    """The event as a line of the history: officers stay unnamed, their unit is shown."""
    _, unit, shown = TOLD[type(event)]
    return Entry(
        code=event.dossier_code,
        version=event.version,
        type=type(event).__name__,
        at=event.occurred_at,
        unit=getattr(event, unit) if unit else None,
        detail=event.model_dump(mode="json", include=set(shown), exclude_none=True) if shown else None,
    )


# ── messages ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one message about a dossier."""

    message_id: UUID
    code: str
    template: str
    channel: str
    reason: str | None
    """Why it was given up; None when it arrived."""
    at: datetime


def told(events: Iterable[MessageEvent]) -> list[Told]:
    """The last word about each message that is about a dossier."""
    last = {event.message_id: event for event in events if event.dossier_code}
    return [_told(event, event.dossier_code or "") for event in last.values()]


def _told(event: MessageEvent, code: str) -> Told:
    match event:
        case NotificationFailed(reason=why):
            reason: str | None = why.value
        case NotificationUndelivered():
            reason = "undelivered"
        case _:
            reason = None
    return Told(event.message_id, code, event.template, event.channel.value, reason, event.occurred_at)


# ── accounts ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Known:
    """What the newest word about an account says: mask and digest of one that is verified, nothing of any other."""

    ref: UUID
    version: int
    masked_name: str | None = None
    identity_digest: str | None = None


def known(events: Iterable[AccountEvent]) -> list[Known]:
    """The newest word about each account, in one order everywhere, which is the order of row locks too."""
    newest = {event.account_ref: event for event in sorted(events, key=lambda event: event.version)}
    return [_known(newest[ref]) for ref in sorted(newest)]


def _known(event: AccountEvent) -> Known:
    match event:
        case AccountStandardised(masked_name=name, identity_digest=digest):
            return Known(event.account_ref, event.version, name, digest)
        case _:  # one that is locked or closed cannot prove anything any more
            return Known(event.account_ref, event.version)
