"""What every page has: its answer rendered, its headers, its form checked, and a sentence when something is away."""

import hashlib
import mimetypes
import secrets
from collections.abc import Callable, Coroutine
from functools import cache
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import structlog
import yaml
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import FormData

from contracts.refusal import Refusal
from kit.auth import Public
from kit.clients import Answered
from kit.clock import now
from kit.problems import Broken, NotFound, Unavailable
from kit.settings import load
from services.gateway import sessions, words
from services.gateway.sessions import LoginNeeded, Realm, Visitor
from services.gateway.settings import GatewaySettings

log = structlog.get_logger()

FOLDER = Path(__file__).parent
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class TooLarge(Refusal):
    """More bytes than a form of ours can have."""

    status = 413
    title = "Tệp quá lớn. Vui lòng giảm dung lượng tệp rồi gửi lại."
    title_en = "The upload is too large."


# ── rendering ─────────────────────────────────────────────────────────────────────────────────────


@cache
def tenant() -> dict[str, Any]:
    """The province this site serves."""
    found: dict[str, Any] = yaml.safe_load(Path(load(GatewaySettings).tenant, "tenant.yaml").read_text("utf-8"))
    return found


@cache
def units() -> dict[str, dict[str, Any]]:
    """Agency id → the agency."""
    text = Path(load(GatewaySettings).tenant, "units.yaml").read_text("utf-8")
    return {unit["id"]: unit for unit in yaml.safe_load(text)["units"]}


def unit_name(unit: str | None) -> str:
    """The agency's name; its id when it is not ours; empty for none."""
    return str(units().get(unit or "", {}).get("name", unit or ""))


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        clock=words.clock, day=words.day, dong=words.dong, unit=unit_name, state=words.state, span=words.span
    )
    environment.globals.update(static=static_url, tenant=tenant, labels=words)
    return environment


def page(request: Request, template: str, *, status: int = 200, **facts: Any) -> HTMLResponse:
    """The template as an answer; `me` is whoever is logged in, or None."""
    browser = sessions.browser(request)
    html = (
        _templates()
        .get_template(template)
        .render(
            me=request.state.me,
            path=request.url.path,
            form_token=browser.form_token,
            now=now(),
            remaining=lambda due: words.remaining(due, now()),
            once=lambda: secrets.token_urlsafe(16),
            **facts,
        )
    )
    return HTMLResponse(html, status)


def go(path: str) -> RedirectResponse:
    """On to another page; the browser asks for it with GET."""
    return RedirectResponse(path, 303)


# ── static files ──────────────────────────────────────────────────────────────────────────────────


@cache
def _static() -> dict[str, tuple[bytes, str]]:
    return {
        file.name: (file.read_bytes(), mimetypes.guess_type(file.name)[0] or "application/octet-stream")
        for file in (FOLDER / "static").iterdir()
        if file.is_file()
    }


def static_url(name: str) -> str:
    """The file's address, which changes with its content: browsers may keep it for ever."""
    return f"/static/{name}?v={hashlib.sha256(_static()[name][0]).hexdigest()[:10]}"


# ── every page ────────────────────────────────────────────────────────────────────────────────────


@cache
def _headers() -> dict[str, str]:
    settings = load(GatewaySettings)
    policy = {
        "default-src": "'none'",
        "style-src": "'self'",
        "script-src": "'self'",
        "img-src": "'self'",
        "connect-src": " ".join(["'self'", *settings.partners]),
        "form-action": " ".join(["'self'", *settings.partners]),
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }
    strict = {"Strict-Transport-Security": "max-age=31536000; includeSubDomains"} if settings.secure else {}
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
        "Cache-Control": "no-store",
        **strict,
    }


