"""The result: drafted, signed by the leader, numbered, sealed by the clerk, published, handed over.

A result belongs to its dossier: whoever changes it holds the dossier's row. The number is kept for this result from
the moment it is taken, so an issuance that is repeated after a crash goes on with the same one.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from contracts.dossier import (
    DeliveryMethod,
    Punctuality,
    ResultDelivered,
    ResultIssued,
    ResultSigned,
    SignatureStatus,
)
from contracts.money import FeeTiming
from contracts.refusal import Refusal
from services.dossier.catalogue.domain import ResultKind
from services.dossier.clocks.calendar import HANOI
from services.dossier.processing.domain import (
    SYSTEM,
    Act,
    Actor,
    Dossier,
    FeeUnpaid,
    NotYourUnit,
    PaymentState,
    allowed,
    envelope,
    move,
    permitted,
)


class ResultState(StrEnum):
    """How far the document is."""

    DRAFT = "draft"
    SIGNED_BY_LEADER = "signed_by_leader"
    NUMBERED = "numbered"
    PUBLISHED = "published"
    REPLACED = "replaced"
    """Published once; another document has taken its place."""
    REVOKED = "revoked"
    """Published once, and no longer in force."""


class ResultSignatureMissing(Refusal):
    """A result without both valid signatures is not issued and not handed over (NĐ 45/2020/NĐ-CP, Art. 14(3))."""

    title = "Kết quả chưa có đủ chữ ký số hợp lệ, chưa thể trả"
    title_en = "The result lacks a valid digital signature and cannot be handed over"


class ResultNotReady(Refusal):
    title = "Chưa có kết quả"
    title_en = "There is no result yet"


@dataclass(frozen=True, slots=True)
class Result:
    """The document that answers one dossier. Files are named by their SHA-256 and never change."""

    dossier_code: str
    state: ResultState
    document_type: str
    symbol: str
    sha256: str
    """Of the newest file: draft, signed, sealed."""
    drafted_at: datetime
    signer_ref: UUID | None = None
    signed_at: datetime | None = None
    number: int | None = None
    number_year: int | None = None
    numbered_at: datetime | None = None
    verification: SignatureStatus = SignatureStatus.NOT_SIGNED
    issued_at: datetime | None = None
    valid_to: date | None = None
    on_paper: bool = False
    """The leader signed the paper; the digitally signed file follows, at the latest before it is handed over."""
    signature_asked_at: datetime | None = None
    """Since when the specialist is asked to provide the signed file, at once."""

    @property
    def full_number(self) -> str:
        """Number and symbol as they are printed: `15/TLHT-BS`."""
        return f"{self.number}/{self.symbol}"


def sign(result: Result, by: Actor, sha256: str, now: datetime, *, on_paper: bool = False) -> Result:
    """The leader's signature is on it."""
    if result.state is not ResultState.DRAFT:
        raise ResultNotReady("Bản dự thảo đã được ký")
    return replace(
        result, state=ResultState.SIGNED_BY_LEADER, sha256=sha256, signer_ref=by.ref, signed_at=now, on_paper=on_paper
    )


def may_issue(dossier: Dossier, result: Result, by: Actor) -> None:
    """The guards of numbering and issuing, to be asked before the effort of sealing."""
    permitted(dossier.state, Act.SIGN, by)
    if by.unit != dossier.current_unit:
        raise NotYourUnit
    if result.state not in (ResultState.SIGNED_BY_LEADER, ResultState.NUMBERED):
        raise ResultSignatureMissing("Lãnh đạo chưa ký số kết quả")


def number(result: Result, taken: int, now: datetime) -> Result:
    """The clerk's running number, bound to this result for good."""
    return replace(result, state=ResultState.NUMBERED, number=taken, number_year=year_of(now), numbered_at=now)


def year_of(moment: datetime) -> int:
    """The year whose numbers are running, in Viet Nam."""
    return moment.astimezone(HANOI).year


def issue(
    dossier: Dossier,
    result: Result,
    kind: ResultKind,
    by: Actor,
    sha256: str,
    verification: SignatureStatus,
    now: datetime,
) -> tuple[Dossier, Result, *tuple[ResultSigned | ResultIssued | ResultDelivered, ...]]:
    """Signed, numbered, sealed and checked: published (status 9), and handed over at once if it goes online (10).

    A result that was signed on paper only is published without a valid signature, and handed over by nobody before
    its signed file came.
    """
    may_issue(dossier, result, by)
    if verification != SignatureStatus.VALID and not result.on_paper:
        raise ResultSignatureMissing
    signed = move(dossier, Act.SIGN, by, now)
    sealed = replace(
        result, state=ResultState.PUBLISHED, sha256=sha256, verification=verification,
        issued_at=now, valid_to=valid_to(kind, now),
    )  # fmt: skip
    outcome = punctuality(now, dossier.original_due_at)
    ready = replace(move(signed, Act.ISSUE, by, now), result_at=now, outcome=outcome)
    news = (_signed(signed, sealed, now), _issued(ready, sealed, kind, outcome, now))
    if not goes_online(ready, sealed):
        return ready, sealed, news[0], news[1]
    returned, delivered = deliver(ready, sealed, SYSTEM, now)
    return returned, sealed, news[0], news[1], delivered


