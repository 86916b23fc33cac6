"""Who notification calls: identity, for an address, at the moment it is needed."""

from dataclasses import dataclass
from uuid import UUID

from kit.clients import Answered, ServiceClient

identity = ServiceClient("identity")


@dataclass(frozen=True, slots=True)
class Contact:
    """Where somebody can be told something now. Never stored, never logged."""

    email: str | None
    phone: str | None


async def contact_of(recipient: UUID, purpose: str) -> Contact:
    """The addresses of an account; none for an account that is gone. `purpose` is what identity records."""
    try:
        known = await identity.get(f"/api/v1/accounts/{recipient}/contact", purpose=purpose)
    except Answered as no:
        if no.status == 404:
            return Contact(email=None, phone=None)
        raise
    return Contact(email=known["email"], phone=known["phone"])
