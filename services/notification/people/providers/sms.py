"""Text messages over eSMS's JSON protocol (developers.esms.vn)."""

from uuid import UUID

import httpx2

from contracts.notification import FailureReason
from services.notification.people.providers import Undeliverable
from services.notification.settings import Settings

TIMEOUT = 10.0
CUSTOMER_CARE = "2"
ACCEPTED = "100"
SENT_BEFORE = "124"
"""The RequestId was used within a day: the provider has the message already."""
FINAL = {"108", "110"}
"""Wrong number, wrong data. Wrong key, brandname or type are ours to mend, so such a message is tried again."""


class ProviderRefused(Exception):
    """The provider said no for a reason that may pass; the message is its code."""


async def send(settings: Settings, message_id: UUID, phone: str, text: str) -> None:
    """Hand the text to the provider. RequestId is the message's own id, so that a repetition reaches no phone."""
    body = {
        "ApiKey": settings.sms_key,
        "SecretKey": settings.sms_secret,
        "Phone": phone,
        "Content": text,
        "Brandname": settings.sms_brandname,
        "SmsType": CUSTOMER_CARE,
        "IsUnicode": "0",
        "RequestId": str(message_id),
    }
    async with httpx2.AsyncClient(timeout=TIMEOUT) as http:
        answer = await http.post(settings.sms_url, json=body)
    answer.raise_for_status()
    _judge(str(answer.json().get("CodeResult")))


def _judge(code: str) -> None:
    if code in FINAL:
        raise Undeliverable(FailureReason.REJECTED)
    if code not in (ACCEPTED, SENT_BEFORE):
        raise ProviderRefused(code)
