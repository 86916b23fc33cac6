"""Registers of the office: the control sheet of one dossier (Mẫu 06), the register of a unit (Mẫu 07).

Both are read from what is kept anyway, whenever somebody asks (Thông tư 03/2025/TT-VPCP, Phụ lục I).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from contracts.dossier import Punctuality
from contracts.refusal import Refusal
from services.dossier.clocks.domain import Clock, Kind
from services.dossier.processing.domain import Act, Line
from services.dossier.results.domain import punctuality

MOST_ROWS = 2000
"""Rows of a register, some 200 pages."""
LONGEST = timedelta(days=366)


class RegisterPeriodInvalid(Refusal):
    """A register is of one year at most, from its first day to its last."""

    status = 422
    title = "Khoảng thời gian của sổ không hợp lệ"
    title_en = "The period of the register is not valid"


class RegisterTooLarge(Refusal):
    """The period has more dossiers than one print takes."""

    status = 422
    title = "Sổ có quá nhiều hồ sơ để in một lần"
    title_en = "The register has too many dossiers for one print"


def check_period(first: date, last: date) -> None:
    """Refuse a period that ends before it begins, or is longer than a year."""
    if last < first:
        raise RegisterPeriodInvalid("Ngày cuối phải bằng hoặc sau ngày đầu")
    if last - first >= LONGEST:
        raise RegisterPeriodInvalid("Mỗi sổ không quá một năm: chia thành nhiều khoảng thời gian ngắn hơn")


def check_size(rows: int) -> None:
    """Refuse what does not fit into one print."""
    if rows > MOST_ROWS:
        raise RegisterTooLarge(
            f"Một lần in không quá {MOST_ROWS} hồ sơ: chọn khoảng thời gian ngắn hơn", most=MOST_ROWS
        )


# ── Mẫu 06 ────────────────────────────────────────────────────────────────────────────────────────────────────


class Hand(StrEnum):
    """Who has a dossier in hand."""

    APPLICANT = "applicant"
    DESK = "desk"
    SPECIALIST = "specialist"
    HEAD = "head"
    """Division head or leader, whoever looks at the draft next."""
    LEADER = "leader"
    CLERK = "clerk"
    UNIT = "unit"
    """Another agency, whoever works on it there."""


_IN = (Hand.APPLICANT, Hand.DESK)
_OUT = (Hand.DESK, Hand.APPLICANT)

HANDS: Mapping[Act, tuple[Hand, Hand]] = {
    Act.SUBMIT: _IN,
    Act.PREPAY: _IN,
    Act.REGISTER_PAPER: (Hand.APPLICANT, Hand.SPECIALIST),
    Act.ACCEPT: (Hand.DESK, Hand.SPECIALIST),
    Act.REQUEST_SUPPLEMENT: _OUT,
    Act.REQUEST_AGAIN: _OUT,
    Act.REQUEST_AGAIN_PROCESSING: _OUT,
    Act.SUPPLEMENT: _IN,
    Act.ACCEPT_AGAIN: (Hand.DESK, Hand.SPECIALIST),
    Act.REJECT: _OUT,
    Act.ASSIGN: (Hand.HEAD, Hand.SPECIALIST),
    Act.FORWARD: (Hand.UNIT, Hand.UNIT),
    Act.CONSULT: (Hand.SPECIALIST, Hand.UNIT),
    Act.ANSWER_CONSULTATION: (Hand.UNIT, Hand.SPECIALIST),
    Act.REQUEST_OBLIGATION: (Hand.SPECIALIST, Hand.APPLICANT),
    Act.CONFIRM_OBLIGATION: (Hand.APPLICANT, Hand.SPECIALIST),
    Act.PROPOSE: (Hand.SPECIALIST, Hand.HEAD),
    Act.REVIEW: (Hand.HEAD, Hand.LEADER),
    Act.RETURN_STEP: (Hand.HEAD, Hand.SPECIALIST),
    Act.APPROVE: (Hand.LEADER, Hand.CLERK),
    Act.ISSUE: (Hand.CLERK, Hand.DESK),
    Act.REFUSE: (Hand.LEADER, Hand.APPLICANT),
    Act.DELIVER: _OUT,
    Act.DELIVER_UNSIGNED: _OUT,
    Act.WITHDRAW: _OUT,
    Act.STOP: (Hand.LEADER, Hand.APPLICANT),
    Act.CLOSE: _OUT,
}
"""Who gave a dossier to whom by an act. Every other act leaves it where it is."""

MEASURED = (Kind.RECEPTION_SLA, Kind.STEP_DEADLINE, Kind.CONSULTATION, Kind.SUPPLEMENT_COMPLETION)
"""Clocks that say whether who gave it kept their time, the nearest first."""
DECIDES = frozenset({Act.ISSUE, Act.REFUSE})
"""Acts that are measured by the appointment."""
SAME_ACT = timedelta(seconds=5)
"""So long after its line in the history an act has stopped its clocks."""


@dataclass(frozen=True, slots=True)
class HandOver:
    """One row of the control sheet: from hand to hand (giao, nhận)."""

    act: Act
    giver: Hand
    giving_unit: str | None
    receiver: Hand
    receiving_unit: str | None
    at: datetime
    due_at: datetime | None
    """Until when the giver had time; None where nothing limited it."""
    kept: Punctuality | None
    reason: str | None


def hand_overs(lines: Sequence[Line], clocks: Iterable[Clock]) -> Iterator[HandOver]:
    """Every hand-over of the history, in order, and whether it was before, on or after its time."""
    stopped = [clock for clock in clocks if clock.stopped_at]
    for index, line in enumerate(lines):
        if line.act in HANDS:
            passing = line.act not in DECIDES and any(later.at == line.at for later in lines[index + 1 :])
            measure = None if passing else _measure(line, stopped)  # whoever takes and hands on at once: once
            if measure:
                stopped.remove(measure)
            yield _hand_over(line, _later_unit(lines[index:]), measure)


def _hand_over(line: Line, later_unit: str | None, measure: Clock | None) -> HandOver:
    giver, receiver = HANDS[line.act]
    due_at = measure.due_at if measure else None
    return HandOver(
        line.act, giver, None if giver is Hand.APPLICANT else line.unit, receiver,
        None if receiver is Hand.APPLICANT else later_unit, line.at, due_at,
        punctuality(line.at, due_at) if due_at else None, line.reason,
    )  # fmt: skip


def _later_unit(rest: Sequence[Line]) -> str | None:
    """The unit that acted next: it has received the dossier. The last one has it still."""
    units = [line.unit for line in rest if line.unit]
    if not units:
        return None
    return units[1] if len(units) > 1 else units[0]


def _measure(line: Line, stopped: Iterable[Clock]) -> Clock | None:
    """The clock that the act stopped, by which it is measured."""
    order = (Kind.PROCESSING_DEADLINE, *MEASURED) if line.act in DECIDES else MEASURED
    ended = [clock for clock in stopped if clock.kind in order and _ended_by(clock, line)]
    return min(ended, key=lambda clock: order.index(clock.kind), default=None)


def _ended_by(clock: Clock, line: Line) -> bool:
    end = clock.stopped_at
    return end is not None and clock.started_at < line.at <= end <= line.at + SAME_ACT


# ── Mẫu 07 ────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the register (Sổ theo dõi hồ sơ)."""

    code: str
    procedure_name: str
    owner_name: str
    details: Mapping[str, Any] | None
    """Of the people behind it, as they were kept."""
    competent_unit: str
    state: str
    accepted_at: datetime
    due_at: datetime | None
    returned_at: datetime | None
    outcome: str | None
    delivery: str
    receiver_name: str | None
    """Who received it with an authorisation."""
