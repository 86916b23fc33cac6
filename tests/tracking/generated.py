"""A few hundred generated lives, on topics of a test's own, and every question that tracking answers about them."""

import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx2
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.load.lives import Plan, number_of, records
from deploy.load.publishing import publish
from deploy.load.records import Written
from kit import ids
from kit.db import Database
from kit.inbox import Inbox
from kit.log import Places, opened
from kit.settings import Settings
from services.tracking.subscribers import inbox as tracking
from tests.tracking import callers, story
from tests.tracking.hearing import Heard, hear

PLAN = Plan(
    150, datetime(2026, 5, 4, tzinfo=UTC), datetime(2026, 11, 20, tzinfo=UTC), seed=11, digest_key=story.KEY
)  # fmt: skip
BATCH = 400


def told(plan: Plan = PLAN) -> list[Written]:
    return list(records(plan))


def codes(lives: Iterable[Written]) -> list[str]:
    return sorted({one.key.decode() for one in lives if one.topic.endswith("dossier.dossiers.v1")})


def inbox_on(prefix: str) -> Inbox:
    """Tracking's own subscribers, on topics whose names begin with `prefix`."""
    inbox = Inbox(tracking.consumer)
    for subscription in tracking.subscriptions.values():
        channel = replace(subscription.channel, name=prefix + subscription.channel.name)
        inbox.subscriptions[channel.name] = replace(subscription, channel=channel)
    inbox.erasers = {prefix + name: eraser for name, eraser in tracking.erasers.items()}
    return inbox


@asynccontextmanager
async def topics(kafka: str) -> AsyncIterator[str]:
    """A prefix under which tracking's topics are there, empty."""
    prefix = f"tracking-{ids.new()}."
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    names = [prefix + name for name in tracking.subscriptions]
    await admin.create_topics([NewTopic(name, 3, 1) for name in names])
    try:
        yield prefix
    finally:
        await admin.delete_topics(names)
        await admin.close()


async def put(kafka: str, prefix: str, lives: Iterable[Written]) -> None:
    await publish(Settings(kafka=kafka), [one._replace(topic=prefix + one.topic) for one in lives])


async def project(db: Database, inbox: Inbox, lives: Sequence[Written], prefix: str = "") -> None:
    """Lets the live projection hear these, as Kafka would bring them."""
    for n in range(0, len(lives), BATCH):
        some = [Heard(prefix + one.topic, one.key, one.value, one.headers) for one in lives[n : n + BATCH]]
        await hear(db, *some, inbox=inbox)


async def follow(db: Database, settings: Settings, inbox: Inbox, reached: Places) -> None:
    """What the live worker does, until it is cancelled: reads on, and projects; `reached` says how far it is."""
    async with opened(settings, inbox.consumer, inbox.subscriptions) as kafka:
        while True:
            async for some in kafka.read(await kafka.ends(), BATCH):
                await inbox.consume(db, some, _nothing_is_poison)
                reached.update({(one.topic, one.partition): one.offset + 1 for one in some})


async def _nothing_is_poison(record: Any, why: Exception) -> None:
    raise AssertionError(f"buried a record of {record.topic}") from why


# ── every question ──

QUESTIONS: list[str] = [
    "/api/v1/dossiers/{code}",
    "/api/v1/dossiers/{code}?identity_number={number}",
    "/api/v1/my/folders",
    "/api/v1/my/dossiers",
    "/api/v1/my/dossiers?limit=3",
    "/api/v1/my/dossiers?folder=in_progress",
    "/api/v1/my/dossiers/{code}",
]
"""What is asked of each dossier, by its owner. `{code}` and `{number}` are filled in."""
OFFICERS_QUESTIONS: list[str] = [
    "/api/v1/registers/dossiers?from=2026-05-01&to=2026-11-20&limit=100",
    "/api/v1/registers/dossiers?unit=H99.02.01&from=2026-05-01&to=2026-11-20&lateness=late",
    "/api/v1/registers/dossiers?by=due&limit=100",
    *(f"/api/v1/statistics?from=2026-05&to=2026-10&by={by}" for by in ("unit", "procedure", "month")),
    "/api/v1/statistics/dossiers?figure=settled&from=2026-05&to=2026-10&limit=200",
    "/api/v1/statistics/on-time?month=2026-09",
]
"""What is asked once, by an officer of the whole province."""
OF_EACH: list[str] = ["/api/v1/officers/dossiers/{code}", "/api/v1/officers/dossiers/{code}/control-sheet"]
"""What the officer asks of some dossiers."""


async def answers(http: httpx2.AsyncClient, lives: Sequence[Written], plan: Plan = PLAN) -> dict[str, Any]:
    """Every question's answer, without the moment that the projection last heard anything."""
    found: dict[str, Any] = {}
    numbers = {str(plan.account(k)): number_of(k) for k in range(plan.citizens + plan.businesses)}
    for code, owner in owners(lives).items():
        for question in QUESTIONS:
            asked = question.format(code=code, number=numbers[str(owner)])
            found[f"{owner} {asked}"] = _told(await http.get(asked, headers=callers.citizen(owner, "tracking")))
    of_each = [question.format(code=code) for question in OF_EACH for code in list(owners(lives))[:15]]
    for question in [*OFFICERS_QUESTIONS, *of_each]:
        officer = callers.officer("tracking", "leader", unit="H99")
        found[question] = _told(await http.get(question, headers=officer))
    return found


def owners(lives: Iterable[Written]) -> dict[str, UUID]:
    filed = [json.loads(one.value) for one in lives if b"procedure_code" in one.value]
    return {body["dossier_code"]: UUID(body["owner_ref"]) for body in filed}


def _told(answer: httpx2.Response) -> Any:
    if "json" not in answer.headers["content-type"]:
        return answer.status_code, answer.text
    body = answer.json()
    return answer.status_code, {name: value for name, value in body.items() if name != "updated_at"}
