"""Calls from one service to another: our token, the trace, timeouts, and retries of what may be repeated."""

import asyncio
import os
import time
from typing import Any

import httpx2

from kit import telemetry
from kit.problems import Unavailable
from kit.settings import Settings, load

TIMEOUT = httpx2.Timeout(5.0, connect=2.0)
READ_ATTEMPTS = 3
PDF = "application/pdf"
"""An answer of this type is the document's bytes; every other is JSON."""


_own_name = ""


def identify_as(name: str) -> None:
    """Tell under which name this process asks identity for its own tokens."""
    global _own_name
    _own_name = name


def address_of(name: str) -> str:
    """Where the service of that name is: MOTCUA_<NAME>_URL."""
    return os.environ[f"MOTCUA_{name.upper()}_URL"].rstrip("/")


class Answered(Exception):
    """The other side said no; `problem` is its RFC 9457 body."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(f"{status} {problem.get('type', '')}")
        self.status = status
        self.problem = problem


class ServiceClient:
    """HTTP to one of our services, by its name (`identity` → MOTCUA_IDENTITY_URL)."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._http: httpx2.AsyncClient | None = None
        self._token = ""
        self._token_ends = 0.0

    async def get(self, path: str, *, token: str | None = None, **params: Any) -> Any:
        """GET, repeated with a pause when the other side is away; Unavailable if it stays away."""
        for attempt in range(1, READ_ATTEMPTS + 1):
            try:
                return await self.send("GET", path, params=params, token=token)
            except Unavailable:
                if attempt == READ_ATTEMPTS:
                    raise
                await asyncio.sleep(0.2 * 2**attempt)
        raise AssertionError("unreachable")

    async def post(
        self,
        path: str,
        json: Any = None,
        *,
        idempotency_key: str | None = None,
        token: str | None = None,
        method: str = "POST",
    ) -> Any:
        """A command. With an idempotency key it may be sent again when the answer was lost."""
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        return await self.send(method, path, json=json, headers=headers, token=token)

    async def send(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
        **options: Any,
    ) -> Any:
        """One request; `token` is the bearer to use instead of our own ("" sends none)."""
        return _content(await self._request(method, path, token, headers, options))

    async def file(self, path: str, *, token: str | None = None, **params: Any) -> httpx2.Response:
        """GET of something that is no JSON, whole and with its headers."""
        answer = await self._request("GET", path, token, None, {"params": params})
        _content(answer)
        return answer

    async def _request(
        self, method: str, path: str, token: str | None, headers: dict[str, str] | None, options: dict[str, Any]
    ) -> httpx2.Response:
        bearer = await self._own_token() if token is None else token
        parent = telemetry.traceparent()
        all_headers = {
            **({"Authorization": f"Bearer {bearer}"} if bearer else {}),
            **({"traceparent": parent} if parent else {}),
            **(headers or {}),
        }
        try:
            return await self._client().request(method, path, headers=all_headers, **options)
        except httpx2.TransportError as exc:
            raise Unavailable from exc

    def _client(self) -> httpx2.AsyncClient:
        if self._http is None:
            self._http = httpx2.AsyncClient(base_url=address_of(self.name), timeout=TIMEOUT)
        return self._http

    async def _own_token(self) -> str:
        """Our token for the other side, renewed half a minute before it ends."""
        if time.monotonic() > self._token_ends:
            settings = load(Settings)
            form = {
                "grant_type": "client_credentials", "client_id": _own_name,
                "client_secret": settings.client_secret, "audience": self.name,
            }  # fmt: skip
            try:
                async with httpx2.AsyncClient(timeout=TIMEOUT) as client:
                    answer = _content(await client.post(f"{settings.identity_url}/oauth/token", data=form))
            except httpx2.TransportError as exc:
                raise Unavailable from exc
            self._token = str(answer["access_token"])
            self._token_ends = time.monotonic() + float(answer["expires_in"]) - 30
        return self._token

    async def close(self) -> None:
        if self._http is not None:
            await self._http.aclose()
            self._http = None


def _content(answer: httpx2.Response) -> Any:
    if answer.status_code in (502, 503, 504):
        raise Unavailable
    if answer.is_success and answer.headers.get("content-type") == PDF:
        return answer.content
    body = answer.json() if answer.content and "json" in answer.headers.get("content-type", "") else {}
    if answer.status_code >= 400:
        raise Answered(answer.status_code, body)
    return body
