"""Accounts of citizens, organisations and businesses: what is declared, what is proven, and that it is one each."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from contracts import identifiers
from contracts.identity import (
    AccountClosed,
    AccountEvent,
    AccountLocked,
    AccountStandardised,
    LockReason,
    VerificationSource,
)
from contracts.refusal import Refusal

# ── Refusals ──────────────────────────────────────────────────────────────────────────────────────


class IdentityLevelTooLow(Refusal):
    """Only level 2, set up in person at the police, proves who somebody is."""

    status = 403
    title = "Cần tài khoản định danh điện tử (VNeID) mức độ 2. Vui lòng đến công an cấp xã để được cấp."
    title_en = "A level 2 electronic identity is needed; it is set up in person at the commune's police."


class AccountIsLocked(Refusal):
    """A locked or closed account does not log in; the state says why."""

    status = 403
    title = "Tài khoản không đăng nhập được."
    title_en = "This account may not log in."

    WHY: ClassVar[dict[str, str]] = {
        "locked_duplicate": (
            "Số định danh của bạn đã được xác thực cho một tài khoản khác. Hãy đăng nhập bằng VNeID: "
            "hồ sơ đã nộp trước đây nằm trong tài khoản đã xác thực."
        ),
        "locked_contradictory": (
            "Số định danh khai trong tài khoản này đã được xác thực cho một người khác tên. Nếu đó là số của bạn, hãy "
            "đăng nhập bằng VNeID; nếu khai nhầm, vui lòng mang căn cước đến bộ phận một cửa để được hỗ trợ."
        ),
        "locked_security": "Tài khoản bị khóa để bảo vệ bạn. Vui lòng liên hệ bộ phận một cửa nơi gần nhất.",
        "closed": "Tài khoản đã được đóng theo yêu cầu.",
        "pending_otp": "Tài khoản chưa được kích hoạt. Vui lòng đăng ký lại để nhận mã OTP.",
    }


class IdentityContradicted(Refusal):
    """The proven identity is another one than the account's."""

    title = "Thông tin định danh không khớp với tài khoản. Vui lòng kiểm tra lại các thông tin đã khai."
    title_en = "The proven identity contradicts the account."


class IdentityNumberTaken(Refusal):
    """The number was proven for another account: there it is where its owner logs in."""

    title = (
        "Số định danh này đã được xác thực cho một tài khoản khác. "
        "Hãy đăng nhập bằng VNeID để dùng tài khoản đã xác thực."
    )
    title_en = "This identity number is verified for another account; log in there."


class AlreadyVerified(Refusal):
    """What was proven is not declared otherwise; a change comes from who proved it."""

    title = "Thông tin đã được xác thực thì không sửa tại đây. Khi căn cước thay đổi, hãy đăng nhập lại bằng VNeID."
    title_en = "Verified data is changed where it was verified."


class DateOfIssueImpossible(Refusal):
    """A card is not issued in the future, nor before its owner is born."""

    status = 422
    title = "Ngày cấp căn cước chưa đúng."
    title_en = "That date of issue is not possible."


class OrganisationIncomplete(Refusal):
    """An organisation or business registers with its name and tax code."""

    status = 422
    title = "Tổ chức, doanh nghiệp cần ghi tên và mã số thuế."
    title_en = "An organisation registers with its name and tax code."


class TransitionForbidden(Refusal):
    """The account machine has no such edge."""

    title = "Không thể thực hiện việc này với tài khoản ở trạng thái hiện tại."
    title_en = "The account's state does not allow this."


# ── States ────────────────────────────────────────────────────────────────────────────────────────


class State(StrEnum):
    PENDING_OTP = "pending_otp"
    ACTIVE = "active"
    STANDARDISED = "standardised"
    EID_LINKED = "eid_linked"
    LOCKED_DUPLICATE = "locked_duplicate"
    LOCKED_SECURITY = "locked_security"
    CLOSED = "closed"


