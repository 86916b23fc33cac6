"""HTTP in: registers and search for officers, within their scope and written down."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any

import asyncpg
from fastapi import Depends, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from contracts.identifiers import IdentityNumberMalformed, look_up_number, tax_code
from contracts.national import STATUSES
from kit import cursors
from kit.auth import Officer
from kit.db import Connection
from kit.http import Now, Router, Tx
from kit.settings import load
from services.tracking import answers, words
from services.tracking.access import store as access
from services.tracking.access.api import Reason, scope_of
from services.tracking.access.domain import Scope
from services.tracking.access.store import Looked
from services.tracking.answers import State, Status
from services.tracking.lookup.domain import digests
from services.tracking.projection.store import updated_at
from services.tracking.registers import domain, store
from services.tracking.registers.domain import Filters, Lateness, Order, Position
from services.tracking.settings import Settings, parents

router = Router(prefix="/api/v1", tags=["Sổ theo dõi"])

Day = Annotated[date | None, Query()]


class Appointment(BaseModel):
    """How a dossier stands to its appointment."""

    code: str
    """`early`, `on_time`, `late` (settled), `overdue`, `in_time` (not settled yet)."""
    label: str


class RegisterEntry(BaseModel):
    """One line of Sổ theo dõi hồ sơ (Mẫu 07), without name, address and telephone, which tracking does not have."""

    code: str
    version: int
    procedure_code: str
    procedure_name: str
    owner: str | None
    """The owner's name, masked: `N***** T** A*`; null when the account is not verified."""
    receiving_unit: str | None
    """Agency id of the unit that takes it in (cơ quan tiếp nhận)."""
    competent_unit: str | None
    """Agency id of the unit that decides (cơ quan chủ trì)."""
    unit: str
    """Agency id of the unit that has it now."""
    channel: str | None
    status: Status
    state: State
    submitted_at: AwareDatetime
    accepted_at: AwareDatetime | None
    due_at: AwareDatetime | None
    """Ngày hẹn trả."""
    issued_at: AwareDatetime | None
    returned_at: AwareDatetime | None
    """Ngày trả."""
    delivery: str
    """Phương thức nhận kết quả."""
    appointment: Appointment | None
    """Null when there is no appointment, or it ended without a result."""
    parent_code: str | None


class Register(BaseModel):
    """A page of a register, in its order."""

    items: list[RegisterEntry]
    next: str | None
    """Cursor of what follows, null at the end. With filters a page may be short, or empty, and still have a next one:
    a page looks at a bounded number of dossiers."""
    updated_at: AwareDatetime | None


class Search(BaseModel):
    """What an officer knows of a dossier. The code, a person or codes say where to look; the rest narrows it."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    code: str | None = Field(None, max_length=60, examples=["1122-0001"])
    """The code, its beginning (a letter first), or its last characters; four at least."""
    identity_number: str | None = Field(None, max_length=20)
    """Of the owner or submitter: a personal identification number or an organisation's tax code. It is not kept."""
    codes: list[str] | None = Field(None, max_length=200)
    """These dossiers, for example those that the dossier service found by a name."""
    unit: str | None = Field(None, max_length=35)
    procedure_code: str | None = Field(None, max_length=20)
    status: list[int] = Field(default_factory=list, max_length=10)
    lateness: Lateness | None = None
    due_from: date | None = None
    due_to: date | None = None
    reason: str | None = Field(None, max_length=1000)
    """Why an inspector looks, ten letters at least; kept in the log."""


class SearchResult(BaseModel):
    """What was found, the newest first."""

    items: list[RegisterEntry]
    complete: bool
    """False when more may match than was looked at: give more of the code, or a unit."""
    updated_at: AwareDatetime | None


@dataclass(frozen=True, slots=True)
class Asked:
    """Which part of which register."""

    unit: str | None
    order: Order
    first: date | None
    last: date | None
    filters: Filters
    reason: str | None

    def period(self, now: datetime) -> domain.Period:
        """Of a year at most when it is by the day received; open at both ends when it is by appointment."""
        if self.order is Order.DUE:
            return domain.any_time(self.first, self.last)
        return domain.period(self.first, self.last, now.astimezone(words.HANOI).date())

    def criteria(self) -> dict[str, Any]:
        """For the log: what was asked for, as it was asked for."""
        asked = {"unit": self.unit, "by": self.order, "from": self.first, "to": self.last, **_said(self.filters)}
        return {name: value for name, value in asked.items() if value}


async def asked(
    unit: Annotated[
        str | None, Query(max_length=35, description="This unit and those below; all of yours without")
    ] = None,
    by: Order = Order.RECEIVED,
    first: Annotated[date | None, Query(alias="from", description="First day, in Viet Nam")] = None,
    last: Annotated[date | None, Query(alias="to", description="Last day, at most a year after the first")] = None,
    procedure_code: Annotated[str | None, Query(max_length=20)] = None,
    status: Annotated[list[int] | None, Query(max_length=10)] = None,
    lateness: Lateness | None = None,
    channel: Annotated[str | None, Query(max_length=30)] = None,
    due_from: Day = None,
    due_to: Day = None,
    reason: Reason = None,
) -> Asked:
    """The register that the query names."""
    filters = _filters(procedure_code, status or [], lateness, channel, due_from, due_to)
    return Asked(unit, by, first, last, filters, reason)


AskedFor = Annotated[Asked, Depends(asked)]


