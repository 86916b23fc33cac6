"""The time limits and choices that the law and the province give, as versioned profiles.

A profile is one `policy*.yaml` of the tenant's folder. A dossier is decided under the profile that was in force when
it was accepted, and keeps that profile's version to its end.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from services.dossier.clocks.calendar import Cutoff, Limit


class AfterSupplement(StrEnum):
    """What becomes of the processing clock when the applicant has completed the dossier."""

    RESTART = "restart"
    """Counted anew from zero (NĐ 61/2018/NĐ-CP, Art. 19(4))."""
    PAUSE = "pause"
    """What was left goes on: a local choice."""


class ApprovalHop(StrEnum):
    """Who has to agree before a specialist's supplement request goes out through the desk."""

    NONE = "none"
    DIVISION_HEAD = "division_head"
    LEADER = "leader"


@dataclass(frozen=True, slots=True)
class Policy:
    """One profile. Each field is a key of the file."""

    version: str
    effective_from: date
    reception_sla_online: Limit
    """Within which the desk looks at a dossier that came in online."""
    reception_sla_paper: Limit
    """Within which it asks for what is missing in one that came by post."""
    officer_alert: Limit
    """After which a dossier that nobody has looked at stands out in the desk's queue."""
    paper_forward_cutoff: Cutoff
    """Paper received later than this is forwarded at the start of the next working day."""
    specialist_supplement_window: Limit
    """From acceptance; a specialist's request after it is a violation."""
    supplement_approval: ApprovalHop
    after_supplement_clock: AfterSupplement
    supplement_completion_deadline: Limit
    """Within which the applicant completes the dossier; then it is closed."""
    apology_alarm: Limit
    """So long before the appointment, who cannot keep it has to say so."""
    due_soon: Limit
    """So long before the appointment, a dossier counts as due soon."""
    max_reschedules: int
    """How many apologies a dossier may have."""
    cutoff_rule: Cutoff
    """For cases that have no rule of their own."""
    count_effective_day: bool
    consultation_answer: Limit
    """Within which a consulted unit answers, when whoever asks names no date."""
    interlinked_sync: Limit
    interlinked_acknowledgement: Limit
    interlinked_login: Limit
    """How old the login may be, in minutes, with which an interlinked dossier is sent."""
    effective_to: date | None = None
    """The last day on which it is in force; None until another takes its place."""
    payment_expiry: Limit | None = None
    """Within which a fee that comes first has to be paid; None: nothing ends it."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """Key → the legal text it rests on, in Vietnamese."""

    def is_in_force(self, day: date) -> bool:
        return self.effective_from <= day and (self.effective_to is None or day <= self.effective_to)


class NoPolicy(Exception):
    """No profile is in force on that day: the tenant's folder is incomplete."""


def in_force(profiles: Iterable[Policy], day: date) -> Policy:
    """The profile of that local day: of several, the one that began last. NoPolicy when there is none."""
    found = [profile for profile in profiles if profile.is_in_force(day)]
    if not found:
        raise NoPolicy(f"no policy profile is in force on {day}")
    return max(found, key=lambda profile: profile.effective_from)
