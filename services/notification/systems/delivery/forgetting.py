"""What is old is forgotten: events, requests, and what was given up and nobody asked for since."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

import structlog

from kit.clock import now
from kit.db import Database, is_transient
from kit.settings import load
from services.notification.settings import Settings
from services.notification.systems.delivery import store
from services.notification.systems.journal import store as journal

log = structlog.get_logger()

EVERY = 3600.0
"""Seconds."""
PORTION = 5000
"""Rows of one transaction."""


async def forget_for_ever(db: Database) -> None:
    """Until cancelled, in every process that delivers: a second one finds little to do."""
    while True:
        try:
            await forget(db)
        except Exception as exc:
            if not is_transient(exc):
                raise
            log.warning("forgetting.waits", error=type(exc).__name__)
        await asyncio.sleep(EVERY)


async def forget(db: Database) -> None:
    """In portions, so that nobody waits for it."""
    settings = load(Settings)
    events = now() - timedelta(days=settings.events_kept_days)
    requests = now() - timedelta(days=settings.attempts_kept_days)
    await _all(partial(journal.forget, db, events, PORTION))
    await _all(partial(store.forget, db, requests, PORTION))
    await store.forget_rows(db, requests)


async def _all(forget_some: Callable[[], Awaitable[int]]) -> None:
    while await forget_some() == PORTION:
        continue
