"""HTTP in: providers tell whether a message reached its phone."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Request

from kit.auth import Public
from kit.http import Later, Router
from kit.problems import NotFound
from kit.settings import load
from services.notification.people import outcomes, store
from services.notification.people.providers import esms
from services.notification.people.receipts import domain
from services.notification.settings import Settings

router = Router(prefix="/api/v1", tags=["Biên nhận của nhà cung cấp"], dependencies=[Public])

Proof = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]


def address(message_id: UUID, provider: str) -> str | None:
    """Where this provider reports about this message; None where providers do not reach us."""
    settings = load(Settings)
    if not (settings.sms_receipts_url and settings.sms_receipts_secret):
        return None
    shown = domain.proof(settings.sms_receipts_secret, provider, message_id)
    return f"{settings.sms_receipts_url.rstrip('/')}/api/v1/sms-receipts/{provider}/{message_id}/{shown}"


@router.get("/sms-receipts/esms/{message_id}/{proof}", status_code=204)
async def from_esms(message_id: UUID, proof: Proof, request: Request, later: Later) -> None:
    """eSMS's callback: its address proves that eSMS got it with this message, its parameters say what became of that.

    It may come late, early, twice and in any order. 404: no message of ours, or not its address.
    """
    if not domain.is_proven(load(Settings).sms_receipts_secret, "esms", message_id, proof):
        raise NotFound
    arrived = esms.arrived(request.query_params)
    if arrived is None:
        return
    tx = await later.begin()
    stored = await store.lock_message(tx, message_id)
    if stored is None:
        raise NotFound
    await outcomes.reported(tx, stored, arrived=arrived)
