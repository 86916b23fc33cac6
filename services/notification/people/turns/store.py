"""The buckets of tokens, one row for each unit that sends text messages."""

from datetime import datetime, timedelta

from kit.db import Database

# One moment is all that a bucket is: when it will be full again. A message takes its token by moving it.
TAKE = """
INSERT INTO sms_turn AS unit_turn (unit, full_at) VALUES ($1, $2::timestamptz + $3::interval)
ON CONFLICT (unit) DO UPDATE SET full_at = greatest(unit_turn.full_at, $2) + $3
RETURNING full_at
"""


async def take(db: Database, unit: str, pace: timedelta, now: datetime) -> datetime:
    """Take one token, of the future if there is none now; when the bucket is full again. Everybody gets a turn of
    their own, so nobody has to come back and ask."""
    full_at: datetime = await db.fetchval(TAKE, unit, now, pace)
    return full_at
