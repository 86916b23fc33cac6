"""HTTP in: statistics for officers, figure by figure down to the dossiers, and on-time rates for everybody."""

import base64
import csv
import io
import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated
from urllib.parse import urlencode

import asyncpg
from fastapi import Query, Response
from pydantic import AwareDatetime, BaseModel

from contracts.refusal import Refusal
from kit.auth import Officer, OfficerToken, Public
from kit.cursors import CursorNotOurs
from kit.db import Database
from kit.http import Db, Now, Router
from services.tracking.projection.counting.store import COUNTERS
from services.tracking.projection.store import updated_at
from services.tracking.settings import parents, unit_names
from services.tracking.sheets import harmless
from services.tracking.statistics import domain, store
from services.tracking.statistics.domain import Figures, Period
from services.tracking.statistics.store import By, Position

router = Router(prefix="/api/v1", tags=["Thống kê"])

First = Annotated[
    str | None,
    Query(
        alias="from", pattern=r"^\d{4}-\d{2}$", description="First month, `YYYY-MM`, of Viet Nam's calendar (UTC+7).",
        examples=["2026-01"],
    ),
]  # fmt: skip
Last = Annotated[
    str | None,
    Query(
        alias="to", pattern=r"^\d{4}-\d{2}$", examples=["2026-11"],
        description="Last month, included; the current month at most. Without it, the one of `from`, or the current.",
    ),
]  # fmt: skip
OfUnit = Annotated[
    str | None,
    Query(max_length=35, description="Agency id; the officer's own without it.", examples=["H99.02.01"]),
]
Below = Annotated[bool, Query(description="With the units below it.")]
OfProcedure = Annotated[
    str | None, Query(max_length=30, description="National code of the procedure.", examples=["2.000635"])
]


class CursorNotOfThisFigure(CursorNotOurs):
    """It was given for another figure, or by nobody."""


class FigureUnknown(Refusal):
    status = 404
    title = "Không có số liệu này"
    title_en = "There is no such figure"


# ── what figures mean ─────────────────────────────────────────────────────────────────────────────────────────


class Definition(BaseModel):
    """What one figure counts."""

    figure: str
    label: str
    meaning: str
    counts: domain.Unit
    stock: bool
    """True: counted at the end of the period, or now while it lasts. False: happened in the period."""


class RateDefinition(BaseModel):
    """A share: the sum of the figures `of` in the sum of those `among`, 0 to 1, to four decimals."""

    rate: str
    label: str
    of: list[str]
    among: list[str]


class Definitions(BaseModel):
    """Everything that statistics say, in the order it is shown in."""

    figures: list[Definition]
    rates: list[RateDefinition]
    absent: dict[str, str]
    """What Quyết định 766/QĐ-TTg asks for and this system does not know: absent, which is not zero."""


@router.get("/statistics/figures", dependencies=[Public])
async def get_definitions() -> Definitions:
    """What every figure means (Quyết định 766/QĐ-TTg of 23/06/2022; forms of Thông tư 03/2025/TT-VPCP).

    A dossier counts in the month, in Viet Nam (Asia/Ho_Chi_Minh), in which the thing happened, and at the unit that
    decides (cơ quan giải quyết); what the one-stop desk answers for counts at the receiving unit. An interlinked
    dossier counts as its members, not as itself.
    """
    return Definitions(
        figures=[
            Definition(figure=name, label=f.label, meaning=f.meaning, counts=f.counts, stock=f.stock)
            for name, f in domain.FIGURES.items()
        ],
        rates=[
            RateDefinition(rate=name, label=rate.label, of=list(rate.of), among=list(rate.among))
            for name, rate in domain.RATES.items()
        ],
        absent=dict(domain.ABSENT),
    )


# ── figures ───────────────────────────────────────────────────────────────────────────────────────────────────


class Row(BaseModel):
    """Figures of one unit, procedure or month."""

    key: str
    """Agency id, procedure code or `YYYY-MM`; empty for the total."""
    label: str
    figures: dict[str, int]
    rates: dict[str, float | None]
    """Null where there is nothing to have a share in."""
    dossiers: str
    """Opens a figure down to its dossiers: put the figure's name for `{figure}`."""


class Statistics(BaseModel):
    """Figures of a period, row by row, and together."""

    first: str
    last: str
    by: By
    unit: str
    procedure: str | None
    rows: list[Row]
    total: Row
    as_of: AwareDatetime
    """When the stocks (pending, paused) were counted: the end of the period, or now while it lasts."""
    updated_at: AwareDatetime | None
    """When the last event was taken into account."""
    absent: dict[str, str]


