"""Working time: when an office is open, and when a time limit that starts now will end, step by step.

Pure rules over data that the tenant supplies: opening hours, days off and make-up days are decided by decree
every year and are never derived. Moments are aware datetimes; what comes out is in the calendar's zone. Each
computation returns the steps it went through: there is no second implementation that explains.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


class Cutoff(StrEnum):
    """From when on a dossier counts as received on the next working day. The law knows several rules."""

    NONE = "none"
    AFTER_15 = "15:00"
    """Later than 15:00: same-day procedures of civil status and certification, forwarding of paper."""
    AFTER_17 = "17:00"
    LAST_HOUR = "last_hour"
    """Within the last hour before closing."""


class Unit(StrEnum):
    """What a time limit is counted in."""

    SAME_DAY = "same_day"
    WORKING_DAY = "working_day"
    CALENDAR_DAY = "calendar_day"
    """Days of the week, rolled forward when the last one is a day off."""
    WORKING_HOUR = "working_hour"
    MINUTE = "minute"
    """Plain minutes, day and night."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A time limit that a law or a policy gives."""

    value: float
    unit: Unit
    cutoff: Cutoff = Cutoff.NONE
    """Only for limits in days."""
    count_effective_day: bool = False
    """Whether the day of receipt is day 1; the texts found do not settle it, and the usual answer is no."""
    source: str = ""
    """The legal text, in Vietnamese."""


class What(StrEnum):
    """What one step of a computation did."""

    START = "start"
    """The clock starts at `since`."""
    CUTOFF = "cutoff"
    """Too late for that day: `name` is the rule."""
    DAY_OFF = "day_off"
    """Skipped: `name` is the holiday, or the day of the weekend."""
    MAKEUP = "makeup"
    """A day off by the weekday that works all the same: `name` says for what."""
    EFFECTIVE = "effective"
    """The day on which it counts as received; not counted itself."""
    COUNTED = "counted"
    """Day number `amount` of the limit."""
    OPEN = "open"
    """`amount` hours of opening time consumed, from `since` to `until`."""
    PAUSED = "paused"
    """The clock stood from `since` to `until`; `amount` days or hours of the limit were left."""
    EXTENDED = "extended"
    """The date was moved by decision from `since` to `until`: `name` says by which."""
    BEFORE = "before"
    """An alarm at `until`, `amount` before the deadline at `since`."""
    UNDECIDED = "undecided"
    """The calendar of the year of that day is not decided or not imported: the date may change."""
    DUE = "due"
    """The limit ends at `until`."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a computation. Dates and times are local."""

    what: What
    day: date
    since: datetime | None = None
    until: datetime | None = None
    amount: float | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Computed:
    """When a limit ends, and how that was found."""

    due_at: datetime
    steps: tuple[Step, ...]
    provisional: bool
    """It touches days whose calendar is not decided or not imported yet: the date may have to be changed."""


Trail = list[Step]

WEEKEND = ("", "Thứ Hai", "Thứ Ba", "Thứ Tư", "Thứ Năm", "Thứ Sáu", "Thứ Bảy", "Chủ nhật")


