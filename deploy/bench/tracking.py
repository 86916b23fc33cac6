"""`bench tracking`: looking up, listing and counting among 10,000 dossiers and a million, and a rebuild meanwhile.

Two sizes of the same installation: dossiers with their events on Kafka, projected, asked over HTTP. The larger one is
filled by the rebuild that is measured, while look-ups are asked and new events come in.
"""

import asyncio
import itertools
import json
import re
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition
from joserfc import jwt

from contracts.dossier import DossierSubmitted
from deploy.bench.figures import Amount, Figures, Latency, Rates, Repeated, percentile
from deploy.bench.measuring import measured, say
from deploy.bench.report import Report
from deploy.bench.rig import Child, Rig, submissions
from deploy.load import publishing
from deploy.load.lives import Life, Plan
from deploy.load.records import write
from deploy.local import places
from deploy.local.process import memory_mb
from kit import ids
from kit.db import Database
from kit.log import opened
from kit.settings import Settings
from services.identity import tokens
from services.tracking.subscribers import inbox

SMALL, LARGE = 10_000, 1_000_000
RATE, PACE = 500, 50
"""Look-ups a second; new events a second."""
RATE_MEANWHILE = 50
"""Look-ups a second while a rebuild runs: they show that it serves, and leave the machine to the rebuild."""
LOOK_UP_P99, PAGE_P95, STATISTICS_P95 = 15.0, 60.0, 300.0
GROWTH = 2.0
REBUILD = 10_000.0
FRESH_P99, FRESH_P99_WHILE_REBUILT = 1000.0, 3000.0
SLICE = 10
"""Seconds of look-ups between two looks at whether the rebuild is over."""
WITHOUT_LIMIT = {"MOTCUA_LOOKUPS_PER_MINUTE": "0"}
CODES = 2_000
"""Different dossiers that are asked for."""


@dataclass
class Run:
    """What is measured on, and what was found so far: written down as it goes."""

    rig: Rig
    seconds: int
    pages: int
    """Questions of each kind of page."""
    file: Path
    sizes: list[int] = field(default_factory=list)
    found: dict[str, dict[int, list[float]]] = field(default_factory=dict)
    rebuilt: dict[str, float] = field(default_factory=dict)
    refused: int = 0
    """Questions answered by 503: the machine had too much to do."""

    def note(self, what: str, size: int, milliseconds: list[float]) -> None:
        self.found.setdefault(what, {})[size] = milliseconds
        p50, p95, p99 = (percentile(milliseconds, share) for share in (0.5, 0.95, 0.99))
        say("tracking", f"{size:,} dossiers, {what}: p50 {p50:.1f}, p95 {p95:.1f}, p99 {p99:.1f} ms")
        self.write()

    def write(self) -> None:
        told = {
            what: {size: {s: percentile(ms, float(s) / 100) for s in ("50", "95", "99")} for size, ms in sizes.items()}
            for what, sizes in self.found.items()
        }
        self.file.write_text(json.dumps({"milliseconds": told, "rebuild": self.rebuilt}, indent=2))