class Question(BaseModel):
    """What is asked for, checked."""

    period: Period
    units: list[str]
    unit: str
    below: bool
    procedure: str | None
    as_of: datetime
    names: dict[str, str]


@router.get("/statistics")
async def get_statistics(
    who: Officer, db: Db, now: Now, first: First = None, last: Last = None, by: By = By.UNIT, unit: OfUnit = None,
    below: Below = True, procedure: OfProcedure = None,
) -> Statistics:  # fmt: skip
    """Figures of a period for the officer's unit and those below it; inspectors see the whole province.

    `GET /statistics/figures` says what each one means. Months are Viet Nam's; a period has 120 at most. Counters are
    exact as of `updated_at`: each figure is the number of dossiers (or requests, or components) that its list opens to.
    """
    asked = await _question(db, who, now, first, last, unit, below, procedure)
    return await _statistics(db, asked, by)


async def _question(
    db: Database, who: OfficerToken, now: datetime, first: str | None, last: str | None, unit: str | None, below: bool,
    procedure: str | None,
) -> Question:  # fmt: skip
    period = domain.period(first, last, now)
    highest = domain.top(who.unit, who.roles, parents())
    wanted = unit or highest
    domain.check_scope(wanted, highest, parents())
    counted = await store.units(db)
    if wanted not in parents() and wanted not in counted:
        raise domain.UnitUnknown
    names = await store.procedures(db)
    if procedure is not None and procedure not in names:
        raise domain.ProcedureUnknown
    units = domain.together(wanted, parents(), counted) if below else [wanted]
    return Question(
        period=period, units=units, unit=wanted, below=below, procedure=procedure, as_of=period.as_of(now), names=names
    )


async def _statistics(db: Database, asked: Question, by: By) -> Statistics:
    heard = await updated_at(db)
    found = await (_by_month(db, asked) if by is By.MONTH else _by_key(db, asked, by))
    together = domain.over_time(list(found.values())) if by is By.MONTH else domain.total(found.values())
    return Statistics(
        first=f"{asked.period.first:%Y-%m}",
        last=f"{asked.period.last:%Y-%m}",
        by=by,
        unit=asked.unit,
        procedure=asked.procedure,
        rows=[_row(asked, by, key, figures) for key, figures in found.items()],
        total=_row(asked, None, "", together),
        as_of=asked.as_of,
        updated_at=heard,
        absent=dict(domain.ABSENT),
    )


async def _by_key(db: Database, asked: Question, by: By) -> dict[str, Figures]:
    later = {}
    if asked.as_of < asked.period.ends:
        later = await store.later_due(db, by, asked.units, asked.procedure, asked.as_of, asked.period.ends)
    rows = await store.sums(db, by, asked.units, asked.procedure, asked.period)
    found = {row["key"]: domain.figures(_counted(row), row["carried_over"], later.get(row["key"], 0)) for row in rows}
    return {key: figures for key, figures in found.items() if any(figures.values())}


async def _by_month(db: Database, asked: Question) -> dict[str, Figures]:
    later: Mapping[str, int] = {}
    if asked.as_of < asked.period.ends:
        later = await store.later_due(db, By.UNIT, asked.units, asked.procedure, asked.as_of, asked.period.ends)
    rows = await store.sums(db, By.MONTH, asked.units, asked.procedure, asked.period)
    changes = {date.fromisoformat(row["key"]): _counted(row) for row in rows}
    return domain.by_month(asked.period, changes, sum(later.values()))


def _counted(row: asyncpg.Record) -> dict[str, int]:
    return {name: row[name] or 0 for name in COUNTERS}


def _row(asked: Question, by: By | None, key: str, figures: Figures) -> Row:
    first, last, unit, below, procedure = (
        f"{asked.period.first:%Y-%m}", f"{asked.period.last:%Y-%m}", asked.unit, asked.below, asked.procedure,
    )  # fmt: skip
    match by:
        case By.UNIT:
            unit, below = key, False
        case By.PROCEDURE:
            procedure = key
        case By.MONTH:
            first = last = key
    query = {"from": first, "to": last, "unit": unit, "below": str(below).lower()}
    query |= {"procedure": procedure} if procedure else {}
    return Row(
        key=key, label=_label(asked, by, key), figures=figures, rates=domain.rates(figures),
        dossiers=f"/api/v1/statistics/dossiers?figure={{figure}}&{urlencode(query)}",
    )  # fmt: skip