S = State
TRANSITIONS: Mapping[str, Mapping[tuple[State, State], str]] = {
    "Account": {
        (S.PENDING_OTP, S.ACTIVE): "the phone is confirmed by OTP",
        (S.ACTIVE, S.STANDARDISED): "an officer saw the card: the four fields are right",
        (S.PENDING_OTP, S.EID_LINKED): "VNeID level 2 proves the owner",
        (S.ACTIVE, S.EID_LINKED): "VNeID level 2 proves the owner",
        (S.STANDARDISED, S.EID_LINKED): "VNeID level 2 proves the owner",
        (S.EID_LINKED, S.EID_LINKED): "another login by VNeID",
        (S.PENDING_OTP, S.LOCKED_DUPLICATE): "another account proved to be this person",
        (S.ACTIVE, S.LOCKED_DUPLICATE): "another account proved to be this person",
        (S.ACTIVE, S.LOCKED_SECURITY): "locked for its owner's protection",
        (S.STANDARDISED, S.LOCKED_SECURITY): "locked for its owner's protection",
        (S.EID_LINKED, S.LOCKED_SECURITY): "locked for its owner's protection",
        (S.ACTIVE, S.CLOSED): "the owner closes it",
        (S.STANDARDISED, S.CLOSED): "the owner closes it",
        (S.EID_LINKED, S.CLOSED): "the owner closes it",
    },
}
"""Every move an account can make, and why. Level 0 = active, 1 = standardised, 2 = eid_linked."""

VERIFIED = frozenset({S.STANDARDISED, S.EID_LINKED})
"""At most one account in these states carries a given identity number (of citizens) or tax code (of others)."""
LOGIN_OPEN = frozenset({S.ACTIVE, S.STANDARDISED, S.EID_LINKED})
LOGIN_CLOSED = frozenset({S.LOCKED_DUPLICATE, S.LOCKED_SECURITY, S.CLOSED})
LEVELS = {S.ACTIVE: 0, S.STANDARDISED: 1, S.EID_LINKED: 2}


class Subject(StrEnum):
    """Đối tượng đăng ký."""

    CITIZEN = "citizen"
    ORGANISATION = "organisation"
    BUSINESS = "business"


# ── What is known of somebody ─────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody's data, each in its canonical form (`contracts.identifiers`); declared by them until it is proven."""

    full_name: str | None = None
    identity_number: str | None = None
    birth_date: date | None = None
    issued_on: date | None = None
    """Ngày cấp: when the identity card was issued."""
    phone: str | None = None
    email: str | None = None
    address: str | None = None
    """Where they live, as they wrote it; never proven here."""


@dataclass(frozen=True, slots=True)
class Organisation:
    """An organisation or business, which a person acts for."""

    name: str
    tax_code: str


@dataclass(frozen=True, slots=True)
class Proof:
    """What a provider or an officer vouches for."""

    person: Person
    source: VerificationSource
    organisation: Organisation | None = None

    @property
    def subject(self) -> Subject:
        return Subject.BUSINESS if self.organisation else Subject.CITIZEN

    @property
    def number(self) -> str:
        """What may belong to one verified account only: the tax code, or the identity number."""
        return subject_number(self.person, self.organisation)


@dataclass(frozen=True, slots=True)
class Account:
    """One subject's standing with us. `version` counts the events about it."""

    ref: UUID
    state: State
    version: int
    subject: Subject = Subject.CITIZEN
    person: Person = Person()
    organisation: Organisation | None = None
    verification_source: VerificationSource | None = None
    standardised_at: datetime | None = None
    own_contact: bool = False
    """The owner confirmed phone and e-mail themselves: a provider's do not replace them any more."""
    lock_reason: LockReason | None = None
    superseded_by: UUID | None = None

    @property
    def display_name(self) -> str:
        return self.organisation.name if self.organisation else self.person.full_name or "Người dùng"


def account(ref: UUID) -> Account:
    """An account before anything is known about its owner."""
    return Account(ref, State.PENDING_OTP, version=0)


def subject_number(person: Person, organisation: Organisation | None) -> str:
    return f"mst:{organisation.tax_code}" if organisation else person.identity_number or ""


def proven(
    *,
    source: VerificationSource,
    level: int,
    name: str,
    number: str,
    birth_date: date | None = None,
    issued_on: date | None = None,
    phone: str | None = None,
    email: str | None = None,
    organisation: Organisation | None = None,
) -> Proof:
    """The person behind a provider's claims; refuses what does not prove anybody.

    What a provider says of phone and e-mail is used when it can be, and is no reason to turn somebody away.
    """
    if level < 2:
        raise IdentityLevelTooLow()
    person = Person(
        full_name=identifiers.person_name(name),
        identity_number=identifiers.identity_number(number),
        birth_date=birth_date,
        issued_on=issued_on,
        phone=_or_none(identifiers.phone_number, phone),
        email=_or_none(identifiers.email_address, email),
    )
    return Proof(person, source, organisation)


def _or_none(canonical: Callable[[str], str], text: str | None) -> str | None:
    try:
        return canonical(text) if text else None
    except Refusal:
        return None


