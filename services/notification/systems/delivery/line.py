"""One subscription's events in memory, in order for each dossier. No I/O: the engine asks what may be sent next, and
says what became of it; what must be remembered is collected as changes.

Of a dossier and channel one event is under way at a time. The next one follows when it was accepted or finally given
up. What fails gets a row of its own and is tried again; the later ones of its dossier then wait behind it, other
dossiers go on. A subscription that accepts nothing stops the line altogether, where it stands.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from services.notification.systems.delivery import domain
from services.notification.systems.delivery.domain import (
    Accepted,
    Deferred,
    Destination,
    Gone,
    Outcome,
    Outgoing,
    Refused,
    Trouble,
)
from services.notification.systems.journal.domain import Entry
from services.notification.systems.subscriptions.domain import Reason, Subscription, may_hear

Unit = tuple[str, str]
"""Channel and dossier: what order holds for."""
WINDOW = 64
"""For each request that may be under way: events read ahead. It bounds the memory that a slow subscriber takes."""
_PAST = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Item:
    """One event that is to be sent, or a later attempt at it."""

    seq: int
    outgoing: Outgoing
    attempt: int = 1
    failing_since: datetime | None = None
    has_row: bool = False
    """It was read from the table of what is not done, not from the journal."""

    @property
    def unit(self) -> Unit:
        return self.outgoing.channel, self.outgoing.dossier_code


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request, as the subscriber sees it afterwards."""

    item: Item
    at: datetime
    took: timedelta
    status: int | None
    trouble: Trouble | None
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class Row:
    """What is not done, as it is stored."""

    item: Item
    attempts: int
    failing_since: datetime | None
    due_at: datetime | None
    given_up_at: datetime | None = None


@dataclass(slots=True)
class Changes:
    """What is not stored yet."""

    attempts: list[Attempt] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    done: list[Item] = field(default_factory=list)
    """Rows that are accepted."""
    hasten: bool = False
    """It accepts again: everything that waits for its next attempt is tried now."""
    disabled: Reason | None = None

    def touched(self) -> set[Unit]:
        """Units whose head may be another one now."""
        return {row.item.unit for row in self.rows} | {item.unit for item in self.done}


