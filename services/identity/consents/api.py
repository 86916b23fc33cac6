"""HTTP in: a person's consents."""

from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from kit import ids
from kit.auth import Citizen
from kit.clock import now
from kit.http import Db, Router, Tx
from services.identity.consents import domain, store
from services.identity.consents.domain import TEXTS, Consent, ConsentUnknown, Purpose

router = Router(prefix="/api/v1", tags=["consents"])


class Given(BaseModel):
    """A consent as it was given, and whether it still stands."""

    id: UUID
    purpose: str
    categories: list[str]
    text_version: int
    channel: str
    given_at: AwareDatetime
    withdrawn_at: AwareDatetime | None


class Offered(BaseModel):
    """Something one may agree to: today's words and, when it was agreed to, the consent that stands."""

    purpose: str
    text: str
    text_version: int
    categories: list[str]
    standing: Given | None


class Agreement(BaseModel):
    """The person agrees, having read the text of that version."""

    model_config = ConfigDict(extra="forbid")

    purpose: Purpose = Field(examples=["autofill"])
    text_version: int = Field(examples=[1])


@router.get("/accounts/me/consents")
async def consents(citizen: Citizen, db: Db) -> list[Offered]:
    """What the caller may agree to, and did."""
    given = await store.of(db, citizen.ref)
    return [_offered(purpose, given) for purpose in TEXTS]


def _offered(purpose: Purpose, given: list[Consent]) -> Offered:
    text = TEXTS[purpose]
    standing = next((one for one in given if one.purpose == purpose and one.withdrawn_at is None), None)
    return Offered(
        purpose=purpose,
        text=text.words,
        text_version=text.version,
        categories=list(text.categories),
        standing=shown(standing) if standing else None,
    )


def shown(consent: Consent) -> Given:
    return Given(
        id=consent.id,
        purpose=consent.purpose,
        categories=list(consent.categories),
        text_version=consent.text_version,
        channel=consent.channel,
        given_at=consent.given_at,
        withdrawn_at=consent.withdrawn_at,
    )


@router.post("/accounts/me/consents", status_code=204)
async def agree(citizen: Citizen, agreement: Agreement, tx: Tx) -> None:
    """Agree to today's words; agreeing twice is agreeing once."""
    given = domain.give(ids.new(), citizen.ref, agreement.purpose, agreement.text_version, "portal", now())
    await store.give(tx, given)


@router.post("/accounts/me/consents/{consent_id}/withdrawal", status_code=204)
async def withdraw(citizen: Citizen, consent_id: UUID, tx: Tx) -> None:
    """Take a consent back. Nothing further is done with it; what was filed stays filed."""
    consent = await store.lock(tx, consent_id, citizen.ref)
    if consent is None:
        raise ConsentUnknown()
    await store.save_withdrawal(tx, domain.withdraw(consent, now()))
