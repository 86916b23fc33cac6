"""The gateway: what it accepts, and the page that shows it."""

import hmac
import math
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from pydantic import BaseModel, ConfigDict

from deploy.standins.common import Recent, now, page, standin

REMEMBERS_REQUESTS = timedelta(hours=24)
CUSTOMER_CARE = "2"
PHONE = re.compile(r"^(\+?84|0)\d{9}$")

router = APIRouter()


class SendRequest(BaseModel):
    """What the sender posts; a missing field is empty, numbers may come as text."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    ApiKey: str = ""
    SecretKey: str = ""
    Phone: str = ""
    Content: str = ""
    Brandname: str = ""
    SmsType: str = CUSTOMER_CARE
    IsUnicode: str = "0"
    RequestId: str = ""


class SendAnswer(BaseModel):
    CodeResult: str
    CountRegenerate: int = 0
    SMSID: str | None = None
    ErrorMessage: str | None = None


@dataclass(frozen=True)
class Message:
    """A message that reached its phone."""

    sms_id: str
    phone: str
    content: str
    brandname: str
    unicode: bool
    request_id: str
    received_at: datetime

    @property
    def segments(self) -> int:
        """How many messages the phone company counts."""
        one, of_several = (70, 67) if self.unicode else (160, 153)
        length = len(self.content)
        return 1 if length <= one else math.ceil(length / of_several)


@dataclass
class Gateway:
    key: str
    secret: str
    messages: Recent[Message] = field(default_factory=lambda: Recent(2_000))
    """By SMSID."""
    requests: Recent[Message] = field(default_factory=lambda: Recent(100_000))
    """By RequestId."""

    def send(self, asked: SendRequest) -> SendAnswer:
        if not self._knows(asked):
            return SendAnswer(CodeResult="101", ErrorMessage="Authorize Failed")
        if problem := _problem(asked):
            return problem
        first = self.requests.get(asked.RequestId)
        if first and first.received_at > now() - REMEMBERS_REQUESTS:
            return SendAnswer(CodeResult="124", SMSID=first.sms_id, ErrorMessage="Duplicate RequestId")
        message = _message(asked)
        self.messages[message.sms_id] = message
        if asked.RequestId:
            self.requests[asked.RequestId] = message
        return SendAnswer(CodeResult="100", SMSID=message.sms_id)

    def _knows(self, asked: SendRequest) -> bool:
        key = hmac.compare_digest(asked.ApiKey.encode(), self.key.encode())
        return hmac.compare_digest(asked.SecretKey.encode(), self.secret.encode()) and key


def _problem(asked: SendRequest) -> SendAnswer | None:
    if asked.SmsType != CUSTOMER_CARE:
        return SendAnswer(CodeResult="118", ErrorMessage="Unsupported message type")
    if not asked.Brandname:
        return SendAnswer(CodeResult="104", ErrorMessage="Brandname does not exist")
    if not PHONE.match(asked.Phone):
        return SendAnswer(CodeResult="108", ErrorMessage="Phone number is not in correct format")
    if not asked.Content or len(asked.RequestId) > 50:
        return SendAnswer(CodeResult="110", ErrorMessage="The requested data is incorrect")
    return None


def _message(asked: SendRequest) -> Message:
    return Message(
        sms_id=secrets.token_hex(16),
        phone=PHONE.sub(lambda match: "0" + match.group()[-9:], asked.Phone),
        content=asked.Content,
        brandname=asked.Brandname,
        unicode=asked.IsUnicode == "1",
        request_id=asked.RequestId,
        received_at=now(),
    )


def create(gateway: Gateway) -> FastAPI:
    app = standin("sms")
    app.state.gateway = gateway
    app.include_router(router)
    return app


def _gateway(request: Request) -> Gateway:
    gateway: Gateway = request.app.state.gateway
    return gateway


TheGateway = Annotated[Gateway, Depends(_gateway)]


@router.post("/MainService.svc/json/SendMultipleMessage_V4_post_json/", response_model_exclude_none=True)
async def send(gateway: TheGateway, asked: SendRequest) -> SendAnswer:
    return gateway.send(asked)


@router.get("/messages")
async def messages(gateway: TheGateway, phone: str = "") -> list[Message]:
    return [message for message in gateway.messages.newest_first() if phone in ("", message.phone)]


@router.get("/")
async def show(gateway: TheGateway) -> Response:
    return page("sms.html", messages=gateway.messages.newest_first())
