"""Time in: each message is delivered by a job of its own, repeated until it is taken, refused or given up."""

from datetime import datetime
from uuid import UUID

from contracts.notification import FailureReason, MessageChannel
from kit import timers
from kit.clock import now
from kit.db import Database
from kit.timers import Timer
from services.notification.people import outcomes, sending, store, tenant, words
from services.notification.people.attempts import store as attempts
from services.notification.people.attempts.domain import Outcome
from services.notification.people.domain import AT_ANY_HOUR, Message, State
from services.notification.people.providers import Undeliverable
from services.notification.people.store import Stored
from services.notification.people.turns import domain as turns
from services.notification.people.turns import store as store_turns

ATTEMPTS = 12
"""With growing pauses: about half an hour in all."""
PATIENCE = 5
"""Attempts, within half a minute, in which a letter waits for the document that goes with it."""
LEASE = 120.0
"""Seconds; longer than asking for the address and the conversation with a provider may take together."""


async def deliver(db: Database, job: Timer) -> None:
    """Send the message named by the job. Repeating it is harmless: see `sending`."""
    stored = await store.find(db, UUID(job.key))
    if stored is None or stored.state is not State.QUEUED:
        return None
    if job.attempt > ATTEMPTS:  # the last one never came back: it ended its process
        return await _give_up(db, stored, job, FailureReason.UNAVAILABLE)
    if stored.message.channel is MessageChannel.SMS and await _waits(db, stored.message, job):
        return None
    try:
        if stored.message.channel is MessageChannel.IN_APP:
            return await _put_into_inbox(db, stored, job)
        no = await sending.send(db, stored, complete=job.attempt <= PATIENCE)
    except Undeliverable as never:
        await _give_up(db, stored, job, never.reason)
    except words.TemplateFailed:
        await _give_up(db, stored, job, FailureReason.TEMPLATE)
    except Exception:
        if job.attempt >= ATTEMPTS:
            await _give_up(db, stored, job, FailureReason.UNAVAILABLE)
        raise  # the job is repeated; after the last attempt it finds nothing left to do
    else:
        await _sent(db, stored, job, no)


TURN = "has_its_turn"
"""In the job's payload: its token was taken, and this is its time."""


async def _waits(db: Database, message: Message, job: Timer) -> bool:
    """Whether the text has to wait, for the morning or for its unit's turn; then its job comes back at that time."""
    moment, texting = now(), tenant.texting()
    any_hour = message.template in AT_ANY_HOUR
    if texting.quiet and not any_hour and (morning := texting.quiet.over(moment)):
        await _come_back(db, job, morning, {})
        return True
    if job.attempt > 1 or job.payload.get(TURN):
        return False
    turn = turns.turn(await store_turns.take(db, message.unit, texting.pace(message.unit), moment))
    if any_hour or turn <= moment:
        return False
    await _come_back(db, job, turn, {TURN: True})
    return True


async def _come_back(db: Database, job: Timer, at: datetime, payload: dict[str, bool]) -> None:
    """Not a failure: the job begins anew."""
    async with db.transaction() as tx:
        await timers.schedule(tx, job.kind, job.key, at, payload)


async def _put_into_inbox(db: Database, stored: Stored, job: Timer) -> None:
    """A notice for the portal's inbox that could not be worded at once, and is tried again."""
    message = stored.message
    letter = words.letter(message.template, message.words)
    async with db.transaction() as tx:
        await store.write_letter(tx, message.id, letter)
        await outcomes.sent(tx, message, words.texts()[message.template].version, job.attempt)


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
