"""HTTP in: what somebody was told, in the portal's inbox."""

from typing import Annotated
from uuid import UUID

import asyncpg
from fastapi import Depends, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from contracts.refusal import Refusal
from kit.auth import Citizen, SystemToken, system
from kit.http import Db, Router
from kit.problems import Unavailable
from services.notification.people import cursors, sending, store, words
from services.notification.people.providers import NotTaken, Unclear, Undeliverable
from services.notification.people.tenant import province

router = Router(prefix="/api/v1", tags=["Thông báo"])

Identity = Annotated[SystemToken, Depends(system("identity"))]


class InboxMessage(BaseModel):
    """One notice in the portal's inbox."""

    id: UUID
    dossier_code: str
    subject: str
    body: str
    at: AwareDatetime
    """When what it tells of happened."""


class InboxPage(BaseModel):
    """Notices, newest first."""

    items: list[InboxMessage]
    next: str | None
    """Cursor of the following page, null on the last."""


@router.get("/messages")
async def messages(
    citizen: Citizen,
    db: Db,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> InboxPage:
    """The citizen's own notices."""
    rows = await store.inbox_of(db, citizen.ref, cursors.position(cursor), limit + 1)
    shown = rows[:limit]
    following = cursors.cursor(shown[-1]["happened_at"], shown[-1]["id"]) if len(rows) > limit else None
    return InboxPage(items=[_shown(row) for row in shown], next=following)


def _shown(row: asyncpg.Record) -> InboxMessage:
    at = row["happened_at"]
    return InboxMessage(id=row["id"], dossier_code=row["dossier_code"], subject=row["subject"], body=row["body"], at=at)


# ── one-time passwords ──


class CodeUndeliverable(Refusal):
    """The provider will never take it: the number or address is wrong."""

    status = 422
    title = "Không gửi được mã đến số điện thoại hoặc địa chỉ này"
    title_en = "The code cannot be delivered there"


class CodeMessage(BaseModel):
    """A one-time password on its way to a phone or mailbox."""

    model_config = ConfigDict(extra="forbid")

    message_id: UUID = Field(description="The same for a repetition, which then reaches nobody twice.")
    template: str = Field(pattern="^(otp|account_exists)$")
    channel: str = Field(pattern="^(sms|email)$")
    to: str = Field(max_length=254, examples=["+84900000001"])
    code: str = Field(pattern="^([0-9]{6})?$", examples=["204816"])
    minutes: int = Field(ge=1, le=5)


@router.post("/otp-messages", status_code=204)
async def send_code(_: Identity, message: CodeMessage) -> None:
    """Send a one-time password now. It is never stored, never logged and never on Kafka; 503: try again."""
    said = {"otp": message.code, "m": str(message.minutes), "host": province().host}
    try:
        if message.channel == "sms":
            await sending.code_by_text(message.message_id, message.to, words.short(message.template, said))
        else:
            await sending.code_by_mail(message.message_id, message.to, words.letter(message.template, said))
    except Undeliverable as no:
        raise CodeUndeliverable() from no
    except (NotTaken, Unclear) as away:
        raise Unavailable from away
