"""Who is told what, when, and over which channels (the notification catalogue), as one table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid5

from contracts.dossier import (
    DeadlineExtended,
    DeliveryMethod,
    DossierAccepted,
    DossierClosed,
    DossierEvent,
    DossierRejected,
    DossierStopped,
    DossierSubmitted,
    ExtensionKind,
    Filing,
    InterlinkedSubmitted,
    ResultDelivered,
    ResultIssued,
    ResultRevoked,
    SupplementRequested,
)
from contracts.notification import (
    FailureReason,
    MessageChannel,
    MessageEvent,
    NotificationDelivered,
    NotificationFailed,
    NotificationSent,
    NotificationUndelivered,
)
from contracts.payment import FeeRequested, PaymentEvent, ReceiptIssued

LOCAL = timezone(timedelta(hours=7))
"""Asia/Ho_Chi_Minh, which has no summer time."""

NAMESPACE = UUID("5f6d1d0a-5f0e-5a4c-9b5e-7d0f6d6f7463")

DELIVER = "deliver"
"""The job that sends one message; its key is the message's id."""


class ByText(StrEnum):
    """When a text message goes out."""

    NEVER = "never"
    ONCE = "once"
    """To everybody: the message with the dossier's code."""
    OPT_IN = "opt_in"
    """To those who asked for text messages with this dossier."""


class State(StrEnum):
    """What became of a message: `queued` goes to `sent` or to `failed`, and stays there."""

    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Correspondence:
    """What is known of a dossier when there is news about it."""

    dossier_code: str
    recipient_ref: UUID
    """Whoever sent the dossier: its owner, or the person they authorised."""
    sms_opt_in: bool
    procedure_name: str
    unit: str


@dataclass(frozen=True, slots=True)
class Province:
    """The words that are the same in every message."""

    host: str
    """Name of the portal, as printed in text messages."""
    portal: str
    """Its address for links, without a slash at the end."""
    unit_names: Mapping[str, str]
    result_places: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one recipient over one channel; its id is the same however often its cause is heard."""

    id: UUID
    dossier_code: str
    event: str
    version: int
    template: str
    recipient_ref: UUID
    channel: MessageChannel
    words: Mapping[str, str]
    happened_at: datetime
    unit: str
    """The unit that received the dossier: its officers see what became of its messages."""
    attachment: str | None = None
    """The document that goes with the letter: `slip` (Mẫu 01), or the reference of a receipt."""


@dataclass(frozen=True, slots=True)
class Letter:
    """The text of a message for people who read pages or mail."""

    subject: str
    body: str


ABOUT_DOSSIER = frozenset({"code", "procedure_name", "unit_name"})

Words = Callable[[Any, Correspondence, Province], dict[str, str]]


@dataclass(frozen=True, slots=True)
class Rule:
    """How one kind of event is told. The portal's inbox always has it."""

    template: str
    email: bool
    sms: ByText
    words: Words
    names: frozenset[str]
    """What `words` gives, beyond the words of the dossier itself."""

    @property
    def variables(self) -> frozenset[str]:
        """The names that a template may use."""
        return ABOUT_DOSSIER | self.names

    @property
    def channels(self) -> dict[str, str]:
        """The rule as templates declare it."""
        return {"in_app": "always", "email": "always" if self.email else "never", "sms": self.sms.value}


# ── the words ──


def clock(moment: datetime) -> str:
    """`15:04 22/11/2026`."""
    return moment.astimezone(LOCAL).strftime("%H:%M %d/%m/%Y")


def day(moment: datetime) -> str:
    """`22/11/2026`."""
    return moment.astimezone(LOCAL).strftime("%d/%m/%Y")


def dong(amount: int) -> str:
    """`16.000`, without the unit."""
    return f"{amount:,}".replace(",", ".")


def _about(about: Correspondence, province: Province) -> dict[str, str]:
    unit_name = province.unit_names.get(about.unit, about.unit)
    return {"code": about.dossier_code, "procedure_name": about.procedure_name, "unit_name": unit_name}


def _look_up(about: Correspondence, province: Province) -> str:
    return f"{province.portal}/tra-cuu?ma={quote(about.dossier_code)}"


def _submitted(
    event: DossierSubmitted | InterlinkedSubmitted, about: Correspondence, province: Province
) -> dict[str, str]:
    return {"time": clock(event.submitted_at), "host": province.host, "lookup_url": _look_up(about, province)}


def _accepted(event: DossierAccepted, about: Correspondence, province: Province) -> dict[str, str]:
    due = clock(event.appointment_at) if event.appointment_at else "theo thông báo của cơ quan giải quyết"
    return {"date": day(event.accepted_at), "due": due, "lookup_url": _look_up(about, province)}


