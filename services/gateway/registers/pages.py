"""Officers' registers: Sổ theo dõi hồ sơ with its export, the search, one dossier with its way from hand to hand."""

from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

from fastapi import Request, Response

from contracts.national import STATUSES
from kit.clients import Answered
from kit.clock import now
from services.gateway import clients, sessions
from services.gateway.live.pages import Passing
from services.gateway.pages import Form, Officer, go, page, pages, text, units
from services.gateway.sessions import Visitor
from services.gateway.words import LOCAL, day_typed

router = pages()

REGISTER = "/api/v1/registers/dossiers"
FIELDS = {
    "co-quan": "unit", "xep-theo": "by", "tu-ngay": "from", "den-ngay": "to", "thu-tuc": "procedure_code",
    "tinh-trang": "status", "thoi-han": "lateness", "kenh": "channel", "hen-tu": "due_from", "hen-den": "due_to",
    "ly-do": "reason", "tiep": "cursor",
}  # fmt: skip
"""What the address of a register says, and what tracking calls it."""
DAYS = {"tu-ngay", "den-ngay", "hen-tu", "hen-den"}
LATENESS = {
    "overdue": "Đang quá hạn", "in_time": "Còn trong hạn", "late": "Giải quyết quá hạn",
    "on_time": "Giải quyết đúng hạn", "early": "Giải quyết trước hạn",
}  # fmt: skip
CHANNELS = {
    "provincial_portal": "Cổng dịch vụ công của tỉnh", "national_portal": "Cổng Dịch vụ công quốc gia",
    "desk": "Trực tiếp tại Bộ phận Một cửa", "post": "Bưu chính công ích", "vneid": "VNeID",
}  # fmt: skip
FORMS = ("xlsx", "csv")
WORKS = {"desk", "specialist", "division_head", "leader", "clerk", "supervisor"}
"""Roles that may print names."""


@router.get("/can-bo/so-theo-doi")
async def register(request: Request, me: Officer) -> Response:
    """Sổ theo dõi hồ sơ (Mẫu 07) of the officer's unit and those below: by period, procedure, status, appointment."""
    typed = _typed(request)
    found, problem = await _asked(me, REGISTER, _query(typed))
    carried = {name: value for name, value in typed.items() if name != "tiep"}
    return page(request, "register_of_unit.html", found=found, problem=problem, typed=carried, **_choices(me))


@router.get("/can-bo/so-theo-doi/tep")
async def export(request: Request, me: Officer) -> Response:
    """The same register as a file for a spreadsheet, passed on while it comes."""
    form = request.query_params.get("dang", "")
    query = {**_query(_typed(request)), "form": form if form in FORMS else FORMS[0]}
    query.pop("cursor", None)
    call = AsyncExitStack()
    answer = await call.enter_async_context(clients.long(f"{REGISTER}/export", await me.token("tracking"), {}, **query))
    kept = {name: answer.headers[name] for name in ("content-disposition", "content-length") if name in answer.headers}
    return Passing(call, answer.aiter_raw(), media_type=answer.headers["content-type"], headers=kept)


@router.get("/can-bo/so-theo-doi/in")
async def printed(request: Request, me: Officer) -> Response:
    """The register of the officer's own unit as it is printed, with names (Mẫu 07): the dossier service's file."""
    days = _query({name: value for name, value in _typed(request).items() if name in ("tu-ngay", "den-ngay")})
    today = now().astimezone(LOCAL).date()
    last = days.get("to") or today.isoformat()
    first = days.get("from") or (today - timedelta(days=30)).isoformat()
    query = {"from": first, "to": last}
    found = await clients.dossier.get("/api/v1/registers/dossiers", token=await me.token("dossier"), **query)
    return go(sessions.partner(found["url"]))


@router.get("/can-bo/tra-cuu")
async def search_form(request: Request, me: Officer) -> Response:
    """Search by what officers know."""
    return page(request, "search.html", found=None, problem="", typed={}, **_choices(me))


@router.post("/can-bo/tra-cuu")
async def search(request: Request, me: Officer, form: Form) -> Response:
    """By code or its last digits, or a person's number, which stays out of every address and log."""
    typed = {name: text(form, name) for name in ("ma", "so_dinh_danh", "co-quan", "ly-do")}
    named = {"code": "ma", "identity_number": "so_dinh_danh", "unit": "co-quan", "reason": "ly-do"}
    known = {name: typed[field] for name, field in named.items() if typed[field]}
    found, problem = None, ""
    try:
        found = await clients.tracking.post("/api/v1/registers/searches", known, token=await me.token("tracking"))
    except Answered as refused:
        problem = _why(refused)
    shown = {**typed, "so_dinh_danh": ""}
    return page(request, "search.html", found=found, problem=problem, typed=shown, **_choices(me))


@router.get("/can-bo/ho-so/{code}")
async def opened(request: Request, me: Officer, code: str) -> Response:
    """One dossier as an officer sees it: where it is, from hand to hand, and what happened."""
    reason = request.query_params.get("ly-do", "")
    path = f"/api/v1/officers/dossiers/{code}"
    found, problem = await _asked(me, path, {"reason": reason} if reason else {})
    return page(
        request, "opened.html", status=200 if found else 404, dossier=found, problem=problem, code=code, **_choices(me)
    )


# ── what is asked, and how ────────────────────────────────────────────────────────────────────────


async def _asked(me: Visitor, path: str, query: dict[str, Any]) -> tuple[dict[str, Any] | None, str]:
    """(the answer, or why there is none)."""
    try:
        return await clients.tracking.get(path, token=await me.token("tracking"), **query), ""
    except Answered as refused:
        if refused.status not in (403, 404, 422):
            raise
        return None, _why(refused)


def _why(refused: Answered) -> str:
    title, detail = (str(refused.problem.get(name, "")) for name in ("title", "detail"))
    return f"{title}. {detail}" if detail and detail != title else title


def _typed(request: Request) -> dict[str, str]:
    given = request.query_params
    return {name: given[name].strip()[:1000] for name in FIELDS if given.get(name, "").strip()}


def _query(typed: dict[str, str]) -> dict[str, str]:
    """What was typed as tracking asks for it; a day as `22/11/2026` or as a browser's calendar gives it."""
    return {FIELDS[name]: day_typed(value) if name in DAYS else value for name, value in typed.items()}


def _choices(me: Visitor) -> dict[str, Any]:
    """What a form offers this officer."""
    return {
        "statuses": STATUSES,
        "lateness": LATENESS,
        "channels": CHANNELS,
        "units": _units(me),
        "inspects": "inspector" in me.roles,
        "prints": bool(WORKS & set(me.roles)),
    }


def _units(me: Visitor) -> dict[str, str]:
    """The officer's unit and those below it, by name; the province's for an inspector."""
    everything = units()
    chosen = [unit for unit in everything if "inspector" in me.roles or me.unit in _line(unit)]
    return {unit: everything[unit]["name"] for unit in chosen}


def _line(unit: str | None) -> list[str]:
    """The unit and all above it."""
    line: list[str] = []
    while unit and unit not in line:
        line.append(unit)
        unit = units().get(unit, {}).get("parent")
    return line
