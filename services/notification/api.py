"""HTTP in: what somebody was told, in the portal's inbox."""

import base64
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import asyncpg
from fastapi import Query
from pydantic import AwareDatetime, BaseModel

from contracts.refusal import Refusal
from kit.auth import Citizen
from kit.http import Db, Router
from services.notification import store

router = Router(prefix="/api/v1", tags=["Thông báo"])


class CursorNotOurs(Refusal):
    status = 422
    title = "Trang yêu cầu không hợp lệ, xin mở lại danh sách"
    title_en = "The cursor is not one that this list gave"


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
    rows = await store.inbox_of(db, citizen.ref, _position(cursor), limit + 1)
    return InboxPage(
        items=[_shown(row) for row in rows[:limit]], next=_cursor(rows[limit - 1]) if len(rows) > limit else None
    )


def _shown(row: asyncpg.Record) -> InboxMessage:
    at = row["happened_at"]
    return InboxMessage(id=row["id"], dossier_code=row["dossier_code"], subject=row["subject"], body=row["body"], at=at)


_NEWEST = (datetime(9999, 1, 1, tzinfo=UTC), UUID(int=2**128 - 1))


def _cursor(row: asyncpg.Record) -> str:
    return base64.urlsafe_b64encode(f"{row['happened_at'].isoformat()} {row['id']}".encode()).decode()


def _position(cursor: str | None) -> tuple[datetime, UUID]:
    if cursor is None:
        return _NEWEST
    try:
        moment, message_id = base64.urlsafe_b64decode(cursor.encode()).decode().split(" ", 1)
        return datetime.fromisoformat(moment).astimezone(UTC), UUID(message_id)
    except ValueError:
        raise CursorNotOurs from None
