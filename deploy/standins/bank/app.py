"""The bank over HTTP: payment pages, callbacks to the merchant, questions, and the list of what happened."""

import asyncio
import csv
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from io import StringIO
from typing import Annotated, Any

import httpx2
from fastapi import APIRouter, Depends, FastAPI, Form, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from deploy.standins.bank import account, momo, national
from deploy.standins.bank.behaviour import Behaviour
from deploy.standins.bank.callbacks import TIMEOUT, Callbacks
from deploy.standins.bank.others import Others
from deploy.standins.bank.vnpay import Bank, Payment, PaymentPageError
from deploy.standins.common import VIET_NAM, page, standin

SETTLED = ("00", "02")
"""RspCode with which a merchant has understood; after any other the callback is repeated."""

router = APIRouter()


def create(bank: Bank, others: Others) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with httpx2.AsyncClient(timeout=TIMEOUT) as client, asyncio.TaskGroup() as calls:
            app.state.callbacks = Callbacks(client, calls, bank.retry_seconds)
            yield
            app.state.callbacks.stop()

    app = standin("bank", lifespan)
    app.state.bank, app.state.momo = bank, others.momo
    app.state.national, app.state.account = others.national, others.account
    for each in (router, momo.router, national.router, account.router):
        app.include_router(each)
    app.exception_handler(PaymentPageError)(_refuse)
    return app


def _teller(bank: Bank, payment: Payment) -> Any:
    async def tell(client: httpx2.AsyncClient, forged: bool) -> str:
        """The merchant's RspCode; for anything that is none, what went wrong."""
        try:
            answer = await client.get(bank.callback_url(payment, forged=forged))
            return str(answer.json()["RspCode"])
        except httpx2.HTTPError as error:
            return type(error).__name__
        except (ValueError, KeyError, TypeError):
            return "not VNPAY"

    return tell


def _bank(request: Request) -> Bank:
    bank: Bank = request.app.state.bank
    return bank


def _payment(request: Request, bank: Annotated[Bank, Depends(_bank)]) -> Payment:
    return bank.asked_to_pay(request.query_params)


TheBank = Annotated[Bank, Depends(_bank)]
ThePayment = Annotated[Payment, Depends(_payment)]


@router.get("/paymentv2/vpcpay.html")
async def show(bank: TheBank, payment: ThePayment) -> Response:
    if payment.outcome is not None:
        return RedirectResponse(bank.return_url(payment), 303)
    asked = payment.asked
    return page(
        "bank.html",
        amount=payment.amount,
        txn_ref=payment.txn_ref,
        order_info=asked["vnp_OrderInfo"],
        merchant=asked["vnp_TmnCode"],
    )


@router.post("/paymentv2/vpcpay.html")
async def decide(
    request: Request, bank: TheBank, payment: ThePayment, decision: Annotated[str, Form(pattern="^(pay|cancel)$")]
) -> Response:
    callbacks: Callbacks = request.app.state.callbacks
    if bank.decide(payment, pay=decision == "pay"):
        payment.reversed = payment.paid and callbacks.behaviour.reversed
        callbacks.begin(_teller(bank, payment), SETTLED, payment.callbacks)
    return RedirectResponse(bank.return_url(payment), 303)


@router.post("/merchant_webapi/api/transaction")
async def ask(request: Request, bank: TheBank, asked: dict[str, Any]) -> dict[str, str]:
    said = {name: str(value) for name, value in asked.items()}
    if said.get("vnp_Command") == "refund":
        return bank.refund(said, refuses=request.app.state.callbacks.behaviour.refuses_refunds)
    return bank.query(said)


@router.get("/behaviour")
async def behaviour(request: Request) -> Behaviour:
    current: Behaviour = request.app.state.callbacks.behaviour
    return current


@router.post("/behaviour")
async def behave(request: Request, asked: Behaviour) -> Behaviour:
    request.app.state.callbacks.behaviour = asked
    return asked


@router.get("/statements/{provider}.csv")
async def statement(request: Request, provider: str) -> Response:
    """What the provider has moved so far, one line for each movement; settled on the same day."""
    movements = {"vnpay": _vnpay_movements, "momo": _momo_movements}.get(provider)
    if movements is None:
        raise HTTPException(404)
    out = StringIO()
    table = csv.writer(out)
    table.writerow(("type", "transaction", "reference", "amount", "moved_at", "settled_on"))
    for kind, number, reference, amount, at in movements(request):
        local = at.astimezone(VIET_NAM)
        table.writerow((kind, number, reference, amount, local.isoformat(timespec="seconds"), local.date()))
    return Response(out.getvalue(), media_type="text/csv")


def _vnpay_movements(request: Request) -> Iterator[tuple[str, str, str, int, Any]]:
    bank: Bank = request.app.state.bank
    for payment in bank.payments.values():
        if payment.paid and payment.decided_at:
            yield "capture", payment.transaction_no, payment.txn_ref, payment.amount, payment.decided_at
        if payment.reversed:
            yield "reversal", f"{payment.transaction_no}R", payment.txn_ref, payment.amount, payment.decided_at
        if payment.refund_no:
            yield "refund", payment.refund_no, payment.txn_ref, payment.amount, payment.decided_at


def _momo_movements(request: Request) -> Iterator[tuple[str, str, str, int, Any]]:
    for order_id, order in request.app.state.momo.orders.items():
        if order.code == momo.PAID:
            yield "capture", str(order.trans_id), order_id, order.asked["amount"], order.decided_at
        if order.reversed:
            yield "reversal", f"{order.trans_id}R", order_id, order.asked["amount"], order.decided_at
        if order.refund:
            yield "refund", str(order.refund["transId"]), order_id, order.asked["amount"], order.decided_at


@router.get("/transactions")
async def transactions(bank: TheBank) -> list[dict[str, Any]]:
    """Newest first; callbacks holds the merchant's RspCode of each call."""
    return [
        {
            "txn_ref": payment.txn_ref,
            "amount": payment.amount,
            "transaction_no": payment.transaction_no,
            "response_code": payment.outcome.response_code if payment.outcome else None,
            "decided_at": payment.decided_at,
            "callbacks": payment.callbacks,
        }
        for payment in bank.payments.newest_first()
    ]


async def _refuse(_: Request, error: PaymentPageError) -> Response:
    texts = {"standin": "Ngân hàng thử nghiệm", "title": "Không thể thanh toán"}
    return page("trouble.html", 400, **texts, detail=error.detail, code=error.code)
