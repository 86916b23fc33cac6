"""Who somebody is: accounts and the proof they rest on, sessions, and the counting of failed logins."""

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from contracts.identity import AccountEvent, AccountStandardised, VerificationSource
from contracts.refusal import Refusal

# ── Refusals ──────────────────────────────────────────────────────────────────────────────────────


class IdentityNumberMalformed(Refusal):
    """An identity number is exactly twelve digits."""

    status = 422
    title = "Số định danh cá nhân phải có đúng 12 chữ số."
    title_en = "A personal identification number has exactly 12 digits."


class NameMissing(Refusal):
    """The provider proved a number but gave no name that could be shown."""

    status = 422
    title = "Tài khoản định danh không có họ và tên."
    title_en = "The electronic identity carries no name."


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
        "locked_security": "Tài khoản bị khóa để bảo vệ bạn. Vui lòng liên hệ bộ phận một cửa nơi gần nhất.",
        "closed": "Tài khoản đã được đóng theo yêu cầu.",
    }


class IdentityContradicted(Refusal):
    """The provider proved another identity number for a login that belongs to this account."""

    status = 409
    title = "Thông tin định danh không khớp với tài khoản. Vui lòng liên hệ bộ phận một cửa."
    title_en = "The proven identity contradicts the account."


class TransitionForbidden(Refusal):
    """The account machine has no such edge."""

    title = "Không thể thực hiện việc này với tài khoản ở trạng thái hiện tại."
    title_en = "The account's state does not allow this."


class LoginExpired(Refusal):
    """A login is answered once, by the browser that began it, within a few minutes."""

    status = 410
    title = "Lượt đăng nhập đã hết hạn hoặc đã được dùng. Vui lòng đăng nhập lại."
    title_en = "This login has expired or was already used; please start again."


class SessionEnded(Refusal):
    """The session is unknown, revoked or slept too long."""

    status = 401
    title = "Phiên làm việc đã kết thúc. Vui lòng đăng nhập lại."
    title_en = "The session has ended; please log in again."


class CredentialsRejected(Refusal):
    """One answer for an unknown name and for a wrong password."""

    status = 401
    title = "Tên đăng nhập hoặc mật khẩu không đúng."
    title_en = "The user name or the password is wrong."


class TooManyAttempts(Refusal):
    """Guessing is stopped for a while, whether or not the name exists."""

    status = 429
    title = "Bạn đã nhập sai quá nhiều lần. Vui lòng thử lại sau 15 phút."
    title_en = "Too many failed attempts; please try again in 15 minutes."


class AudienceUnknown(Refusal):
    """Tokens are made for services of this installation only."""

    status = 422
    title = "Không có dịch vụ nào mang tên này."
    title_en = "There is no service of that name."


class CallbackForbidden(Refusal):
    """The provider may send a browser back to our own pages only."""

    status = 422
    title = "Địa chỉ quay lại sau đăng nhập không được phép."
    title_en = "That callback address is not allowed."


# ── Validators ────────────────────────────────────────────────────────────────────────────────────

_NUMBER = re.compile(r"[0-9]{12}")
_PHONE = re.compile(r"(?:\+84|0)((?:3[2-9]|5[25689]|7[06-9]|8[1-9]|9\d)\d{7})")
_SPACES = re.compile(r"\s+")


def identity_number(text: str) -> str:
    """The twelve digits, without the spaces people type between them.

    Only ASCII digits count: with full-width or Arabic-Indic ones, two numbers that look the same would be two
    people. There is no checksum, and the province part is not checked (old codes stay for ever).
    """
    number = _SPACES.sub("", text)
    if not _NUMBER.fullmatch(number):
        raise IdentityNumberMalformed()
    return number


def person_name(text: str) -> str:
    """A name in one canonical form: NFC, single spaces, no invisible characters."""
    visible = "".join(c if c.isprintable() else " " for c in unicodedata.normalize("NFC", text))
    name = _SPACES.sub(" ", visible).strip()
    if not any(c.isalpha() for c in name):
        raise NameMissing()
    return name


def phone_number(text: str | None) -> str | None:
    """A Vietnamese mobile as `+84…`; anything else is kept: foreigners have numbers too."""
    plain = re.sub(r"[\s.\-()]", "", text or "")
    match = _PHONE.fullmatch(plain)
    return f"+84{match[1]}" if match else plain or None


def email_address(text: str | None) -> str | None:
    """The address with its domain in lower case; None when there is none or it has no `@`."""
    local, at, domain = (text or "").strip().rpartition("@")
    return f"{local}@{domain.lower()}" if local and at and domain else None


def masked(name: str) -> str:
    """First letters only: `Nguyễn Thị An` → `N***** T** A*`."""
    return " ".join(word[0] + "*" * (len(word) - 1) for word in person_name(name).split(" "))


def digest_of(number: str, key: bytes) -> str:
    """Keyed digest of an identity number: equal for equal numbers, and not computable without the key."""
    return hmac.new(key, number.encode(), hashlib.sha256).hexdigest()