def _label(asked: Question, by: By | None, key: str) -> str:
    match by:
        case By.UNIT:
            return unit_names().get(key, key)
        case By.PROCEDURE:
            return asked.names.get(key, key)
        case By.MONTH:
            return f"Tháng {key[5:]}/{key[:4]}"
    return "Tổng cộng"


# ── as a file ─────────────────────────────────────────────────────────────────────────────────────────────────

_FIRST_COLUMN = {By.UNIT: "Cơ quan", By.PROCEDURE: "Thủ tục", By.MONTH: "Tháng"}


@router.get("/statistics/export", response_class=Response)
async def export_statistics(
    who: Officer, db: Db, now: Now, first: First = None, last: Last = None, by: By = By.UNIT, unit: OfUnit = None,
    below: Below = True, procedure: OfProcedure = None,
) -> Response:  # fmt: skip
    """The same figures as CSV for a spreadsheet: UTF-8 with its mark, Vietnamese headings, rates in percent, and what
    it counts, until when, in the last lines."""
    asked = await _question(db, who, now, first, last, unit, below, procedure)
    found = await _statistics(db, asked, by)
    name = f"thong-ke-{asked.unit}-{found.first}-{found.last}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response("\ufeff" + _csv(found), media_type="text/csv; charset=utf-8", headers=headers)


def _csv(found: Statistics) -> str:
    text = io.StringIO()
    lines = csv.writer(text)
    figures = [figure.label for figure in domain.FIGURES.values()]
    lines.writerow(["Mã", _FIRST_COLUMN[found.by], *figures, *(f"{rate.label} (%)" for rate in domain.RATES.values())])
    for row in (*found.rows, found.total):
        lines.writerow([harmless(text) for text in (row.key, row.label)] + [*row.figures.values(), *_percents(row)])
    lines.writerow([])
    lines.writerow(["Kỳ thống kê", f"{_month_label(found.first)} – {_month_label(found.last)}"])
    lines.writerow(["Số liệu đang giải quyết tính lúc", domain.clock(found.as_of)])
    lines.writerow(["Dữ liệu cập nhật lúc", domain.clock(found.updated_at) if found.updated_at else ""])
    for why in found.absent.values():
        lines.writerow(["Không có trong hệ thống", why])
    return text.getvalue()


def _percents(row: Row) -> Sequence[str]:
    return ["" if rate is None else f"{rate * 100:.2f}".replace(".", ",") for rate in row.rates.values()]


def _month_label(month: str) -> str:
    return f"{month[5:]}/{month[:4]}"


# ── down to the dossiers ──────────────────────────────────────────────────────────────────────────────────────


class Counted(BaseModel):
    """One dossier behind a figure. Nothing about its owner."""

    code: str
    procedure_code: str
    procedure_name: str
    receiving_unit: str
    competent_unit: str
    submitted_at: AwareDatetime | None
    accepted_at: AwareDatetime | None
    measured_until: AwareDatetime | None
    """The original appointment, which lateness is measured against; null before acceptance, while its clock stands,
    and without an appointment."""
    ended_at: AwareDatetime | None
    outcome: str | None
    """`early`, `on_time`, `late` (settled), `refused_intake`, `refused`, `withdrawn`, `stopped`, `closed`; null while
    it goes on."""
    at: AwareDatetime
    """When what the figure counts happened; of a stock, when the dossier was received or ended."""
    count: int
    """What it adds to the figure: 1, or the number of its requests or components."""


class Behind(BaseModel):
    """Dossiers behind a figure, page by page. Their counts add up to the figure."""

    figure: str
    label: str
    items: list[Counted]
    next: str | None
    as_of: AwareDatetime
    updated_at: AwareDatetime | None


