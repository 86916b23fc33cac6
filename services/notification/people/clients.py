"""Who notification calls, at the moment of sending: for an address, and for the document that goes with a letter."""

from dataclasses import dataclass, replace
from uuid import UUID

from kit.clients import Answered, ServiceClient
from services.notification.people.domain import SLIP, Message

identity = ServiceClient("identity")
dossier = ServiceClient("dossier")
payment = ServiceClient("payment")

LARGEST = 2 * 1024 * 1024
"""Bytes of a document that goes with a letter; a larger one is found through the link in the letter."""


@dataclass(frozen=True, slots=True)
class Contact:
    """Where somebody can be told something now. Never stored, never logged."""

    email: str | None
    phone: str | None


@dataclass(frozen=True, slots=True)
class Document:
    """A signed PDF on its way to somebody. Never stored."""

    name: str
    content: bytes


NOWHERE = Contact(email=None, phone=None)


async def contact_of(recipient: UUID, purpose: str) -> Contact:
    """The addresses of an account; none for somebody without one. `purpose` is what identity records."""
    try:
        known = await identity.get(f"/api/v1/accounts/{recipient}/contact", purpose=purpose)
    except Answered as no:
        if no.status == 404:
            return NOWHERE
        raise
    return Contact(email=known["email"], phone=known["phone"])


async def contact_for(dossier_code: str, recipient: UUID, purpose: str, *, by_text: bool) -> Contact:
    """Where news of the dossier reaches its submitter: their account's addresses.

    Text messages go to the number that was given with the dossier, if one was; and who has no account (filed on paper,
    or by an officer) is reached as they said when it was filed.
    """
    known = await contact_of(recipient, purpose)
    if known != NOWHERE and not by_text:
        return known
    filed = await _filed(dossier_code, purpose)
    known = replace(known, phone=filed.get("sms_number") or known.phone or filed.get("phone"))
    return replace(known, email=known.email or filed.get("email"))


async def _filed(dossier_code: str, purpose: str) -> dict[str, str | None]:
    try:
        found: dict[str, str | None] = await dossier.get(f"/api/v1/dossiers/{dossier_code}/contact", purpose=purpose)
    except Answered as no:
        if no.status == 404:
            return {}
        raise
    return found


async def document(message: Message) -> Document | None:
    """The signed document that the letter brings, from who keeps it; None if there is none, or it is too large."""
    if message.attachment is None:
        return None
    try:
        if message.attachment == SLIP:
            content = await dossier.get(f"/api/v1/dossiers/{message.dossier_code}/slip/content")
            name = f"giay-tiep-nhan-{message.dossier_code}.pdf"
        else:
            content = await payment.get(f"/api/v1/receipts/{message.attachment}/content")
            name = f"bien-lai-{message.attachment}.pdf"
    except Answered as no:
        if no.status == 404:
            return None
        raise
    return Document(name, content) if len(content) <= LARGEST else None
