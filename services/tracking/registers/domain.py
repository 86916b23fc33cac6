"""What officers ask a register for, and what is too much to ask.

The register is Sổ theo dõi hồ sơ (Mẫu 07, Thông tư 03/2025/TT-VPCP) without names, addresses and telephone numbers,
which tracking does not have: the printed one, with names, is the dossier service's.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from contracts.refusal import Refusal
from services.tracking.words import HANOI

LONGEST = timedelta(days=366)
"""Of one register."""
USUAL = timedelta(days=30)
"""The period when none is given: the last thirty days."""
SHORTEST_PART = 4
"""Characters of a part of a code."""


class RegisterPeriodInvalid(Refusal):
    """A register is of one year at most, from its first day to its last."""

    status = 422
    title = "Khoảng thời gian của sổ không hợp lệ"
    title_en = "The period of the register is not valid"


class SearchWithoutCriteria(Refusal):
    """A search names a code or a part of it, an identity number, or codes."""

    status = 422
    title = "Hãy nhập mã hồ sơ, các số cuối của mã, số định danh hoặc họ tên để tìm"
    title_en = "Give a code or its last digits, or an identity number"


class CodePartTooShort(Refusal):
    """A part of a code has at least four characters."""

    status = 422
    title = "Phần mã hồ sơ cần có ít nhất 4 ký tự"
    title_en = "A part of a code has at least four characters"


class Order(StrEnum):
    """By what a register goes."""

    RECEIVED = "received"
    """By the day received (ngày nhận): accepted, or sent while it is not accepted yet."""
    DUE = "due"
    """What still has to be settled, by its appointment, the most urgent first."""


class Lateness(StrEnum):
    """How a dossier stands to its appointment."""

    EARLY = "early"
    ON_TIME = "on_time"
    LATE = "late"
    """Settled too late, against the first appointment."""
    OVERDUE = "overdue"
    """Not settled, and its appointment has passed."""
    IN_TIME = "in_time"
    """Not settled, and its appointment is still to come."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Which of the dossiers; None or nothing: all."""

    procedure_code: str | None = None
    statuses: tuple[int, ...] = ()
    lateness: Lateness | None = None
    channel: str | None = None
    due_since: datetime | None = None
    due_until: datetime | None = None

    @property
    def any(self) -> bool:
        """Whether it leaves anything out."""
        return self != Filters()


@dataclass(frozen=True, slots=True)
class Position:
    """After which entry a page begins."""

    at: datetime
    code: str = ""


@dataclass(frozen=True, slots=True)
class Period:
    """From the first moment until before the last, in UTC."""

    since: datetime
    until: datetime


def period(first: date | None, last: date | None, today: date) -> Period:
    """The days from `first` to `last` in Viet Nam, both included; the last thirty when none is named."""
    last = last or today
    first = first or last - USUAL
    if last < first:
        raise RegisterPeriodInvalid("Ngày cuối phải bằng hoặc sau ngày đầu")
    if last - first >= LONGEST:
        raise RegisterPeriodInvalid("Mỗi sổ không quá một năm: chia thành nhiều khoảng thời gian ngắn hơn")
    return Period(midnight(first), midnight(last + timedelta(days=1)))


def any_time(first: date | None, last: date | None) -> Period:
    """A period that may be open at either end: of what is still to be settled there is never much."""
    since = midnight(first) if first else datetime(1, 1, 1, tzinfo=HANOI) + timedelta(days=1)
    until = midnight(last + timedelta(days=1)) if last else datetime(9999, 1, 1, tzinfo=HANOI)
    if until <= since:
        raise RegisterPeriodInvalid("Ngày cuối phải bằng hoặc sau ngày đầu")
    return Period(since, until)


def midnight(day: date) -> datetime:
    """When the day begins in Viet Nam."""
    if not date(2000, 1, 1) <= day <= date(2200, 1, 1):
        raise RegisterPeriodInvalid("Ngày ngoài khoảng 01/01/2000 đến 01/01/2200")
    return datetime.combine(day, time(), HANOI)


_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a code: how it begins (`H99.02.01-2611`), or how it ends (`1122-0001`)."""

    text: str
    at_end: bool

    @property
    def low(self) -> str:
        """The first text, in byte order, that the (turned round) code may be."""
        return self.text[::-1] if self.at_end else self.text

    @property
    def high(self) -> str:
        """The first text behind all of them."""
        return self.low[:-1] + chr(ord(self.low[-1]) + 1)


def part(text: str) -> Part | None:
    """What was typed as (a part of) a code; None when no code can have it.

    A letter first is how codes begin; anything else is looked for at the end.
    """
    typed = "".join(text.split()).upper()
    if len(typed) < SHORTEST_PART:
        raise CodePartTooShort
    if not set(typed) <= _LETTERS:
        return None
    return Part(typed, at_end=not typed[0].isalpha())


def lateness(punctuality: str | None, due_at: datetime | None, ended_at: datetime | None, now: datetime) -> str | None:
    """How a dossier stands to its appointment now; None when it never had one, or ended without a result."""
    if punctuality is not None:
        return punctuality
    if due_at is None or ended_at is not None:
        return None
    return Lateness.OVERDUE if due_at < now else Lateness.IN_TIME