# ── Accounts ──────────────────────────────────────────────────────────────────────────────────────


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
        (S.ACTIVE, S.STANDARDISED): "the four fields are proven at the desk",
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
"""At most one account in these states carries a given identity number."""
LOGIN_CLOSED = frozenset({S.LOCKED_DUPLICATE, S.LOCKED_SECURITY, S.CLOSED})


@dataclass(frozen=True, slots=True)
class Person:
    """What a provider proved about somebody; made by `proven`, so its fields are canonical."""

    full_name: str
    identity_number: str
    birth_date: date | None = None
    phone: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """One person's standing with us. `version` counts the events about it; `person` is None before proof."""

    ref: UUID
    state: State
    version: int
    person: Person | None = None
    verification_source: VerificationSource | None = None
    standardised_at: datetime | None = None


def proven(
    *,
    name: str,
    number: str,
    level: int,
    birth_date: date | None = None,
    phone: str | None,
    email: str | None,
) -> Person:
    """The person behind a provider's claims; refuses what does not prove anybody."""
    if level < 2:
        raise IdentityLevelTooLow()
    names = person_name(name), identity_number(number)
    return Person(*names, birth_date, phone_number(phone), email_address(email))


def account(ref: UUID) -> Account:
    """An account before anything is known about its owner."""
    return Account(ref, State.PENDING_OTP, version=0)


def link_eid(before: Account, person: Person, key: bytes, now: datetime) -> tuple[Account, *tuple[AccountEvent, ...]]:
    """The provider proved who this is: the account becomes level 2 and follows the provider's data.

    Others are told once per standardisation: when the account becomes verified, and when the name changes.
    """
    _may_log_in(before)
    _same_person(before, person)
    after = _becomes(before, State.EID_LINKED)
    after = replace(after, person=person, verification_source=VerificationSource.VNEID)
    if before.state in VERIFIED and _told(before) == _told(after):
        return (after,)
    after = replace(after, version=before.version + 1, standardised_at=now)
    return after, _standardised(after, person, key, now)


def _standardised(account: Account, person: Person, key: bytes, now: datetime) -> AccountStandardised:
    return AccountStandardised(
        version=account.version,
        occurred_at=now,
        account_ref=account.ref,
        masked_name=masked(person.full_name),
        identity_digest=digest_of(person.identity_number, key),
        verification_source=account.verification_source or VerificationSource.VNEID,
        standardised_at=now,
    )


def _becomes(account: Account, to: State) -> Account:
    if (account.state, to) not in TRANSITIONS["Account"]:
        raise TransitionForbidden(state=account.state)
    return replace(account, state=to)


def _may_log_in(account: Account) -> None:
    if account.state in LOGIN_CLOSED:
        raise AccountIsLocked(AccountIsLocked.WHY[account.state], state=account.state)


def _same_person(account: Account, person: Person) -> None:
    if account.person and account.person.identity_number != person.identity_number:
        raise IdentityContradicted()


def _told(account: Account) -> tuple[str, str] | None:
    """What others know of an account's owner."""
    person = account.person
    return (masked(person.full_name), person.identity_number) if person else None


# ── Sessions ──────────────────────────────────────────────────────────────────────────────────────


class Kind(StrEnum):
    CITIZEN = "citizen"
    OFFICER = "officer"


SLEEP = {Kind.CITIZEN: timedelta(minutes=30), Kind.OFFICER: timedelta(minutes=60)}
"""A session that asked for no token this long has ended."""
LIFE = {Kind.CITIZEN: timedelta(hours=12), Kind.OFFICER: timedelta(hours=10)}
"""However busy, a session ends this long after the login."""
LOGIN_LIFE = timedelta(minutes=10)
"""Time a person has at the identity provider's pages."""
TOKEN_LIFE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Session:
    """A login that lasts: whose, how strongly proven (`acr` = level), and until when."""

    kind: Kind
    subject: UUID
    acr: int
    auth_time: datetime
    expires_at: datetime


def begin_session(kind: Kind, subject: UUID, acr: int, now: datetime) -> Session:
    return Session(kind, subject, acr, auth_time=now, expires_at=now + SLEEP[kind])


def keep_alive(session: Session, now: datetime) -> Session:
    """Every use moves the end, but never beyond the session's whole life."""
    if now >= session.expires_at:
        raise SessionEnded()
    end_of_life = session.auth_time + LIFE[session.kind]
    return replace(session, expires_at=min(now + SLEEP[session.kind], end_of_life))


# ── Failed logins ─────────────────────────────────────────────────────────────────────────────────

ATTEMPTS = 5
"""Guesses one user name has within the window; the next is refused unseen."""
ATTEMPT_WINDOW = timedelta(minutes=15)


def judge_attempts(attempts: int) -> None:
    """`attempts` counts this one too: recorded before it is judged, so that racing guesses see each other."""
    if attempts > ATTEMPTS:
        raise TooManyAttempts(retry_after=int(ATTEMPT_WINDOW.total_seconds()))
