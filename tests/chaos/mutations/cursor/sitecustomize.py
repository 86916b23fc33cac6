"""Mutation: the relay reads the outbox by "id > the last one", as a naive relay does."""

from typing import Any

from kit import outbox

_read = outbox.Relay._pending
_cursor = 0


async def _after_the_last_one(self: outbox.Relay, conn: Any, after: int) -> list[Any]:
    global _cursor
    rows = await _read(self, conn, max(after, _cursor))
    _cursor = max([_cursor, *(row["id"] for row in rows)])
    return rows


outbox.Relay._pending = _after_the_last_one  # type: ignore[method-assign]
