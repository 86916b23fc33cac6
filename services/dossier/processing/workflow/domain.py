"""Which step of the case's workflow runs, and until when it should be done.

The catalogue gives each case its steps: who works, and how many working hours they have. Here one step begins when the
one before is done; its hours are counted by the calendar, and never beyond the appointment.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from contracts.dossier import Step
from services.dossier.catalogue.domain import WorkflowStep
from services.dossier.clocks.calendar import WorkingCalendar
from services.dossier.clocks.domain import Rules
from services.dossier.processing.domain import Dossier


@dataclass(frozen=True, slots=True)
class Flow:
    """The steps of the dossier's case, and the rules by which their hours are counted."""

    steps: tuple[WorkflowStep, ...]
    rules: Rules

    @property
    def calendar(self) -> WorkingCalendar:
        return self.rules.calendar

    def running(self, dossier: Dossier) -> WorkflowStep | None:
        """The step that runs; None when none does, or when the workflow does not know it."""
        return next((step for step in self.steps if step.code == dossier.step), None)

    def following(self, dossier: Dossier, *roles: Step) -> WorkflowStep | None:
        """The next step of one of these roles after the one that runs; None when the workflow has none."""
        return next((step for step in self._after(dossier.step) if step.role in roles), None)

    def first(self, role: Step) -> WorkflowStep | None:
        return next((step for step in self.steps if step.role == role), None)

    def _after(self, code: str | None) -> Sequence[WorkflowStep]:
        codes = [step.code for step in self.steps]
        return self.steps[codes.index(code) + 1 :] if code in codes else self.steps


def begin(dossier: Dossier, role: Step, flow: Flow, now: datetime, *, anew: bool = False) -> Dossier:
    """The step of that role begins; `anew`: from the front of the workflow, as when work is sent back.

    A role that the workflow does not know works without a deadline of its own.
    """
    step = (None if anew else flow.following(dossier, role)) or flow.first(role)
    due_at = _due(step.hours if step and step.counted else 0, flow, now, dossier.due_at)
    code = step.code if step else role.value
    return replace(dossier, step=code, step_role=role.value, step_began=True, step_due_at=due_at)


def restart(dossier: Dossier, flow: Flow, now: datetime, hours: float | None = None) -> Dossier:
    """The step that runs begins again in other hands, with the hours of the order or else of the catalogue."""
    running = flow.running(dossier)
    allowance = running.hours if running and running.counted else 0
    due_at = _due(allowance if hours is None else hours, flow, now, dossier.due_at)
    return replace(dossier, step_began=True, step_due_at=due_at)


def _due(hours: float, flow: Flow, now: datetime, appointment: datetime | None) -> datetime | None:
    """A step that begins after the appointment has passed keeps its own hours."""
    if not hours:
        return None
    due_at = flow.calendar.after_working_hours(now, hours)
    return min(due_at, appointment) if appointment and appointment > now else due_at


def reviewed_by_head(dossier: Dossier, flow: Flow) -> bool:
    """Whether the division head sees the draft before the leader does."""
    return flow.following(dossier, Step.DIVISION_HEAD) is not None


def assigned_by_head(flow: Flow) -> bool:
    """Whether the division head says who works on it: the workflow has them before the specialist."""
    roles = [step.role for step in flow.steps]
    if Step.DIVISION_HEAD not in roles or Step.SPECIALIST not in roles:
        return False
    return roles.index(Step.DIVISION_HEAD) < roles.index(Step.SPECIALIST)