def measure(*, quick: bool = False, dossiers: int = 0) -> Report:
    large = dossiers or (5 * SMALL if quick else LARGE)
    much = (5, 60) if quick else (20, 300)
    return measured("tracking", lambda rig: _figures(rig, min(SMALL, large // 5), large, *much))


async def _figures(rig: Rig, small: int, large: int, seconds: int, pages: int) -> Figures:
    run = Run(rig, seconds, pages, places.make(places.state()) / "bench-tracking.json")
    say("tracking", f"partial results are written to {run.file}")
    await rig.stack.up("identity", "tracking", env=WITHOUT_LIMIT)
    asking = await Child.start("asking")
    filled = await _generate(run, _plan(rig, small))
    await _caught_up(rig)
    await _measure_at(run, asking, small, _plan(rig, small))
    await _fresh(run, "event → shown", small, run.seconds)
    await rig.stack.stop("tracking")  # what the rebuild will bring need not be projected before
    rest = _plan(rig, large - small, first=small)
    filled += await _generate(run, rest)
    await _skip_to_end(rig)
    await rig.stack.up("tracking", env=WITHOUT_LIMIT)
    await _rebuild(run, asking, large, _codes(_plan(rig, small)))
    await _caught_up(rig)
    await _measure_at(run, asking, large, rest)
    await _fresh(run, "event → shown", large, run.seconds)
    await asking.end()
    held = Amount("tracking, after all this", memory_mb(rig.stack.pid("tracking")), "MB")
    return _told(run, small, large, filled, held)


# ── filling ──


def _plan(rig: Rig, dossiers: int, first: int = 0) -> Plan:
    present = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    key = rig.stack.site.secrets.digest_key
    return Plan(dossiers, present - timedelta(days=365), present, first=first, digest_key=key)


async def _generate(run: Run, plan: Plan) -> int:
    """Events put on Kafka."""
    say("tracking", f"generating {plan.dossiers:,} dossiers")
    began = time.monotonic()
    settings = Settings(kafka=run.rig.infra.kafka)
    count = await asyncio.to_thread(publishing.generate, settings, plan, processes=2, watch=lambda _: None)
    run.rebuilt[f"{plan.dossiers} dossiers generated, events/s"] = count / (time.monotonic() - began)
    run.write()
    return count


async def _caught_up(rig: Rig) -> None:
    """The live projection has committed all that stands on Kafka."""
    settings = Settings(kafka=rig.infra.kafka)
    async with opened(settings, inbox.consumer, inbox.subscriptions) as kafka, asyncio.timeout(900):
        while sum((await kafka.ends()).values()) > sum((await kafka.committed()).values()):  # noqa: ASYNC110
            await asyncio.sleep(0.3)


async def _skip_to_end(rig: Rig) -> None:
    """The group need not read what the rebuild reads: nobody is in it now."""
    async with opened(Settings(kafka=rig.infra.kafka), inbox.consumer, inbox.subscriptions) as kafka:
        ends = await kafka.ends()
    consumer = AIOKafkaConsumer(bootstrap_servers=rig.infra.kafka, group_id=inbox.consumer, enable_auto_commit=False)
    await consumer.start()
    consumer.assign([TopicPartition(topic, partition) for topic, partition in ends])
    await consumer.commit({TopicPartition(topic, partition): end for (topic, partition), end in ends.items()})
    await consumer.stop()


# ── asking ──


def _codes(plan: Plan) -> list[str]:
    chance = Random(5)  # noqa: S311 (which dossiers are asked for)
    return [Life(plan, chance.randrange(plan.dossiers)).code for _ in range(min(CODES, plan.dossiers))]


def _look_ups(rig: Rig, codes: Iterable[str]) -> list[tuple[str, str]]:
    url = rig.stack.url("tracking")
    return [(f"{url}/api/v1/dossiers/{code}", "") for code in codes]


async def _measure_at(run: Run, asking: Child, size: int, plan: Plan) -> None:
    look_ups = _look_ups(run.rig, _codes(plan))
    await asking.ask(questions=look_ups, rate=RATE, seconds=3)  # warms up
    answer = await asking.ask(questions=look_ups, rate=RATE, seconds=run.seconds)
    _none_failed(run, answer)
    run.note(LOOK_UP, size, answer["milliseconds"])
    for what, questions in _pages(run, plan).items():
        await asking.ask(questions=questions[:10])
        answer = await asking.ask(questions=questions)
        _none_failed(run, answer)
        run.note(what, size, answer["milliseconds"])


def _none_failed(run: Run, answer: dict[str, Any]) -> None:
    """Being too busy is counted; any other refusal means that the question was wrong."""
    run.refused += answer["statuses"].get("503", 0)
    if set(answer["statuses"]) - {"503"}:
        raise RuntimeError(f"of {len(answer['milliseconds'])} refused: {answer['statuses']}")


LOOK_UP = "look-up by code"
PAGES = ("folders with counts", "a folder's page", "a register's page", "a register by appointment")
STATISTICS = ("statistics of a year, by unit", "statistics of a month, by procedure", "dossiers behind a figure")


def _pages(run: Run, plan: Plan) -> dict[str, list[tuple[str, str]]]:
    chance = Random(6)  # noqa: S311 (who asks for what)
    url, sign = f"{run.rig.stack.url('tracking')}/api/v1", _signer(run.rig)
    accounts = [plan.account(chance.randrange(plan.citizens)) for _ in range(run.pages)]
    folders = ("in_progress", "result_returned", "sent_back")

    def officers(path: str, **asked: str) -> list[tuple[str, str]]:
        units = [chance.choice(("H99", "H99.01", "H99.02.01", "H99.02.02")) for _ in range(run.pages)]
        return [(f"{url}{path}?{urlencode({**asked, 'unit': unit})}", sign("officer", UUID(int=7))) for unit in units]

    until = plan.until
    month = {"from": f"{until - timedelta(days=29):%Y-%m-%d}", "to": f"{until:%Y-%m-%d}"}
    asked = (
        [(f"{url}/my/folders", sign("citizen", ref)) for ref in accounts],
        [(f"{url}/my/dossiers?folder={chance.choice(folders)}", sign("citizen", ref)) for ref in accounts],
        officers("/registers/dossiers", **month),
        officers("/registers/dossiers", by="due"),
        officers("/statistics", by="unit", **_months(until, 11)),
        officers("/statistics", by="procedure", **_months(until, 0)),
        officers("/statistics/dossiers", figure="settled_late", **_months(until, 1)),
    )
    return dict(zip((*PAGES, *STATISTICS), asked, strict=True))


def _months(until: datetime, before: int) -> dict[str, str]:
    first = until.year * 12 + until.month - 1 - before
    return {"from": f"{first // 12}-{first % 12 + 1:02d}", "to": f"{until:%Y-%m}"}


def _signer(rig: Rig) -> Callable[[str, UUID], str]:
    """Tokens as identity signs them, with its own key."""
    key = tokens._read(rig.stack.site.secrets.token_key).keys[0]
    now = int(time.time())
    of_officer = {"unit": "H99", "roles": ["leader"], "name": ""}

    def sign(kind: str, ref: UUID) -> str:
        about = {"iss": rig.stack.url("identity"), "aud": "tracking", "sub": str(ref), "kind": kind, "acr": 2}
        claims = {**about, "iat": now, "auth_time": now, "exp": now + 50, **(of_officer if kind == "officer" else {})}
        return jwt.encode({"alg": "ES256", "typ": "at+jwt", "kid": key.kid}, claims, key, algorithms=["ES256"])

    return sign


# ── freshness ──

SHOWN = "SELECT code FROM dossier_view WHERE code = ANY($1)"
LOOK = 0.01
"""Seconds between two looks at what is shown."""


async def _fresh(run: Run, what: str, size: int, seconds: float) -> None:
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, over.set)
    run.note(what, size, await _freshness(run.rig, over))


async def _freshness(rig: Rig, over: asyncio.Event) -> list[float]:
    """Milliseconds from handing each new dossier's event to Kafka until the table that is looked up shows it."""
    db = await Database.open(rig.stack.site.place("tracking").database_url, size=2)
    said: dict[str, float] = {}
    took: list[float] = []
    telling = asyncio.create_task(_tell(rig, said, over))
    try:
        while not over.is_set() or said:
            for row in await db.fetch(SHOWN, list(said)) if said else ():
                took.append((time.perf_counter() - said.pop(row["code"])) * 1000)
            await asyncio.sleep(LOOK)
            if over.is_set() and said and time.perf_counter() - max(said.values()) > 60:
                raise RuntimeError(f"{len(said)} events were never shown")
        await telling
    finally:
        telling.cancel()
        await db.close()
    return took


async def _tell(rig: Rig, said: dict[str, float], over: asyncio.Event) -> None:
    prefix, chance = ids.new().hex[-6:], Random(7)  # noqa: S311 (ids of events)
    async with publishing.sender(Settings(kafka=rig.infra.kafka)) as out:
        began = time.perf_counter()
        for n, event in enumerate(_submissions(prefix), start=1):
            if over.is_set():
                break
            facts = event.model_dump(mode="json", exclude={"version", "occurred_at"})
            said[event.dossier_code] = time.perf_counter()
            await out.send(write(DossierSubmitted, event.dossier_code, 1, datetime.now(UTC), facts, chance))
            await out.flush()
            await asyncio.sleep(max(0, began + n / PACE - time.perf_counter()))


def _submissions(prefix: str) -> Iterable[DossierSubmitted]:
    (example,) = submissions(1, prefix)
    for n in itertools.count(1):
        yield example.model_copy(update={"dossier_code": f"H99.02.01-{prefix}-{n:06d}", "owner_ref": ids.new()})


# ── the rebuild ──

REBUILDING = "from kit import ops; ops.cli('tracking')(['rebuild', '--without-comparing'])"
SAID = re.compile(r"([\d,]+) events in ([\d,.]+) s")
HELD = re.compile(r"nothing was projected for ([\d.]+) s")


async def _rebuild(run: Run, asking: Child, size: int, codes: Sequence[str]) -> None:
    """Everything anew, while look-ups are asked and events come in."""
    say("tracking", f"{size:,} dossiers: rebuild, with {RATE_MEANWHILE} look-ups/s and {PACE} events/s")
    over = asyncio.Event()
    fresh = asyncio.create_task(_freshness(run.rig, over))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", REBUILDING, cwd=places.ROOT, env={**run.rig.stack.env("tracking"), "PYTHONPATH": "."},
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    rebuilding = asyncio.create_task(process.communicate())
    try:
        looked_up = await _until(run, rebuilding, lambda: asking.ask(
            questions=_look_ups(run.rig, codes), rate=RATE_MEANWHILE, seconds=SLICE
        ))  # fmt: skip
    finally:
        over.set()
    said = (await rebuilding)[0].decode()
    if process.returncode:
        raise RuntimeError(f"the rebuild failed: {said}")
    _note_rebuild(run, said)
    run.note(f"{LOOK_UP}, while a rebuild runs", size, looked_up)
    run.note("event → shown, while a rebuild runs", size, await fresh)


async def _until(run: Run, over: "asyncio.Task[Any]", ask: Callable[[], Awaitable[dict[str, Any]]]) -> list[float]:
    milliseconds: list[float] = []
    while not over.done():
        answer = await ask()
        _none_failed(run, answer)
        milliseconds += answer["milliseconds"]
    return milliseconds


def _note_rebuild(run: Run, said: str) -> None:
    events, held = SAID.search(said), HELD.search(said)
    assert events is not None  # noqa: S101 (it says so when it succeeds)
    assert held is not None  # noqa: S101
    count, seconds = (float(text.replace(",", "")) for text in events.groups())
    run.rebuilt |= {"events": count, "seconds": seconds, "events/s": count / seconds, "held": float(held[1])}
    say("tracking", f"rebuilt {count:,.0f} events in {seconds:,.0f} s: {count / seconds:,.0f}/s")
    run.write()


# ── the figures ──


def _told(run: Run, small: int, large: int, filled: int, held: Amount) -> Figures:
    latencies = [_latency(what, size, ms) for what, sizes in run.found.items() for size, ms in sizes.items()]
    title = f"rebuild, {large:,} dossiers, with {RATE_MEANWHILE} look-ups/s and {PACE} events/s"
    rate = Rates(title, Repeated((run.rebuilt["events/s"],)), "events/s", REBUILD)
    growths = [
        Amount(f"growth of {what} from {small:,} to {large:,} dossiers ({name}; goal ≤ {GROWTH:g})", grown, "times")
        for what, sizes in run.found.items()
        if len(sizes) == 2
        for name, share in [_judged_by(what)]
        for grown in [percentile(sizes[large], share) / percentile(sizes[small], share)]
    ]
    besides = [
        Amount("events of them all", filled, "events"),
        Amount("questions answered by 503", run.refused, "questions"),
        Amount("rebuild, the switch: nothing was projected for", run.rebuilt["held"], "s"),
        held,
    ]
    return Figures(latencies=latencies, rates=[rate], amounts=[*growths, *besides])


def _judged_by(what: str) -> tuple[str, float]:
    return ("p99", 0.99) if what.startswith((LOOK_UP, "event")) else ("p95", 0.95)


def _latency(what: str, size: int, milliseconds: list[float]) -> Latency:
    look_ups = RATE_MEANWHILE if "rebuild" in what else RATE
    rate = f"{look_ups}/s" if what.startswith(LOOK_UP) else f"{PACE}/s" if what.startswith("event") else "one by one"
    p99 = p95 = None
    if what == LOOK_UP:
        p99 = LOOK_UP_P99
    elif what.startswith("event"):
        p99 = FRESH_P99_WHILE_REBUILT if "rebuild" in what else FRESH_P99
    elif what in PAGES:
        p95 = PAGE_P95
    elif what in STATISTICS:
        p95 = STATISTICS_P95
    return Latency(f"{what}, {size:,} dossiers", rate, tuple(milliseconds), goal_p99=p99, goal_p95=p95)
