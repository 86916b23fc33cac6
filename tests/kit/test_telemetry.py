"""One trace from the cause to the last effect, and nobody's data in anything that is collected."""

import asyncio
import json
import os
import socket
import sys
from typing import Any

import httpx2
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from contracts.envelope import Channel
from kit import outbox, telemetry, timers
from kit.clock import now
from kit.db import Connection, Database
from kit.inbox import Inbox
from kit.outbox import Relay
from kit.settings import Settings
from kit.timers import Timer, Timers
from kit.worker import Worker
from tests.kit.conftest import running
from tests.kit.kafka import Kafka
from tests.kit.parcels import AboutParcel, heard, sent
from tests.support import eventually

CANARY = "000190000001"
"""A fictional identity number; wherever it is found, data leaked."""


# ── logs ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def careless_logs() -> list[str]:
    """All that a real process of the careless service wrote while it was asked everything with the canary in it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MOTCUA_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "uvicorn", "tests.kit.probe:app", "--port", str(port)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environment,
    )
    try:
        await ask_everything(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        written, _ = await process.communicate()
    return written.decode().splitlines()


async def ask_everything(address: str) -> None:
    async with httpx2.AsyncClient(base_url=address, headers={"X-Number": CANARY}) as client:
        await eventually(lambda: answers(client), within=30)
        await client.get(f"/people/{CANARY}?q={CANARY}")
        await client.post(f"/people?q={CANARY}", json={"number": f"{CANARY}x"})
        await client.get(f"/mistakes/{CANARY}?q={CANARY}")
        await client.get(f"/nothing/{CANARY}")
        await client.get(
            f"/people/{CANARY}?q={CANARY}", headers={"Authorization": f"Bearer {CANARY}.{CANARY}.{CANARY}"}
        )


async def answers(client: httpx2.AsyncClient) -> Any:
    try:
        return (await client.get("/live")).status_code == 200
    except httpx2.TransportError:
        return False


async def test_nothing_of_a_request_reaches_the_logs_but_what_is_listed(careless_logs: list[str]) -> None:
    lines = [json.loads(line) for line in careless_logs if line.startswith("{")]
    looked = next(line for line in lines if line["event"] == "looked")
    failed = next(line for line in lines if line["event"] == "request.failed")

    assert [line for line in careless_logs if CANARY in line] == []
    assert {"service", "event", "level", "timestamp", "count"} == set(looked)
    assert (failed["route"], failed["error"]) == ("/mistakes/{number}", "LookupError")
    assert failed["exception"].endswith("LookupError")
    assert "probe.py" in failed["exception"]
    assert "task.failed" in [line["event"] for line in lines]


# ── spans ─────────────────────────────────────────────────────────────────────────────────────────────────────


def everything_in(span: ReadableSpan) -> str:
    return f"{span.to_json()} {span.status.description}"


async def test_nothing_of_a_request_reaches_the_spans_but_its_route(spans: InMemorySpanExporter) -> None:
    from tests.kit.probe import app

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://probe.test") as client:
        await client.get(f"/people/{CANARY}?q={CANARY}")
        await client.get(f"/mistakes/{CANARY}?q={CANARY}")
        await client.get(f"/nothing/{CANARY}")

    seen = spans.get_finished_spans()
    assert [span.name for span in seen] == ["GET /people/{number}", "GET /mistakes/{number}", "GET unmatched"]
    assert [(span.attributes or {})["http.response.status_code"] for span in seen] == [200, 500, 404]
    assert not [span.name for span in seen if CANARY in everything_in(span)]


async def test_the_text_of_an_exception_reaches_no_span(
    effects: Database, channel: Channel, consumer: str, spans: InMemorySpanExporter
) -> None:
    each, batches = Inbox(consumer), Inbox(f"{consumer}s")

    async def fail(*_: Any) -> None:
        raise LookupError(CANARY)

    each.hears(channel)(fail)
    batches.hears(channel, batch=True)(fail)
    dead: list[Any] = []

    async def bury(*letter: Any) -> None:
        dead.append(letter)

    for inbox in (each, batches):
        await inbox.consume(effects, [heard(channel, sent("p"))], bury)

    seen = spans.get_finished_spans()
    assert len(dead) == 2
    assert {span.status.status_code.name for span in seen} == {"ERROR"}
    assert not [span.name for span in seen if CANARY in everything_in(span)]


async def test_one_trace_goes_from_the_request_through_kafka_to_the_job_of_whoever_heard_it(
    effects: Database, settings: Settings, channel: Channel, consumer: str, kafka: Kafka, spans: InMemorySpanExporter
) -> None:
    inbox, ours = Inbox(consumer), Timers()

    @inbox.hears(channel)
    async def on_parcel(tx: Connection, event: AboutParcel) -> None:
        await timers.schedule(tx, "call", event.parcel, now())

    @ours.job("call")
    async def call(db: Database, job: Timer) -> None:
        with telemetry.span("ring", kind=SpanKind.CLIENT):
            await db.execute("INSERT INTO effect (parcel) VALUES ($1)", job.key)

    with telemetry.span("POST /parcels", kind=SpanKind.SERVER) as cause:
        async with effects.transaction() as tx:
            await outbox.record(tx, channel, sent(CANARY))
    worker = Worker(settings, inbox, effects)
    await worker.start()
    async with running(Relay(settings).run(), ours.run(effects)):
        await eventually(lambda: effects.fetchval("SELECT count(*) = 1 FROM effect"), within=20)
        await eventually(lambda: effects.fetchval("SELECT count(*) = 0 FROM timer"))
    await worker.stop()

    trace_id = cause.get_span_context().trace_id
    ours_alone = [span for span in spans.get_finished_spans() if span.context and span.context.trace_id == trace_id]
    assert {span.name for span in ours_alone} == {
        "POST /parcels",
        f"publish {channel.name}",
        "on_parcel ParcelSent",
        "job call",
        "ring",
    }
    assert parent_of("publish " + channel.name, ours_alone) == "POST /parcels"
    assert parent_of("on_parcel ParcelSent", ours_alone) == "POST /parcels"
    assert parent_of("job call", ours_alone) == "on_parcel ParcelSent"
    assert parent_of("ring", ours_alone) == "job call"
    assert not [span.name for span in spans.get_finished_spans() if CANARY in everything_in(span)], "a key leaked"


def parent_of(name: str, spans: list[ReadableSpan]) -> str:
    [span] = [span for span in spans if span.name == name]
    [parent] = [each for each in spans if span.parent and each.context and each.context.span_id == span.parent.span_id]
    return parent.name


async def test_a_batch_is_linked_to_all_that_caused_it(
    effects: Database, channel: Channel, consumer: str, spans: InMemorySpanExporter
) -> None:
    inbox, causes, records = Inbox(consumer), [], []

    @inbox.hears(channel, batch=True)
    async def on_parcels(tx: Connection, events: list[AboutParcel]) -> None:
        pass

    for name in ("p", "q"):
        with telemetry.span(f"cause of {name}") as cause:
            records.append(heard(channel, sent(name)))
            causes.append(cause.get_span_context().span_id)

    async def bury(*_: Any) -> None:
        raise AssertionError

    await inbox.consume(effects, records, bury)

    [batch] = [span for span in spans.get_finished_spans() if span.name == "on_parcels"]
    assert [link.context.span_id for link in batch.links] == causes
