"""HTTP in: what somebody was told, in the portal's inbox."""

from typing import Annotated
from uuid import UUID

import asyncpg
from fastapi import Depends, Header, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from contracts.refusal import Refusal
from kit import cursors
from kit.auth import Citizen, SystemToken, system
from kit.http import Db, Router
from kit.problems import Unavailable
from services.notification.people import sending, store, words
from services.notification.people.cursors import position
from services.notification.people.domain import Letter
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
    accept_language: Annotated[str, Header(max_length=200)] = words.MOTHER_TONGUE,
) -> InboxPage:
    """The citizen's own notices; in English where `Accept-Language` begins with it and there is such a text."""
    rows = await store.inbox_of(db, citizen.ref, position(cursor), limit + 1)
    shown = rows[:limit]
    following = cursors.cursor(shown[-1]["happened_at"], shown[-1]["id"]) if len(rows) > limit else None
    return InboxPage(items=[_shown(row, accept_language[:2]) for row in shown], next=following)


def _shown(row: asyncpg.Record, language: str) -> InboxMessage:
    letter = _in(language, row) or Letter(row["subject"], row["body"])
    return InboxMessage(
        id=row["id"], dossier_code=row["dossier_code"], subject=letter.subject, body=letter.body, at=row["happened_at"]
    )


def _in(language: str, row: asyncpg.Record) -> Letter | None:
    """The notice as the template says it today in another language; None if it does not, or not with these words."""
    if language == words.MOTHER_TONGUE or language not in words.texts()[row["template"]].wordings:
        return None
    try:
        return words.letter(row["template"], row["words"], language)
    except words.TemplateFailed:
        return None


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