class Page(APIRoute):
    """A route for people: knows who looks, checks forms, answers trouble with a page, and sets cookies and headers."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def run(request: Request) -> Response:
            request.state.me = None
            answer = await _answer(handle, request)
            sessions.browser(request).write(answer)
            for name, value in _headers().items():
                answer.headers.setdefault(name, value)
            return answer

        return run


async def _answer(handle: Handler, request: Request) -> Response:
    try:
        request.state.me = await _visitor(request)
        if request.method == "POST":
            _check_size(request)
            await sessions.check_form(request)
        return await handle(request)
    except LoginNeeded:
        return _to_login(request)
    except Answered as refused:
        return _refused(request, refused)
    except Refusal as refused:
        return trouble(request, refused.status, refused.title, refused.detail)
    except RequestValidationError:
        return trouble(request, 404, NotFound.title)
    except Exception as mistake:  # ours: it is logged as everywhere, but a person gets a page
        log.error("request.failed", route=request.scope["route"].path, error=type(mistake).__name__, exc_info=mistake)
        return trouble(request, 500, Broken.title)


def _realm(request: Request) -> Realm:
    return Realm.OFFICER if request.url.path.startswith("/can-bo") else Realm.CITIZEN


async def _visitor(request: Request) -> Visitor | None:
    """Whoever is logged in, for the head of the page; nobody while identity is away."""
    realm = _realm(request)
    try:
        return await sessions.visitor(sessions.browser(request), realm)
    except Unavailable:
        return None


def _check_size(request: Request) -> None:
    """A form without a length, or beyond what one file may have, is not even read."""
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or int(length) > load(GatewaySettings).upload_limit:
        raise TooLarge()


def _to_login(request: Request) -> Response:
    """To the login, and back to where the person was."""
    realm = _realm(request)
    sessions.browser(request).end(realm)
    back = request.url.path if request.method == "GET" else _came_from(request)
    return go("/can-bo" if realm is Realm.OFFICER else f"/dang-nhap?quay-lai={quote(back, safe='/')}")


def _to_fresh_login(request: Request) -> Response:
    """The act needs a proof of now: log in again (nobody is logged out), and back to the page it was begun on."""
    back = quote(request.url.path if request.method == "GET" else _came_from(request), safe="/")
    return go(f"{'/can-bo/xac-nhan-lai' if _realm(request) is Realm.OFFICER else '/xac-nhan-lai'}?quay-lai={back}")


def _came_from(request: Request) -> str:
    """The page of ours that the form stood on; home when the browser does not say."""
    ours = load(GatewaySettings).gateway_url.rstrip("/")
    return sessions.own_path(request.headers.get("referer", "").removeprefix(ours).partition("?")[0])


def _refused(request: Request, refused: Answered) -> Response:
    """A service's no, in its own words."""
    match str(refused.problem.get("type", "")).removeprefix("urn:motcua:problem:"):
        case "fresh-proof-needed":
            return _to_fresh_login(request)
        case "second-factor-needed":
            return go("/can-bo/tai-khoan")
    if refused.status == 401:
        return _to_login(request)
    title = str(refused.problem.get("title") or Unavailable.title)
    return trouble(request, refused.status, title, str(refused.problem.get("detail") or ""))


def trouble(request: Request, status: int, title: str, detail: str = "") -> Response:
    """The page that says what happened and what to do now."""
    shown = status if status in (403, 404, 409, 410, 413, 422, 429, 500) else 503
    return page(request, "trouble.html", status=shown, status_code=shown, title=title, detail=detail)


def for_people(site: FastAPI) -> FastAPI:
    """The application, answering an address that leads nowhere with a page."""
    site.add_exception_handler(404, _no_such_page)
    return site


async def _no_such_page(request: Request, _: Exception) -> Response:
    request.state.me = await _visitor(request)
    answer = trouble(request, 404, "Không tìm thấy trang này")
    sessions.browser(request).write(answer)
    answer.headers.update(_headers())
    return answer


# ── what handlers ask for ─────────────────────────────────────────────────────────────────────────


async def _citizen(request: Request) -> Visitor:
    return await sessions.demand(sessions.browser(request), Realm.CITIZEN)


async def _officer(request: Request) -> Visitor:
    return await sessions.demand(sessions.browser(request), Realm.OFFICER)


async def _form(request: Request) -> FormData:
    return await request.form()


_citizen.who_may_call = "citizen, by session"  # type: ignore[attr-defined]
_officer.who_may_call = "officer, by session"  # type: ignore[attr-defined]

Citizen = Annotated[Visitor, Depends(_citizen)]
"""The citizen who is logged in; whoever is not goes to the login first."""
Officer = Annotated[Visitor, Depends(_officer)]
Form = Annotated[FormData, Depends(_form)]
"""What was filled in; its proof was checked before."""


def text(form: FormData, name: str) -> str:
    """One field as it was typed, without the spaces around it; empty when it is missing or a file."""
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""


def number(value: str | None) -> int:
    """A small count in an address; 0 for anything else."""
    return int(value) if value and value.isascii() and value.isdecimal() and len(value) < 7 else 0


def pages() -> APIRouter:
    """A router for pages; none of them is in the OpenAPI document."""
    return APIRouter(route_class=Page, include_in_schema=False)


router = APIRouter(include_in_schema=False)


@router.get("/static/{name}", dependencies=[Public])
async def static(name: str) -> Response:
    """Style, script and icon: the same for everybody, so nobody is asked who looks."""
    if name not in _static():
        raise NotFound()
    content, kind = _static()[name]
    headers = {**_headers(), "Cache-Control": "public, max-age=31536000, immutable"}
    return Response(content, media_type=kind, headers=headers)
