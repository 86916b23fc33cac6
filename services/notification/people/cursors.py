"""Places in a list of messages, newest first."""

from datetime import UTC, datetime
from uuid import UUID

from kit.cursors import CursorNotOurs, place

_NEWEST = (datetime(9999, 1, 1, tzinfo=UTC), UUID(int=2**128 - 1))


def position(cursor: str | None) -> tuple[datetime, UUID]:
    """The line that a cursor names; the beginning without one."""
    if cursor is None:
        return _NEWEST
    moment, line = place(cursor)
    try:
        return moment, UUID(line)
    except ValueError:
        raise CursorNotOurs from None
