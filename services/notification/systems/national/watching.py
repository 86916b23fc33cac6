"""How far the portal is behind, measured and told: what is settled has to be there within ten minutes."""

import asyncio
from datetime import datetime

import structlog
from prometheus_client import Gauge

from kit.clock import now
from kit.db import Database, is_transient
from kit.settings import load
from services.notification.settings import Settings
from services.notification.systems.national import store
from services.notification.systems.national.domain import WITHIN
from services.notification.systems.subscriptions.registry import NATIONAL_PORTAL, subscribers

log = structlog.get_logger()

OLDEST = Gauge("motcua_national_oldest_seconds", "Age of the oldest event that the national portal does not have")
GIVEN_UP = Gauge("motcua_national_given_up", "Events that the national portal never took; send them again")
EVERY = 30.0
"""Seconds between looks."""
AT_ONCE = 4
"""Dossiers that are synchronised at the same time."""


def is_on() -> bool:
    """Whether this installation synchronises: the tenant wants it, and the portal's address is known."""
    return NATIONAL_PORTAL in subscribers() and bool(load(Settings).national_sync_url)


async def watch(db: Database) -> None:
    """Until cancelled. A database that is away is waited for."""
    while is_on():
        try:
            await look(db, now())
        except Exception as exc:
            if not is_transient(exc):
                raise
            log.warning("national.not_measured", error=type(exc).__name__)
        await asyncio.sleep(EVERY)


async def look(db: Database, moment: datetime) -> None:
    """There is a subscription of the portal; how far it is behind, and an alarm when that is too far."""
    async with db.transaction() as tx:
        await store.keep(tx, NATIONAL_PORTAL, AT_ONCE, moment)
    oldest, given_up = await store.oldest(db), await store.given_up(db)
    behind = max((moment - oldest).total_seconds(), 0.0) if oldest else 0.0
    OLDEST.set(behind)
    GIVEN_UP.set(given_up)
    if behind > WITHIN.total_seconds() or given_up:
        log.error("national.late", seconds=round(behind), count=given_up)
