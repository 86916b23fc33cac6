"""`bench webhooks`: events in Kafka become signed webhooks of ten subscribers, by one process of notification.

Measured from the moment Kafka acknowledged an event to the moment a subscriber read the whole request: the inbox with
all that people are told, the journal, and the sending. Then with one subscriber that never answers and one that takes
two seconds among the ten: the figures are the others'. At last with one that refuses everything for five minutes.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from aiokafka import AIOKafkaProducer

from contracts.dossier import DOSSIERS, DossierSubmitted, StepCompleted
from contracts.envelope import Event
from deploy.bench.figures import Amount, Figures, Latency, Rates, Repeated
from deploy.bench.measuring import measured, say
from deploy.bench.report import Report
from deploy.bench.rig import EXAMPLE, Child, Rig
from deploy.local.places import ROOT
from deploy.local.process import memory_mb
from kit import ids, outbox
from kit.clock import now
from kit.db import Database
from kit.settings import Settings
from services.notification.systems.outbound.sealing import keys_of
from services.notification.systems.outbound.signatures import Scheme, SigningKey
from services.notification.systems.subscriptions import clients, store
from services.notification.systems.subscriptions.domain import Filters, State, Subscription
from services.notification.systems.subscriptions.store import Sealed

SUBSCRIBERS = 10
GOAL_RATE, GOAL_P99 = 800.0, 1000.0
EVENTS_OF_EACH = 5
RATES = (20, 80)
"""Events a second; each is ten webhooks."""
STEP = ROOT / "contracts/examples/StepCompleted.v1.json"
Condition = Callable[[], Awaitable[object]]
_SENT = DossierSubmitted.model_validate_json(EXAMPLE.read_text("utf-8"))
_STEP = StepCompleted.model_validate_json(STEP.read_text("utf-8"))
END = "SELECT coalesce(max(seq), 0) FROM journal"
KEPT = "SELECT count(*) FROM journal"
WITHOUT_TIMERS = {"MOTCUA_ROLES": "http,worker"}
"""E-mail and text messages are not measured here: nobody sends them meanwhile."""


@dataclass(frozen=True)
class Extent:
    backlog: int
    """Dossiers, of five events each."""
    seconds: int
    repetitions: int
    outage: int
    """Seconds that a subscriber is down."""


FULL, QUICK = Extent(1_000, 30, 3, 300), Extent(100, 5, 1, 10)


def measure(*, quick: bool = False) -> Report:
    return measured("webhooks", lambda rig: _figures(rig, QUICK if quick else FULL))


async def _figures(rig: Rig, much: Extent) -> Figures:
    await rig.stack.up("notification", env=WITHOUT_TIMERS)
    bench = Bench(
        rig, await Child.start("receive"), await Database.open(rig.stack.site.place("notification").database_url)
    )
    async with bench:
        await bench.subscribe(["quick"] * SUBSCRIBERS)
        sustained = [await bench.drain(n, much.backlog) for n in range(much.repetitions)]
        latencies = [await bench.latency(rate, much.seconds, GOAL_P99, "ten subscribers") for rate in RATES]
        await bench.subscribe(["quick"] * (SUBSCRIBERS - 2) + ["dead", "slow"])
        troubled = await bench.latency(RATES[-1], much.seconds, GOAL_P99, "one of ten dead, one slow: the other eight")
        await bench.subscribe(["quick"] * (SUBSCRIBERS - 1) + ["down"])
        meanwhile, outage = await bench.outage(RATES[-1], much.outage, GOAL_P99)
        held = Amount("notification, after all this", memory_mb(rig.stack.pid("notification")), "MB")
    rates = Rates(
        "webhooks of ten subscribers by one process, from a backlog", Repeated(tuple(sustained)), "/s", GOAL_RATE
    )
    return Figures([], [*latencies, troubled, meanwhile], [rates], [*outage, held])


@dataclass(frozen=True, slots=True)
class Accepted:
    """An event that Kafka acknowledged."""

    code: str
    version: int
    at: float


class Bench:
    """Subscribers, and events for them."""

    def __init__(self, rig: Rig, receiver: Child, db: Database) -> None:
        self._rig, self._receiver, self._db = rig, receiver, db
        self._producer: AIOKafkaProducer | None = None
        self._subscriptions: dict[UUID, str] = {}
        self._made = 0

    async def __aenter__(self) -> "Bench":
        self._producer = await outbox.start_producer(Settings(kafka=self._rig.infra.kafka))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._producer:
            await self._producer.stop()
        await self._db.close()
        await self._receiver.end()

    async def subscribe(self, kinds: Sequence[str]) -> None:
        """These subscribers in place of those before; the service takes them over by itself."""
        port = (await self._receiver.ask(do="port"))["port"]
        async with self._db.transaction() as tx:
            for before in self._subscriptions:
                await store.delete(tx, before)
            self._subscriptions = {ids.new(): f"/{kind}/{n}" for n, kind in enumerate(kinds)}
            for subscription, path in self._subscriptions.items():
                new = _subscription(subscription, f"http://127.0.0.1:{port}{path}")
                await store.add(tx, new, self._sealed(new), await tx.fetchval(END))
        await asyncio.sleep(3)

    def _sealed(self, new: Subscription) -> Sealed:
        seal = keys_of(f"local:{self._rig.stack.site.secrets.sealing_key}")
        return Sealed(seal.seal(SigningKey.new(Scheme.HMAC).text, clients.key_purpose(new)))

    async def drain(self, n: int, dossiers: int) -> float:
        """Webhooks a second, from a journal that is full when the subscriptions are resumed."""
        say("webhooks", f"a backlog, {n + 1}")
        await self._receiver.ask(do="forget")
        await self._set_state("paused")
        lives = [self._life() for _ in range(dossiers)]
        until = await self._db.fetchval(KEPT) + dossiers * EVENTS_OF_EACH
        await self._say(event for batch in zip(*lives, strict=True) for event in batch)
        await self._wait(lambda: self._db.fetchval(f"SELECT ({KEPT}) >= $1", until))
        await self._set_state("active")
        await self._wait(self._count)
        before, began = await self._count(), time.perf_counter()
        paths = list(self._subscriptions.values())
        await self._wait(lambda: self._have_all(paths, dossiers * EVENTS_OF_EACH))
        return (await self._count() - before) / (time.perf_counter() - began)

    async def latency(self, rate: int, seconds: int, goal: float, title: str) -> Latency:
        """Milliseconds from Kafka's acknowledgement to the subscribers that are well, at a steady rate."""
        say("webhooks", f"{rate} events/s, {title}")
        await self._receiver.ask(do="forget")
        accepted = await self._paced(rate, seconds)
        await self._wait(lambda: self._have_all(self._well(), len(accepted)))
        return await self._took(accepted, rate, goal, title)

    async def outage(self, rate: int, seconds: int, goal: float) -> tuple[Latency, list[Amount]]:
        """What the others notice while one subscriber refuses everything, and what that one has when it is back."""
        title = f"one of ten down for {seconds} s: the other nine"
        say("webhooks", f"{rate} events/s, {title}")
        await self._receiver.ask(do="forget")
        await self._receiver.ask(do="fall")
        accepted = await self._paced(rate, seconds)
        back = (await self._receiver.ask(do="rise"))["at"]
        (down,) = [path for path in self._subscriptions.values() if path.startswith("/down")]
        await self._wait(lambda: self._have_all([down], len(accepted)), within=1_800)
        got = (await self._receiver.ask(do="came"))[down]
        return await self._took(accepted, rate, goal, title), [
            Amount(f"down for {seconds} s: events that waited", len(accepted), "events"),
            Amount(f"down for {seconds} s: back → everything taken", max(at for _, at in got) - back, "s"),
            Amount(f"down for {seconds} s: lost", len(accepted.keys() - {event_id for event_id, _ in got}), "events"),
            Amount(f"down for {seconds} s: out of a dossier's order", _misplaced(got, accepted), "events"),
        ]

    async def _took(self, accepted: Mapping[str, Accepted], rate: int, goal: float, title: str) -> Latency:
        came = await self._receiver.ask(do="came")
        took = [(at - accepted[event_id].at) * 1000 for path in self._well() for event_id, at in came[path]]
        return Latency(f"Kafka's acknowledgement to webhook; {title}", f"{rate * SUBSCRIBERS}/s", tuple(took), goal)

    def _well(self) -> list[str]:
        return [path for path in self._subscriptions.values() if path.startswith("/quick")]

    async def _have_all(self, paths: Sequence[str], events: int) -> bool:
        counts = await self._receiver.ask(do="count")
        return all(counts.get(path, 0) >= events for path in paths)

    async def _count(self) -> int:
        return sum((await self._receiver.ask(do="count")).values())

    async def _set_state(self, state: str) -> None:
        await self._db.execute("UPDATE subscription SET state = $1, version = version + 1", state)
        if state == "paused":
            await self._wait(lambda: self._db.fetchval("SELECT count(courier) = 0 FROM delivery_line"))

    async def _wait(self, condition: Condition, *, within: float = 300) -> None:
        async with asyncio.timeout(within):
            while not await condition():  # noqa: ASYNC110 (asked from outside)
                await asyncio.sleep(0.05)

    # ── events ──

    def _life(self) -> list[Event]:
        self._made += 1
        told = {"dossier_code": f"H99.02.01-261122-{self._made:06d}"}
        steps = [_STEP.model_copy(update={**told, "version": version}) for version in range(2, EVENTS_OF_EACH + 1)]
        return [_SENT.model_copy(update={**told, "version": 1}), *steps]

    async def _say(self, events: Iterable[Event]) -> None:
        await asyncio.gather(*[await self._send(event, str(ids.new())) for event in events])

    async def _paced(self, rate: int, seconds: int) -> dict[str, Accepted]:
        """What Kafka acknowledged, by the id of the event."""
        accepted: dict[str, Accepted] = {}
        events = [event for _ in range(rate * seconds // EVENTS_OF_EACH) for event in self._life()]

        async def one(event: Event, event_id: str) -> None:
            await (await self._send(event, event_id))
            accepted[event_id] = Accepted(DOSSIERS.key_of(event), event.version, time.time())

        began, sending = time.perf_counter(), []
        for n, event in enumerate(events):
            await asyncio.sleep(max(0.0, began + n / rate - time.perf_counter()))
            sending.append(asyncio.create_task(one(event, str(ids.new()))))
        await asyncio.gather(*sending)
        return accepted

    async def _send(self, event: Event, event_id: str) -> "asyncio.Future[object]":
        assert self._producer is not None  # noqa: S101 (it was entered)
        key = DOSSIERS.key_of(event)
        headers = [(name, text.encode()) for name, text in outbox._headers(DOSSIERS, event, event_id, key).items()]
        sending: asyncio.Future[object] = await self._producer.send(
            DOSSIERS.name, event.model_dump_json().encode(), key.encode(), headers=headers
        )
        return sending


def _misplaced(got: Iterable[tuple[str, float]], accepted: Mapping[str, Accepted]) -> int:
    """Webhooks that came before one that stands before them in the history of their dossier."""
    newest: dict[str, int] = defaultdict(int)
    misplaced = 0
    for event_id, _ in got:
        one = accepted[event_id]
        misplaced += one.version > newest[one.code] + 1
        newest[one.code] = max(newest[one.code], one.version)
    return misplaced


def _subscription(subscription: UUID, url: str) -> Subscription:
    moment = now()
    return Subscription(
        id=subscription, subscriber="giam-sat", kind=clients.WEBHOOK, url=url, filters=Filters(), at_once=16,
        state=State.ACTIVE, reason=None, version=1, created_at=moment, changed_at=moment,
    )  # fmt: skip
