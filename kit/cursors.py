"""Places in a list that goes by time: what a page says for the next one to begin behind."""

import base64
from datetime import UTC, datetime

from contracts.refusal import Refusal


class CursorNotOurs(Refusal):
    status = 422
    title = "Trang yêu cầu không hợp lệ, xin mở lại danh sách"
    title_en = "The cursor is not one that this list gave"


def cursor(at: datetime, line: object) -> str:
    """Names the place behind this line; `line` tells lines of the same moment apart."""
    return base64.urlsafe_b64encode(f"{at.isoformat()} {line}".encode()).decode()


def place(cursor: str) -> tuple[datetime, str]:
    """The moment, in UTC, and the line that a cursor names."""
    try:
        moment, line = base64.urlsafe_b64decode(cursor.encode()).decode().split(" ", 1)
        return datetime.fromisoformat(moment).astimezone(UTC), line
    except (ValueError, OverflowError):
        raise CursorNotOurs from None
