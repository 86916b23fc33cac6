"""News of dossiers and of their fees becomes messages."""

from dataclasses import replace

from contracts.dossier import DossierEvent, Filing, OwnerLinked
from contracts.notification import FailureReason, MessageChannel
from contracts.payment import PAYMENTS, PaymentEvent
from kit import timers
from kit.clock import now
from kit.db import Connection
from services.notification.people import domain, outcomes, store, words
from services.notification.people.domain import DELIVER, Correspondence, Letter, Message
from services.notification.people.tenant import province

UNSAID = Letter(subject="", body="")
"""What a template that failed leaves in the inbox; nobody is shown it."""


async def on_dossier(tx: Connection, event: DossierEvent) -> None:
    """Whoever sent the dossier is told what happened to it."""
    about = await store.lock(tx, event.dossier_code)
    if isinstance(event, Filing):
        about = domain.correspondence(event)
        await store.remember(tx, about)
        await _tell_early_news(tx, about)
    elif about and isinstance(event, OwnerLinked):
        about = replace(about, recipient_ref=event.submitter_ref)
        await store.remember(tx, about)
    if about:
        await _tell(tx, event, about)


async def on_payment(tx: Connection, event: PaymentEvent) -> None:
    """Fees come on a channel of their own and may be heard of before their dossier."""
    about = await store.lock(tx, event.dossier_code)
    if about:
        await _tell(tx, event, about)
    else:
        body = event.model_dump(mode="json")
        await store.keep_early(tx, event.dossier_code, type(event).__name__, event.version, body)


_EARLY = {event.__name__: event for event in PAYMENTS.events}


async def _tell_early_news(tx: Connection, about: Correspondence) -> None:
    for row in await store.take_early(tx, about.dossier_code):
        event = _EARLY[row["event"]].model_validate(row["body"])
        await _tell(tx, event, about)  # type: ignore[arg-type]  # the union of the channel's events


async def _tell(tx: Connection, event: DossierEvent | PaymentEvent, about: Correspondence) -> None:
    for message in domain.messages(event, about, province()):
        version = words.texts()[message.template].version
        if message.channel is MessageChannel.IN_APP:
            await _put_into_inbox(tx, message, version)
        elif await store.queue(tx, message, version, None):
            await timers.schedule(tx, DELIVER, str(message.id), now())


async def _put_into_inbox(tx: Connection, message: Message, template_version: int) -> None:
    """The portal's inbox has it at once; everything else goes out by a job, outside this transaction.

    What cannot be said is shown to nobody, and does not keep the event from everybody else.
    """
    try:
        letter = words.letter(message.template, message.words)
    except words.TemplateFailed:
        if await store.queue(tx, message, template_version, UNSAID):
            await outcomes.given_up(tx, message, template_version, 1, FailureReason.TEMPLATE)
        return
    if await store.queue(tx, message, template_version, letter):
        await outcomes.sent(tx, message, template_version, 1)
