"""The clocks of a dossier: which run when, until when, and what it means when one runs out.

A clock is data. It is computed once, when something happened, and computed anew only when something else happens; the
steps of the computation stay with it. An alarm (`officer_alert`, `due_soon`, `apology_alarm`) is a clock too: it runs
out before the deadline it belongs to.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from contracts.dossier import Deadline, DeadlineMissed, Step, SubmissionChannel
from services.dossier.catalogue.domain import Case, TimeUnit, WorkflowStep
from services.dossier.clocks import calendar
from services.dossier.clocks.calendar import Computed, Limit, Unit, What, WorkingCalendar
from services.dossier.clocks.policy import Policy
from services.dossier.processing.domain import PROCESSING, SUPPLEMENT_REQUESTED, Dossier, State, envelope


class Kind(StrEnum):
    """Which clock."""

    RECEPTION_SLA = "reception_sla"
    OFFICER_ALERT = "officer_alert"
    """Nobody at the desk has looked at the dossier."""
    PROCESSING_DEADLINE = "processing_deadline"
    """The appointment."""
    DUE_SOON = "due_soon"
    APOLOGY_ALARM = "apology_alarm"
    """Whoever cannot keep the appointment has to say so now."""
    STEP_DEADLINE = "step_deadline"
    SUPPLEMENT_WINDOW = "supplement_window"
    """Until when a specialist may ask for a supplement."""
    SUPPLEMENT_COMPLETION = "supplement_completion_deadline"
    CONSULTATION = "consultation_deadline"
    PAYMENT_EXPIRY = "payment_expiry"
    ACKNOWLEDGEMENT = "acknowledgement"
    """Another agency has to confirm that a member of an interlinked dossier has reached it."""


SILENT = frozenset({Kind.SUPPLEMENT_WINDOW})
"""Nothing happens when one of these runs out; it is looked at when somebody acts."""

ALARMS: Mapping[Kind, Kind] = {
    Kind.OFFICER_ALERT: Kind.RECEPTION_SLA,
    Kind.DUE_SOON: Kind.PROCESSING_DEADLINE,
    Kind.APOLOGY_ALARM: Kind.PROCESSING_DEADLINE,
}
"""Alarm → the deadline it belongs to."""

MISSED: Mapping[Kind, Deadline] = {
    Kind.RECEPTION_SLA: Deadline.RECEPTION,
    Kind.PROCESSING_DEADLINE: Deadline.PROCESSING,
    Kind.STEP_DEADLINE: Deadline.STEP,
    Kind.CONSULTATION: Deadline.CONSULTATION,
    Kind.ACKNOWLEDGEMENT: Deadline.ACKNOWLEDGEMENT,
}
"""Clocks of our own offices: what is said when one runs out."""

WORKING = PROCESSING | {State.RESULT_SIGNED}
RUNS_IN: Mapping[Kind, frozenset[State]] = {
    Kind.RECEPTION_SLA: frozenset({State.SUBMITTED, State.SUPPLEMENT_SUBMITTED}),
    Kind.OFFICER_ALERT: frozenset({State.SUBMITTED, State.SUPPLEMENT_SUBMITTED}),
    Kind.PROCESSING_DEADLINE: WORKING,
    Kind.DUE_SOON: WORKING,
    Kind.APOLOGY_ALARM: WORKING,
    Kind.STEP_DEADLINE: WORKING,
    Kind.SUPPLEMENT_WINDOW: PROCESSING,
    Kind.SUPPLEMENT_COMPLETION: SUPPLEMENT_REQUESTED,
    Kind.CONSULTATION: frozenset({State.CONSULTING}),
    Kind.PAYMENT_EXPIRY: frozenset({State.AWAITING_PREPAYMENT}),
    # An agency that accepts, returns or refuses it has it, whether it said so before or not.
    Kind.ACKNOWLEDGEMENT: frozenset({State.SUBMITTED}),
}
"""A dossier that leaves these states stops the clock."""

STANDS_IN = SUPPLEMENT_REQUESTED | {State.SUPPLEMENT_SUBMITTED, State.AWAITING_FINANCIAL_OBLIGATION}
"""In these a clock that was paused is not given up: it may go on."""


@dataclass(frozen=True, slots=True)
class Rules:
    """By what a deadline is computed."""

    policy: Policy
    calendar: WorkingCalendar


@dataclass(frozen=True, slots=True)
class Pause:
    """An interval in which a clock stood still."""

    since: datetime
    until: datetime | None
    """None while it lasts."""
    reason: str
    """In Vietnamese."""


@dataclass(frozen=True, slots=True)
class Clock:
    """One time limit of one dossier."""

    id: UUID
    dossier_code: str
    kind: Kind
    key: str
    """Tells clocks of the same kind apart: the workflow step, the consultation; empty where there is only one."""
    unit: str
    """Who had to act when it began. Once the dossier is forwarded its holder has to, except for a consultation."""
    started_at: datetime
    due_at: datetime
    limit: Limit
    steps: tuple[calendar.Step, ...]
    """How `due_at` was found."""
    provisional: bool
    policy_version: str
    calendar_version: str
    pauses: tuple[Pause, ...] = ()
    stopped_at: datetime | None = None
    """When the work was done, or the dossier left the states in which the clock runs."""
    passed_at: datetime | None = None
    """When it was found to have run out."""

    @property
    def is_paused(self) -> bool:
        return bool(self.pauses) and self.pauses[-1].until is None

    @property
    def timer_key(self) -> str:
        return f"{self.dossier_code} {self.key}".rstrip()


@dataclass(frozen=True, slots=True)
class Start:
    """What a clock needs to be made: whose it is, and since when it runs."""

    dossier_code: str
    unit: str
    at: datetime
    rules: Rules


def start_of(dossier: Dossier, at: datetime, rules: Rules) -> Start:
    return Start(dossier.code, dossier.current_unit, at, rules)


def clock(new_id: UUID, kind: Kind, start: Start, limit: Limit, key: str = "") -> Clock:
    """A clock that begins to run."""
    computed = start.rules.calendar.after(start.at, limit)
    due_at = computed.due_at.astimezone(UTC)
    return Clock(
        new_id, start.dossier_code, kind, key, start.unit, start.at, due_at, limit, computed.steps,
        computed.provisional, start.rules.policy.version, start.rules.calendar.version,
    )  # fmt: skip


# ── which clocks begin with what ──────────────────────────────────────────────────────────────────────────────

NewId = Callable[[], UUID]
"""Ids come from outside: rules have no chance in them."""
BY_HAND = frozenset({SubmissionChannel.DESK, SubmissionChannel.POST})


def reception(start: Start, channel: SubmissionChannel, new_id: NewId) -> tuple[Clock, ...]:
    """The dossier is at the desk: until when somebody looks at it, and when its being unread stands out."""
    policy = start.rules.policy
    limit = policy.reception_sla_paper if channel in BY_HAND else policy.reception_sla_online
    return (
        clock(new_id(), Kind.RECEPTION_SLA, start, limit),
        clock(new_id(), Kind.OFFICER_ALERT, start, policy.officer_alert),
    )


def acknowledgement(start: Start, new_id: NewId) -> Clock:
    """A member of an interlinked dossier was sent to another agency: until when that agency confirms it."""
    return clock(new_id(), Kind.ACKNOWLEDGEMENT, start, start.rules.policy.interlinked_acknowledgement)


def limit_of(case: Case, policy: Policy) -> Limit:
    """The case's time, with the province's cut-off where the case has no rule of its own."""
    source = policy.sources.get("cutoff_rule", "") if case.time.cutoff is None else ""
    return Limit(
        0 if case.time.unit is TimeUnit.SAME_DAY else case.time.value,
        Unit(case.time.unit),
        case.time.cutoff or policy.cutoff_rule,
        policy.count_effective_day,
        source,
    )


def appointment(case: Case, start: Start, new_id: NewId) -> Clock | None:
    """When the result is promised for a dossier that was complete at the start; None for a case without one."""
    if case.no_appointment:
        return None
    return clock(new_id(), Kind.PROCESSING_DEADLINE, start, limit_of(case, start.rules.policy))


def promised(case: Case, at: datetime, rules: Rules) -> datetime | None:
    """When the result is promised for a dossier that is complete at that moment; None for a case without a promise."""
    if case.no_appointment:
        return None
    return rules.calendar.after(at, limit_of(case, rules.policy)).due_at.astimezone(UTC)


def alarms(promise: Clock, rules: Rules, new_id: NewId, *, apologised: bool = False) -> tuple[Clock, ...]:
    """The alarms before an appointment.

    A dossier that is due soon from its start is so at once; an apology that was due before the start is not asked for.
    """
    soon = _alarm(new_id(), Kind.DUE_SOON, promise, rules.policy.due_soon, rules)
    if soon.due_at <= promise.started_at:
        soon = replace(soon, due_at=promise.started_at, passed_at=promise.started_at)
    sorry = _alarm(new_id(), Kind.APOLOGY_ALARM, promise, rules.policy.apology_alarm, rules)
    asked = not apologised and sorry.due_at > promise.started_at
    return (soon, sorry) if asked else (soon,)


def _alarm(new_id: UUID, kind: Kind, promise: Clock, limit: Limit, rules: Rules) -> Clock:
    rings = rules.calendar.before(promise.due_at, limit)
    step = calendar.Step(What.BEFORE, rings.date(), promise.due_at, rings, limit.value, limit.unit)
    return replace(
        promise, id=new_id, kind=kind, due_at=rings, limit=limit, pauses=(),
        steps=(step, calendar.Step(What.DUE, rings.date(), until=rings)),
    )  # fmt: skip


def step(step: WorkflowStep, start: Start, new_id: NewId, due_at: datetime | None = None) -> Clock:
    """A step of the workflow begins; `due_at` where whoever forwarded the dossier named another time."""
    limit = Limit(step.hours, Unit.WORKING_HOUR, source=step.name)
    return _until(clock(new_id(), Kind.STEP_DEADLINE, start, limit, key=f"{step.role}:{step.code}"), due_at)


def window(start: Start, new_id: NewId) -> Clock:
    """From acceptance, so long may a specialist ask for a supplement."""
    return clock(new_id(), Kind.SUPPLEMENT_WINDOW, start, start.rules.policy.specialist_supplement_window)


def completion(start: Start, new_id: NewId) -> Clock:
    """From the request, so long has the applicant to complete the dossier."""
    return clock(new_id(), Kind.SUPPLEMENT_COMPLETION, start, start.rules.policy.supplement_completion_deadline)


def consultation(consultation_id: UUID, start: Start, new_id: NewId, due_at: datetime | None = None) -> Clock:
    """From the question, so long has the consulted unit (`start.unit`) to answer; or until the date it was given."""
    limit = start.rules.policy.consultation_answer
    return _until(clock(new_id(), Kind.CONSULTATION, start, limit, key=str(consultation_id)), due_at)


def payment_expiry(start: Start, new_id: NewId) -> Clock | None:
    """Until when a fee that comes first can be paid; None where nothing ends it."""
    limit = start.rules.policy.payment_expiry
    return clock(new_id(), Kind.PAYMENT_EXPIRY, start, limit) if limit else None


def _until(begun: Clock, due_at: datetime | None) -> Clock:
    """The clock with a date that somebody set, in place of the computed one."""
    if due_at is None:
        return begun
    start = begun.steps[0]
    due = calendar.Step(What.DUE, due_at.date(), until=due_at, name="set")
    return replace(begun, due_at=due_at, steps=(start, due), provisional=False)


# ── what happens to a running clock ───────────────────────────────────────────────────────────────────────────


def runs(kind: Kind, dossier: Dossier) -> bool:
    """Whether such a clock goes on in the state that the dossier is in."""
    return dossier.state in RUNS_IN[kind]


def pause(running: Clock, now: datetime, reason: str) -> Clock:
    """The clock stands still until it is resumed."""
    if running.is_paused or running.stopped_at:
        return running
    return replace(running, pauses=(*running.pauses, Pause(now, None, reason)))


def resume(paused: Clock, now: datetime, working: WorkingCalendar) -> Clock:
    """The clock goes on with what was left of it."""
    if not paused.is_paused:
        return paused
    *before, last = paused.pauses
    computed = working.resume(paused.due_at, last.since, now, paused.limit)
    return replace(
        _recomputed(paused, computed), pauses=(*before, replace(last, until=now)), calendar_version=working.version
    )


def _recomputed(was: Clock, computed: Computed) -> Clock:
    steps = (*was.steps, *computed.steps)
    return replace(
        was, due_at=computed.due_at.astimezone(UTC), steps=steps, provisional=was.provisional or computed.provisional
    )


def extended(promise: Clock, due_at: datetime, why: str) -> Clock:
    """The appointment was moved by a decision, which the explanation names."""
    moved = calendar.Step(What.EXTENDED, due_at.date(), promise.due_at, due_at, name=why)
    return replace(promise, due_at=due_at, steps=(*promise.steps, moved), passed_at=None)


def ran_out(passed: Clock, dossier: Dossier, now: datetime) -> tuple[Dossier, *tuple[DeadlineMissed, ...]]:
    """A clock of our own offices ran out: it is said, and the dossier's state stays what it is."""
    deadline = MISSED.get(passed.kind)
    if deadline is None:
        return (dossier,)
    late = replace(dossier, version=dossier.version + 1)
    unit = passed.unit if passed.kind is Kind.CONSULTATION else dossier.current_unit
    said = DeadlineMissed(
        **envelope(late, now), deadline=deadline, due_at=passed.due_at, unit=unit, step=_step_of(passed)
    )
    return late, said


def _step_of(passed: Clock) -> Step | None:
    return Step(passed.key.partition(":")[0]) if passed.kind is Kind.STEP_DEADLINE else None
