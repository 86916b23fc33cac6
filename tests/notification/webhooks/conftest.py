"""Subscriptions of a database that is the file's own, and what keeps them going."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import httpx2
import pytest

from contracts.dossier import Filing
from contracts.envelope import Event
from kit.db import Database
from services.notification.app import app
from services.notification.subscribers import inbox
from services.notification.systems import running
from tests.tracking import callers, story
from tests.tracking.hearing import hear

MakeDatabase = Callable[[str], Awaitable[Database]]
POLICE, INSURANCE, PROVINCE = "cong-an", "bhxh", "giam-sat"
"""Of H99.05, H99.06 and H99: subscribers.yaml."""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kit.settings._loaded", {})
    monkeypatch.setenv("MOTCUA_SEALING_KEYS", f"a:{'5a' * 32}")
    monkeypatch.setenv("MOTCUA_WEBHOOK_NETWORKS", '["127.0.0.0/8"]')


def code(n: int) -> str:
    return f"H99.02.01-261122-{n:04d}"


def filing(n: int, **changes: object) -> Filing:
    return story.submitted(1).model_copy(update={"dossier_code": code(n), **changes})


def life(n: int, events: int) -> list[Event]:
    """A dossier's first events: sent, then one step after the other."""
    return [filing(n), *(story.proposed(version, code(n)) for version in range(2, events + 1))]


@dataclass
class House:
    """The notification service, seen from outside."""

    db: Database
    http: httpx2.AsyncClient

    def as_system(self, name: str) -> dict[str, str]:
        return callers.system("notification", name)

    async def subscribe(self, url: str, *, name: str = PROVINCE, **asked: object) -> UUID:
        body = {"url": url, **asked}
        answer = await self.http.post("/api/v1/subscriptions", json=body, headers=self.as_system(name))
        assert answer.status_code == 201, answer.text
        return UUID(answer.json()["id"])

    async def see(self, subscription: UUID, name: str = PROVINCE) -> dict[str, object]:
        answer = await self.http.get(f"/api/v1/subscriptions/{subscription}", headers=self.as_system(name))
        found: dict[str, object] = answer.json()
        return found

    async def hear(self, *events: Event) -> None:
        await hear(self.db, *events, inbox=inbox)

    @asynccontextmanager
    async def delivering(self) -> AsyncIterator[None]:
        task = asyncio.create_task(running.deliver(self.db))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])


@pytest.fixture
async def house(make_database: MakeDatabase) -> AsyncIterator[House]:
    db = await make_database("notification")
    app.state.db, app.state.verifier = db, callers.verifier("notification")
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://notification.test") as http:
        yield House(db, http)
    app.state.db = None


def long_ago() -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC)