def goes_online(dossier: Dossier, result: Result) -> bool:
    """Whether nothing keeps it from being handed over online at once."""
    online = dossier.facts.delivery == DeliveryMethod.ONLINE
    return online and is_signed(result) and not _unpaid(dossier)


def is_signed(result: Result) -> bool:
    """Published, and its digital signatures hold."""
    return result.state is ResultState.PUBLISHED and result.verification == SignatureStatus.VALID


def ask_for_signature(result: Result, now: datetime) -> Result:
    """Somebody found that the published file is not signed: the specialist provides the signed one at once (RES-3)."""
    return replace(result, signature_asked_at=result.signature_asked_at or now)


def sign_later(
    dossier: Dossier, result: Result, by: Actor, sha256: str, now: datetime
) -> tuple[Dossier, Result, *tuple[ResultSigned | ResultDelivered, ...]]:
    """The signed file of a result that was signed on paper. Its punctuality was fixed before (RES-4)."""
    moved = move(dossier, Act.SIGN_LATER, by, now)
    signed = replace(result, sha256=sha256, verification=SignatureStatus.VALID, signature_asked_at=None)
    if not goes_online(moved, signed):
        return moved, signed, _signed(moved, signed, now)
    returned, delivered = deliver(moved, signed, SYSTEM, now)
    return returned, signed, _signed(moved, signed, now), delivered


def _signed(dossier: Dossier, result: Result, now: datetime) -> ResultSigned:
    if result.signer_ref is None or result.signed_at is None:
        raise ResultSignatureMissing
    return ResultSigned(
        **envelope(dossier, now), document_type=result.document_type, number=str(result.number),
        symbol=result.symbol, signer_ref=result.signer_ref, verification=result.verification,
        signed_at=result.signed_at,
    )  # fmt: skip


def _issued(dossier: Dossier, result: Result, kind: ResultKind, outcome: Punctuality, now: datetime) -> ResultIssued:
    return ResultIssued(
        **envelope(dossier, now), result_ref=f"{dossier.code}/result", result_code=kind.code,
        valid_to=result.valid_to, sha256=result.sha256, outcome=outcome, delivery=dossier.facts.delivery,
        issued_at=now,
    )  # fmt: skip


def valid_to(kind: ResultKind, now: datetime) -> date | None:
    """The last day of validity, counted in months from the day of issue."""
    if kind.keep_forever or not kind.valid_months:
        return None
    day = now.astimezone(HANOI).date()
    years, month = divmod(day.month - 1 + kind.valid_months, 12)
    for last in (day.day, 30, 29, 28):
        try:
            return date(day.year + years, month + 1, last)
        except ValueError:
            continue
    raise AssertionError("every month has 28 days")


def punctuality(now: datetime, due_at: datetime | None) -> Punctuality:
    """Early: on an earlier day than promised. Late: after the promised moment."""
    if due_at is None:
        return Punctuality.ON_TIME
    if now > due_at:
        return Punctuality.LATE
    same_day = now.astimezone(HANOI).date() == due_at.astimezone(HANOI).date()
    return Punctuality.ON_TIME if same_day else Punctuality.EARLY


def _unpaid(dossier: Dossier) -> bool:
    return dossier.fee_timing == FeeTiming.AT_RESULT and dossier.payment_state is PaymentState.REQUESTED


def deliver(
    dossier: Dossier, result: Result, by: Actor, now: datetime, channel: DeliveryMethod | None = None,
    receiver_ref: UUID | None = None,
) -> tuple[Dossier, ResultDelivered]:  # fmt: skip
    """The result is in the owner's hand, or that of whom they sent (D19); fees due at the result are paid."""
    allowed(dossier, Act.DELIVER, by)
    if not is_signed(result):
        raise ResultSignatureMissing
    return _returned(dossier, Act.DELIVER, by, now, channel, receiver_ref, None)


def deliver_unsigned(
    dossier: Dossier, result: Result, by: Actor, now: datetime, reason: str, receiver_ref: UUID | None = None
) -> tuple[Dossier, ResultDelivered]:
    """The paper is valid and the citizen is here: whoever is in charge lets it go, and says why (I-R1)."""
    allowed(dossier, Act.DELIVER_UNSIGNED, by)
    if result.state is not ResultState.PUBLISHED:
        raise ResultNotReady
    return _returned(dossier, Act.DELIVER_UNSIGNED, by, now, DeliveryMethod.DESK, receiver_ref, reason)


def _returned(
    dossier: Dossier, act: Act, by: Actor, now: datetime, channel: DeliveryMethod | None, receiver_ref: UUID | None,
    reason: str | None,
) -> tuple[Dossier, ResultDelivered]:  # fmt: skip
    if _unpaid(dossier):
        raise FeeUnpaid
    moved = replace(move(dossier, act, by, now, reason), returned_at=now)
    way = channel or (DeliveryMethod.ONLINE if by is SYSTEM else DeliveryMethod.DESK)
    receiver = receiver_ref or dossier.facts.owner_ref
    return moved, ResultDelivered(**envelope(moved, now), channel=way, receiver_ref=receiver, at=now)
