"""Time in: each message is delivered by a job of its own, repeated until it is taken, refused or given up."""

from uuid import UUID

from contracts.notification import FailureReason, MessageChannel
from kit import telemetry
from kit.db import Database
from kit.settings import load
from kit.timers import Timer
from services.notification.people import clients, outcomes, store, words
from services.notification.people.domain import Message, State
from services.notification.people.providers import Undeliverable, email, sms
from services.notification.people.tenant import province
from services.notification.settings import Settings

ATTEMPTS = 12
"""With growing pauses: about half an hour in all."""
LEASE = 60.0
"""Seconds; longer than asking for the address and the conversation with a provider may take together."""


async def deliver(db: Database, job: Timer) -> None:
    """Send the message named by the job. Repeating it is harmless: providers know it by its id."""
    stored = await store.find(db, UUID(job.key))
    if stored is None or stored.state is not State.QUEUED:
        return
    message = stored.message
    version = words.texts()[message.template].version
    try:
        with telemetry.span(f"send {message.channel}", template=message.template):
            await _send(message)
    except Undeliverable as no:
        await _give_up(db, message, version, job.attempt, no.reason)
        return
    except words.TemplateFailed:
        await _give_up(db, message, version, job.attempt, FailureReason.TEMPLATE)
        return
    except Exception:
        if job.attempt >= ATTEMPTS:
            await _give_up(db, message, version, job.attempt, FailureReason.UNAVAILABLE)
        raise  # the job is repeated, or kept with an alarm
    async with db.transaction() as tx:
        await outcomes.sent(tx, message, version, job.attempt)


async def _send(message: Message) -> None:
    """The address lives in this function only."""
    by_text = message.channel is MessageChannel.SMS
    contact = await clients.contact_for(message.dossier_code, message.recipient_ref, message.template, by_text=by_text)
    settings, host = load(Settings), province().host
    match message.channel:
        case MessageChannel.EMAIL if contact.email:
            await email.send(settings, host, message.id, contact.email, words.letter(message.template, message.words))
        case MessageChannel.SMS if contact.phone:
            await sms.send(settings, message.id, contact.phone, words.short(message.template, message.words))
        case _:
            raise Undeliverable(FailureReason.NO_ADDRESS)


async def _give_up(db: Database, message: Message, version: int, attempts: int, reason: FailureReason) -> None:
    async with db.transaction() as tx:
        await outcomes.given_up(tx, message, version, attempts, reason)
