"""HTTP as patient people use it: what fails because a process is down is asked again, as the same request."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2

PATIENCE = 150.0
"""Seconds that a killed process may be away: its restart, and the 45 s after which Kafka believes that it is dead."""
LOOK_AGAIN = 0.25
AWAY = (429, 502, 503, 504)
STILL_RUNNING = "urn:motcua:problem:still-running"


class Refused(Exception):
    """A service said no, and asking again would not help."""

    def __init__(self, what: str, answer: httpx2.Response) -> None:
        problem = problem_of(answer)
        words = problem.get("detail") or problem.get("title") or ""
        super().__init__(f"{what}: {answer.status_code} {words}".strip())
        self.status = answer.status_code


class Unreachable(Exception):
    """Nobody answered for longer than a restart takes."""


Bearer = Callable[[], Awaitable[str]]


class Web:
    """A client that waits for whoever was killed."""

    def __init__(self) -> None:
        self._http = httpx2.AsyncClient(timeout=20)

    async def close(self) -> None:
        await self._http.aclose()

    async def call(
        self, method: str, url: str, *, bearer: Bearer | None = None, key: str = "", **options: Any
    ) -> httpx2.Response:
        """The answer; Refused for a no. `key` makes a repeated command the same command."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                headers = {"Idempotency-Key": key} if key else {}
                if bearer:
                    headers["Authorization"] = f"Bearer {await bearer()}"
                answer = await self._http.request(method, url, headers=headers, **options)
                if not _is_away(answer):
                    return _unless_refused(f"{method} {httpx2.URL(url).path}", answer)
                trouble = str(answer.status_code)
            except httpx2.TransportError as error:
                trouble = type(error).__name__
            if time.monotonic() > until:
                raise Unreachable(f"{httpx2.URL(url).path}: {trouble} trong hơn {PATIENCE:.0f} giây")
            await asyncio.sleep(LOOK_AGAIN)


def problem_of(answer: httpx2.Response) -> dict[str, Any]:
    """The RFC 9457 body of a no; empty if it has none."""
    if "json" not in answer.headers.get("content-type", ""):
        return {}
    body = answer.json()
    return body if isinstance(body, dict) else {}


def _is_away(answer: httpx2.Response) -> bool:
    return answer.status_code in AWAY or (answer.status_code == 409 and problem_of(answer).get("type") == STILL_RUNNING)


def _unless_refused(what: str, answer: httpx2.Response) -> httpx2.Response:
    if answer.status_code >= 400:
        raise Refused(what, answer)
    return answer