def _fee_requested(event: FeeRequested, about: Correspondence, province: Province) -> dict[str, str]:
    payment_url = f"{province.portal}/thanh-toan?ma={quote(about.dossier_code)}"
    return {"amount": dong(event.amount), "payment_url": payment_url}


def _receipt(event: ReceiptIssued, about: Correspondence, province: Province) -> dict[str, str]:
    return {"amount": dong(event.amount), "receipt": event.receipt_no, "date": day(event.issued_at)}


def _issued(event: ResultIssued, about: Correspondence, province: Province) -> dict[str, str]:
    return {"place": _place(event.delivery, about.unit, province), "result_url": _own_dossier(about, province)}


def _place(delivery: DeliveryMethod, unit: str, province: Province) -> str:
    match delivery:
        case DeliveryMethod.ONLINE:
            return "Cổng dịch vụ công, mục Kho quản lý dữ liệu điện tử"
        case DeliveryMethod.POST:
            return "địa chỉ đã đăng ký, qua bưu chính"
        case _:
            return province.result_places.get(unit) or province.unit_names.get(unit, unit)


def _supplement(event: SupplementRequested, about: Correspondence, province: Province) -> dict[str, str]:
    return {"due": clock(event.due_at), "round": str(event.round), "lookup_url": _own_dossier(about, province)}


def _extended(event: DeadlineExtended, about: Correspondence, province: Province) -> dict[str, str]:
    dates = {"old_due": clock(event.old_due_at), "due": clock(event.new_due_at)}
    apology = "yes" if event.kind == ExtensionKind.APOLOGY else ""
    return {**dates, "reason": event.reason, "apology": apology, "lookup_url": _own_dossier(about, province)}


def _rejected(event: DossierRejected, about: Correspondence, province: Province) -> dict[str, str]:
    turn_to = province.unit_names.get(event.competent_unit or "", event.competent_unit or "")
    guidance = f" Cơ quan có thẩm quyền: {turn_to}." if turn_to else ""
    return {"reason": event.reason, "guidance": guidance, "lookup_url": _look_up(about, province)}


def _stopped(event: DossierStopped, about: Correspondence, province: Province) -> dict[str, str]:
    return {"reason": event.reason, "legal_basis": event.legal_basis, "lookup_url": _look_up(about, province)}


def _revoked(event: ResultRevoked, about: Correspondence, province: Province) -> dict[str, str]:
    replaced = f" Kết quả thay thế: số {event.replaced_by}." if event.replaced_by else ""
    return {
        "number": f"{event.number}/{event.symbol}", "replaced": replaced, "reason": event.reason,
        "legal_basis": event.legal_basis,
        "lookup_url": _own_dossier(about, province),
    }  # fmt: skip


def _closed(event: DossierClosed, about: Correspondence, province: Province) -> dict[str, str]:
    return {"reason": event.reason, "due": clock(event.due_at), "lookup_url": _own_dossier(about, province)}


def _own_dossier(about: Correspondence, province: Province) -> str:
    return f"{province.portal}/ho-so-cua-toi/{quote(about.dossier_code)}"


def _delivered(event: ResultDelivered, about: Correspondence, province: Province) -> dict[str, str]:
    return {"date": day(event.at)}


# ── the table ──


def _rule(template: str, email: bool, sms: ByText, words: Words, *names: str) -> Rule:
    return Rule(template, email, sms, words, frozenset(names))


RULES: Mapping[type, Rule] = {
    DossierSubmitted: _rule("dossier_submitted", True, ByText.ONCE, _submitted, "time", "host", "lookup_url"),
    InterlinkedSubmitted: _rule("interlinked_submitted", True, ByText.ONCE, _submitted, "time", "host", "lookup_url"),
    DossierAccepted: _rule("dossier_accepted", True, ByText.OPT_IN, _accepted, "date", "due", "lookup_url"),
    FeeRequested: _rule("fee_requested", True, ByText.OPT_IN, _fee_requested, "amount", "payment_url"),
    # A payment is told with the number of its receipt, which the payment service gives in the same moment.
    ReceiptIssued: _rule("fee_paid", True, ByText.NEVER, _receipt, "amount", "receipt", "date"),
    SupplementRequested: _rule("supplement_requested", True, ByText.OPT_IN, _supplement, "due", "round", "lookup_url"),
    DeadlineExtended: _rule(
        "apology", True, ByText.OPT_IN, _extended, "old_due", "due", "reason", "apology", "lookup_url"
    ),
    DossierRejected: _rule("dossier_rejected", True, ByText.OPT_IN, _rejected, "reason", "guidance", "lookup_url"),
    DossierStopped: _rule("dossier_stopped", True, ByText.OPT_IN, _stopped, "reason", "legal_basis", "lookup_url"),
    DossierClosed: _rule("dossier_closed", True, ByText.OPT_IN, _closed, "reason", "due", "lookup_url"),
    ResultIssued: _rule("result_ready", True, ByText.OPT_IN, _issued, "place", "result_url"),
    ResultDelivered: _rule("result_returned", False, ByText.OPT_IN, _delivered, "date"),
    ResultRevoked: _rule(
        "result_revoked", True, ByText.OPT_IN, _revoked, "number", "replaced", "reason", "legal_basis", "lookup_url"
    ),
}
"""Event → its template, whether by e-mail, whether by text message, and what it gives the template to say."""


