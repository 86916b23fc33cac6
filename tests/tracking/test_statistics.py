"""Statistics on a real PostgreSQL: every figure is what counting the dossiers one by one gives, and opens to them."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any

import httpx2
import pytest

from contracts.envelope import Event
from kit import settings as kit_settings
from kit.db import Database
from kit.http import Now
from services.tracking.app import app
from services.tracking.projection.counting import store as counters
from services.tracking.settings import Settings
from tests.tracking import callers, counted, story
from tests.tracking.counted import NOW, PROCEDURES, Asked, Life, midnight
from tests.tracking.hearing import hear

MakeDatabase = Callable[[str], Awaitable[Database]]

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
    present = Now.__metadata__[0].dependency  # type: ignore[attr-defined]
    monkeypatch.setitem(app.dependency_overrides, present, lambda: NOW)
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
