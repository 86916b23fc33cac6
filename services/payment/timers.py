"""Time in: what happens when a deadline passes."""

from kit.db import Connection
from kit.timers import Timer, Timers
from services.payment import domain, store

EXPIRY = "attempt.expiry"

timers = Timers()


@timers.due(EXPIRY)
async def expire(tx: Connection, timer: Timer) -> None:
    """No news of an attempt within its life: it is over."""
    bill = await store.lock_attempt(tx, timer.payload["provider"], timer.key)
    if bill:
        await store.save(tx, *domain.expire(bill, timer.key))
