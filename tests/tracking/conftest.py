"""Tracking in this process, asked over HTTP: each file says with its `db` what has been projected."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from kit import settings as kit_settings
from kit.db import Database
from services.tracking.app import app
from services.tracking.lookup import api
from services.tracking.settings import Settings
from tests.tracking import callers, story


def configure(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> None:
    loaded: dict[Any, Any] = kit_settings._loaded
    monkeypatch.setitem(loaded, Settings, Settings(digest_key=story.KEY, **fields))
    api.limiter.cache_clear()


@pytest.fixture
async def http(db: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx2.AsyncClient]:
    configure(monkeypatch, lookups_per_minute=0)
    app.state.db, app.state.verifier = db, callers.verifier("tracking")
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://tracking.test") as client:
        yield client
    api.limiter.cache_clear()
