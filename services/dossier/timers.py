"""Time in: what happens when a clock of a dossier runs out."""

from dataclasses import replace
from uuid import UUID

from kit.clock import now
from kit.db import Connection
from kit.timers import Timer, Timers
from services.dossier.attachments import examination
from services.dossier.attachments import store as uploads
from services.dossier.clocks import domain
from services.dossier.clocks import store as clocks
from services.dossier.clocks.domain import SILENT, Kind
from services.dossier.filing.printing import api as printing
from services.dossier.forms import making
from services.dossier.forms import store as forms
from services.dossier.interlinked import following
from services.dossier.interlinked import timers as interlinked
from services.dossier.processing import store
from services.dossier.results.handover import posting
from services.dossier.results.handover import store as handovers
from services.dossier.supplement import issuing

THREE_WEEKS = 1000
"""Attempts, half an hour apart, of a job that somebody's rights depend on; then it alarms."""

timers = Timers()
timers.job(uploads.FORGET)(examination.forget)
timers.job(forms.MAKE)(making.make)
timers.job(printing.FORGET)(printing.forget)
timers.job(following.PROGRESS, attempts=THREE_WEEKS)(interlinked.progress)
timers.due(following.SYNC)(interlinked.synchronisation_missed)
timers.job(handovers.POST, attempts=60)(posting.order)


async def ran_out(tx: Connection, timer: Timer) -> None:
    """A clock ran out. Nothing happens if it was stopped, paused or moved in the moment in which it fired."""
    dossier = await store.lock(tx, timer.key.partition(" ")[0])
    clock = await clocks.running(tx, UUID(timer.payload["clock"]))
    moment = now()
    if clock is None or clock.is_paused or clock.passed_at or clock.due_at > moment:
        return
    await clocks.passed(tx, replace(clock, passed_at=moment))
    if clock.kind is Kind.SUPPLEMENT_COMPLETION:
        await issuing.close(tx, dossier, clock, moment)
        return
    late, *said = domain.ran_out(clock, dossier, moment)
    await store.save(tx, late, *said)


for _kind in Kind:
    if _kind not in SILENT:
        timers.due(_kind)(ran_out)
