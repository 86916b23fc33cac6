"""Fetches providers' statements where they offer them, so that nobody has to remember it every morning."""

import hashlib
from datetime import datetime, timedelta

import httpx2

from kit import timers
from kit.clock import now
from kit.db import Connection, Database
from kit.settings import load
from services.payment.providers import Away
from services.payment.reconciliation import domain, formats, store
from services.payment.reconciliation.formats import Format
from services.payment.settings import PaymentSettings

FETCH = "statement.fetch"
"""The job that fetches one provider's statement, keyed by its name."""
TIMEOUT = 60.0
LARGEST = 20 * 1024 * 1024


async def plan_all(db: Database) -> None:
    """At the start of the service: each configured statement is fetched in its turn."""
    settings = load(PaymentSettings)
    async with db.transaction() as tx:
        for provider in settings.statement_urls:
            await plan(tx, provider, now())


async def plan(tx: Connection, provider: str, after: datetime) -> None:
    """The next time; planning it again is the same."""
    every = timedelta(minutes=load(PaymentSettings).statement_minutes)
    rounds = (after - datetime.min.replace(tzinfo=after.tzinfo)) // every
    await timers.schedule(tx, FETCH, provider, datetime.min.replace(tzinfo=after.tzinfo) + (rounds + 1) * every)


async def fetch(db: Database, provider: str) -> None:
    """Take what the provider offers now; the same statement again changes nothing."""
    url = load(PaymentSettings).statement_urls.get(provider)
    if url is None:
        return
    data = await _get(url)
    lines = formats.read(Format.CAMT053 if data.lstrip().startswith(b"<") else Format.CSV, data)
    async with db.transaction() as tx:
        if lines:
            digest, over, moment = hashlib.sha256(data).hexdigest(), domain.period(lines), now()
            await store.take(tx, provider, digest, url.rpartition("/")[2], over, lines, None, moment)
        await plan(tx, provider, now())


async def _get(url: str) -> bytes:
    try:
        async with httpx2.AsyncClient(timeout=TIMEOUT, follow_redirects=False) as client:
            answer = await client.get(url)
        answer.raise_for_status()
    except httpx2.HTTPError as exc:
        raise Away(type(exc).__name__) from exc
    if len(answer.content) > LARGEST:
        raise Away("too long a statement")
    return answer.content
