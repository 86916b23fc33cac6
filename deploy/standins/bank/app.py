"""The bank over HTTP: the payment page, the callback to the merchant, the query, the list of what happened."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import httpx2
from fastapi import APIRouter, Depends, FastAPI, Form, Request, Response
from fastapi.responses import RedirectResponse

from deploy.standins.bank.vnpay import Bank, Payment, PaymentPageError
from deploy.standins.common import page, standin

CALLBACK_TRIES = 10
CALLBACK_TIMEOUT = 15.0
SETTLED = ("00", "02")
"""RspCode with which a merchant has understood; after any other the callback is repeated."""

router = APIRouter()


def create(bank: Bank) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with httpx2.AsyncClient(timeout=CALLBACK_TIMEOUT) as client, asyncio.TaskGroup() as calls:
            app.state.callbacks = Callbacks(bank, client, calls)
            yield
            app.state.callbacks.stop()

    app = standin("bank", lifespan)
    app.state.bank = bank
    app.include_router(router)
    app.exception_handler(PaymentPageError)(_refuse)
    return app


class Callbacks:
    """Tells the merchant, in the background, until it has understood."""

    def __init__(self, bank: Bank, client: httpx2.AsyncClient, tasks: asyncio.TaskGroup) -> None:
        self._bank = bank
        self._client = client
        self._tasks = tasks
        self._running: set[asyncio.Task[None]] = set()

    def begin(self, payment: Payment) -> None:
        task = self._tasks.create_task(self._tell(payment))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def stop(self) -> None:
        for task in self._running:
            task.cancel()

    async def _tell(self, payment: Payment) -> None:
        for _ in range(CALLBACK_TRIES):
            code = await self._call(payment)
            payment.callbacks.append(code)
            if code in SETTLED:
                return
            await asyncio.sleep(self._bank.retry_seconds)

    async def _call(self, payment: Payment) -> str:
        """The merchant's RspCode; for anything that is none, what went wrong."""
        try:
            answer = await self._client.get(self._bank.callback_url(payment))
            return str(answer.json()["RspCode"])
        except httpx2.HTTPError as error:
            return type(error).__name__
        except (ValueError, KeyError, TypeError):
            return "not VNPAY"


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
    if bank.decide(payment, pay=decision == "pay"):
        request.app.state.callbacks.begin(payment)
    return RedirectResponse(bank.return_url(payment), 303)


@router.post("/merchant_webapi/api/transaction")
async def query(bank: TheBank, asked: dict[str, Any]) -> dict[str, str]:
    return bank.query({name: str(value) for name, value in asked.items()})


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
