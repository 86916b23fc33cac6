"""Access tokens for subscribers that ask for them: OAuth 2.0 client credentials (RFC 6749, 4.4)."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus

from aiohttp import encode_basic_auth
from pydantic_core import from_json

UNTOLD_LIFE = 300.0
"""Seconds that a token is used when the server does not tell."""
RENEW_BEFORE = 30.0
LONGEST_ANSWER = 16384


@dataclass(frozen=True, slots=True)
class OAuth2Client:
    """Who we are at a subscriber's authorisation server."""

    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str = ""


class NoToken(Exception):
    """There is no token to be had now: they refused us, were away, or answered nonsense."""


@dataclass(frozen=True, slots=True)
class _Token:
    text: str = field(repr=False)
    ends: float


Ask = Callable[[str, Mapping[str, str], Mapping[str, str]], Awaitable[tuple[int, bytes]]]
"""POST a form: (address, form, headers) → (status, body up to LONGEST_ANSWER)."""


class Tokens:
    """The tokens of one process. However many requests need one, it is asked for once."""

    def __init__(self) -> None:
        self._kept: dict[OAuth2Client, _Token] = {}
        self._locks: defaultdict[OAuth2Client, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def of(self, client: OAuth2Client, ask: Ask, *, instead_of: str = "") -> str:
        """A token that is good for a while. `instead_of`: one that was refused, and is asked for anew. NoToken."""
        async with self._locks[client]:
            kept = self._kept.get(client)
            if not kept or kept.text == instead_of or time.monotonic() > kept.ends:
                kept = self._kept[client] = _read(*await ask(client.token_url, _form(client), _basic(client)))
            return kept.text


def _form(client: OAuth2Client) -> dict[str, str]:
    return {"grant_type": "client_credentials", **({"scope": client.scope} if client.scope else {})}


def _basic(client: OAuth2Client) -> dict[str, str]:
    """HTTP Basic, which every server must know; both parts are form-encoded first (RFC 6749, 2.3.1)."""
    return {"authorization": encode_basic_auth(quote_plus(client.client_id), quote_plus(client.client_secret))}


def _read(status: int, body: bytes) -> _Token:
    try:
        answer: Any = from_json(body) if status == 200 else {}
        token, life = str(answer["access_token"]), float(answer.get("expires_in") or UNTOLD_LIFE)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise NoToken(f"answered {status} without a token") from None
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise NoToken("answered with a token that no header can hold")
    return _Token(token, time.monotonic() + max(life - RENEW_BEFORE, 0.0))
