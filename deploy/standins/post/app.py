"""The post office: what it accepts, whom it tells, and the page that shows it."""

import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import httpx2
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ValidationError

from deploy.standins.common import Recent, now, page, standin

router = APIRouter()
SIGNATURE = "X-Signature"
REFUSED = "Người nhận vắng mặt"


class Status(StrEnum):
    ORDERED = "ordered"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    FAILED = "failed"


class Order(BaseModel):
    """What a customer posts."""

    CustomerCode: str
    OrderNumber: str
    CODAmount: int = 0
    SenderFullname: str
    SenderAddress: str
    SenderTel: str
    ReceiverFullname: str
    ReceiverAddress: str
    ReceiverTel: str


@dataclass(frozen=True)
class Letter:
    """One letter."""

    order: Order
    item_code: str
    status: Status
    changed_at: datetime


@dataclass
class PostOffice:
    secret: str
    callback_url: str
    letters: Recent[Letter] = field(default_factory=lambda: Recent(10_000))
    """By OrderNumber."""

    def sign(self, body: bytes) -> str:
        return hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()

    def take(self, order: Order) -> Letter:
        """The letter of this order; the same one when it was ordered before."""
        if order.OrderNumber not in self.letters:
            item_code = f"EM{secrets.randbelow(10**9):09d}VN"
            self.letters[order.OrderNumber] = Letter(order, item_code, Status.ORDERED, now())
        return self.letters[order.OrderNumber]

    async def tell(self, letter: Letter) -> int:
        """Call the customer; the HTTP status of the answer."""
        news = {"OrderNumber": letter.order.OrderNumber, "ItemCode": letter.item_code, "Status": letter.status}
        news |= {"Reason": REFUSED} if letter.status is Status.FAILED else {}
        body = json.dumps(news, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json", SIGNATURE: self.sign(body)}
        async with httpx2.AsyncClient(timeout=10) as http:
            return (await http.post(self.callback_url, content=body, headers=headers)).status_code


def create(office: PostOffice) -> FastAPI:
    app = standin("post")
    app.state.office = office
    app.include_router(router)
    return app


def _office(request: Request) -> PostOffice:
    office: PostOffice = request.app.state.office
    return office


ThePost = Annotated[PostOffice, Depends(_office)]


@router.post("/orders")
async def take(office: ThePost, request: Request) -> dict[str, str]:
    body = await request.body()
    if not hmac.compare_digest(office.sign(body).encode(), request.headers.get(SIGNATURE, "").encode()):
        raise HTTPException(403, "wrong signature")
    try:
        order = Order.model_validate_json(body)
    except ValidationError as exc:
        raise HTTPException(422, "a field is missing") from exc
    return {"ItemCode": office.take(order).item_code}


@router.post("/orders/{number}/{status}")
async def move(office: ThePost, number: str, status: Status) -> Response:
    """The postman says what became of it."""
    if number not in office.letters:
        raise HTTPException(404, "no such order")
    letter = replace(office.letters[number], status=status, changed_at=now())
    office.letters[number] = letter
    if await office.tell(letter) >= 300:
        raise HTTPException(502, "the customer did not take the news")
    return RedirectResponse("/", 303)


@router.get("/orders")
async def orders(office: ThePost) -> list[Letter]:
    return office.letters.newest_first()


@router.get("/")
async def show(office: ThePost) -> Response:
    return page("post.html", letters=office.letters.newest_first())
