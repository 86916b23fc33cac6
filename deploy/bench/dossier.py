"""`bench dossier`: whole lives of dossiers, from sending one to its signed, sealed and published result.

Each life is sent with a PDF (scanned, taken apart, kept), accepted (its receipt, Mẫu 01, is made and sealed), paid at
the till of the payment service, proposed, signed by the leader, numbered, sealed and issued: two PAdES signatures, both
checked again before anything is published. The drafts, their files in quarantine, are made before the clock starts.
identity, dossier, payment and the virus scanner run beside Kafka, PostgreSQL and S3; look-up and notification do not.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2
import psutil

from deploy.bench import submissions
from deploy.bench.figures import Amount, Figures, Latency, Rates, Repeated
from deploy.bench.measuring import measured, say
from deploy.bench.report import Report
from deploy.bench.rig import Rig
from deploy.bench.submissions import UNIT, WITH_FILE, Citizens
from deploy.local import tokens
from kit import ids

SERVICES = ("identity", "dossier", "payment", "clamav")
OFFICERS = {"acceptance": "desk", "proposal": "specialist", "signature": "leader", "issuance": "clerk"}
"""What is done to a dossier, and by whom; each is somebody else."""
AT_ONCE = 12
"""Dossiers on their way at the same time."""
GOAL = 5.0
"""Lives a second on two cores."""
LOOK_AGAIN = 0.1
PARSING, SERVERS, LOAD = "parsing of files, in processes of its own", "Kafka, PostgreSQL and S3", "the load generator"


@dataclass(frozen=True)
class Extent:
    """How much is done."""

    lives: int
    repetitions: int


FULL, QUICK = Extent(lives=150, repetitions=3), Extent(lives=24, repetitions=1)


def measure(*, quick: bool = False) -> Report:
    return measured("dossier", lambda rig: _figures(rig, QUICK if quick else FULL))


async def _figures(rig: Rig, much: Extent) -> Figures:
    say("dossier", "services start")
    await rig.stack.up(*SERVICES)
    citizens = await submissions.people(rig)
    office = Office(rig, citizens)
    await _lives(office, await citizens.drafts(AT_ONCE, WITH_FILE))
    office.took.clear()
    rates, spent = [], []
    for n in range(much.repetitions):
        drafts = await citizens.drafts(much.lives, WITH_FILE)
        say("dossier", f"{much.lives} lives, {n + 1} of {much.repetitions}")
        before = _cpu_by_whom(rig)
        rates.append(much.lives / await _lives(office, drafts))
        spent.append({name: seconds - before[name] for name, seconds in _cpu_by_whom(rig).items()})
    title = f"whole lives: sent with a PDF, accepted, paid, proposed, signed, issued ({AT_ONCE} at once)"
    return Figures(
        latencies=[Latency(act, f"{AT_ONCE} at once", tuple(ms)) for act, ms in office.took.items()],
        rates=[Rates(title, Repeated(tuple(rates)), "lives/s", GOAL)],
        amounts=[_amount(name, spent, much.lives) for name in spent[0]],
    )


def _amount(name: str, spent: Sequence[dict[str, float]], lives: int) -> Amount:
    each = sum(one[name] for one in spent) / len(spent) / lives
    return Amount(f"CPU of one life: {name}", each * 1000, "ms")


class Office:
    """Citizens and officers at work, over HTTP; how long each act took."""

    def __init__(self, rig: Rig, citizens: Citizens) -> None:
        self.citizens = citizens
        limits = httpx2.Limits(max_connections=AT_ONCE * 2)
        self.payment = httpx2.AsyncClient(base_url=rig.stack.url("payment"), limits=limits, timeout=60)
        site = rig.stack.site
        self.headers = {
            act: {"Authorization": f"Bearer {tokens.of_officer(site, 'dossier', ids.new(), UNIT, role)}"}
            for act, role in OFFICERS.items()
        }
        cashier = tokens.of_officer(site, "payment", ids.new(), UNIT, "cashier")
        self.payment.headers["Authorization"] = f"Bearer {cashier}"
        self.took: dict[str, list[float]] = defaultdict(list)

    async def live(self, draft: str) -> None:
        """One dossier's whole life."""
        code = await self._timed("submission", self.citizens.send(draft))
        await self._timed("acceptance", self._act(code, "acceptance"))
        await self._timed("payment, until the dossier has heard of it", self._pay(code))
        for act in ("proposal", "signature", "issuance"):
            await self._timed(act, self._act(code, act))

    async def _timed(self, act: str, doing: Awaitable[Any]) -> Any:
        began = time.perf_counter()
        done = await doing
        self.took[act].append((time.perf_counter() - began) * 1000)
        return done

    async def _act(self, code: str, act: str) -> None:
        answer = await self.citizens.dossier.post(f"/api/v1/dossiers/{code}/{act}", headers=self.headers[act])
        submissions.good(answer)

    async def _pay(self, code: str) -> None:
        """At the till, once the payment service has heard what is owed."""
        owed = await _until(lambda: self._owed(code))
        paid = {"method": "cash", "amount": owed}
        submissions.good(await self.payment.post(f"/api/v1/dossiers/{code}/cash-payments", json=paid))
        await _until(lambda: self._heard(code))

    async def _owed(self, code: str) -> int:
        answer = await self.payment.get(f"/api/v1/dossiers/{code}/fees")
        return int(submissions.good(answer)["outstanding"]) if answer.status_code != 404 else 0

    async def _heard(self, code: str) -> bool:
        answer = await self.citizens.dossier.get(f"/api/v1/dossiers/{code}")
        return bool(submissions.good(answer)["payment_state"] == "paid")


async def _until(look: Callable[[], Awaitable[Any]]) -> Any:
    async with asyncio.timeout(60):
        while not (found := await look()):  # noqa: ASYNC110 (another process sets no event)
            await asyncio.sleep(LOOK_AGAIN)
    return found


async def _lives(office: Office, drafts: Sequence[str]) -> float:
    """Seconds that all of them took."""
    waiting = list(drafts)

    async def worker() -> None:
        while waiting:
            await office.live(waiting.pop())

    began = time.perf_counter()
    await asyncio.gather(*[worker() for _ in range(AT_ONCE)])
    return time.perf_counter() - began


# ── who spends the processors' time ──


def _cpu_by_whom(rig: Rig) -> dict[str, float]:
    """Seconds of CPU since each began. What a process spent that ended meanwhile is not seen."""
    ours = {rig.stack.pid(name): name for name in SERVICES}
    found = {**dict.fromkeys([*SERVICES, PARSING, SERVERS], 0.0), LOAD: _cpu(psutil.Process())}
    for process in psutil.Process().children(recursive=True):
        found[_whose(process, ours)] += _cpu(process)
    return found


def _whose(process: psutil.Process, ours: dict[int, str]) -> str:
    return ours.get(process.pid) or (PARSING if process.ppid() in ours else SERVERS)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system
