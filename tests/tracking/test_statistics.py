"""Statistics on a real PostgreSQL: every figure is what counting the dossiers one by one gives, and opens to them."""

import asyncio
import csv
import io
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import httpx2
import pytest

from contracts.dossier import DeadlineExtended, ExtensionKind, Punctuality
from contracts.envelope import Event
from kit import settings as kit_settings
from kit.db import Database
from kit.http import Now
from services.tracking.app import app
from services.tracking.projection.counting import store as counters
from services.tracking.settings import Settings
from services.tracking.statistics import domain
from tests.tracking import callers, counted, story
from tests.tracking.counted import NOW, PROCEDURES, Asked, Life, midnight
from tests.tracking.hearing import hear

MakeDatabase = Callable[[str], Awaitable[Database]]

PRESENT = Now.__metadata__[0].dependency  # type: ignore[attr-defined]
ALL_UNITS = ("H99", "H99.01", "H99.02.01", "H99.02.02", "H99.03")
LIVES = counted.lives(300, seed=7)
BEGINNING: dict[str, Any] = {"from": "2026-06", "to": "2026-11"}


def officer(unit: str = "H99", *roles: str) -> dict[str, str]:
    return callers.officer("tracking", *(roles or ("leader",)), unit=unit)


def batches(lives: Sequence[Life], chance: random.Random) -> Iterator[list[Event]]:
    """Dossiers and payments in any order against each other, each in its own; some things twice."""
    streams = [list(events) for one in lives for events in (one.said, one.paid) if events]
    told: list[Event] = []
    while streams:
        stream = chance.choice(streams)
        told.append(stream.pop(0))
        if chance.random() < 0.05:
            told.append(told[-1])
        if not stream:
            streams.remove(stream)
    while told:
        size = chance.choice([1, 7, 60, 400])
        yield told[:size]
        del told[:size]


@pytest.fixture(scope="module")
def chance() -> random.Random:
    return random.Random(11)  # noqa: S311 (a test)


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    return await make_database("tracking")


@pytest.fixture
async def http(db: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx2.AsyncClient]:
    loaded: dict[Any, Any] = kit_settings._loaded
    monkeypatch.setitem(loaded, Settings, Settings(digest_key=story.KEY))
    _it_is(monkeypatch, NOW)
    app.state.db, app.state.verifier = db, callers.verifier("tracking")
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://tracking.test") as client:
        yield client


async def ask(http: httpx2.AsyncClient, *, who: dict[str, str] | None = None, **query: Any) -> dict[str, Any]:
    answer = await http.get("/api/v1/statistics", params=query, headers=who or officer())
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def sums(db: Database) -> list[tuple[Any, ...]]:
    """The counters, whoever added to them."""
    columns = ", ".join(f"sum({name})::int" for name in counters.COUNTERS)
    query = f"SELECT unit, procedure_code, month, {columns} FROM statistics GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"  # noqa: S608
    rows = await db.fetch(query)
    return [tuple(row) for row in rows if any(row[3:])]


async def test_every_figure_is_what_counting_dossier_by_dossier_gives_and_opens_to_them(
    http: httpx2.AsyncClient, db: Database, chance: random.Random
) -> None:
    for batch in batches(LIVES, chance):
        await hear(db, *batch)

    await nothing_is_empty(http)
    await figures_agree(http)
    await every_figure_opens_to_its_dossiers(http)
    await counting_anew_changes_nothing(db)


