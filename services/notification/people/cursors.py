"""Places in a list that is ordered by time, newest first."""

import base64
from datetime import UTC, datetime
from uuid import UUID

from contracts.refusal import Refusal


class CursorNotOurs(Refusal):
    status = 422
    title = "Trang yêu cầu không hợp lệ, xin mở lại danh sách"
    title_en = "The cursor is not one that this list gave"


_NEWEST = (datetime(9999, 1, 1, tzinfo=UTC), UUID(int=2**128 - 1))


def cursor(moment: datetime, line: UUID) -> str:
    """Names the place after this line."""
    return base64.urlsafe_b64encode(f"{moment.isoformat()} {line}".encode()).decode()


def position(given: str | None) -> tuple[datetime, UUID]:
    """The line that a cursor names; the beginning without one."""
    if given is None:
        return _NEWEST
    try:
        moment, line = base64.urlsafe_b64decode(given.encode()).decode().split(" ", 1)
        return datetime.fromisoformat(moment).astimezone(UTC), UUID(line)
    except ValueError:
        raise CursorNotOurs from None
