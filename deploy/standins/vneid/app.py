"""The provider over HTTP: discovery, keys, the login page, tokens, userinfo."""

import base64
import binascii
from typing import Annotated
from urllib.parse import unquote_plus

from fastapi import APIRouter, Cookie, Depends, FastAPI, Form, Header, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from deploy.standins.common import page, standin
from deploy.standins.vneid.provider import (
    NATIONAL_PORTAL,
    AuthorizationRequest,
    OAuthError,
    Provider,
    TokenRequest,
    UnknownClient,
)

Asked = Annotated[AuthorizationRequest, Query()]

COOKIE = "vneid-phien"

router = APIRouter()


def create(provider: Provider, national_portal: Provider | None = None) -> FastAPI:
    """The provider, and the national portal below it."""
    app = standin("vneid")
    if national_portal:
        app.mount(NATIONAL_PORTAL, create(national_portal))
    app.state.provider = provider
    app.include_router(router)
    app.exception_handler(UnknownClient)(_tell_the_person)
    app.exception_handler(OAuthError)(_tell_the_client)
    return app


def _provider(request: Request) -> Provider:
    provider: Provider = request.app.state.provider
    return provider


VNeID = Annotated[Provider, Depends(_provider)]


@router.get("/.well-known/openid-configuration")
async def discovery(vneid: VNeID) -> dict[str, object]:
    return vneid.discovery()


@router.get("/jwks.json")
async def jwks(vneid: VNeID) -> dict[str, object]:
    return vneid.jwks()


@router.get("/authorize")
async def show_people(vneid: VNeID, asked: Asked) -> Response:
    return _refused(vneid, asked) or _login_page(vneid, asked)


@router.post("/authorize")
async def log_in(
    vneid: VNeID,
    asked: Asked,
    identity_number: Annotated[str, Form()] = "",
    cancel: Annotated[str, Form()] = "",
    cookie: Annotated[str, Cookie(alias=COOKIE)] = "",
) -> Response:
    if refused := _refused(vneid, asked):
        return refused
    if cancel:
        return RedirectResponse(vneid.answer(asked, error="access_denied"), 303)
    person = vneid.people.get(identity_number)
    if person is None:
        return _login_page(vneid, asked, wrong=True)
    cookie, since = vneid.log_in(asked, person, cookie)
    back = RedirectResponse(vneid.grant(asked, person, since), 303)
    back.set_cookie(COOKIE, cookie, httponly=True, samesite="lax")
    return back


@router.post("/token")
async def token(
    vneid: VNeID, asked: Annotated[TokenRequest, Form()], authorization: Annotated[str, Header()] = ""
) -> Response:
    client_id, client_secret = _basic(authorization) or (asked.client_id, asked.client_secret)
    if not vneid.is_client(client_id, client_secret):
        raise OAuthError("invalid_client", "client authentication failed")
    return JSONResponse(vneid.redeem(asked), headers={"Cache-Control": "no-store"})


@router.api_route("/userinfo", methods=["GET", "POST"])
async def userinfo(vneid: VNeID, authorization: Annotated[str, Header()] = "") -> Response:
    person = vneid.person_of(authorization.removeprefix("Bearer "))
    if person is None:
        return Response(status_code=401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
    return JSONResponse(vneid.claims(person), headers={"Cache-Control": "no-store"})


def _refused(provider: Provider, asked: AuthorizationRequest) -> Response | None:
    """What a bad authorization request is answered with; None for a good one."""
    try:
        provider.check(asked)
    except UnknownClient:
        raise
    except OAuthError as error:
        back = provider.answer(asked, error=error.code, error_description=error.description)
        return RedirectResponse(back, 303)
    return None


def _login_page(provider: Provider, asked: AuthorizationRequest, *, wrong: bool = False) -> Response:
    people = [p for p in provider.people.values() if provider.for_businesses or not p.business]
    status, shown = 400 if wrong else 200, {"asker": provider.portal_name, "people": people, "title": provider.title}
    return page("vneid.html", status, wrong=wrong, again=asked.wants_fresh_login, **shown)


async def _tell_the_person(_: Request, error: UnknownClient) -> Response:
    texts = {"standin": "VNeID thử nghiệm", "title": "Không thể đăng nhập"}
    return page("trouble.html", 400, **texts, detail=error.description, code=error.code)


async def _tell_the_client(_: Request, error: OAuthError) -> Response:
    body = {"error": error.code, "error_description": error.description}
    headers = {"Cache-Control": "no-store"}
    if error.code == "invalid_client":
        return JSONResponse(body, 401, {**headers, "WWW-Authenticate": 'Basic realm="vneid"'})
    return JSONResponse(body, 400, headers)


def _basic(authorization: str) -> tuple[str, str] | None:
    """Client id and secret of an HTTP Basic header, both form-encoded (RFC 6749, 2.3.1); None without one."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client_id, _, client_secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ("", "")
    return unquote_plus(client_id), unquote_plus(client_secret)
