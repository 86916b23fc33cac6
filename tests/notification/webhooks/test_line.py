"""The order of one subscription: a pure machine, driven by chance, crashes and an invented clock."""

import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.notification.systems.delivery.domain import (
    BREAKS_AFTER,
    PATIENCE,
    Accepted,
    Deferred,
    Gone,
    Outcome,
    Outgoing,
    Refused,
    Trouble,
)
from services.notification.systems.delivery.line import Changes, Item, Line, Row, Unit, again, item_of
from services.notification.systems.journal.domain import Entry, Kept, Whose
from services.notification.systems.subscriptions.domain import Filters, Reason, State, Subscription

START = datetime(2026, 11, 22, 1, tzinfo=UTC)
CHANNEL = "dossier.dossiers.v1"
AWAY = Deferred(Trouble.CONNECTION)


def subscription(at_once: int = 4) -> Subscription:
    return Subscription(
        UUID(int=1), "giam-sat", "webhook", "https://x.example.vn/", Filters(), at_once, State.ACTIVE, None, 1, START,
        START,
    )  # fmt: skip


class Nowhere:
    async def deliver(self, outgoing: Outgoing, attempt: int) -> Outcome:
        raise AssertionError("a line sends nothing by itself")


def entry(seq: int, dossier: str, version: int) -> Entry:
    kept = Kept(UUID(int=seq), "vn.motcua.dossier.StepCompleted.v1", CHANNEL, dossier, version, START, None, b"{}")
    return Entry(seq, kept, Whose(dossier, "2.000635", "H99.02.01", "H99.05"))


def journal(chance: random.Random, dossiers: int, events: int) -> list[Entry]:
    versions = {f"d{n}": 0 for n in range(dossiers)}
    entries = []
    for seq in range(1, events + 1):
        dossier = chance.choice(sorted(versions))
        versions[dossier] += 1
        entries.append(entry(seq, dossier, versions[dossier]))
    return entries


@dataclass(frozen=True)
class Stored:
    line: Line
    changes: Changes
    free: set[Unit]


@dataclass
class Table:
    """What the database would hold."""

    position: int = 0
    rows: dict[int, Row] = field(default_factory=dict)
    failing_since: datetime | None = None

    def store(self, line: Line, now: datetime) -> "Stored":
        """What one transaction does; the line learns of it later."""
        changes, line.changes = line.changes, Changes()
        self.position, self.failing_since = line.position, line.failing_since
        for row in changes.rows:
            if row.attempts or row.item.seq not in self.rows:
                self.rows[row.item.seq] = row
        for item in changes.done:
            self.rows.pop(item.seq, None)
        if changes.hasten:
            self._hasten(now)
        return Stored(line, changes, {unit for unit in changes.touched() if not self._head_forward(unit, now)})

    def _hasten(self, now: datetime) -> None:
        self.rows = {seq: replace(row, due_at=row.due_at and min(row.due_at, now)) for seq, row in self.rows.items()}

    def _head_forward(self, unit: Unit, now: datetime) -> bool:
        waiting = sorted(seq for seq, row in self.rows.items() if row.item.unit == unit and not row.given_up_at)
        if waiting and self.rows[waiting[0]].due_at is None:
            self.rows[waiting[0]] = replace(self.rows[waiting[0]], due_at=now)
        return bool(waiting)

    def due(self, now: datetime) -> list[Item]:
        rows = [row for row in self.rows.values() if row.due_at and row.due_at <= now]
        return [again(row.item, row.attempts, row.failing_since) for row in rows]

    def open(self) -> Line:
        blocked = {row.item.unit for row in self.rows.values() if not row.given_up_at}
        return Line(
            subscription(), "H99", Nowhere(), position=self.position, failing_since=self.failing_since, blocked=blocked
        )