@router.get("/statistics/dossiers")
async def get_dossiers_behind(
    who: Officer, db: Db, now: Now, figure: Annotated[str, Query(max_length=40, examples=["settled_late"])],
    first: First = None, last: Last = None, unit: OfUnit = None, below: Below = True, procedure: OfProcedure = None,
    cursor: Annotated[str | None, Query(max_length=400)] = None, limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Behind:  # fmt: skip
    """The dossiers that a figure counts: the same period, unit and procedure as the figure's.

    For those who work with dossiers and for inspectors. A list keeps the moment it was begun at, so its pages fit
    together.
    """
    domain.may_open(who.roles)
    if figure not in domain.FIGURES:
        raise FigureUnknown
    asked = await _question(db, who, now, first, last, unit, below, procedure)
    as_of, after = _position(cursor, figure) if cursor else (asked.as_of, Position())
    rows = await store.dossiers(db, figure, asked.units, procedure, asked.period, as_of, after, limit + 1)
    return Behind(
        figure=figure,
        label=domain.FIGURES[figure].label,
        items=[_counted_dossier(row, asked.names) for row in rows[:limit]],
        next=_cursor(figure, as_of, rows[limit - 1]) if len(rows) > limit else None,
        as_of=as_of,
        updated_at=await updated_at(db),
    )


def _counted_dossier(row: asyncpg.Record, names: Mapping[str, str]) -> Counted:
    known = {name: row[name] for name in Counted.model_fields if name in row.keys()}  # noqa: SIM118 (a Record)
    return Counted(**known, count=row["n"], procedure_name=names.get(row["procedure_code"], row["procedure_code"]))


def _cursor(figure: str, as_of: datetime, row: asyncpg.Record) -> str:
    told = [figure, as_of.isoformat(), row["unit"], row["bucket"], row["at"].isoformat(), row["code"]]
    return base64.urlsafe_b64encode(json.dumps(told).encode()).decode()


def _position(cursor: str, figure: str) -> tuple[datetime, Position]:
    """(when the list was begun, its last dossier)."""
    try:
        of, as_of, unit, bucket, at, code = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        found = datetime.fromisoformat(as_of), Position(str(unit), str(bucket), datetime.fromisoformat(at), str(code))
        aware = found[0].utcoffset() is not None and found[1].at.utcoffset() is not None
    except (ValueError, TypeError):
        raise CursorNotOfThisFigure from None
    if of != figure or not aware or "\0" in unit + bucket + code:
        raise CursorNotOfThisFigure
    return found


# ── for everybody ─────────────────────────────────────────────────────────────────────────────────────────────


class OnTime(BaseModel):
    """How punctually a unit settled dossiers in a month."""

    unit: str
    """Agency id; empty for the province."""
    name: str
    settled: int | None
    """Dossiers settled in the month; null where there are too few to be shown."""
    on_time: float | None
    """Share settled before or on the day of the appointment, 0 to 1; null where there are none, or too few."""
    few: bool
    """True where dossiers were settled, but so few that they are not shown."""


class Transparency(BaseModel):
    """On-time rates of every unit (công khai, minh bạch: 18 points of Quyết định 766/QĐ-TTg)."""

    month: str
    units: list[OnTime]
    province: OnTime
    fewest: int
    """Fewer settled dossiers than this are not shown for a unit."""
    as_of: AwareDatetime
    updated_at: AwareDatetime | None


@router.get("/statistics/on-time", dependencies=[Public])
async def get_on_time(
    db: Db, now: Now,
    month: Annotated[str | None, Query(pattern=r"^\d{4}-\d{2}$", description="`YYYY-MM`; this month without.")] = None,
) -> Transparency:  # fmt: skip
    """On-time rates of every unit in one month, for everybody.

    A unit that settled fewer than 5 dossiers is not shown, nor a second one where the first could be found by
    subtraction. Late is measured against the original appointment, also after an apology.
    """
    period = domain.period(month, month, now)
    rows = await store.sums(db, By.UNIT, await store.units(db), None, period)
    found = {row["key"]: domain.figures(_counted(row), row["carried_over"]) for row in rows}
    hidden = domain.hidden({unit: figures["settled"] for unit, figures in found.items()})
    return Transparency(
        month=f"{period.first:%Y-%m}",
        units=[_on_time(unit, figures, few=unit in hidden) for unit, figures in found.items() if figures["settled"]],
        province=_on_time("", domain.total(found.values()), few=False),
        fewest=domain.FEWEST,
        as_of=period.as_of(now),
        updated_at=await updated_at(db),
    )


def _on_time(unit: str, figures: Figures, *, few: bool) -> OnTime:
    name = unit_names().get(unit, unit) if unit else "Toàn tỉnh"
    few = few or (not unit and 0 < figures["settled"] < domain.FEWEST)
    rate = None if few else domain.rates(figures)["on_time"]
    return OnTime(unit=unit, name=name, settled=None if few else figures["settled"], on_time=rate, few=few)
