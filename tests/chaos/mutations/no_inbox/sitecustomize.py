"""Mutation: events are delivered without asking whether they were heard before, and positions are not kept."""

from collections.abc import Sequence

from kit import inbox
from kit.db import Connection


async def _deliver_whatever_comes(
    self: inbox.Inbox, tx: Connection, letters: Sequence[inbox.Letter], **_: object
) -> None:
    await self._deliver(tx, letters)


inbox.Inbox.apply = _deliver_whatever_comes  # type: ignore[method-assign]