def _filters(
    procedure_code: str | None, status: Sequence[int], lateness: Lateness | None, channel: str | None,
    due_from: date | None, due_to: date | None,
) -> Filters:  # fmt: skip
    due = domain.any_time(due_from, due_to)
    since, until = (due.since if due_from else None), (due.until if due_to else None)
    known = tuple(sorted({one for one in status if one in STATUSES}))
    return Filters(procedure_code or None, known, lateness, channel or None, since, until)


def _said(filters: Filters) -> dict[str, Any]:
    return {
        "procedure_code": filters.procedure_code, "status": list(filters.statuses), "lateness": filters.lateness,
        "channel": filters.channel, "due_from": answers.text(filters.due_since),
        "due_until": answers.text(filters.due_until),
    }  # fmt: skip


@router.get("/registers/dossiers")
async def get_register(
    asked: AskedFor,
    who: Officer,
    tx: Tx,
    now: Now,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> Register:
    """Sổ theo dõi hồ sơ (Mẫu 07) of the officer's unit and those below, as data.

    `by=received`: by the day received, the last thirty days if no period is given, a year at most. `by=due`: what is
    still to be settled, the most urgent first. Inspectors see the whole province and give a reason. Every page is
    written down with its codes.
    """
    scope = scope_of(who, asked.reason, asked.unit)
    wanted = store.Wanted(asked.order, scope, asked.period(now), asked.filters, limit, _after(cursor))
    found = await store.filled(tx, wanted, now)
    await access.record(tx, who, scope, looked("register", asked.criteria(), found.rows))
    items = [entry(row, now) for row in found.rows]
    return Register(
        items=items, next=found.next and cursors.cursor(found.next.at, found.next.code), updated_at=await updated_at(tx)
    )


@router.post("/registers/searches")
async def search(body: Search, who: Officer, tx: Tx, now: Now) -> SearchResult:
    """Dossiers by what officers know: the code or its last digits, a person's number, codes found elsewhere.

    Only what belongs to the officer's scope is ever found. The number travels in the body, is compared as a keyed
    digest, and is neither kept nor logged.
    """
    scope = scope_of(who, body.reason, body.unit)
    codes, complete = await _candidates(tx, body, scope)
    filters = _filters(body.procedure_code, body.status, body.lateness, None, body.due_from, body.due_to)
    rows = await store.listed(tx, codes, scope, filters, now, MOST_FOUND + 1)
    shown = rows[:MOST_FOUND]
    await access.record(tx, who, scope, looked("search", _criteria(body, filters), shown))
    return SearchResult(
        items=[entry(row, now) for row in shown],
        complete=complete and len(rows) <= MOST_FOUND,
        updated_at=await updated_at(tx),
    )


def _after(cursor: str | None) -> Position | None:
    place = cursors.place(cursor) if cursor is not None else None
    return place and Position(*place)


MOST_FOUND = 100
"""Dossiers that a search shows."""


async def _candidates(tx: Connection, body: Search, scope: Scope) -> tuple[list[str], bool]:
    """(codes that every given criterion leaves, whether there are no others)."""
    lists: list[list[str]] = []
    if body.code:
        part = domain.part(body.code)
        units = sorted(scope.units if scope.units is not None else parents())
        lists.append(await store.codes_with(tx, part, units) if part else [])
    if body.identity_number:
        lists.append(await store.codes_of(tx, _digests(body.identity_number)))
    if body.codes is not None:
        lists.append(["".join(code.split()).upper() for code in body.codes])
    if not lists:
        raise domain.SearchWithoutCriteria
    complete = all(len(codes) < _fewest(scope) for codes in lists)
    return sorted(set(lists[0]).intersection(*lists[1:])), complete


def _fewest(scope: Scope) -> int:
    """From how many candidates on a list may have been cut."""
    units = len(scope.units) if scope.units is not None else len(parents())
    return max(20, store.CANDIDATES // (3 * max(1, units)))


def _digests(text: str) -> list[str]:
    """Of a person's number or an organisation's tax code. An officer is told when it is neither."""
    try:
        look_up_number(text)
    except IdentityNumberMalformed:
        tax_code(text)
    return list(digests(text, load(Settings).digest_key))


def _criteria(body: Search, filters: Filters) -> dict[str, Any]:
    """For the log: that a number was given, never which."""
    named = {
        "unit": body.unit,
        "code": body.code,
        "by_person": bool(body.identity_number),
        "by_codes": bool(body.codes),
    }
    return {name: value for name, value in {**named, **_said(filters)}.items() if value}


def looked(what: str, criteria: dict[str, Any], rows: Sequence[asyncpg.Record]) -> Looked:
    """What goes into the log of a list."""
    return Looked(what, criteria, [row["code"] for row in rows], len(rows))


# ── rows → answers ─────────────────────────────────────────────────────────────────────────────────

_AS_THEY_ARE = set(RegisterEntry.model_fields) - {"owner", "status", "state", "appointment"}


def entry(row: asyncpg.Record, now: datetime) -> RegisterEntry:
    """One line of the register."""
    return RegisterEntry(
        **{name: row[name] for name in _AS_THEY_ARE},
        owner=row["masked_name"],
        status=answers.status(row),
        state=answers.state(row),
        appointment=appointment(row, now),
    )


def appointment(row: asyncpg.Record, now: datetime) -> Appointment | None:
    """How the dossier stands to its appointment now."""
    kept = domain.lateness(row["punctuality"], row["due_at"], row["ended_at"], now)
    return Appointment(code=kept, label=words.LATENESS.get(kept, kept)) if kept else None