class World:
    """A subscriber of moods, a database, and a process that dies now and then."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311
        self.journal = journal(self.chance, dossiers=5, events=60)
        self.table, self.now = Table(), START
        self.line = self.table.open()
        self.under_way: list[Item] = []
        self.storing: Stored | None = None
        self.settled: dict[str, set[int]] = {}
        """Versions of each dossier that were accepted or given up, ever."""
        self.first_accepted: dict[str, list[int]] = {}

    def step(self) -> None:
        does = [self.read, self.send, self.send, self.answer, self.answer, self.store, self.look_at_rows]
        self.chance.choice([*does, self.wait] if self.chance.random() < 0.98 else [self.crash])()

    def read(self) -> None:
        follow = [one for one in self.journal if one.seq > self.line.reading][: self.chance.randint(1, 5)]
        if follow and self.line.has_room(self.now):
            self.line.take([item_of(one, replayed=False) for one in follow], follow[-1].seq)

    def send(self) -> None:
        if item := self.line.next(self.now):
            before = set(range(1, item.outgoing.version))
            assert before <= self.settled.get(item.outgoing.dossier_code, set()), "it overtook an earlier one"
            assert item.unit not in {other.unit for other in self.under_way}, "two of one dossier at once"
            self.under_way.append(item)

    def answer(self) -> None:
        if self.under_way:
            item = self.under_way.pop(self.chance.randrange(len(self.under_way)))
            possible: list[Outcome] = [Accepted(204), AWAY, Refused()]
            outcome = self.chance.choices(possible, [7, 3, 1])[0]
            self.line.settle(item, outcome, self.now, timedelta(), self.now, self.chance.random())
            self._note(item, outcome)

    def _note(self, item: Item, outcome: Outcome) -> None:
        code, version = item.outgoing.dossier_code, item.outgoing.version
        given_up = any(row.item.seq == item.seq and row.given_up_at for row in self.line.changes.rows)
        if isinstance(outcome, Accepted) and version not in self.settled.setdefault(code, set()):
            self.first_accepted.setdefault(code, []).append(version)
        if isinstance(outcome, Accepted) or given_up:  # a crash may forget that it was given up: it comes once more
            self.settled.setdefault(code, set()).add(version)

    def store(self) -> None:
        """The answer of the database takes a while, in which the line goes on."""
        if self.storing:
            self.storing.line.flushed(self.storing.changes, self.storing.free)
            self.storing = None
        else:
            self.storing = self.table.store(self.line, self.now)

    def look_at_rows(self) -> None:
        if not self.storing:
            self.line.take_rows(self.table.due(self.now))

    def wait(self) -> None:
        self.now += timedelta(seconds=self.chance.choice([1, 60, 7200]))

    def crash(self) -> None:
        self.line, self.under_way, self.storing = self.table.open(), [], None

    def is_done(self) -> bool:
        everything = {(one.kept.dossier_code, one.kept.version) for one in self.journal}
        return everything == {(code, version) for code, versions in self.settled.items() for version in versions}


@pytest.mark.parametrize("seed", range(40))
def test_nothing_overtakes_and_nothing_is_lost_whatever_happens(seed: int) -> None:
    world = World(seed)
    for _ in range(30_000):
        world.step()
        if world.is_done():
            break
    assert world.is_done(), "something was forgotten"
    assert all(versions == sorted(versions) for versions in world.first_accepted.values())


def running(*entries: Entry, at_once: int = 4) -> Line:
    line = Line(subscription(at_once), "H99", Nowhere())
    line.take([item_of(one, replayed=False) for one in entries], len(entries))
    return line


def answered(line: Line, outcome: Outcome, now: datetime = START) -> Item:
    item = line.next(now)
    assert item is not None, "nothing may be sent"
    line.settle(item, outcome, now, timedelta(), now, 0.5)
    return item


def test_others_of_the_dossier_wait_behind_what_failed_and_other_dossiers_go_on() -> None:
    line = running(entry(1, "a", 1), entry(2, "a", 2), entry(3, "b", 1))
    answered(line, AWAY)
    assert answered(line, Accepted(204)).outgoing.dossier_code == "b"
    assert line.next(START) is None
    assert [(row.item.seq, row.due_at is None) for row in line.changes.rows] == [(1, False), (2, True)]
    assert line.position == 3, "what has a row does not hold the line back"


def test_who_fails_too_often_is_left_alone_but_for_one_request_at_a_time() -> None:
    line = running(*[entry(n, f"d{n}", 1) for n in range(1, 30)])
    for _ in range(BREAKS_AFTER):
        answered(line, AWAY)
    assert line.next(START) is None
    later = START + timedelta(seconds=5)
    assert line.next(later) is not None
    assert line.next(later) is None, "one request tries it out"


def test_a_subscriber_that_is_away_keeps_its_place_and_costs_no_rows() -> None:
    line = running(*[entry(n, f"d{n}", 1) for n in range(1, 200)])
    now = START
    for _ in range(BREAKS_AFTER + 5):
        answered(line, AWAY, now)
        now += timedelta(minutes=2)
    assert line.position < 20
    assert len(line.changes.rows) == BREAKS_AFTER + 5


def test_acceptance_after_a_break_hastens_what_waits() -> None:
    line = running(*[entry(n, f"d{n}", 1) for n in range(1, 30)])
    for _ in range(BREAKS_AFTER):
        answered(line, AWAY)
    answered(line, Accepted(200), START + timedelta(minutes=2))
    assert line.changes.hasten
    assert line.failing_since is None


def test_who_is_back_after_a_minute_gets_what_waits_and_one_bad_event_among_good_ones_keeps_its_pauses() -> None:
    line = running(*[entry(n, f"d{n}", 1) for n in range(1, 30)])
    answered(line, AWAY)
    answered(line, Accepted(200), START + timedelta(seconds=5))
    assert not line.changes.hasten
    answered(line, AWAY, START + timedelta(seconds=10))
    answered(line, Accepted(200), START + timedelta(seconds=80))
    assert line.changes.hasten


def test_whoever_says_when_to_come_again_is_left_alone_until_then() -> None:
    line = running(entry(1, "a", 1), entry(2, "b", 1))
    answered(line, Deferred(Trouble.STATUS, 429, timedelta(minutes=10)))
    assert line.next(START + timedelta(minutes=9)) is None
    assert line.next(START + timedelta(minutes=10)) is not None


def test_410_ends_the_subscription_and_forgets_nothing() -> None:
    line = running(entry(1, "a", 1), entry(2, "b", 1))
    answered(line, Gone())
    assert line.changes.disabled is Reason.GONE
    assert line.next(START) is None
    assert line.position == 0


def test_accepting_nothing_for_three_days_ends_the_subscription_and_gives_nothing_up() -> None:
    line = running(*[entry(n, f"d{n}", 1) for n in range(1, 30)])
    answered(line, AWAY)
    answered(line, AWAY, START + PATIENCE)
    assert line.changes.disabled is Reason.UNREACHABLE
    assert not any(row.given_up_at for row in line.changes.rows)


def test_one_event_that_is_never_taken_is_given_up_after_three_days_and_the_dossier_goes_on() -> None:
    line = running(entry(1, "a", 1), entry(2, "a", 2), entry(3, "b", 1))
    item = replace(line.next(START) or pytest.fail("nothing"), failing_since=START - PATIENCE, attempt=13)
    line.settle(item, Deferred(Trouble.STATUS, 500), START, timedelta(), START, 0.5)
    (row,) = line.changes.rows
    assert row.given_up_at == START
    assert {(line.next(START) or item).seq, (line.next(START) or item).seq} == {2, 3}
