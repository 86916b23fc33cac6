"""Asking a provider over the network: one POST of JSON, and `Away` for everything that is not an answer."""

from collections.abc import Mapping
from typing import Any

import httpx2

from services.payment.providers import TIMEOUT, Away

LONGEST_ANSWER = 1_000_000
"""Bytes; no provider has more to say about one transaction."""


async def post(url: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """The provider's answer, a JSON object; redirects are not followed."""
    try:
        async with httpx2.AsyncClient(timeout=TIMEOUT, follow_redirects=False) as client:
            answer = await client.post(url, json=dict(body))
        answer.raise_for_status()
        said = answer.json() if len(answer.content) <= LONGEST_ANSWER else None
    except (httpx2.HTTPError, ValueError) as exc:
        raise Away(type(exc).__name__) from exc
    if not isinstance(said, dict):
        raise Away("not an object")
    return said
