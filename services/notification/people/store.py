"""Every SQL statement of notification."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from contracts.notification import MESSAGES, MessageChannel, MessageEvent
from kit import outbox
from kit.db import Connection, Database
from services.notification.people.domain import Correspondence, Letter, Message, State

# ── the texts ──


@dataclass(frozen=True, slots=True)
class KnownText:
    """A version of a template as it was first used."""

    sha256: str
    newest: int
    """The highest version of this template that was ever used."""
    is_new: bool


# The read comes after the write in the same transaction: of two processes that start at once, one waits for the other.
KEEP_TEXT = """
INSERT INTO template_text (key, version, sha256, texts) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
"""
KNOWN_TEXT = """
SELECT (SELECT sha256 FROM template_text WHERE key = $1 AND version = $2) AS sha256, max(version) AS newest
FROM template_text WHERE key = $1
"""


async def keep_text(
    tx: Connection, key: str, version: int, sha256: str, texts: Mapping[str, Mapping[str, str]]
) -> KnownText:
    """Keep this version of a template, unless it was kept before; what is known of it."""
    done = await tx.execute(KEEP_TEXT, key, version, sha256, dict(texts))
    row = await tx.fetchrow(KNOWN_TEXT, key, version)
    assert row is not None  # noqa: S101 (it was just kept)
    return KnownText(row["sha256"], row["newest"], done.endswith(" 1"))


# ── whom to tell ──

LOCK = """
INSERT INTO correspondence AS known (dossier_code) VALUES ($1)
ON CONFLICT (dossier_code) DO UPDATE SET dossier_code = known.dossier_code
RETURNING dossier_code, recipient_ref, sms_opt_in, procedure_name, unit
"""


async def lock(tx: Connection, dossier_code: str) -> Correspondence | None:
    """Whom to tell news of this dossier; None while that is not known. Others wait, so no news slips in between."""
    row = await tx.fetchrow(LOCK, dossier_code)
    return Correspondence(**row) if row and row["recipient_ref"] else None


REMEMBER = """
INSERT INTO correspondence (dossier_code, recipient_ref, sms_opt_in, procedure_name, unit) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (dossier_code) DO UPDATE
SET recipient_ref = excluded.recipient_ref, sms_opt_in = excluded.sms_opt_in,
    procedure_name = excluded.procedure_name, unit = excluded.unit
"""


async def remember(tx: Connection, about: Correspondence) -> None:
    await tx.execute(
        REMEMBER, about.dossier_code, about.recipient_ref, about.sms_opt_in, about.procedure_name, about.unit
    )


KEEP_EARLY = """
INSERT INTO early_news (dossier_code, event, version, body) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
"""


async def keep_early(tx: Connection, dossier_code: str, event: str, version: int, body: dict[str, Any]) -> None:
    """Keep news of a dossier until it is known whom to tell."""
    await tx.execute(KEEP_EARLY, dossier_code, event, version, body)


TAKE_EARLY = """
WITH taken AS (DELETE FROM early_news WHERE dossier_code = $1 RETURNING event, version, body)
SELECT event, body FROM taken ORDER BY version
"""


async def take_early(tx: Connection, dossier_code: str) -> list[asyncpg.Record]:
    """The news that waited, oldest first; it waits no more."""
    return await tx.fetch(TAKE_EARLY, dossier_code)


# ── messages ──


@dataclass(frozen=True, slots=True)
class Stored:
    """A message with what became of it so far."""

    message: Message
    state: State
    template_version: int
    """As it was queued, and then as it was sent."""
    attempts: int
    may_have: str | None
    """The provider that may have it already: none but this one is asked."""


QUEUE = """
INSERT INTO message
    (id, dossier_code, event, version, template, template_version, recipient_ref, channel, words, happened_at,
     subject, body, unit, attachment)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT DO NOTHING
