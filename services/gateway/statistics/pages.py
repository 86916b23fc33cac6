"""Statistics: how punctual every agency is, for everybody; every figure, down to its dossiers, for officers."""

from datetime import date
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response

from kit.auth import Public
from kit.clock import now
from services.gateway import clients, words
from services.gateway.clients import ANYBODY
from services.gateway.pages import Officer, page, pages
from services.gateway.words import GROUPS

router = pages()

MONTHS = 36
"""Months that the pickers offer; older ones can be asked for in the address."""
BY = {"unit": "Cơ quan", "procedure": "Thủ tục", "month": "Tháng"}


def _months(*chosen: str) -> list[tuple[str, str]]:
    """`YYYY-MM` and its label, newest first, with the chosen ones however old."""
    day = now().astimezone(words.LOCAL).date().replace(day=1)
    found = set(chosen)
    for _ in range(MONTHS):
        found.add(f"{day:%Y-%m}")
        day = date(day.year - (day.month == 1), (day.month - 2) % 12 + 1, 1)
    return [(month, words.month(month)) for month in sorted(found, reverse=True)]


@router.get("/thong-ke", dependencies=[Public])
async def on_time(request: Request) -> Response:
    """On-time rates of one month, agency by agency (công khai, minh bạch)."""
    month = request.query_params.get("thang", "")[:7]
    found = await clients.tracking.get("/api/v1/statistics/on-time", token=ANYBODY, **_given(month=month))
    return page(request, "on_time.html", found=found, months=_months(found["month"]))


# ── for officers ──────────────────────────────────────────────────────────────────────────────────────────────


def _asked(request: Request) -> dict[str, str]:
    """What the address asks for, in the words of the API."""
    said = request.query_params
    by = said.get("theo", "unit")
    return _given(
        **{"from": said.get("tu", "")[:7], "to": said.get("den", "")[:7], "by": by if by in BY else "unit"},
        unit=said.get("co-quan", "")[:35], procedure=said.get("thu-tuc", "")[:30],
    )  # fmt: skip


def _given(**values: str) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


@router.get("/can-bo/thong-ke")
async def statistics(request: Request, me: Officer) -> Response:
    """Every figure of a period; each one leads to its dossiers."""
    asked = _asked(request)
    token = await me.token("tracking")
    found = await clients.tracking.get("/api/v1/statistics", token=token, **asked)
    meanings = await clients.tracking.get("/api/v1/statistics/figures", token=ANYBODY)
    return page(
        request, "statistics.html", found=found, by=BY, groups=GROUPS, months=_months(found["first"], found["last"]),
        figures={each["figure"]: each for each in meanings["figures"]}, rates=meanings["rates"],
        dossiers_of=lambda row, figure: _list_address(row["dossiers"], figure),
        csv=f"/can-bo/thong-ke.csv?{request.url.query}",
    )  # fmt: skip


def _list_address(link: str, figure: str) -> str:
    """The page behind an address of the API's list."""
    return link.replace("/api/v1/statistics/dossiers", "/can-bo/thong-ke/ho-so").replace("{figure}", figure)


@router.get("/can-bo/thong-ke.csv")
async def statistics_file(request: Request, me: Officer) -> Response:
    """The same figures for a spreadsheet."""
    token = await me.token("tracking")
    found = await clients.tracking.file("/api/v1/statistics/export", token=token, **_asked(request))
    headers = {"Content-Disposition": found.headers["content-disposition"]}
    return Response(found.content, media_type=found.headers["content-type"], headers=headers)


@router.get("/can-bo/thong-ke/ho-so")
async def behind(request: Request, me: Officer) -> Response:
    """The dossiers that one figure counts, page by page."""
    names = ("figure", "from", "to", "unit", "below", "procedure", "cursor")
    asked = _given(**{name: request.query_params.get(name, "")[:400] for name in names})
    found = await clients.tracking.get("/api/v1/statistics/dossiers", token=await me.token("tracking"), **asked)
    further = f"?{urlencode({**asked, 'cursor': found['next']})}" if found["next"] else ""
    return page(request, "figure.html", found=found, asked=asked, further=further, back=_back(asked))


def _back(asked: dict[str, Any]) -> str:
    said = {"tu": asked.get("from", ""), "den": asked.get("to", ""), "co-quan": asked.get("unit", "")}
    return f"/can-bo/thong-ke?{urlencode(_given(**said))}"