class Line:
    """What one process knows about one subscription that it delivers."""

    def __init__(
        self,
        subscription: Subscription,
        agency: str,
        destination: Destination,
        *,
        epoch: int = 0,
        position: int = 0,
        replay_until: int = 0,
        failing_since: datetime | None = None,
        blocked: Iterable[Unit] = (),
    ) -> None:
        self.subscription, self.agency, self.destination = subscription, agency, destination
        self.epoch, self.replay_until, self.failing_since = epoch, replay_until, failing_since
        self.reading = self.stored_position = position
        self.blocked: set[Unit] = set(blocked)
        self.stopped = False
        self.in_flight = 0
        self.ready: deque[Item] = deque()
        self.changes = Changes()
        self.stored_failing_since = failing_since
        self._busy: dict[Unit, deque[Item]] = {}
        self._opened: deque[int] = deque()
        self._done: set[int] = set()
        self._rows_out: set[int] = set()
        self._failures = 0
        self._breaks = 0
        self._quiet_until = _PAST

    # ── what comes in ──

    def wants(self, entry: Entry) -> bool:
        """Whether this event is for this subscription."""
        return may_hear(self.subscription, self.agency, entry)

    @property
    def position(self) -> int:
        """Everything up to here is done or has a row."""
        while self._opened and self._opened[0] in self._done:
            self._done.remove(self._opened.popleft())
        return self._opened[0] - 1 if self._opened else self.reading

    def has_room(self, now: datetime) -> bool:
        """Whether more of the journal should be read for it."""
        return not self.stopped and now >= self._quiet_until and len(self._opened) < WINDOW * self.subscription.at_once

    def take(self, items: Sequence[Item], read_up_to: int) -> None:
        """These events of the journal are for it; the others up to there are not."""
        for item in items:
            if item.unit in self.blocked:
                self.changes.rows.append(Row(item, 0, None, None))
                continue
            self._opened.append(item.seq)
            if (waiting := self._busy.get(item.unit)) is not None:
                waiting.append(item)
            else:
                self._busy[item.unit] = deque()
                self.ready.append(item)
        self.reading = read_up_to

    def take_rows(self, items: Iterable[Item]) -> None:
        """These rows are due. One whose dossier has something under way waits for the next look."""
        for item in items:
            self.blocked.add(item.unit)
            if item.seq not in self._rows_out and item.unit not in self._busy:
                self._rows_out.add(item.seq)
                self._busy[item.unit] = deque()
                self.ready.append(item)

    # ── what goes out ──

    def next(self, now: datetime) -> Item | None:
        """What to send now; None while nothing may be sent."""
        limit = 1 if self._breaks else self.subscription.at_once
        if self.stopped or not self.ready or self.in_flight >= limit or now < self._quiet_until:
            return None
        self.in_flight += 1
        return self.ready.popleft()

    def settle(self, item: Item, outcome: Outcome, at: datetime, took: timedelta, now: datetime, spread: float) -> None:
        """What became of it; `spread` (0 to 1) decides within the pauses' latitude."""
        self.in_flight -= 1
        next_at = None
        match outcome:
            case Accepted():
                self._accepted(item, now)
            case Refused():
                self._recover(now)
                self._give_up(item, now)
            case Gone():
                self._stop(Reason.GONE)
            case Deferred():
                next_at = self._deferred(item, outcome, now, spread)
        trouble = None if isinstance(outcome, Accepted) else getattr(outcome, "trouble", Trouble.STATUS)
        self.changes.attempts.append(Attempt(item, at, took, outcome.status, trouble, next_at))

    def _accepted(self, item: Item, now: datetime) -> None:
        self._recover(now)
        if item.has_row:
            self.changes.done.append(item)
        self._go_on(item)

    def _deferred(self, item: Item, outcome: Deferred, now: datetime, spread: float) -> datetime | None:
        """When it is tried again."""
        self._fail(outcome, now, spread)
        since = item.failing_since or now
        if self.failing_since and now - self.failing_since >= domain.PATIENCE:
            self._stop(Reason.UNREACHABLE)
        elif now - since >= domain.PATIENCE:
            self._give_up(item, now)
            return None
        wait = max(domain.again_after(item.attempt, spread), outcome.retry_after or timedelta())
        self._put_aside(Row(item, item.attempt, since, now + min(wait, domain.LONGEST_RETRY_AFTER)))
        return now + wait

    def _put_aside(self, row: Row) -> None:
        """It gets a row, and whatever follows in its dossier gets one behind it."""
        item = row.item
        self.changes.rows.append(row)
        self.blocked.add(item.unit)
        waiting = self._busy.pop(item.unit)
        self.changes.rows.extend(Row(behind, 0, None, None) for behind in waiting)
        self._done.update(behind.seq for behind in waiting)
        if not item.has_row:
            self._done.add(item.seq)

    def _give_up(self, item: Item, now: datetime) -> None:
        """It stays on record, and the next one of its dossier goes on: the subscriber sees the gap by the version."""
        self.changes.rows.append(Row(item, item.attempt, item.failing_since or now, None, now))
        self._go_on(item)

    def _go_on(self, item: Item) -> None:
        waiting = self._busy.pop(item.unit)
        if not item.has_row:
            self._done.add(item.seq)
        if waiting:
            self.ready.appendleft(waiting.popleft())
            self._busy[item.unit] = waiting

    # ── how the other side is ──

    def _recover(self, now: datetime) -> None:
        """It accepts. If it had not for a while, what waits is tried now; one bad event among good ones is not."""
        was_away = self.failing_since is not None and now - self.failing_since >= domain.AWAY
        self.changes.hasten |= was_away or self._breaks > 0
        self._failures = self._breaks = 0
        self.failing_since = None

    def _fail(self, outcome: Deferred, now: datetime, spread: float) -> None:
        """Who says when to come again is left alone until then; who fails too often, for longer and longer."""
        self.failing_since = self.failing_since or now
        if outcome.retry_after:
            self._quiet_until = max(self._quiet_until, now + min(outcome.retry_after, domain.LONGEST_RETRY_AFTER))
            return
        self._failures += 1
        if self._failures >= domain.BREAKS_AFTER and now >= self._quiet_until:
            self._breaks += 1
            self._quiet_until = now + domain.break_after(self._breaks, spread)

    def _stop(self, reason: Reason) -> None:
        self.stopped = True
        self.changes.disabled = reason

    # ── what is stored ──

    @property
    def has_news(self) -> bool:
        """Whether there is something to store."""
        changes = self.changes
        return bool(
            changes.attempts
            or changes.rows
            or self.position != self.stored_position
            or self.failing_since != self.stored_failing_since
        )

    def flushed(self, stored: Changes, free: Iterable[Unit]) -> None:
        """These changes are stored, and nothing of these units waits any more."""
        self._rows_out.difference_update(row.item.seq for row in stored.rows if row.item.has_row)
        self._rows_out.difference_update(item.seq for item in stored.done)
        self.blocked.difference_update(set(free) - self.changes.touched())


def item_of(entry: Entry, *, replayed: bool) -> Item:
    """An event of the journal, to be sent for the first time to somebody."""
    kept = entry.kept
    return Item(
        entry.seq,
        Outgoing(
            kept.event_id, kept.ce_type, kept.channel, kept.dossier_code, kept.version, kept.occurred_at, kept.body,
            kept.traceparent, replayed,
        ),
    )  # fmt: skip


def again(item: Item, attempts: int, failing_since: datetime | None) -> Item:
    """The next attempt at something that has a row."""
    return replace(item, attempt=attempts + 1, failing_since=failing_since, has_row=True)
