"""300 dossiers are sent while everything is killed in turn; afterwards a checker compares what the citizens were told
with what the system holds. The last tests break the system on purpose, and the checker must notice."""

import asyncio

import pytest

from contracts.dossier import DOSSIERS
from deploy.demo.papers import declaration
from deploy.local.stack import Stack
from tests.chaos import checker, faults
from tests.chaos.citizens import Citizen, History
from tests.chaos.paths import MUTATIONS, ROOT

DOSSIERS_SENT = 300
CITIZENS = 4


async def filing(stack: Stack, history: History, count: int, until: "asyncio.Task[None] | None" = None) -> None:
    """Citizens send so many dossiers, and go on as long as the faults last."""
    document = declaration("To khai")
    await asyncio.gather(*[Citizen(stack, history, document).file(count // CITIZENS) for _ in range(CITIZENS)])
    while until and not until.done():
        await Citizen(stack, history, document).file(1)


async def every_fault(stack: Stack, services: list[str]) -> None:
    await faults.kill_relay_between_send_and_mark(stack, "dossier")
    await faults.kill_consumer_between_commit_and_offset(stack, "tracking")
    for service in services:
        await faults.restart(stack, service)
    await faults.restart_kafka(stack)


@pytest.mark.timeout(600)
async def test_whatever_is_killed_every_acknowledged_dossier_is_tracked_exactly_once(stack: Stack) -> None:
    await stack.up()
    services = ["identity", "dossier", "payment", "notification", "tracking", "gateway"]
    consumers = ["payment", "notification", "tracking"]
    history = History()
    poisoned = await faults.poison(stack, DOSSIERS)
    nemesis = asyncio.create_task(every_fault(stack, services))

    await filing(stack, history, DOSSIERS_SENT, until=nemesis)
    await nemesis
    late = await late_event_among_others(stack, history)
    at_rest = await checker.settled(stack, consumers, within=90)

    assert await checker.findings(stack, consumers, [*history.acknowledged, late], poisoned) == []
    assert at_rest
    assert len(history.acknowledged) >= DOSSIERS_SENT
    assert history.troubles > 0, "nobody noticed any fault: the faults did not happen"
    published = await checker.everything_in(stack.infra.kafka, DOSSIERS.name)
    ids = [dict(record.headers).get("ce_id") for record in published]
    assert len(ids) > len(set(ids)), "the relay was killed after sending, so Kafka must have something twice"


async def late_event_among_others(stack: Stack, history: History) -> str:
    """An event that commits after later ones were published already."""
    recording = asyncio.create_task(faults.record_late(stack))
    await filing(stack, history, 2 * CITIZENS)
    return await recording


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mutation", ["no_inbox", "ack_first", "cursor"])
async def test_the_checker_notices_when_the_system_is_broken(stack: Stack, mutation: str) -> None:
    await stack.up("identity", "dossier", "tracking", "clamav", env={"PYTHONPATH": f"{MUTATIONS / mutation}:{ROOT}"})
    history = History()
    nemesis = asyncio.create_task(faults.kill_consumer_before_commit(stack, "tracking"))

    await filing(stack, history, 4 * CITIZENS, until=nemesis)
    await nemesis
    late = await late_event_among_others(stack, history)
    await checker.settled(stack, ["tracking"], within=15)

    assert await checker.findings(stack, ["tracking"], [*history.acknowledged, late], set())


@pytest.mark.timeout(300)
async def test_the_same_faults_are_harmless_to_the_system_as_it_is(stack: Stack) -> None:
    await stack.up("identity", "dossier", "tracking", "clamav")
    history = History()
    nemesis = asyncio.create_task(faults.kill_consumer_before_commit(stack, "tracking"))

    await filing(stack, history, 4 * CITIZENS, until=nemesis)
    await nemesis
    late = await late_event_among_others(stack, history)
    await checker.settled(stack, ["tracking"], within=60)

    assert await checker.findings(stack, ["tracking"], [*history.acknowledged, late], set()) == []