"""


async def queue(tx: Connection, message: Message, template_version: int, letter: Letter | None) -> bool:
    """Keep the message (with its text, for the portal's inbox); False if the same one was kept before."""
    done = await tx.execute(
        QUEUE,
        message.id,
        message.dossier_code,
        message.event,
        message.version,
        message.template,
        template_version,
        message.recipient_ref,
        message.channel.value,
        dict(message.words),
        message.happened_at,
        letter.subject if letter else None,
        letter.body if letter else None,
        message.unit,
        message.attachment,
    )
    return done.endswith(" 1")


FIND = """
SELECT id, dossier_code, event, version, template, recipient_ref, channel, words, happened_at, unit, attachment,
       state, template_version, attempts,
       (SELECT provider FROM sending_attempt
        WHERE message_id = $1 AND (outcome IS NULL OR outcome = 'unclear') AND at >= m.resent_at
        ORDER BY no LIMIT 1) AS may_have
FROM message m WHERE id = $1
"""
LOCK_MESSAGE = f"{FIND} FOR UPDATE"


async def find(db: Database, message_id: UUID) -> Stored | None:
    row = await db.fetchrow(FIND, message_id)
    return _stored(row) if row else None


async def lock_message(tx: Connection, message_id: UUID) -> Stored | None:
    """The message, which nobody else changes until this transaction ends."""
    row = await tx.fetchrow(LOCK_MESSAGE, message_id)
    return _stored(row) if row else None


def _stored(row: asyncpg.Record) -> Stored:
    fields = dict(row)
    became = {name: fields.pop(name) for name in ("template_version", "attempts", "may_have")}
    state = State(fields.pop("state"))
    return Stored(Message(**{**fields, "channel": MessageChannel(fields["channel"])}), state, **became)


SETTLE = """
UPDATE message
SET state = $2, attempts = $3, reason = $4, settled_at = $5, template_version = $6, said = said + 1
WHERE id = $1 AND state = ANY($7) RETURNING said
"""


async def settle(
    tx: Connection,
    event: MessageEvent,
    state: State,
    reason: str | None = None,
    *,
    of: Sequence[State] = (State.QUEUED,),
) -> None:
    """Note what became of the message, and say so; whoever comes second changes and says nothing."""
    said = await tx.fetchval(
        SETTLE, event.message_id, state.value, event.attempts, reason, event.occurred_at, event.template_version,
        [one.value for one in of],
    )  # fmt: skip
    if said:
        await outbox.record(tx, MESSAGES, event.model_copy(update={"version": said}))


# What arrived has arrived, whatever is reported afterwards.
REPORT = """
UPDATE message SET delivery = $2, said = said + 1
WHERE id = $1 AND state = 'sent' AND delivery IS DISTINCT FROM 'delivered' AND delivery IS DISTINCT FROM $2
RETURNING said
"""


async def report(tx: Connection, event: MessageEvent, *, arrived: bool) -> None:
    """Note whether the message reached its phone, and say so if that is news."""
    said = await tx.fetchval(REPORT, event.message_id, "delivered" if arrived else "undelivered")
    if said:
        await outbox.record(tx, MESSAGES, event.model_copy(update={"version": said}))


WRITE_LETTER = "UPDATE message SET subject = $2, body = $3 WHERE id = $1"


async def write_letter(tx: Connection, message_id: UUID, letter: Letter) -> None:
    """What the portal's inbox shows, for a message that could not be worded when it was queued."""
    await tx.execute(WRITE_LETTER, message_id, letter.subject, letter.body)


INBOX = """
SELECT id, dossier_code, template, words, subject, body, happened_at FROM message
WHERE recipient_ref = $1 AND channel = 'in_app' AND state = 'sent' AND (happened_at, id) < ($2, $3)
ORDER BY happened_at DESC, id DESC LIMIT $4
"""


async def inbox_of(
    db: Database, recipient: UUID, before: tuple[datetime, UUID], limit: int
) -> Sequence[asyncpg.Record]:
    """What somebody was told in the portal, newest first, after the message named by `before`."""
    return await db.fetch(INBOX, recipient, *before, limit)
