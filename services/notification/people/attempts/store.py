"""Attempts in the database."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from kit.db import Connection, Database
from services.notification.people.attempts.domain import Attempt, Outcome

# Written before the provider is asked: if we die then, whoever goes on knows that it may have the message.
BEGIN = """
INSERT INTO sending_attempt (message_id, no, at, provider)
SELECT $1, coalesce(max(no), 0) + 1, $2, $3 FROM sending_attempt WHERE message_id = $1
RETURNING no
"""
END = "UPDATE sending_attempt SET outcome = $3, code = $4, ended_at = $5 WHERE message_id = $1 AND no = $2"


async def begin(db: Database, message_id: UUID, provider: str, now: datetime) -> int:
    """The attempt's number: 1, 2, …"""
    no: int = await db.fetchval(BEGIN, message_id, now, provider)
    return no


async def end(
    db: Database | Connection, message_id: UUID, no: int, outcome: Outcome, now: datetime, code: str | None = None
) -> None:
    await db.execute(END, message_id, no, outcome.value, code, now)


OF_MESSAGES = """
SELECT message_id, no, at, provider, outcome, code, ended_at FROM sending_attempt
WHERE message_id = ANY($1) ORDER BY message_id, no
"""


async def of_messages(db: Database, messages: Sequence[UUID]) -> dict[UUID, list[Attempt]]:
    """Every attempt of each of these messages, oldest first."""
    found: dict[UUID, list[Attempt]] = {message: [] for message in messages}
    for row in await db.fetch(OF_MESSAGES, list(messages)):
        outcome = Outcome(row["outcome"]) if row["outcome"] else None
        attempt = Attempt(row["no"], row["at"], row["provider"], outcome, row["code"], row["ended_at"])
        found[row["message_id"]].append(attempt)
    return found
