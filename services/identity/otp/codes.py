"""Sending a code and taking it back: what every act that a code confirms has in common."""

import asyncio
import secrets
from typing import Any
from uuid import UUID

import structlog
from fastapi import BackgroundTasks
from pydantic import BaseModel, ConfigDict, Field

from kit.clock import now
from kit.db import Connection, Database
from kit.problems import Unavailable
from kit.settings import load
from services.identity import clients, store
from services.identity.otp import domain
from services.identity.otp import store as challenges
from services.identity.otp.domain import Challenge, Channel, Purpose
from services.identity.settings import IdentitySettings

log = structlog.get_logger()

PATIENCE = (0, 1, 3, 8)
"""Seconds before each attempt to hand a code to notification; after the last one, the person asks for another."""


class CodeSent(BaseModel):
    """A code is on its way, if there is anybody whom it could be sent to: the answer never says which."""

    challenge: str = Field(description="To be sent back with the code; good once, for a few minutes.")
    expires_in: int = Field(description="Seconds that the code lives.", examples=[180])


class Code(BaseModel):
    """The six digits from the phone."""

    model_config = ConfigDict(extra="forbid")

    code: str = Field(pattern=r"^[0-9]{6}$", examples=["204816"])


async def send(
    db: Database,
    tasks: BackgroundTasks,
    *,
    purpose: Purpose,
    to: str | None,
    address: str,
    subject: UUID | None = None,
    facts: dict[str, Any] | None = None,
    channel: Channel = Channel.SMS,
    notice: str | None = None,
    counted_as: str = "",
) -> CodeSent:
    """Begin a challenge and send its code in the background, so that knowing nobody takes as long as knowing somebody.

    `to` None: nobody can answer this challenge, and nothing is sent. `notice`: the owner of `to` is told this instead
    of a code (`account_exists`), and nobody can answer either.
    """
    await _limit(db, counted_as or to or "", address, subject)
    handle, code, life = (
        secrets.token_urlsafe(32),
        f"{secrets.randbelow(1_000_000):06d}",
        load(IdentitySettings).otp_life,
    )
    answerable = to is not None and notice is None
    mac = domain.mac(_key(), handle, purpose, code) if answerable else secrets.token_bytes(32)
    kept = Challenge(purpose, subject if answerable else None, facts or {}, mac, now() + life)
    async with db.transaction() as tx:
        await challenges.begin(tx, handle, kept, now())
    if to is not None:
        message = {
            "template": notice or "otp",
            "code": "" if notice else code,
            "minutes": int(life.total_seconds() // 60),
        }
        tasks.add_task(_hand_over, {"message_id": str(_message_id(handle)), "channel": channel, "to": to, **message})
    return CodeSent(challenge=handle, expires_in=int(life.total_seconds()))


async def confirm(db: Database, handle: str, purpose: Purpose, code: str) -> Challenge:
    """What the code confirms; CodeWrong or CodeExpired otherwise. `take` it in the transaction that acts on it."""
    found, tries = await challenges.attempt(db, handle, purpose, now())
    domain.check(found, domain.mac(_key(), handle, purpose, code), tries)
    return found


async def take(tx: Connection, handle: str) -> None:
    """Use the challenge up, in the transaction of what it confirmed."""
    await challenges.take(tx, handle)


async def _limit(db: Database, phone: str, address: str, subject: UUID | None) -> None:
    names = {"phone": phone, "address": address, "subject": str(subject) if subject else ""}
    counted = {
        kind: await store.count_attempt(db, f"otp {kind} {name}", now(), domain.WINDOW)
        for kind, name in names.items()
        if name
    }
    try:
        domain.judge_sending({kind: count for kind, (_, count) in counted.items()})
    except domain.TooManyCodes:
        for attempt, _ in counted.values():
            await store.forget_attempt(db, attempt)
        raise


def _key() -> bytes:
    return load(IdentitySettings).digest


def _message_id(handle: str) -> UUID:
    """The same however often the message is handed over, and nothing to find the challenge by."""
    return UUID(bytes=store.digest(f"message {handle}")[:16])


async def _hand_over(message: dict[str, Any]) -> None:
    """To notification, a few times if need be. It is kept nowhere: if this process dies, the person asks again."""
    for pause in PATIENCE:
        await asyncio.sleep(pause)
        try:
            await clients.send_code(message)
        except Unavailable:
            continue
        return
    log.warning("otp.not_sent", reason="notification is away")
