"""MoMo v2: create → pay page → signed IPN that must be answered 204; query and refund.

Signatures: HMAC-SHA256 over `key=value` joined by `&`, keys from a to z, with the access key among them.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

import httpx2
from fastapi import APIRouter, Form, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from deploy.standins.common import Recent, now, page

CREATE = (
    *("accessKey", "amount", "extraData", "ipnUrl", "orderId", "orderInfo", "partnerCode", "redirectUrl"),
    *("requestId", "requestType"),
)
QUERY = ("accessKey", "orderId", "partnerCode", "requestId")
REFUND = ("accessKey", "amount", "description", "orderId", "partnerCode", "requestId", "transId")
PENDING, PAID, CANCELLED = 1000, 0, 1006
BAD_SIGNATURE, NOT_FOUND, REFUSED = 11, 42, 1080

router = APIRouter()


def sign(fields: Mapping[str, Any], secret: str) -> str:
    text = "&".join(f"{name}={fields[name]}" for name in sorted(fields))
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


@dataclass
class Order:
    asked: Mapping[str, Any]
    code: int = PENDING
    trans_id: int = 0
    decided_at: datetime | None = None
    refund: dict[str, Any] | None = None
    reversed: bool = False
    callbacks: list[str] = field(default_factory=list)
    """HTTP status of each call to the merchant, or the kind of failure."""


@dataclass
class MoMo:
    partner_code: str
    access_key: str
    secret: str
    address: str
    orders: Recent[Order] = field(default_factory=lambda: Recent(10_000))
    last: int = field(default_factory=lambda: 4_000_000_000 + secrets.randbelow(1_000_000))

    def believes(self, asked: Mapping[str, Any], names: tuple[str, ...]) -> bool:
        fields = {name: asked.get(name, "") for name in names} | {"accessKey": self.access_key}
        return hmac.compare_digest(sign(fields, self.secret), str(asked.get("signature", "")))

    def told(self, order: Order) -> dict[str, Any]:
        """The IPN's body."""
        at = order.decided_at or now()
        fields = {
            "amount": order.asked["amount"], "extraData": order.asked["extraData"],
            "message": "Successful." if order.code == PAID else "Transaction denied by user.",
            "orderId": order.asked["orderId"], "orderInfo": order.asked["orderInfo"], "orderType": "momo_wallet",
            "partnerCode": self.partner_code, "payType": "qr", "requestId": order.asked["requestId"],
            "responseTime": int(at.timestamp() * 1000), "resultCode": order.code, "transId": order.trans_id,
        }  # fmt: skip
        return fields | {"signature": sign(fields | {"accessKey": self.access_key}, self.secret)}


def _momo(request: Request) -> MoMo:
    momo: MoMo = request.app.state.momo
    return momo


@router.post("/v2/gateway/api/create")
async def create(request: Request, asked: dict[str, Any]) -> dict[str, Any]:
    momo = _momo(request)
    if not momo.believes(asked, CREATE):
        return {"resultCode": BAD_SIGNATURE, "message": "Bad signature"}
    order = momo.orders.get(str(asked["orderId"]))
    if order is None:
        order = momo.orders[str(asked["orderId"])] = Order(asked)
    elif order.asked["requestId"] != asked["requestId"]:
        return {"resultCode": 41, "message": "Duplicated orderId"}
    return {
        "partnerCode": momo.partner_code, "orderId": asked["orderId"], "requestId": asked["requestId"],
        "amount": asked["amount"], "resultCode": 0, "message": "Successful.",
        "payUrl": f"{momo.address}/momo/{asked['orderId']}",
    }  # fmt: skip


@router.get("/momo/{order_id}")
async def show(request: Request, order_id: str) -> Response:
    order = _order(request, order_id)
    return page(
        "bank.html", amount=order.asked["amount"], txn_ref=order_id, order_info=order.asked["orderInfo"],
        merchant=f"MoMo · {order.asked['partnerCode']}",
    )  # fmt: skip


@router.post("/momo/{order_id}")
async def decide(request: Request, order_id: str, decision: Annotated[str, Form(pattern="^(pay|cancel)$")]) -> Response:
    momo, order = _momo(request), _order(request, order_id)
    if order.code == PENDING:
        order.code, order.decided_at = (PAID if decision == "pay" else CANCELLED), now()
        if order.code == PAID:
            momo.last += 1
            order.trans_id = momo.last
            order.reversed = request.app.state.callbacks.behaviour.reversed

        async def tell(client: httpx2.AsyncClient, forged: bool) -> str:
            body = momo.told(order) | ({"signature": "0" * 64} if forged else {})
            return await _call(client, str(order.asked["ipnUrl"]), body)

        request.app.state.callbacks.begin(tell, ("204",), order.callbacks)
    return RedirectResponse(str(order.asked["redirectUrl"]), 303)


async def _call(client: httpx2.AsyncClient, url: str, body: dict[str, Any]) -> str:
    try:
        return str((await client.post(url, json=body)).status_code)
    except httpx2.HTTPError as error:
        return type(error).__name__


@router.get("/told/momo/{order_id}")
async def told(request: Request, order_id: str) -> dict[str, Any]:
    """The IPN about this order, for tests; the real one shows it to nobody."""
    return _momo(request).told(_order(request, order_id))


@router.post("/v2/gateway/api/query")
async def query(request: Request, asked: dict[str, Any]) -> dict[str, Any]:
    momo = _momo(request)
    if not momo.believes(asked, QUERY):
        return {"resultCode": BAD_SIGNATURE, "message": "Bad signature"}
    order = momo.orders.get(str(asked["orderId"]))
    if order is None:
        return {"resultCode": NOT_FOUND, "orderId": asked["orderId"], "amount": 0, "message": "Order not found"}
    return {name: value for name, value in momo.told(order).items() if name != "signature"}


@router.post("/v2/gateway/api/refund")
async def refund(request: Request, asked: dict[str, Any]) -> dict[str, Any]:
    momo = _momo(request)
    if not momo.believes(asked, REFUND):
        return {"resultCode": BAD_SIGNATURE, "message": "Bad signature"}
    order = next((o for o in momo.orders.values() if o.trans_id == asked["transId"]), None)
    if order is None or request.app.state.callbacks.behaviour.refuses_refunds:
        return {"resultCode": REFUSED, "message": "Refund refused"}
    if order.refund is None:
        momo.last += 1
        order.refund = {
            "resultCode": 0,
            "transId": momo.last,
            "requestId": asked["requestId"],
            "message": "Successful.",
        }
    if order.refund["requestId"] != asked["requestId"]:
        return {"resultCode": REFUSED, "message": "Refunded before"}
    return order.refund


def _order(request: Request, order_id: str) -> Order:
    order = _momo(request).orders.get(order_id)
    if order is None:
        raise HTTPException(404)
    return order
