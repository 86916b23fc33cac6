"""Text messages over eSMS's JSON protocol (developers.esms.vn)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

import httpx2

from contracts.notification import FailureReason
from services.notification.people.providers import NotTaken, Unclear, Undeliverable
from services.notification.people.providers import http as over_http

CUSTOMER_CARE = "2"
ACCEPTED = "100"
SENT_BEFORE = "124"
"""The RequestId was used within a day: the provider has the message already."""
FINAL = {"108", "110"}
"""Wrong number, wrong data. Wrong key, brandname or type are ours to mend, so such a message is tried again."""
SAYS_NOTHING = {"99", "None"}
"""`99` is eSMS's unknown error: it may have come after the message was taken."""


@dataclass(frozen=True)
class Esms:
    """RequestId is the message's own id: eSMS knows a repetition for a day, and no phone gets it twice."""

    url: str
    key: str
    secret: str = field(repr=False)
    brandname: str
    name: str = "esms"
    http: httpx2.AsyncClient = field(default_factory=over_http.client, repr=False)

    async def send(self, message_id: UUID, phone: str, text: str, receipts: str | None) -> None:
        """Hand the text to the provider, which tells at `receipts` whether it arrived."""
        body = {
            "ApiKey": self.key,
            "SecretKey": self.secret,
            "Phone": f"0{phone}",
            "Content": text,
            "Brandname": self.brandname,
            "SmsType": CUSTOMER_CARE,
            "IsUnicode": "0",
            "RequestId": str(message_id),
            **({"CallbackUrl": receipts} if receipts else {}),
        }
        answer = await over_http.ask(self.http, self.url, json.dumps(body).encode(), "application/json")
        _judge(_code(answer))


def _code(answer: bytes) -> str:
    try:
        return str(json.loads(answer)["CodeResult"])[:20]
    except (ValueError, KeyError, TypeError):
        raise Unclear("not an answer of eSMS") from None


def _judge(code: str) -> None:
    if code in (ACCEPTED, SENT_BEFORE):
        return
    if code in FINAL:
        raise Undeliverable(FailureReason.REJECTED, code)
    raise Unclear(code) if code in SAYS_NOTHING else NotTaken(code)


def arrived(told: Mapping[str, str]) -> bool | None:
    """What eSMS's delivery callback says (a GET with these parameters): it arrived, it did not, or not known yet.

    SendStatus 1 waits for approval, 2 waits, 4 was refused, 5 is done, 7 waits for the phone company.
    """
    match told.get("SendStatus"):
        case "4":
            return False
        case "5":
            return told.get("SendSuccess", "0") not in ("", "0")
        case _:
            return None
