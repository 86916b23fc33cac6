"""The gateway: two providers' ways in, one page that shows every message, and receipts for who asked for them."""

import asyncio
import hmac
import math
import re
import secrets
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Literal

import httpx2
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from pydantic import BaseModel, ConfigDict

from deploy.standins.common import Recent, now, page, standin
from deploy.standins.sms import soap

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
    CallbackUrl: str = ""


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
    provider: str = "esms"

    @property
    def segments(self) -> int:
        """How many messages the phone company counts."""
        one, of_several = (70, 67) if self.unicode else (160, 153)
        length = len(self.content)
        return 1 if length <= one else math.ceil(length / of_several)


Mood = Literal["well", "refuses", "loses_answers"]
"""`refuses`: takes nothing and says so (503). `loses_answers`: takes the message and answers with an error (500)."""
OUT_OF_REACH = "000"
"""Last digits of the phones that never get anything: their receipt says so."""
RECEIPT_ATTEMPTS = 5


@dataclass
class Gateway:
    key: str
    secret: str
    viettel: soap.Contract = field(default_factory=lambda: soap.Contract("", "", ""))
    moods: dict[str, Mood] = field(default_factory=dict)
    """Provider → how it feels; well, when nothing is said."""
    messages: Recent[Message] = field(default_factory=lambda: Recent(2_000))
    """By SMSID."""
    requests: Recent[Message] = field(default_factory=lambda: Recent(100_000))
    """By RequestId."""
    telling: set[asyncio.Task[None]] = field(default_factory=set)
    """Receipts on their way."""

    def tell(self, receipt: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(receipt)
        self.telling.add(task)
        task.add_done_callback(self.telling.discard)

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

    def send_by_viettel(self, asked: soap.Asked) -> tuple[str, str]:
        """(result, message) as `wsCpMt` answers."""
        if problem := soap.problem(asked, self.viettel):
            return "0", problem
        request = f"viettel {asked.ReceiverID} {asked.Content}"
        first = self.requests.get(request)
        if first and first.received_at > now() - REMEMBERS_REQUESTS:
            return "0", "Check ServiceID: DUPLICATE MESSAGE"
        phone = f"0{asked.ReceiverID[2:]}"
        message = Message(
            secrets.token_hex(16), phone, asked.Content, asked.ServiceID, asked.ContentType == "1", "", now(), "viettel"
        )
        self.messages[message.sms_id] = self.requests[request] = message
        return "1", "Insert MT_QUEUE: OK"

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
async def send(gateway: TheGateway, asked: SendRequest, answer: Response) -> SendAnswer | None:
    mood = gateway.moods.get("esms", "well")
    answer.status_code = {"well": 200, "refuses": 503, "loses_answers": 500}[mood]
    if mood == "refuses":
        return None
    said = gateway.send(asked)
    if said.CodeResult == "100" and asked.CallbackUrl:
        gateway.tell(_tell(asked.CallbackUrl, gateway.messages[said.SMSID or ""]))
    return said if mood == "well" else None


async def _tell(url: str, message: Message) -> None:
    """eSMS's callback: a GET, tried five times."""
    arrived = not message.phone.endswith(OUT_OF_REACH)
    told = {
        "SMSID": message.sms_id, "RequestId": message.request_id, "TypeId": "2", "SendStatus": "5", "telcoid": "1",
        "TotalReceiver": "1", "TotalSent": "1", "phonenumber": message.phone,
        "SendSuccess": str(int(arrived)), "SendFailed": str(int(not arrived)),
    }  # fmt: skip
    async with httpx2.AsyncClient(timeout=5) as http:
        for attempt in range(RECEIPT_ATTEMPTS):
            await asyncio.sleep(0.2 * 2**attempt)
            try:
                if (await http.get(url, params=told)).is_success:
                    return
            except httpx2.TransportError:
                continue


@router.post("/bulkapi")
async def send_by_viettel(gateway: TheGateway, request: Request) -> Response:
    mood = gateway.moods.get("viettel", "well")
    if mood == "refuses":
        return Response(status_code=503)
    asked = soap.read(await request.body())
    if asked is None:
        return Response(soap.FAULT, 500, media_type="text/xml")
    result, said = gateway.send_by_viettel(asked)
    if mood == "loses_answers":
        return Response(status_code=500)
    return Response(soap.answer(result, said), media_type="text/xml")


@router.post("/moods", status_code=204)
async def change_moods(gateway: TheGateway, moods: dict[str, Mood]) -> None:
    """For tests and demonstrations of what happens when a provider fails."""
    gateway.moods.update(moods)


@router.get("/messages")
async def messages(gateway: TheGateway, phone: str = "") -> list[Message]:
    return [message for message in gateway.messages.newest_first() if phone in ("", message.phone)]


@router.get("/")
async def show(gateway: TheGateway) -> Response:
    return page("sms.html", messages=gateway.messages.newest_first())
