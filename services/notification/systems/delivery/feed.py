"""The newest part of the journal in memory: read once, whatever the number of subscriptions that follow it."""

from bisect import bisect_right
from operator import attrgetter

from kit.db import Database
from services.notification.systems.journal import store
from services.notification.systems.journal.domain import Entry

BATCH = 500
KEPT = 2000
"""Entries that stay in memory; whoever is further behind reads for itself."""


class Feed:
    """Follows the journal's end."""

    def __init__(self, start: int) -> None:
        self._floor = self.end = start
        self._entries: list[Entry] = []

    async def read(self, db: Database) -> bool:
        """Read what is new; whether there may be more."""
        entries = await store.read(db, self.end, BATCH)
        self._entries += entries
        self.end = self._entries[-1].seq if self._entries else self.end
        if len(self._entries) > KEPT + BATCH:
            self._entries = self._entries[-KEPT:]
            self._floor = self._entries[0].seq - 1
        return len(entries) == BATCH

    async def after(self, db: Database, position: int) -> list[Entry]:
        """The entries that follow a position, some of them."""
        if position < self._floor:
            return await store.read(db, position, BATCH)
        first = bisect_right(self._entries, position, key=attrgetter("seq"))
        return self._entries[first : first + BATCH]
