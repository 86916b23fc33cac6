"""How one message gets out of the house: whom to ask for the address, which provider, and what is written down.

Once, as far as providers allow. Each attempt is written down before the provider is asked. A text message goes from one
provider to the next only while every one of them surely did not take it; as soon as one may have it (no answer, or we
died while asking), it alone is asked again, and knows the repetition by the message's id (eSMS, for a day) or by its
receiver and content (Viettel). A mail server is asked again with the same Message-ID.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from uuid import UUID

from contracts.notification import FailureReason, MessageChannel
from kit import telemetry
from kit.clients import Answered
from kit.clock import now
from kit.db import Database
from kit.problems import Unavailable
from kit.settings import load
from services.notification.people import clients, words
from services.notification.people.attempts import store as attempts
from services.notification.people.attempts.domain import Outcome
from services.notification.people.clients import Contact, Document
from services.notification.people.domain import Letter, Message
from services.notification.people.providers import NotTaken, Unclear, Undeliverable, email, sms
from services.notification.people.receipts import api as receipts
from services.notification.people.store import Stored
from services.notification.people.tenant import province
from services.notification.settings import Settings

SMTP = "smtp"
NO_PROVIDER = NotTaken("no provider")


async def send(db: Database, stored: Stored, *, complete: bool) -> int:
    """Send it now, `complete` or without its document if need be; the number of the attempt that worked.

    The address lives in this function and below only. Undeliverable, TemplateFailed: never. NotTaken, Unclear and
    whatever else happens: again, later.
    """
    message = stored.message
    with telemetry.span(f"send {message.channel}", template=message.template):
        by_text = message.channel is MessageChannel.SMS
        contact = await clients.contact_for(
            message.dossier_code, message.recipient_ref, message.template, by_text=by_text
        )
        match message.channel:
            case MessageChannel.EMAIL if contact.email:
                return await _mail(db, stored, contact, complete=complete)
            case MessageChannel.SMS if contact.phone:
                return await _text(db, stored, contact)
            case _:
                raise Undeliverable(FailureReason.NO_ADDRESS)


async def _mail(db: Database, stored: Stored, contact: Contact, *, complete: bool) -> int:
    message = stored.message
    document = await _document(message, complete=complete)
    letter = words.letter(message.template, message.words)
    address = email.address(contact.email or "")
    ask = partial(email.send, load(Settings), province().host, message.id, address, letter, document)
    return await _tried(db, message.id, SMTP, ask)


async def _document(message: Message, *, complete: bool) -> Document | None:
    """A document whose keeper is away is waited for a while; then the letter goes with its link only."""
    try:
        return await clients.document(message)
    except (Answered, Unavailable):
        if complete:
            raise
        return None


async def _text(db: Database, stored: Stored, contact: Contact) -> int:
    message = stored.message
    phone = sms.number(contact.phone or "")
    text = words.short(message.template, message.words)
    last = NO_PROVIDER
    for provider in sms.providers().to_ask(stored.may_have):
        try:
            told_at = receipts.address(message.id, provider.name)
            ask = partial(_ask, provider, message.id, phone, text, told_at)
            return await _tried(db, message.id, provider.name, ask)
        except NotTaken as no:
            last = no
    raise last


async def _tried(db: Database, message_id: UUID, provider: str, ask: Callable[[], Awaitable[None]]) -> int:
    """Write down that it begins, ask, and write down what is known then. That it was taken is for the caller to write,
    together with what becomes of the message."""
    no = await attempts.begin(db, message_id, provider, now())
    try:
        await ask()
    except Undeliverable as exc:
        await attempts.end(db, message_id, no, Outcome.REFUSED, now(), exc.code)
        raise
    except NotTaken as exc:
        await attempts.end(db, message_id, no, Outcome.NOT_TAKEN, now(), str(exc))
        raise
    except Unclear as exc:
        await attempts.end(db, message_id, no, Outcome.UNCLEAR, now(), str(exc))
        raise
    return no


async def _ask(provider: sms.SmsProvider, message_id: UUID, phone: str, text: str, receipts: str | None = None) -> None:
    """Ask this provider, and remember how it did: a wrong number is no fault of its own."""
    try:
        await provider.send(message_id, phone, text, receipts)
    except (NotTaken, Unclear):
        sms.providers().failed(provider.name)
        raise
    sms.providers().worked(provider.name)


# ── one-time passwords: told at once, and written down nowhere ──


async def code_by_text(message_id: UUID, phone: str, text: str) -> None:
    """Send a code now. NotTaken, Unclear: whoever asked may ask again, under the same id."""
    digits, last = sms.number(phone), NO_PROVIDER
    for provider in sms.providers().to_ask():
        try:
            return await _ask(provider, message_id, digits, text)
        except NotTaken as no:
            last = no
    raise last


async def code_by_mail(message_id: UUID, mailbox: str, letter: Letter) -> None:
    await email.send(load(Settings), province().host, message_id, email.address(mailbox), letter)