@dataclass(frozen=True, slots=True)
class WorkingCalendar:
    """When one office is open. Days off include compensatory ones; make-up days are Saturdays that work."""

    sessions: tuple[tuple[time, time], ...] = ((time(8), time(12)), (time(13), time(17)))
    weekdays: frozenset[int] = frozenset({1, 2, 3, 4, 5})
    """ISO weekdays that work: 1 is Monday."""
    days_off: Mapping[date, str] = field(default_factory=dict)
    """The day and its name, in Vietnamese."""
    makeup_days: Mapping[date, str] = field(default_factory=dict)
    """The day and what it makes up for, in Vietnamese."""
    zone: ZoneInfo = HANOI
    version: str = ""
    """Which edition of the calendar this is: a deadline remembers by which one it was computed."""
    decided_from: date = date.min
    decided_through: date = date.max
    """Days outside of these are not decided, or not imported: deadlines that touch them are provisional."""

    def is_working(self, day: date) -> bool:
        return day in self.makeup_days or (day.isoweekday() in self.weekdays and day not in self.days_off)

    def working_day_from(self, day: date) -> date:
        """`day` itself if the office works then, otherwise the next day on which it does."""
        return self._next_working(day, [])

    def is_decided(self, day: date) -> bool:
        return self.decided_from <= day <= self.decided_through

    def opening(self, day: date) -> datetime:
        return datetime.combine(day, self.sessions[0][0], self.zone)

    def closing(self, day: date) -> datetime:
        return datetime.combine(day, self.sessions[-1][1], self.zone)

    def local(self, moment: datetime) -> datetime:
        return moment.astimezone(self.zone)

    def local_date(self, moment: datetime) -> date:
        return self.local(moment).date()

    # ── when a limit ends ──

    def after(self, start: datetime, limit: Limit) -> Computed:
        """When `limit` ends for what starts at `start`. An end at a session's close stays there."""
        local = self.local(start)
        trail = [Step(What.START, local.date(), since=local)]
        match limit.unit:
            case Unit.MINUTE:
                due = local + timedelta(minutes=limit.value)
            case Unit.WORKING_HOUR:
                due = self._consume(local, limit.value * HOUR, trail)
            case Unit.CALENDAR_DAY:
                due = self._calendar_days(self._effective(local, limit, trail), round(limit.value), trail)
            case Unit.SAME_DAY | Unit.WORKING_DAY:
                due = self._working_days(local, limit, trail)
        return self._computed(due, trail)

    def _computed(self, due: datetime, trail: Trail) -> Computed:
        undecided = sorted({step.day for step in trail if not self.is_decided(step.day)} | {due.date()})
        provisional = not all(map(self.is_decided, undecided))
        if provisional:
            first = next(day for day in undecided if not self.is_decided(day))
            trail.append(Step(What.UNDECIDED, first, name=str(first.year)))
        trail.append(Step(What.DUE, due.date(), until=due))
        return Computed(due, tuple(trail), provisional)

    def _working_days(self, local: datetime, limit: Limit, trail: Trail) -> datetime:
        """Closing time of the n-th working day after the effective day; 0 days: of the effective day."""
        days = 0 if limit.unit is Unit.SAME_DAY else round(limit.value)
        day = self._effective(local, limit, trail)
        if days == 0 and self.closing(day) < local:  # no rule lets a limit end before it starts
            day = self._next_working(day + DAY, trail)
        first = 1
        if limit.count_effective_day and days:
            trail.append(Step(What.COUNTED, day, amount=1))
            first = 2
        return self.closing(self._count(day, first, days, trail))

    def _count(self, day: date, first: int, last: int, trail: Trail) -> date:
        for number in range(first, last + 1):
            day = self._next_working(day + DAY, trail)
            trail.append(Step(What.COUNTED, day, amount=number))
        return day

    def _calendar_days(self, effective: date, days: int, trail: Trail) -> datetime:
        """Close of business `days` days after the effective day, rolled forward if that is a day off."""
        last = effective + days * DAY
        trail.append(Step(What.COUNTED, last, amount=days))
        return self.closing(self._next_working(last, trail))

    def effective_day(self, moment: datetime, cutoff: Cutoff = Cutoff.NONE) -> date:
        """The working day on which something received at `moment` counts as received."""
        return self._effective(self.local(moment), Limit(0, Unit.SAME_DAY, cutoff), [])

    def _effective(self, local: datetime, limit: Limit, trail: Trail) -> date:
        day = self._next_working(local.date(), trail)
        if day == local.date() and self._is_late(local, limit.cutoff):
            trail.append(Step(What.CUTOFF, day, since=local, name=limit.cutoff))
            day = self._next_working(day + DAY, trail)
        trail.append(Step(What.EFFECTIVE, day))
        return day

    def _is_late(self, local: datetime, cutoff: Cutoff) -> bool:
        match cutoff:
            case Cutoff.NONE:
                return False
            case Cutoff.AFTER_15 | Cutoff.AFTER_17:
                return local.time() > time.fromisoformat(cutoff)
            case Cutoff.LAST_HOUR:
                return local > self.closing(local.date()) - HOUR

    def _next_working(self, day: date, trail: Trail) -> date:
        """`day` itself if the office works then, otherwise the next day on which it does."""
        while not self.is_working(day):
            trail.append(Step(What.DAY_OFF, day, name=self.days_off.get(day, WEEKEND[day.isoweekday()])))
            day += DAY
        if day in self.makeup_days:
            trail.append(Step(What.MAKEUP, day, name=self.makeup_days[day]))
        return day

    def _consume(self, local: datetime, left: timedelta, trail: Trail) -> datetime:
        """When that much opening time has passed."""
        for opens, closes in self._sessions_from(local, trail):
            taken = min(left, closes - opens)
            left -= taken
            hours = taken / HOUR
            trail.append(Step(What.OPEN, opens.date(), since=opens, until=opens + taken, amount=hours))
            if not left:
                return opens + taken
        raise AssertionError("sessions never end")

    def _sessions_from(self, local: datetime, trail: Trail) -> Iterator[tuple[datetime, datetime]]:
        """What is left of the session that `local` falls into, then every later one, for ever."""
        day = local.date()
        while True:
            day = self._next_working(day, trail)
            for opens, closes in self.sessions:
                begin = max(datetime.combine(day, opens, self.zone), local)
                end = datetime.combine(day, closes, self.zone)
                if begin < end:
                    yield begin, end
            day += DAY

    # ── going on after a pause, and looking back ──

    def resume(self, due: datetime, paused_at: datetime, resumed_at: datetime, limit: Limit) -> Computed:
        """When a limit ends that stood still in between: what was left of it is counted from `resumed_at` on.

        Limits in days count whole days: the day of the pause counts as used, that of going on does not count.
        """
        since, until, due = self.local(paused_at), self.local(resumed_at), self.local(due)
        left = self._left(since, due, limit.unit)
        trail = [Step(What.PAUSED, since.date(), since=since, until=until, amount=left)]
        match limit.unit:
            case Unit.MINUTE:
                end = until + timedelta(minutes=left)
            case Unit.WORKING_HOUR:
                end = self._consume(until, left * HOUR, trail) if left > 0 else until
            case Unit.CALENDAR_DAY:
                end = self._calendar_days(self._effective(until, limit, trail), round(left), trail)
            case Unit.SAME_DAY | Unit.WORKING_DAY:
                rest = Limit(left, Unit.WORKING_DAY, limit.cutoff)
                end = self._working_days(until, rest, trail)
        return self._computed(max(end, due), trail)

    def _left(self, since: datetime, due: datetime, unit: Unit) -> float:
        """What was left of a limit when it was paused, in its own unit (`same_day` in days)."""
        if due <= since:
            return 0
        match unit:
            case Unit.MINUTE:
                return (due - since) / timedelta(minutes=1)
            case Unit.WORKING_HOUR:
                return self.open_hours(since, due)
            case Unit.CALENDAR_DAY:
                return (due.date() - since.date()).days
            case Unit.SAME_DAY | Unit.WORKING_DAY:
                return self.working_days_between(since.date(), due.date())

    def working_days_between(self, first: date, last: date) -> int:
        """How many working days there are after `first`, up to and with `last`."""
        return sum(self.is_working(first + n * DAY) for n in range(1, (last - first).days + 1))

    def open_hours(self, start: datetime, end: datetime) -> float:
        """How many hours the office is open between two moments."""
        total = timedelta()
        for opens, closes in self._sessions_from(self.local(start), []):
            if opens >= end:
                return total / HOUR
            total += min(closes, self.local(end)) - opens
        raise AssertionError("sessions never end")

    def before(self, due: datetime, limit: Limit) -> datetime:
        """So long before a deadline: so many working days earlier at the same hour, or opening hours earlier."""
        local = self.local(due)
        match limit.unit:
            case Unit.MINUTE:
                return local - timedelta(minutes=limit.value)
            case Unit.WORKING_HOUR:
                return self._give_back(local, limit.value * HOUR)
            case Unit.CALENDAR_DAY:
                return local - limit.value * DAY
            case Unit.SAME_DAY | Unit.WORKING_DAY:
                day = local.date()
                for _ in range(round(limit.value)):
                    day = self._last_working(day - DAY)
                return datetime.combine(day, local.timetz())

    def _last_working(self, day: date) -> date:
        while not self.is_working(day):
            day -= DAY
        return day

    def _give_back(self, local: datetime, left: timedelta) -> datetime:
        day = local.date()
        while True:
            day = self._last_working(day)
            for opens, closes in reversed(self.sessions):
                begin = datetime.combine(day, opens, self.zone)
                end = min(datetime.combine(day, closes, self.zone), local)
                if begin < end:
                    if left <= end - begin:
                        return end - left
                    left -= end - begin
            day -= DAY

    # ── in short ──

    def after_working_days(
        self, start: datetime, days: int, cutoff: Cutoff = Cutoff.NONE, *, count_effective_day: bool = False
    ) -> datetime:
        """Closing time of the `days`-th working day after the effective day; 0 days: of the effective day."""
        return self.after(start, Limit(days, Unit.WORKING_DAY, cutoff, count_effective_day)).due_at

    def after_calendar_days(self, start: datetime, days: int, cutoff: Cutoff = Cutoff.NONE) -> datetime:
        """Close of business `days` days after the effective day, rolled forward if that is a day off."""
        return self.after(start, Limit(days, Unit.CALENDAR_DAY, cutoff)).due_at

    def after_working_hours(self, start: datetime, hours: float) -> datetime:
        """When `hours` of opening time have passed since `start`."""
        return self.after(start, Limit(hours, Unit.WORKING_HOUR)).due_at
