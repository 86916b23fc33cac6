"""Pages for everybody: home, a procedure, the look-up."""

import re
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response

from kit.auth import Public
from kit.clients import Answered
from kit.problems import Unavailable
from services.gateway import clients
from services.gateway.clients import ANYBODY
from services.gateway.pages import Form, go, page, pages, text

router = pages()

CODE = re.compile(r"[A-Z0-9]+(?:\.[A-Z0-9]+){0,5}-(?:\d{6}|\d{8})-[A-Z0-9]{4,}")

NUMBER_ALONE = (
    "Để bảo vệ thông tin cá nhân, số định danh phải đi cùng mã hồ sơ. Nếu không nhớ mã, hãy đăng nhập: hồ sơ của bạn "
    "có trong mục Hồ sơ của tôi."
)
"""Said whatever the number is, without asking anybody."""


@router.get("/", dependencies=[Public])
async def home(request: Request) -> Response:
    """Search for a procedure, look a dossier up."""
    words = request.query_params.get("tu-khoa", "")[:200].strip()
    found, away = await _procedures(words)
    return page(request, "home.html", words=words, procedures=found, away=away)


async def _procedures(words: str) -> tuple[list[dict[str, Any]], bool]:
    """(what was found, whether the catalogue is away): the rest of the page is shown all the same."""
    try:
        found = await clients.dossier.get("/api/v1/procedures", token=ANYBODY, q=words)
    except Unavailable:
        return [], True
    return found["items"], False


@router.get("/thu-tuc/{code}", dependencies=[Public])
async def procedure(request: Request, code: str) -> Response:
    """Everything about one procedure, before somebody begins."""
    found = await clients.dossier.get(f"/api/v1/procedures/{code}", token=ANYBODY)
    return page(request, "procedure.html", procedure=found, case=found["cases"][0])


# ── look-up ───────────────────────────────────────────────────────────────────────────────────────


@router.get("/tra-cuu", dependencies=[Public])
async def look_up(request: Request) -> Response:
    """By code alone: how far the dossier is, and nothing about anybody."""
    code = request.query_params.get("ma", "")[:60].strip().upper()
    return await _looked_up(request, code, "")


@router.post("/tra-cuu", dependencies=[Public])
async def look_up_own(request: Request, form: Form) -> Response:
    """By code and identity number. The number comes in a form's body, never in an address that is kept somewhere."""
    code, number = text(form, "ma")[:60].upper(), text(form, "so_dinh_danh")[:20]
    if number and not code:
        return page(request, "lookup.html", code="", found=None, problem=NUMBER_ALONE)
    return await _looked_up(request, code, number) if number else go(f"/tra-cuu?{urlencode({'ma': code})}")


async def _looked_up(request: Request, code: str, number: str) -> Response:
    found, problem = None, ""
    if code and not CODE.fullmatch(code):
        problem = "Mã hồ sơ chưa đúng. Mã có dạng H99.02.01-261123-0001, ghi trên tin nhắn hoặc giấy hẹn trả kết quả."
    elif code:
        found, problem = await _ask_tracking(request, code, number)
    return page(
        request, "lookup.html", status=200 if found or not code else 404, code=code, found=found, problem=problem
    )


async def _ask_tracking(request: Request, code: str, number: str) -> tuple[dict[str, Any] | None, str]:
    """(what is known, or why nothing is said)."""
    query = {"identity_number": number} if number else {}
    try:
        found = await clients.tracking.send(
            "GET", f"/api/v1/dossiers/{code}", params=query, token=ANYBODY, headers=clients.on_behalf_of(request)
        )
    except Answered as refused:
        if refused.status not in (404, 429):
            raise
        return None, str(refused.problem["title"])
    return found, ""
