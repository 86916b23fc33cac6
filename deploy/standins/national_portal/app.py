"""The portal over HTTP: one address for each service, business errors in the body, pages for people."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, File, Form, Header, HTTPException, Request, Response, UploadFile
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deploy.standins.common import page, standin
from deploy.standins.national_portal.portal import Portal, Refused
from deploy.standins.national_portal.records import Asking, Progresses, Records, Reserved, StatusUpdates

router = APIRouter()

LARGEST = 64 * 1024 * 1024
SERVICES: dict[str, tuple[type[BaseModel], Callable[[Portal, Any], dict[str, Any]]]] = {
    "LayMaHoSo": (Reserved, Portal.reserve),
    "DongBoHoSo": (Records, Portal.synchronise),
    "CapNhatTienDoHoSo": (Progresses, Portal.add_progress),
    "CapNhatTrangThaiHoSo": (StatusUpdates, Portal.change_status),
    "TraCuuHoSo": (Asking, Portal.look_up),
}


class Behaviour(BaseModel):
    """How it misbehaves until it is told otherwise. All off: it behaves."""

    model_config = ConfigDict(extra="forbid")

    down: bool = False
    """503 with `Retry-After`, whatever is asked."""
    slow: float = Field(default=0, ge=0, le=120)
    """Seconds before anything is done."""
    refuses: dict[str, str] = Field(default_factory=dict)
    """Service → the code it is refused with, before anything is done."""
    expires_tokens: bool = False
    """Every token given so far is worthless from now on."""
    loses_answers_of: frozenset[str] = frozenset()
    """Calls of these services are done, and answered with 502."""


def create(portal: Portal) -> FastAPI:
    app = standin("national_portal")
    app.state.portal, app.state.behaviour = portal, Behaviour()
    app.include_router(router)
    return app


def _portal(request: Request) -> Portal:
    portal: Portal = request.app.state.portal
    return portal


ThePortal = Annotated[Portal, Depends(_portal)]
Authorization = Annotated[str, Header()]


# ── people and tests ──


@router.get("/")
async def show(portal: ThePortal) -> Response:
    return page("national_portal.html", dossiers=list(reversed(portal.dossiers.items()))[:200])


@router.get("/dossiers")
async def dossiers(portal: ThePortal) -> dict[str, dict[str, Any]]:
    return {code: dossier.shown() for code, dossier in portal.dossiers.items()}


@router.get("/dossiers/{code}")
async def dossier(portal: ThePortal, code: str) -> dict[str, Any]:
    if code not in portal.dossiers:
        raise HTTPException(404)
    return portal.dossiers[code].shown()


@router.delete("/dossiers/{code}", status_code=204)
async def lose(portal: ThePortal, code: str) -> None:
    """The portal was restored from an old backup: it knows nothing of this dossier any more."""
    portal.dossiers.pop(code, None)


@router.get("/calls")
async def calls(portal: ThePortal) -> list[dict[str, str]]:
    """What was asked and what the answer was, newest first; never what was said."""
    return portal.calls.newest_first()


@router.post("/behaviour")
async def behave(request: Request, portal: ThePortal, asked: Behaviour) -> Behaviour:
    if asked.expires_tokens:
        portal.tokens.clear()
    request.app.state.behaviour = asked
    return asked


# ── the protocol ──


class Client(BaseModel):
    client_id: str
    client_secret: str


@router.post("/token")
async def token(request: Request, portal: ThePortal, client: Client) -> dict[str, Any]:
    await _misbehave(request.app.state.behaviour)
    try:
        return portal.token(client.client_id, client.client_secret)
    except Refused as no:
        return _answer(no.code, no.message)


@router.post("/TaiTepTin")
async def upload(
    request: Request, portal: ThePortal, file: Annotated[UploadFile, File()],
    digest: Annotated[str, Form(alias="HashTepTin")], authorization: Authorization = "",
) -> dict[str, Any]:  # fmt: skip
    data = await file.read(LARGEST)
    return await _serve(request, "TaiTepTin", authorization, "", lambda: portal.keep(data, digest))


@router.post("/{service}")
async def serve(
    request: Request, portal: ThePortal, service: str, body: dict[str, Any], authorization: Authorization = ""
) -> dict[str, Any]:
    if service not in SERVICES:
        raise HTTPException(404)
    kind, do = SERVICES[service]
    return await _serve(request, service, authorization, _code_in(body), lambda: do(portal, kind.model_validate(body)))


def _code_in(body: dict[str, Any]) -> str:
    data = body.get("data")
    first = data[0] if isinstance(data, list) and data and isinstance(data[0], dict) else body
    return str(first.get("MaHoSo", ""))


async def _serve(
    request: Request, service: str, authorization: str, dossier: str, do: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    portal, behaviour = _portal(request), request.app.state.behaviour
    await _misbehave(behaviour)
    answer = _done(portal, service, behaviour.refuses.get(service, ""), authorization, do)
    portal.note(service, answer["error_code"], dossier)
    if service in behaviour.loses_answers_of:
        raise HTTPException(502)
    return answer


async def _misbehave(behaviour: Behaviour) -> None:
    await asyncio.sleep(behaviour.slow)
    if behaviour.down:
        raise HTTPException(503, headers={"Retry-After": "2"})


def _done(
    portal: Portal, service: str, refusal: str, authorization: str, do: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    try:
        portal.know(authorization)
        if refusal:
            return _answer(refusal, f"{service} bị từ chối")
        return {**_answer("00", "Thành công"), "result": do()}
    except ValidationError as wrong:
        places = [".".join(map(str, error["loc"])) or str(error["msg"]) for error in wrong.errors()]
        unknown_status = any(place.endswith(("TrangThai", "TrangThaiHoSo")) for place in places)
        return _answer("11" if unknown_status else "10", "Dữ liệu không hợp lệ: " + ", ".join(places))
    except Refused as no:
        return _answer(no.code, no.message)


def _answer(code: str, message: str) -> dict[str, Any]:
    return {"error_code": code, "message": message}
