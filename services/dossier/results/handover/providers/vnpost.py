"""The public post: orders over its JSON interface, news of letters by signed calls back.

The names of the fields are those that provincial systems exchange with the postal service; addresses and signature
scheme of the real service come by contract, and so by configuration.
"""

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

import httpx2

from contracts.refusal import Refusal
from services.dossier.results.handover.domain import DeliveryState, Shipment
from services.dossier.settings import Settings
from services.dossier.tenant import Unit

TIMEOUT = 10.0
SIGNATURE = "X-Signature"
"""Hex HMAC-SHA256 of the body under the shared secret, in both directions."""
STATES = {
    "shipped": DeliveryState.SHIPPED,
    "delivered": DeliveryState.DELIVERED,
    "failed": DeliveryState.AT_DESK,
}


class PostRefused(Exception):
    """The post does not take the order; the message says why, without an address."""


class NotThePost(Refusal):
    """A call that the post did not sign."""

    status = 403
    title = "Chữ ký của lời gọi không đúng"
    title_en = "The call is not signed by the post"


@dataclass(frozen=True, slots=True)
class News:
    """What the post says of one letter."""

    dossier_code: str
    state: DeliveryState
    item_code: str
    why: str | None


async def order(settings: Settings, shipment: Shipment, sender: Unit) -> str:
    """Ask the post to fetch a result; its number for the letter. The order's number is the dossier's code, so asking
    again orders nothing new."""
    body = json.dumps(_order(settings, shipment, sender), ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json", SIGNATURE: sign(settings.post_secret, body)}
    async with httpx2.AsyncClient(timeout=TIMEOUT) as http:
        answer = await http.post(settings.post_url, content=body, headers=headers)
    if answer.status_code != httpx2.codes.OK:
        raise PostRefused(str(answer.status_code))
    return str(answer.json()["ItemCode"])


def _order(settings: Settings, shipment: Shipment, sender: Unit) -> dict[str, Any]:
    return {
        "CustomerCode": settings.post_customer,
        "OrderNumber": shipment.dossier_code,
        "CODAmount": 0,
        "SenderFullname": sender.name,
        "SenderAddress": sender.address,
        "SenderTel": sender.phone,
        "ReceiverFullname": shipment.to.receiver_name,
        "ReceiverAddress": shipment.to.address,
        "ReceiverTel": shipment.to.phone,
    }


def sign(secret: str, body: bytes) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def news(settings: Settings, body: bytes, signature: str) -> News:
    """What a call of the post says; NotThePost unless it signed it."""
    expected = sign(settings.post_secret, body)
    if not settings.post_secret or not hmac.compare_digest(expected.encode(), signature.encode()):
        raise NotThePost
    said = json.loads(body)
    return News(said["OrderNumber"], STATES[said["Status"]], said["ItemCode"], said.get("Reason"))
