"""Paying a fee by the dossier's code: no login, because whoever has the code may pay."""

from typing import Any
from urllib.parse import urlencode

import segno
from fastapi import Request, Response
from markupsafe import Markup

from kit.auth import Public
from kit.clients import Answered
from kit.settings import load
from services.gateway import clients, sessions
from services.gateway.clients import ANYBODY
from services.gateway.pages import Form, go, number, page, pages, text
from services.gateway.settings import GatewaySettings

router = pages()

ATTEMPT, CODE = "lan-thanh-toan", "ma-thanh-toan"
BACK = "/thanh-toan/ket-qua"
WAITS = 20
"""How often the result page asks again by itself before it leaves that to the person."""


@router.get("/thanh-toan", dependencies=[Public])
async def pay(request: Request) -> Response:
    """Enter the code, see the lines."""
    code = request.query_params.get("ma", "")[:60].strip().upper()
    fees = await _fees(code) if code else None
    return page(request, "pay.html", code=code, fees=fees, status=404 if code and not fees else 200)


async def _fees(code: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = await clients.payment.get(f"/api/v1/dossiers/{code}/fees", token=ANYBODY)
    except Answered as refused:
        if refused.status != 404:
            raise
        return None
    return found


@router.post("/thanh-toan", dependencies=[Public])
async def begin(request: Request, form: Form) -> Response:
    """Off to the bank. A double click is the same attempt."""
    code = text(form, "ma").upper()
    back = load(GatewaySettings).gateway_url.rstrip("/") + BACK
    wish = {"provider": text(form, "kenh") or "vnpay", "return_url": back}
    headers = {"Idempotency-Key": text(form, "lan_gui"), **clients.on_behalf_of(request)}
    path = f"/api/v1/dossiers/{code}/attempts"
    started = await clients.payment.send("POST", path, json=wish, token=ANYBODY, headers=headers)
    browser = sessions.browser(request)
    browser.keep(ATTEMPT, started["attempt_id"])
    browser.keep(CODE, code)
    if started["qr"]:
        return page(request, "pay_qr.html", code=code, started=started, picture=_drawn(started["qr"]))
    return go(sessions.partner(started["redirect_url"]))


def _drawn(qr: str) -> Markup:
    """As a picture within the page: nothing is fetched, from us or from anybody."""
    return Markup(segno.make(qr, error="m").svg_inline(border=2, scale=6))  # noqa: S704 (segno wrote it)


@router.get(BACK, dependencies=[Public])
async def result(request: Request) -> Response:
    """Back from the bank. What the browser brings proves nothing: payment is asked how the attempt stands."""
    browser = sessions.browser(request)
    attempt, code = browser.kept(ATTEMPT), browser.kept(CODE)
    if not attempt or not code:
        return go("/thanh-toan")
    found = await clients.payment.get(f"/api/v1/attempts/{attempt}", token=ANYBODY)
    asked = number(request.query_params.get("lan"))
    waiting = found["state"] in ("created", "redirected")
    again = f"{BACK}?{urlencode({'lan': asked + 1})}" if waiting and asked < WAITS else None
    return page(request, "paid.html", code=code, attempt=found, again=again)
