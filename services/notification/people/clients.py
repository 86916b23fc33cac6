"""Who notification calls, for an address, at the moment it is needed: identity, and where the dossier was filed."""

from dataclasses import dataclass, replace
from uuid import UUID

from kit.clients import Answered, ServiceClient

identity = ServiceClient("identity")
dossier = ServiceClient("dossier")


@dataclass(frozen=True, slots=True)
class Contact:
    """Where somebody can be told something now. Never stored, never logged."""

    email: str | None
    phone: str | None


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