def correspondence(event: Filing) -> Correspondence:
    """What sending a dossier tells about whom to tell its news."""
    return Correspondence(
        dossier_code=event.dossier_code,
        recipient_ref=event.submitter_ref,
        sms_opt_in=event.sms_opt_in,
        procedure_name=event.procedure_name,
        unit=event.receiving_unit,
    )


def messages(event: DossierEvent | PaymentEvent, about: Correspondence, province: Province) -> tuple[Message, ...]:
    """What the event makes us say, over every channel it goes; nothing for an event that nobody is told of."""
    rule = RULES.get(type(event))
    if rule is None:
        return ()
    words = {**_about(about, province), **rule.words(event, about, province)}
    channels = [channel for channel in _channels(rule, about) if not _has_its_code_already(event, channel)]
    return tuple(_message(event, rule, about, words, channel) for channel in channels)


def _has_its_code_already(event: DossierEvent | PaymentEvent, channel: MessageChannel) -> bool:
    """The code that the phone gets once is that of the interlinked dossier, not of each of its members."""
    return channel is MessageChannel.SMS and isinstance(event, DossierSubmitted) and event.parent_code is not None


def _channels(rule: Rule, about: Correspondence) -> tuple[MessageChannel, ...]:
    by_text = rule.sms is ByText.ONCE or (rule.sms is ByText.OPT_IN and about.sms_opt_in)
    return (
        MessageChannel.IN_APP,
        *([MessageChannel.EMAIL] if rule.email else []),
        *([MessageChannel.SMS] if by_text else []),
    )


def _message(
    event: DossierEvent | PaymentEvent,
    rule: Rule,
    about: Correspondence,
    words: Mapping[str, str],
    channel: MessageChannel,
) -> Message:
    name, recipient = type(event).__name__, about.recipient_ref
    cause = f"{event.dossier_code} {name} {event.version} {rule.template} {recipient} {channel}"
    return Message(
        id=uuid5(NAMESPACE, cause),
        dossier_code=event.dossier_code,
        event=name,
        version=event.version,
        template=rule.template,
        recipient_ref=recipient,
        channel=channel,
        words=words,
        happened_at=event.occurred_at,
        unit=about.unit,
        attachment=_attachment(event) if channel is MessageChannel.EMAIL else None,
    )


SLIP = "slip"


def _attachment(event: DossierEvent | PaymentEvent) -> str | None:
    match event:
        case DossierAccepted():
            return SLIP
        case ReceiptIssued(receipt_ref=ref):
            return ref
        case _:
            return None


AT_ANY_HOUR = frozenset(rule.template for rule in RULES.values() if rule.sms is ByText.ONCE)
"""Texts that somebody waits for, with the code of what they just sent: neither quiet hours nor a queue hold them."""


# ── one-time passwords: told at once, at identity's word, and kept nowhere ──

CODE_TEMPLATES: Mapping[str, frozenset[str]] = {
    "otp": frozenset({"otp", "m"}),
    "account_exists": frozenset({"host"}),
}
"""Template → what it may say: the code and its minutes; or, instead of a code, that the phone has an account."""


# ── what became of it; whoever keeps the message counts its versions ──


def sent(message: Message, template_version: int, attempts: int, now: datetime) -> MessageEvent:
    """The provider took it, or it is in the portal's inbox."""
    return NotificationSent(**_about_message(message, template_version, attempts, now))


def failed(
    message: Message, template_version: int, attempts: int, reason: FailureReason, now: datetime
) -> MessageEvent:
    """It was given up; the dossier goes on."""
    return NotificationFailed(**_about_message(message, template_version, attempts, now), reason=reason)


def reported(message: Message, template_version: int, attempts: int, arrived: bool, now: datetime) -> MessageEvent:
    """The provider says whether it reached the phone."""
    event = NotificationDelivered if arrived else NotificationUndelivered
    return event(**_about_message(message, template_version, attempts, now))


def _about_message(message: Message, template_version: int, attempts: int, now: datetime) -> dict[str, Any]:
    return {
        "version": 1,
        "occurred_at": now,
        "message_id": message.id,
        "dossier_code": message.dossier_code,
        "recipient_ref": message.recipient_ref,
        "channel": message.channel,
        "template": message.template,
        "template_version": template_version,
        "attempts": attempts,
    }
