"""Time in: the clocks of a dossier, and what happens when one runs out."""

from contracts.dossier import Deadline
from kit.clock import now
from kit.db import Connection
from kit.timers import Timer, Timers
from services.dossier.forms import making
from services.dossier.forms import store as forms
from services.dossier.processing import domain, store
from services.dossier.processing.domain import Dossier
from services.dossier.tenant import Tenant

timers = Timers()
timers.job(forms.MAKE)(making.make)


async def start_reception(tx: Connection, dossier: Dossier, tenant: Tenant) -> None:
    """The desk has so many working hours, from the submission on."""
    if dossier.submitted_at is None:
        raise ValueError("the reception clock starts with the submission")
    due_at = domain.reception_due(dossier.submitted_at, tenant.calendar, tenant.reception_hours)
    await store.start_clock(tx, dossier.code, Deadline.RECEPTION, dossier.submitted_at, due_at, tenant.calendar.version)


@timers.due("reception_deadline")
async def reception_missed(tx: Connection, timer: Timer) -> None:
    """The desk did not look in time."""
    await _miss(tx, timer, Deadline.RECEPTION)


@timers.due("processing_deadline")
async def appointment_missed(tx: Connection, timer: Timer) -> None:
    """The appointment passed without a result."""
    await _miss(tx, timer, Deadline.PROCESSING)


async def _miss(tx: Connection, timer: Timer, deadline: Deadline) -> None:
    dossier = await store.lock(tx, timer.key)
    late, *said = domain.miss(dossier, deadline, timer.due_at, now())
    await store.save(tx, late, *said)
