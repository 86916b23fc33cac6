"""Browser sessions: opaque cookies, the tokens behind them, and the proof that a form is one of ours."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from contracts.refusal import Refusal
from kit.settings import load
from services.gateway import clients
from services.gateway.settings import GatewaySettings, origin_of


class FormRefused(Refusal):
    """The form did not come from a page that we gave to this browser."""

    status = 403
    title = "Không nhận được biểu mẫu. Vui lòng tải lại trang rồi gửi lại."
    title_en = "The form was not sent from our own page; reload it and send it again."


class LoginNeeded(Refusal):
    """The page belongs to somebody, and nobody is logged in."""

    status = 401
    title = "Vui lòng đăng nhập để tiếp tục."
    title_en = "Please log in to continue."


class Realm(StrEnum):
    """Citizens and officers log in apart; the value is the cookie's name."""

    CITIZEN = "cong-dan"
    OFFICER = "can-bo"


VISIT = "luot-truy-cap"
EARLY = 10
"""Seconds before its end that a token is no longer used."""


@dataclass(slots=True)
class Browser:
    """What one request's cookies say, and the cookies its answer sets."""

    cookies: dict[str, str]
    changes: dict[str, str | None] = field(default_factory=dict)

    @property
    def visit(self) -> str:
        """This browser's own secret, made when it is first needed; forms are bound to it."""
        known = self._get(VISIT)
        if known is None or len(known) < 40:
            known = self.changes[VISIT] = secrets.token_urlsafe(32)
        return known

    def session(self, realm: Realm) -> str | None:
        return self._get(realm)

    def begin(self, realm: Realm, session: str) -> None:
        """After a login every earlier form is void, so that nobody can have prepared one."""
        self.changes[realm] = session
        self.changes[VISIT] = secrets.token_urlsafe(32)

    def end(self, realm: Realm) -> None:
        forget(self.session(realm))
        self.changes[realm] = None

    async def leave(self, realm: Realm) -> None:
        """The session ends here and at identity, here also when identity is away for the moment."""
        session = self.session(realm)
        self.end(realm)
        if session:
            await clients.end_session(session)

    def keep(self, name: str, value: str | None) -> None:
        """Remember something small until the browser comes back (a login's state, a payment attempt)."""
        self.changes[name] = value

    def kept(self, name: str) -> str | None:
        return self._get(name)

    @property
    def form_token(self) -> str:
        return hmac.new(self.visit.encode(), b"form", hashlib.sha256).hexdigest()

    def _get(self, name: str) -> str | None:
        return self.changes[name] if name in self.changes else self.cookies.get(_cookie(name))

    def write(self, response: Response) -> None:
        """Set and remove what changed. Nothing here is readable by scripts or sent by other sites' requests."""
        rules: dict[str, Any] = {
            "path": "/",
            "httponly": True,
            "samesite": "lax",
            "secure": load(GatewaySettings).secure,
        }
        for name, value in self.changes.items():
            response.set_cookie(_cookie(name), value or "", max_age=0 if value is None else None, **rules)


def browser(request: Request) -> Browser:
    """The request's browser, the same one for everybody who asks."""
    if not hasattr(request.state, "browser"):
        request.state.browser = Browser(dict(request.cookies))
    found: Browser = request.state.browser
    return found


def _cookie(name: str) -> str:
    return f"__Host-{name}" if load(GatewaySettings).secure else name


# ── the proof that a form is ours ─────────────────────────────────────────────────────────────────


async def check_form(request: Request) -> None:
    """Refuse what another site made this browser send.

    Modern browsers say where a request comes from; old web views say nothing, so the page's token is always asked.
    """
    _check_origin(request)
    given = request.headers.get("x-form-token") or str((await request.form()).get("form_token", ""))
    if not hmac.compare_digest(given.encode(), browser(request).form_token.encode()):
        raise FormRefused()


def _check_origin(request: Request) -> None:
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        allowed = site in ("same-origin", "none")
    else:
        allowed = origin is None or origin == origin_of(load(GatewaySettings).gateway_url)
    if not allowed:
        raise FormRefused()


# ── tokens ────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whoever is logged in, as their last token said."""

    session: str
    ref: str
    name: str
    unit: str = ""
    roles: tuple[str, ...] = ()
    standardised: bool = True
    """Whether the account is proven and complete; until then every page asks for it."""

    async def token(self, audience: str) -> str:
        """A bearer for one service, in this person's name."""
        return await token(self.session, audience)


_tokens: OrderedDict[tuple[bytes, str], tuple[str, float]] = OrderedDict()
ROOM = 10_000
"""Tokens kept in memory; the oldest go first."""


async def token(session: str, audience: str) -> str:
    """The session's access token for one service, from memory or from identity.

    Raises LoginNeeded when the session has ended.
    """
    name = (hashlib.sha256(session.encode()).digest(), audience)
    known = _tokens.get(name)
    if known and time.monotonic() < known[1]:
        return known[0]
    made = await clients.session_token(session, audience)
    if made is None:
        forget(session)
        raise LoginNeeded()
    _tokens[name] = (made["access_token"], time.monotonic() + made["expires_in"] - EARLY)
    while len(_tokens) > ROOM:
        _tokens.popitem(last=False)
    return str(made["access_token"])


def forget(session: str | None) -> None:
    """Drop the tokens of a session that ended."""
    digest = hashlib.sha256((session or "").encode()).digest()
    for name in [name for name in _tokens if name[0] == digest]:
        del _tokens[name]


async def visitor(browser: Browser, realm: Realm) -> Visitor | None:
    """Whoever is logged in; None when nobody is. A session that ended is forgotten."""
    try:
        return await demand(browser, realm) if browser.session(realm) else None
    except LoginNeeded:
        browser.end(realm)
        return None


async def demand(browser: Browser, realm: Realm) -> Visitor:
    """Whoever is logged in; LoginNeeded when nobody is."""
    session = browser.session(realm)
    if not session:
        raise LoginNeeded()
    # An officer who has yet to set up a second factor is known to identity only.
    claims = _claims(await token(session, "identity" if realm is Realm.OFFICER else "dossier"))
    return Visitor(
        session,
        claims["sub"],
        claims.get("name", ""),
        claims.get("unit", ""),
        tuple(claims.get("roles", ())),
        bool(claims.get("standardised", True)),
    )


def _claims(access_token: str) -> dict[str, Any]:
    """What a token says. It came from identity directly, so its signature is not checked again here."""
    body = access_token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return found


# ── where a browser may be sent ───────────────────────────────────────────────────────────────────


class ForeignAddress(Refusal):
    """A service gave an address that is not one of the configured partners'."""

    status = 502
    title = "Địa chỉ chuyển hướng không được phép."
    title_en = "The address to go to is not an allowed one."


def own_path(text: str | None, otherwise: str = "/") -> str:
    """The text when it is a path of this site, else `otherwise`: nobody can use us to send people elsewhere."""
    path = text or ""
    ours = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if ours else otherwise


def partner(url: str) -> str:
    """The address when it belongs to the identity provider or the bank; refused otherwise."""
    if not load(GatewaySettings).knows(url):
        raise ForeignAddress()
    return url
