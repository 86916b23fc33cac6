"""Who the dossier service calls: identity, for what an account's owner need not type again."""

from datetime import date
from uuid import UUID

from kit.clients import Answered, ServiceClient
from services.dossier.parties.domain import Address, Person

identity = ServiceClient("identity")


async def profile_of(account: UUID) -> Person | None:
    """What the account's owner agreed to have filled into forms; None without their consent.

    Asked once, not repeated: somebody waits, and can go on by hand. Unavailable when identity is away.
    """
    try:
        said = await identity.send("GET", f"/api/v1/accounts/{account}/autofill", params={"purpose": "filing"})
    except Answered as no:
        if no.status == 404:
            return None
        raise
    known: dict[str, str] = said["fields"]
    if not said["consented"]:
        return None
    return Person(
        name=known.get("full_name"),
        identity_number=known.get("identity_number"),
        birth_date=date.fromisoformat(known["birth_date"]) if "birth_date" in known else None,
        phone=known.get("phone"),
        email=known.get("email"),
        address=Address(text=known.get("address")),
    )
