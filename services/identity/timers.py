"""Time in: what was said of a closed account leaves the archive when the others have heard that it is gone."""

from uuid import UUID

from kit.db import Database
from kit.problems import Unavailable
from kit.timers import Timer, Timers
from services.identity.accounts import store

timers = Timers()


@timers.job("erase_archive", attempts=40, lease=30)
async def erase_archive(db: Database, job: Timer) -> None:
    """Remove the closed account's events from the outbox; repeated while some of them still wait for Kafka."""
    if await store.erase_archive(db, UUID(job.key)):
        raise Unavailable
