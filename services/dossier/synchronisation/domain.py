"""What a supplement did to the appointment, which the national record tells with it."""

from collections.abc import Sequence
from datetime import datetime

from services.dossier.clocks.domain import Clock, Kind
from services.dossier.supplement.domain import Request


def appointments(request: Request, clocks: Sequence[Clock]) -> tuple[datetime | None, datetime | None]:
    """(before the request, after it was answered); None while there was, or is, no appointment.

    The time starts from zero after a supplement, so the appointment after it is that of another clock; where the policy
    lets the old clock go on, the same clock says the new date.
    """
    promised = [clock for clock in clocks if clock.kind is Kind.PROCESSING_DEADLINE]
    asked, answered = request.issued_at or request.drafted_at, request.answered_at
    before = [clock for clock in promised if clock.started_at < asked]
    after = [clock for clock in promised if answered and clock.started_at >= answered]
    return (before[-1].due_at if before else None), (after[0].due_at if after else None)