def digest_of(number: str, key: bytes) -> str:
    """Keyed digest of an identity number: equal for equal numbers, and not computable without the key."""
    return hmac.new(key, number.encode(), hashlib.sha256).hexdigest()


# ── The four fields ───────────────────────────────────────────────────────────────────────────────

FOUR_FIELDS = ("full_name", "identity_number", "issued_on", "phone")
"""What standardisation (chuẩn hóa) asks: họ và tên, số CCCD, ngày cấp, số điện thoại."""


def missing(person: Person) -> tuple[str, ...]:
    """Which of the four fields are not there yet."""
    return tuple(name for name in FOUR_FIELDS if getattr(person, name) is None)


def is_standardised(account: Account) -> bool:
    """Proven and complete: the notice that asks for it goes away, and not before."""
    return account.state in VERIFIED and not missing(account.person)


def declare(account: Account, declared: Person, today: date) -> Account:
    """The owner states the four fields; they prove nothing yet.

    Of a verified account only the date of issue may be added, when who proved it did not know it.
    """
    may_log_in(account)
    _check_date(declared.issued_on, today)
    if account.state not in VERIFIED:
        four = {name: getattr(declared, name) for name in FOUR_FIELDS if name != "phone"}
        return replace(account, person=replace(account.person, **four))
    if account.person.issued_on or _other_identity(account.person, declared):
        raise AlreadyVerified()
    return replace(account, person=replace(account.person, issued_on=declared.issued_on))


def _other_identity(known: Person, declared: Person) -> bool:
    return declared.identity_number != known.identity_number or not _same_name(known, declared)


def _same_name(one: Person, other: Person) -> bool:
    return bool(one.full_name and other.full_name) and identifiers.same_name(one.full_name or "", other.full_name or "")


def _check_date(issued_on: date | None, today: date) -> None:
    if issued_on and not date(1960, 1, 1) <= issued_on <= today:
        raise DateOfIssueImpossible()


# ── Becoming somebody ─────────────────────────────────────────────────────────────────────────────


def register(ref: UUID, subject: Subject, person: Person, organisation: Organisation | None) -> Account:
    """An account whose phone was confirmed: level 0, everything else declared only."""
    if subject is not Subject.CITIZEN and organisation is None:
        raise OrganisationIncomplete()
    begun = replace(account(ref), subject=subject, person=person, own_contact=True)
    return _becomes(replace(begun, organisation=organisation if subject is not Subject.CITIZEN else None), S.ACTIVE)


def link_eid(before: Account, proof: Proof, key: bytes, now: datetime) -> tuple[Account, *tuple[AccountEvent, ...]]:
    """A provider proved who this is: the account becomes level 2 and follows the provider's data.

    Others are told once per standardisation: when the account becomes verified, and when what they know changes.
    """
    may_log_in(before)
    _same_subject(before, proof)
    after = _becomes(before, State.EID_LINKED)
    return _verified(before, _with(after, proof), key, now)


def verify_at_desk(
    before: Account, card: Proof, key: bytes, now: datetime
) -> tuple[Account, *tuple[AccountEvent, ...]]:
    """An officer saw the card, and it says what the owner declared."""
    may_log_in(before)
    if before.state in VERIFIED:
        raise AlreadyVerified()
    if wrong := differences(before.person, card.person):
        raise IdentityContradicted(fields=list(wrong))
    return _verified(before, _with(_becomes(before, State.STANDARDISED), card), key, now)


def differences(declared: Person, seen: Person) -> tuple[str, ...]:
    """Which of the four declared fields are not as on the card; names, never values."""
    same = {
        "full_name": _same_name(declared, seen),
        "identity_number": declared.identity_number == seen.identity_number,
        "issued_on": declared.issued_on == seen.issued_on,
        "phone": declared.phone == seen.phone,
    }
    return tuple(name for name in FOUR_FIELDS if not same[name])


def _with(account: Account, proof: Proof) -> Account:
    """The account with what was proven; what the proof does not know stays as it was, and so does an own contact."""
    known, new = account.person, proof.person
    own = account.own_contact
    person = Person(
        full_name=new.full_name,
        identity_number=new.identity_number,
        birth_date=new.birth_date or known.birth_date,
        issued_on=new.issued_on or known.issued_on,
        phone=(known.phone if own else None) or new.phone or known.phone,
        email=(known.email if own else None) or new.email or known.email,
        address=known.address,
    )
    organisation = proof.organisation or account.organisation
    subject = account.subject if account.organisation else proof.subject
    return replace(account, subject=subject, person=person, organisation=organisation, verification_source=proof.source)


