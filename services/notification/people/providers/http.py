"""One question to a provider over HTTP, and what its failures mean."""

import httpx2

from services.notification.people.providers import NotTaken, Unclear

TIMEOUT = httpx2.Timeout(10.0, connect=3.0)
LONGEST_ANSWER = 64 * 1024
"""Bytes; a provider's answer is a few hundred."""
REFUSED_AT_THE_DOOR = (408, 429, 503)
"""Answers that come from before anything was done."""


def client() -> httpx2.AsyncClient:
    """Connections that are kept: a new one for each message costs more than the message."""
    return httpx2.AsyncClient(timeout=TIMEOUT, limits=httpx2.Limits(max_connections=20), follow_redirects=False)


async def ask(http: httpx2.AsyncClient, url: str, content: bytes, content_type: str, **headers: str) -> bytes:
    """The body of a good answer. NotTaken if the question surely did nothing, Unclear if it may have."""
    try:
        asked = http.stream("POST", url, content=content, headers={"Content-Type": content_type, **headers})
        async with asked as answer:
            body = await _read(answer)
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as exc:
        raise NotTaken(type(exc).__name__) from None  # the exception's own text may quote what was sent
    except httpx2.HTTPError as exc:
        raise Unclear(type(exc).__name__) from None
    status = answer.status_code
    if status in REFUSED_AT_THE_DOOR or 300 <= status < 500:
        raise NotTaken(f"HTTP {status}")
    if status >= 500:
        raise Unclear(f"HTTP {status}")
    return body


async def _read(answer: httpx2.Response) -> bytes:
    body = b""
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > LONGEST_ANSWER:
            raise Unclear("answer too long")
    return body
