"""Who had a dossier, from when to when, and whether they kept their time: read from what was told about it.

One step follows another; a consultation runs beside them. Time is counted as it passes, nights and holidays included:
the working calendar is the dossier service's, which says of each step until when it should be done.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import Any


class Holder(StrEnum):
    """Who has a dossier in hand."""

    APPLICANT = "applicant"
    DESK = "desk"
    SPECIALIST = "specialist"
    DIVISION_HEAD = "division_head"
    LEADER = "leader"
    CLERK = "clerk"
    DESK_RETURN = "desk_return"
    """The desk, which hands the result over; its time is not counted."""
    CONSULTED = "consulted"
    """Another unit that is asked for its opinion."""


@dataclass(frozen=True, slots=True)
class Told:
    """One line of the history: the event's name and what it says."""

    type: str
    at: datetime
    unit: str | None
    detail: Mapping[str, Any] = field(default_factory=dict)

    def moment(self, name: str) -> datetime | None:
        """A time that the event names."""
        text = self.detail.get(name)
        return datetime.fromisoformat(text) if text else None


@dataclass(frozen=True, slots=True)
class Step:
    """One stretch of the way."""

    holder: Holder
    unit: str | None
    """None: the applicant."""
    since: datetime
    until: datetime | None = None
    """None: still running."""
    due_at: datetime | None = None
    """Until when it should be done; None where nothing told."""

    def late(self, now: datetime) -> bool | None:
        """Whether it took, or takes, longer than it should; None where no time was set."""
        return None if self.due_at is None else (self.until or now) > self.due_at


@dataclass(frozen=True, slots=True)
class _Way:
    """The steps so far: those that ended, the one that runs, the consultations beside it, and the desk's unit."""

    ended: tuple[Step, ...] = ()
    running: Step | None = None
    asked: tuple[Step, ...] = ()
    desk: str | None = None

    def to(self, holder: Holder, unit: str | None, at: datetime, due_at: datetime | None = None) -> "_Way":
        """Somebody else has it from now on."""
        return replace(self.stopped(at), running=Step(holder, unit, at, due_at=due_at))

    def stopped(self, at: datetime) -> "_Way":
        """Nobody has it any more."""
        if self.running is None:
            return self
        done = () if self.running.since == at else (replace(self.running, until=at),)  # passed on at once: no step
        return replace(self, ended=self.ended + done, running=None)

    def was(self, holder: Holder, due_at: datetime | None) -> "_Way":
        """Now it is told who had the running step, and until when."""
        if self.running is None:
            return self
        return replace(self, running=replace(self.running, holder=holder, due_at=due_at or self.running.due_at))

    @property
    def unit(self) -> str | None:
        """Where it is now."""
        return self.running.unit if self.running else self.desk


def steps(lines: Iterable[Told]) -> list[Step]:
    """Every step of a dossier, in the order in which they began."""
    way = _Way()
    for line in lines:
        read = _READ.get(line.type)
        way = read(way, line) if read else way
    found = (*way.ended, *way.asked, *((way.running,) if way.running else ()))
    return sorted(found, key=lambda step: step.since)


def _submitted(way: _Way, line: Told) -> _Way:
    return replace(way, desk=line.unit).to(Holder.DESK, line.unit, line.at)


def _step_completed(way: _Way, line: Told) -> _Way:
    done = _holder(line.detail.get("step"))
    following = {Holder.LEADER: Holder.CLERK}.get(done, Holder.LEADER)  # a division's head says so afterwards
    return way.was(done, line.moment("step_due_at")).to(following, line.unit, line.at)


def _step_returned(way: _Way, line: Told) -> _Way:
    back = _holder(line.detail.get("returned_to"))
    return way.was(_holder(line.detail.get("step")), None).to(back, line.unit, line.at)


def _forwarded(way: _Way, line: Told) -> _Way:
    return way.to(_holder(line.detail.get("step")), line.unit, line.at, line.moment("step_due_at"))


def _asked(way: _Way, line: Told) -> _Way:
    question = Step(Holder.CONSULTED, line.detail.get("consulted_unit"), line.at, due_at=line.moment("due_at"))
    return replace(way, asked=(*way.asked, question))


def _answered(way: _Way, line: Told) -> _Way:
    ended = (replace(q, until=line.at) if q.until is None and q.unit == line.unit else q for q in way.asked)
    return replace(way, asked=tuple(ended))


def _missed(way: _Way, line: Told) -> _Way:
    """A deadline that passed tells until when the step should have been done."""
    deadline, running = line.detail.get("deadline"), way.running
    own = running and (deadline == "step" or (deadline == "reception" and running.holder is Holder.DESK))
    return way.was(running.holder, line.moment("due_at")) if running and own else way


def _holder(step: str | None) -> Holder:
    return Holder(step) if step and step in Holder._value2member_map_ else Holder.SPECIALIST


def _over(way: _Way, line: Told) -> _Way:
    return way.stopped(line.at)


_READ: dict[str, Callable[[_Way, Told], _Way]] = {
    "DossierAwaitingPayment": lambda way, line: way.to(Holder.APPLICANT, None, line.at, line.moment("due_at")),
    "DossierSubmitted": _submitted,
    "DossierAccepted": lambda way, line: way.to(Holder.SPECIALIST, line.unit, line.at),
    "SupplementRequested": lambda way, line: way.to(Holder.APPLICANT, None, line.at, line.moment("due_at")),
    "SupplementSubmitted": lambda way, line: way.to(Holder.DESK, way.desk, line.at),
    "DossierForwarded": _forwarded,
    "StepCompleted": _step_completed,
    "StepReturned": _step_returned,
    "ConsultationRequested": _asked,
    "ConsultationAnswered": _answered,
    "FinancialObligationRequested": lambda way, line: way.to(Holder.APPLICANT, None, line.at),
    "FinancialObligationMet": lambda way, line: way.to(Holder.SPECIALIST, line.unit, line.at),
    "ResultSigned": lambda way, line: way.to(Holder.CLERK, way.unit, line.at),
    "ResultIssued": lambda way, line: way.to(Holder.DESK_RETURN, way.desk, line.at),
    "ResultDelivered": _over,
    "DossierRejected": _over,
    "DossierWithdrawn": _over,
    "DossierStopped": _over,
    "DossierClosed": _over,
    "DeadlineMissed": _missed,
}
"""How each event moves a dossier from hand to hand; every other event leaves it where it is."""


def hand_overs(way: Iterable[Step]) -> list[tuple[Step, Step]]:
    """Phiếu kiểm soát (Mẫu 06): who gave the dossier to whom, in order. A consultation leaves it where it is."""
    return list(pairwise(step for step in way if step.holder is not Holder.CONSULTED))