def _verified(before: Account, after: Account, key: bytes, now: datetime) -> tuple[Account, *tuple[AccountEvent, ...]]:
    if before.state in VERIFIED and _told(before) == _told(after):
        return (after,)
    after = replace(after, version=before.version + 1, standardised_at=now)
    return after, _standardised(after, key, now)


def _standardised(account: Account, key: bytes, now: datetime) -> AccountStandardised:
    return AccountStandardised(
        version=account.version,
        occurred_at=now,
        account_ref=account.ref,
        masked_name=identifiers.masked(account.person.full_name or ""),
        identity_digest=digest_of(subject_number(account.person, account.organisation), key),
        verification_source=account.verification_source or VerificationSource.VNEID,
        standardised_at=now,
    )


def _becomes(account: Account, to: State) -> Account:
    if (account.state, to) not in TRANSITIONS["Account"]:
        raise TransitionForbidden(state=account.state)
    return replace(account, state=to)


def may_log_in(account: Account) -> None:
    """AccountIsLocked, with the reason in words, for an account that nobody may use."""
    if account.state in LOGIN_CLOSED:
        raise AccountIsLocked(AccountIsLocked.WHY[why_closed(account)], state=account.state)


def why_closed(account: Account) -> str:
    """The key of the reason that its owner is shown."""
    contradictory = account.state is S.LOCKED_DUPLICATE and account.lock_reason is LockReason.CONTRADICTORY
    return "locked_contradictory" if contradictory else account.state.value


def _same_subject(account: Account, proof: Proof) -> None:
    known = subject_number(account.person, account.organisation)
    if known and known != proof.number:
        raise IdentityContradicted(fields=["tax_code" if proof.organisation else "identity_number"])


def _told(account: Account) -> tuple[str, str]:
    """What others know of an account's owner."""
    return identifiers.masked(account.person.full_name or "?"), subject_number(account.person, account.organisation)


# ── One account each ──────────────────────────────────────────────────────────────────────────────


def supersede(other: Account, verified: Account, now: datetime) -> tuple[Account, AccountLocked]:
    """Lock an account that says to be the one that was just verified.

    A duplicate says the same name: what was filed there moves. A contradictory one says another name with the same
    number: it is locked, and its dossiers wait for somebody to look, because they may be another person's.
    """
    same = other.person.full_name is None or _same_name(other.person, verified.person)
    return _locked(
        other, LockReason.DUPLICATE if same else LockReason.CONTRADICTORY, verified.ref if same else None, now
    )


def replaced_by(other: Account, verified: Account, now: datetime) -> tuple[Account, AccountLocked]:
    """Its owner, logged in, proved to be who already has a verified account: what was filed here moves there."""
    return _locked(other, LockReason.DUPLICATE, verified.ref, now)


def _locked(account: Account, reason: LockReason, to: UUID | None, now: datetime) -> tuple[Account, AccountLocked]:
    state = S.LOCKED_SECURITY if reason is LockReason.SECURITY else S.LOCKED_DUPLICATE
    after = replace(_becomes(account, state), version=account.version + 1, lock_reason=reason, superseded_by=to)
    event = AccountLocked(
        version=after.version, occurred_at=now, account_ref=account.ref, reason=reason, superseded_by=to
    )
    return after, event


def lock_for_security(account: Account, now: datetime) -> tuple[Account, AccountLocked]:
    """Lock an account for its owner's protection: by the operator's order, or the owner's own."""
    return _locked(account, LockReason.SECURITY, None, now)


def close(account: Account, now: datetime) -> tuple[Account, AccountClosed]:
    """The owner closes the account: contact and identity data go, and the reference stays for what the law archives."""
    closed = replace(_becomes(account, S.CLOSED), version=account.version + 1, person=Person(), organisation=None)
    event = AccountClosed(version=closed.version, occurred_at=now, account_ref=account.ref)
    return closed, event


# ── Contact ───────────────────────────────────────────────────────────────────────────────────────


def change_contact(account: Account, *, phone: str | None = None, email: str | None = None) -> Account:
    """A new phone or address that was confirmed by a code sent there."""
    may_log_in(account)
    person = replace(account.person, phone=phone or account.person.phone, email=email or account.person.email)
    return replace(account, person=person, own_contact=True)


def move_house(account: Account, address: str | None) -> Account:
    """Another address, as the owner writes it."""
    return replace(account, person=replace(account.person, address=address))