async def figures_agree(http: httpx2.AsyncClient) -> None:
    for first, last in ((6, 11), (8, 9), (11, 11), (6, 6), (10, 10)):
        begins, ends = midnight(2026, first), midnight(2026, last + 1)
        period: dict[str, Any] = {"from": f"2026-{first:02d}", "to": f"2026-{last:02d}"}
        for procedure in (None, *PROCEDURES):
            query: dict[str, Any] = {**period, **({"procedure": procedure} if procedure else {})}
            found = await ask(http, **query)
            assert found["total"]["figures"] == counted.recount(LIVES, Asked(ALL_UNITS, procedure, begins, ends))
            for row in found["rows"]:
                assert row["figures"] == counted.recount(LIVES, Asked([row["key"]], procedure, begins, ends)), row
        for row in (await ask(http, by="procedure", **period))["rows"]:
            assert row["figures"] == counted.recount(LIVES, Asked(ALL_UNITS, row["key"], begins, ends))
    monthly = await ask(http, by="month", **BEGINNING)
    for month, row in enumerate(monthly["rows"], 6):
        asked = Asked(ALL_UNITS, None, midnight(2026, month), midnight(2026, month + 1))
        assert row["figures"] == counted.recount(LIVES, asked), row["key"]
    assert monthly["total"]["figures"] == (await ask(http, **BEGINNING))["total"]["figures"]
    adds_up(monthly["total"]["figures"])


def adds_up(figures: dict[str, int]) -> None:
    """Nothing disappears: what there was and what came is settled, over otherwise, or pending."""
    over = ("settled", "refused_intake", "refused", "withdrawn", "stopped", "closed", "pending")
    assert figures["carried_over"] + figures["received"] == sum(figures[name] for name in over)


async def every_figure_opens_to_its_dossiers(http: httpx2.AsyncClient) -> None:
    queries: list[dict[str, Any]] = [
        BEGINNING,
        {"from": "2026-09", "to": "2026-10"},
        {"from": "2026-11", "procedure": PROCEDURES[0]},
    ]
    for query in queries:
        found = await ask(http, **query)
        for row in (found["total"], found["rows"][0]):
            for figure, value in row["figures"].items():
                behind = await opened(http, row["dossiers"].replace("{figure}", figure))
                assert sum(each["count"] for each in behind) == value, (figure, row["key"])
                assert len({each["code"] for each in behind}) == len(behind)


async def nothing_is_empty(http: httpx2.AsyncClient) -> None:
    """These lives try every figure."""
    figures = (await ask(http, **{**BEGINNING, "from": "2026-07"}))["total"]["figures"]
    assert [name for name, value in figures.items() if value == 0] == []


async def opened(http: httpx2.AsyncClient, link: str) -> list[dict[str, Any]]:
    """All the pages of a list."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        answer = await http.get(f"{link}&limit=37{cursor}", headers=officer())
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        if answer.json()["next"] is None:
            return found
        cursor = f"&cursor={answer.json()['next']}"


async def counting_anew_changes_nothing(db: Database) -> None:
    before = await sums(db)
    async with db.transaction() as tx:
        await counters.recount(tx)
    assert await sums(db) == before


# ── however it is heard ───────────────────────────────────────────────────────────────────────────────────────


async def test_replicas_that_count_at_once_neither_wait_nor_lose_anything(db: Database) -> None:
    shares = [LIVES[n::6] for n in range(6)]
    told = [[event for one in share for event in (*one.said, *one.paid)] for share in shares]
    await asyncio.gather(*(hear(db, *events[at : at + 40]) for events in told for at in (0,)))
    await asyncio.gather(*(_in_parts(db, events[40:]) for events in told))

    at_once = await sums(db)
    async with db.transaction() as tx:
        await counters.recount(tx)
    assert at_once == await sums(db)
    total = counted.recount(LIVES, Asked(ALL_UNITS, None, midnight(2026, 6), midnight(2026, 12)))
    received = await db.fetchval("SELECT sum(received_online + received_direct + received_post) FROM statistics")
    assert received == total["received"]


async def _in_parts(db: Database, events: Sequence[Event]) -> None:
    for at in range(0, len(events), 50):
        await hear(db, *events[at : at + 50])


async def test_hearing_again_what_overlaps_with_what_is_known_counts_nothing_twice(db: Database) -> None:
    one = max(LIVES, key=lambda life: len(life.asks))
    await hear(db, *one.said[:-2])
    await db.execute("DELETE FROM inbox_position")
    await db.execute("INSERT INTO inbox_position (consumer, channel, key, version, parked) "
                     "VALUES ('tracking', 'dossier.dossiers.v1', $1, 2, 0)", one.code)  # fmt: skip
    await hear(db, *one.said[2:])
    twice = await sums(db)
    async with db.transaction() as tx:
        await counters.recount(tx)
    asks = await db.fetchval("SELECT sum(supplements)::int FROM statistics")
    assert (twice, asks) == (await sums(db), len(one.asks))


# ── late, whatever was said ───────────────────────────────────────────────────────────────────────────────────


async def test_an_apology_makes_nothing_punctual(
    http: httpx2.AsyncClient, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Acceptance scenario 13: statistics count the original appointment."""
    first, later = story.START + timedelta(hours=8), story.START + timedelta(days=3)
    extended = DeadlineExtended(
        **story.about(3), kind=ExtensionKind.APOLOGY, original_due_at=first, old_due_at=first, new_due_at=later,
        reason="Hồ sơ phức tạp",
    )  # fmt: skip
    await hear(db, story.submitted(), story.accepted(2), extended)
    _it_is(monkeypatch, first + timedelta(days=1))
    figures = (await ask(http))["total"]["figures"]
    assert (figures["pending_over"], figures["pending_within"], figures["apologies"]) == (1, 0, 1)

    await hear(db, story.signed(4), story.issued(5).model_copy(update={"outcome": Punctuality.LATE}))
    total = (await ask(http))["total"]
    assert (total["figures"]["settled_late"], total["figures"]["pending"], total["rates"]["on_time"]) == (1, 0, 0.0)


