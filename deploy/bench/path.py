"""`bench path`: the path of one event, part by part, against the bare parts, in one run on the same servers."""

import asyncio
from dataclasses import dataclass

from deploy.bench import projection, relay, submissions
from deploy.bench.figures import Amount, Figures
from deploy.bench.measuring import measured, say
from deploy.bench.report import Report
from deploy.bench.rig import Rig
from deploy.local.process import memory_mb

SERVICES = ("identity", "dossier", "tracking")


@dataclass(frozen=True)
class Extent:
    """How much is done."""

    repetitions: int
    """Of everything that is compared."""
    steady: int
    """Repetitions of what runs at a steady rate."""
    relayed: int
    projected: int
    submitted: int
    latency_seconds: float
    fresh_seconds: float


FULL = Extent(
    repetitions=5, steady=3, relayed=20_000, projected=10_000, submitted=400, latency_seconds=10, fresh_seconds=10
)
QUICK = Extent(
    repetitions=1, steady=1, relayed=2_000, projected=1_000, submitted=40, latency_seconds=2, fresh_seconds=2
)


def measure(*, quick: bool = False) -> Report:
    return measured("path", lambda rig: _figures(rig, QUICK if quick else FULL))


async def _figures(rig: Rig, much: Extent) -> Figures:
    say("path", "relay throughput")
    relayed, amounts = await relay.throughput(rig, count=much.relayed, repetitions=much.repetitions)
    say("path", "relay latency")
    rates = {20: much.latency_seconds, 200: much.latency_seconds, 1000: much.latency_seconds / 2}
    latencies = await relay.latency(rig, rates=rates, repetitions=much.steady)
    say("path", "services start")
    await rig.stack.up(*SERVICES, "clamav", env={"MOTCUA_TENANT": str(submissions.tenant(rig.folder))})
    say("path", "projection")
    projected = await projection.throughput(rig, count=much.projected, repetitions=much.repetitions)
    citizens = await submissions.people(rig)
    say("path", "submissions")
    sent, with_file = await submissions.throughput(rig, citizens, count=much.submitted, repetitions=much.repetitions)
    say("path", "freshness")
    seen = await submissions.freshness(citizens, rate=20, seconds=much.fresh_seconds, repetitions=much.steady)
    await asyncio.sleep(5)
    held = [Amount(f"{name}, after all this", memory_mb(rig.stack.pid(name)), "MB") for name in SERVICES]
    return Figures([relayed, projected, sent], [*latencies, seen], [with_file], [*amounts, *held])
