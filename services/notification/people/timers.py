"""Time in: each message is delivered by a job of its own, repeated until it is taken, refused or given up."""

from uuid import UUID

from contracts.notification import FailureReason
from kit.clock import now
from kit.db import Database
from kit.timers import Timer
from services.notification.people import outcomes, sending, store, words
from services.notification.people.attempts import store as attempts
from services.notification.people.attempts.domain import Outcome
from services.notification.people.domain import State
from services.notification.people.providers import Undeliverable
from services.notification.people.store import Stored

ATTEMPTS = 12
"""With growing pauses: about half an hour in all."""
LEASE = 60.0
"""Seconds; longer than asking for the address and the conversation with a provider may take together."""


async def deliver(db: Database, job: Timer) -> None:
    """Send the message named by the job. Repeating it is harmless: see `sending`."""
    stored = await store.find(db, UUID(job.key))
    if stored is None or stored.state is not State.QUEUED:
        return
    try:
        no = await sending.send(db, stored)
    except Undeliverable as never:
        await _give_up(db, stored, job, never.reason)
    except words.TemplateFailed:
        await _give_up(db, stored, job, FailureReason.TEMPLATE)
    except Exception:
        if job.attempt >= ATTEMPTS:
            await _give_up(db, stored, job, FailureReason.UNAVAILABLE)
        raise  # the job is repeated, or kept with an alarm
    else:
        await _sent(db, stored, job, no)


async def _sent(db: Database, stored: Stored, job: Timer, no: int) -> None:
    message = stored.message
    version = words.texts()[message.template].version
    async with db.transaction() as tx:
        await attempts.end(tx, message.id, no, Outcome.TAKEN, now())
        await outcomes.sent(tx, message, version, max(job.attempt, no))


async def _give_up(db: Database, stored: Stored, job: Timer, reason: FailureReason) -> None:
    version = words.texts()[stored.message.template].version
    async with db.transaction() as tx:
        await outcomes.given_up(tx, stored.message, version, job.attempt, reason)
