"""Sessions: how long somebody stays logged in, how strongly they proved who they are, and when that was."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from contracts.refusal import Refusal


class SessionEnded(Refusal):
    """The session is unknown, revoked or slept too long."""

    status = 401
    title = "Phiên làm việc đã kết thúc. Vui lòng đăng nhập lại."
    title_en = "The session has ended; please log in again."


class AudienceUnknown(Refusal):
    """Tokens are made for services of this installation only."""

    status = 422
    title = "Không có dịch vụ nào mang tên này."
    title_en = "There is no service of that name."


class SecondFactorNeeded(Refusal):
    """The policy wants a second factor of every officer, and this session has none: it may only set one up."""

    status = 403
    title = "Tài khoản cán bộ cần xác thực hai lớp. Vui lòng cài đặt mã xác thực trước khi làm việc."
    title_en = "Set up a second factor first; until then this session opens nothing else."


class Kind(StrEnum):
    """The two realms: citizens (also organisations and businesses) and officers."""

    CITIZEN = "citizen"
    OFFICER = "officer"


SLEEP = {Kind.CITIZEN: timedelta(minutes=30), Kind.OFFICER: timedelta(minutes=60)}
"""A session that asked for no token this long has ended."""
LIFE = {Kind.CITIZEN: timedelta(hours=12), Kind.OFFICER: timedelta(hours=10)}
"""However busy, a session ends this long after the login."""
STEP = timedelta(minutes=1)
"""An end that moves by less is not written: a busy session writes once a minute, not with each token."""
TOKEN_LIFE = {Kind.CITIZEN: timedelta(seconds=50), Kind.OFFICER: timedelta(seconds=50)}
"""With the five seconds by which clocks may differ: whoever is logged out, locked or relieved of a role is so
everywhere within a minute, and no service has to be told."""
SYSTEM_TOKEN_LIFE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Session:
    """A login that lasts: whose, how strongly proven (`acr` = level), and until when."""

    kind: Kind
    subject: UUID
    acr: int
    """Citizens: 0 local, 1 standardised, 2 e-ID. Officers: 1 password, 2 with a second factor."""
    auth_time: datetime
    """When the proof was given; acts that need a fresh one compare it."""
    begun_at: datetime
    expires_at: datetime
    method: str = ""


def begin_session(
    kind: Kind, subject: UUID, acr: int, now: datetime, method: str = "", auth_time: datetime | None = None
) -> Session:
    """`auth_time`: when a provider says that the person logged in there; never later than now."""
    return Session(kind, subject, acr, min(auth_time or now, now), now, now + SLEEP[kind], method)


def keep_alive(session: Session, now: datetime) -> Session:
    """Every use moves the end, but never beyond the session's whole life; the same session if it hardly moves."""
    if now >= session.expires_at:
        raise SessionEnded()
    end = min(now + SLEEP[session.kind], session.begun_at + LIFE[session.kind])
    return replace(session, expires_at=end) if end - session.expires_at >= STEP else session


def may_leave_identity(session: Session, audience: str, *, needs_second_factor: bool) -> None:
    """SecondFactorNeeded for an officer without one, where the policy wants it."""
    weak = session.kind is Kind.OFFICER and session.acr < 2
    if weak and needs_second_factor and audience != "identity":
        raise SecondFactorNeeded()