async def test_what_is_due_later_today_is_within_time_until_then(
    http: httpx2.AsyncClient, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hear(db, story.submitted(), story.accepted(2))
    for hours, over in ((7.9, 0), (8.1, 1)):
        _it_is(monkeypatch, story.START + timedelta(hours=hours))
        for by in ("unit", "procedure", "month"):
            figures = (await ask(http, by=by))["total"]["figures"]
            assert (figures["pending_within"], figures["pending_over"]) == (1 - over, over)


def _it_is(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    monkeypatch.setitem(app.dependency_overrides, PRESENT, lambda: moment)


# ── who may see what ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("query", "who", "status", "problem"),
    [
        ({"from": "2026-10", "to": "2026-09"}, ("H99", "leader"), 422, "period-invalid"),
        ({"from": "2026-13"}, ("H99", "leader"), 422, "period-invalid"),
        ({"from": "0000-01", "to": "2026-11"}, ("H99", "leader"), 422, "period-invalid"),
        ({"from": "2027-01"}, ("H99", "leader"), 422, "period-invalid"),
        ({"from": "1976-11", "to": "2026-11"}, ("H99", "leader"), 422, "period-too-long"),
        ({"from": "2026-1x"}, ("H99", "leader"), 422, "invalid-request"),
        ({"unit": "H99.77"}, ("H99", "leader"), 404, "unit-unknown"),
        ({"unit": "'; DROP TABLE statistics; --"}, ("H99", "leader"), 404, "unit-unknown"),
        ({"procedure": "9.999999"}, ("H99", "leader"), 404, "procedure-unknown"),
        ({"unit": "H99.02.02"}, ("H99.02.01", "leader"), 403, "unit-not-in-your-scope"),
        ({"unit": "H99"}, ("H99.02.01", "desk"), 403, "unit-not-in-your-scope"),
        ({"unit": "H99.77"}, ("H99.02.01", "desk"), 403, "unit-not-in-your-scope"),
        ({}, ("H99", "system_admin"), 403, "forbidden"),
    ],
)
async def test_a_question_that_cannot_be_answered_is_refused(
    http: httpx2.AsyncClient, query: dict[str, str], who: tuple[str, str], status: int, problem: str
) -> None:
    for path in ("/api/v1/statistics", "/api/v1/statistics/export", "/api/v1/statistics/dossiers"):
        answer = await http.get(path, params={"figure": "settled", **query}, headers=officer(*who))
        assert (answer.status_code, answer.json()["type"]) == (status, f"urn:motcua:problem:{problem}")


async def test_units_see_their_own_figures_and_an_inspector_the_province(
    http: httpx2.AsyncClient, db: Database
) -> None:
    await hear(db, *[event for one in LIVES[:60] for event in one.said])
    own = await ask(http, who=officer("H99.03", "specialist"), **BEGINNING)
    asked = Asked(["H99.03"], None, midnight(2026, 6), midnight(2026, 12))
    assert own["unit"] == "H99.03"
    assert own["total"]["figures"]["received"] == counted.recount(LIVES[:60], asked)["received"]
    everywhere = await ask(http, who=officer("H99.03", "inspector"), **BEGINNING)
    assert everywhere["unit"] == "H99"
    assert everywhere["total"]["figures"] == (await ask(http, **BEGINNING))["total"]["figures"]
    cashier = officer("H99.03", "cashier")
    opened = await http.get(own["total"]["dossiers"].replace("{figure}", "received"), headers=cashier)
    assert opened.json()["type"] == "urn:motcua:problem:dossiers-not-for-your-role"
    strange = await http.get("/api/v1/statistics/dossiers?figure=settled&cursor=WyJ4Il0=", headers=officer())
    assert strange.json()["type"] == "urn:motcua:problem:cursor-not-of-this-figure"


async def test_everybody_sees_on_time_rates_but_not_of_a_handful(http: httpx2.AsyncClient, db: Database) -> None:
    await hear(db, *[event for one in LIVES for event in one.said])
    shown = (await http.get("/api/v1/statistics/on-time", params={"month": "2026-10"})).json()
    for one in shown["units"]:
        figures = counted.recount(LIVES, Asked([one["unit"]], None, midnight(2026, 10), midnight(2026, 11)))
        punctual = figures["settled_early"] + figures["settled_on_time"]
        assert one["few"] or one["on_time"] == round(punctual / figures["settled"], 4)
    assert shown["province"]["settled"] > 0
    assert "H99-" not in str(shown)


@pytest.mark.parametrize(
    ("settled", "hidden"),
    [
        ({"a": 100, "b": 40, "c": 0}, set()),
        ({"a": 100, "b": 40, "c": 3}, {"b", "c"}),
        ({"a": 100, "b": 2, "c": 3}, {"b", "c"}),
        ({"a": 4}, {"a"}),
    ],
)
def test_one_hidden_unit_cannot_be_found_by_subtraction(settled: dict[str, int], hidden: set[str]) -> None:
    assert domain.hidden(settled) == hidden


async def test_the_file_opens_in_a_spreadsheet_and_runs_nothing(http: httpx2.AsyncClient, db: Database) -> None:
    named = LIVES[0].said[0].model_copy(update={"procedure_name": "=HYPERLINK(1)", "procedure_version": 9})
    await hear(db, named, *LIVES[0].said[1:], *LIVES[1].said)
    query = {**BEGINNING, "by": "procedure"}
    answer = await http.get("/api/v1/statistics/export", params=query, headers=officer())
    assert answer.headers["content-disposition"] == 'attachment; filename="thong-ke-H99-2026-06-2026-11.csv"'
    assert answer.content.startswith("\ufeffMã,Thủ tục,Kỳ trước chuyển sang,".encode())
    head, *lines = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    shown = (await ask(http, **query))["rows"]
    assert [line[2:-7] for line in lines[: len(shown)]] == [[str(n) for n in row["figures"].values()] for row in shown]
    assert len(head) == len(set(head)) == len(lines[0])
    assert "'=HYPERLINK(1)" in {line[1] for line in lines[: len(shown)]}
    assert ["Số liệu đang giải quyết tính lúc", "10:00 18/11/2026"] in lines


async def test_what_nobody_tells_is_absent_and_not_zero(http: httpx2.AsyncClient) -> None:
    told = (await http.get("/api/v1/statistics/figures")).json()
    assert set(told["absent"]) == {"satisfaction", "complaints_in_time"} == set((await ask(http))["absent"])
    assert not {each["figure"] for each in told["figures"]} & set(told["absent"])
