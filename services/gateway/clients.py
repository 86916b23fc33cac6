"""The services behind the pages, and what is asked of them in more than one place."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import httpx2
from fastapi import Request

from kit import telemetry
from kit.clients import Answered, ServiceClient, address_of
from kit.problems import Unavailable

identity = ServiceClient("identity")
dossier = ServiceClient("dossier")
payment = ServiceClient("payment")
tracking = ServiceClient("tracking")

ANYBODY = ""
"""The bearer of a call that needs none."""


async def session_token(session: str, audience: str) -> dict[str, Any] | None:
    """A new access token of the session for one service; None when the session has ended."""
    try:
        made: dict[str, Any] = await identity.post(f"/api/v1/sessions/{session}/tokens", {"audience": audience})
    except Answered as refused:
        if refused.status in (401, 404, 422):
            return None
        raise
    return made


def on_behalf_of(request: Request) -> dict[str, str]:
    """The visitor's own address, for services that count by it or pass it to the bank."""
    return {"X-Forwarded-For": request.client.host} if request.client else {}


async def end_session(session: str) -> None:
    await identity.post(f"/api/v1/sessions/{session}", method="DELETE")


@asynccontextmanager
async def long(path: str, token: str, headers: dict[str, str], **query: Any) -> AsyncIterator[httpx2.Response]:
    """A long answer of tracking, to be read piece by piece: a live stream, an export. Answered when it is a no."""
    parent = telemetry.traceparent()
    bearer = {"Authorization": f"Bearer {token}"} if token else {}
    all_headers = {**bearer, **({"traceparent": parent} if parent else {}), **headers}
    try:
        async with _patient().stream("GET", address_of("tracking") + path, headers=all_headers, params=query) as answer:
            if answer.status_code >= 400:
                raise Answered(answer.status_code, await _problem(answer))
            yield answer
    except httpx2.TransportError as exc:
        raise Unavailable from exc


@cache
def _patient() -> httpx2.AsyncClient:
    """Apart from the short calls: streams stay open, and no bound on connections lets others wait for them."""
    return httpx2.AsyncClient(
        timeout=httpx2.Timeout(5.0, connect=2.0, read=120.0), limits=httpx2.Limits(max_connections=None)
    )


async def _problem(answer: httpx2.Response) -> dict[str, Any]:
    await answer.aread()
    found: dict[str, Any] = answer.json() if "json" in answer.headers.get("content-type", "") else {}
    return found
