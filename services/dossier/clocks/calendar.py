"""Working time: when an office is open, and when a time limit that starts now will end.

Pure rules over data that the tenant supplies: opening hours, days off and make-up days are decided by decree
every year and are never derived. Moments are aware datetimes; what comes out is in the calendar's zone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
DAY = timedelta(days=1)


class Cutoff(StrEnum):
    """From when on a dossier counts as received on the next working day. The law knows several rules."""

    NONE = "none"
    AFTER_15 = "15:00"
    """Later than 15:00: same-day procedures of civil status and certification, forwarding of paper."""
    AFTER_17 = "17:00"
    LAST_HOUR = "last_hour"
    """Within the last hour before closing."""


@dataclass(frozen=True, slots=True)
class WorkingCalendar:
    """When one office is open. Days off include compensatory ones; make-up days are Saturdays that work."""

    sessions: tuple[tuple[time, time], ...] = ((time(8), time(12)), (time(13), time(17)))
    weekdays: frozenset[int] = frozenset({1, 2, 3, 4, 5})
    """ISO weekdays that work: 1 is Monday."""
    days_off: frozenset[date] = frozenset()
    makeup_days: frozenset[date] = frozenset()
    zone: ZoneInfo = HANOI
    version: str = ""
    """Which edition of the calendar this is: a deadline remembers by which one it was computed."""

    def is_working(self, day: date) -> bool:
        return day in self.makeup_days or (day.isoweekday() in self.weekdays and day not in self.days_off)

    def working_day_from(self, day: date) -> date:
        """`day` itself if the office works then, otherwise the next day on which it does."""
        while not self.is_working(day):
            day += DAY
        return day

    def closing(self, day: date) -> datetime:
        return datetime.combine(day, self.sessions[-1][1], self.zone)

    def local_date(self, moment: datetime) -> date:
        return moment.astimezone(self.zone).date()

    def effective_day(self, moment: datetime, cutoff: Cutoff = Cutoff.NONE) -> date:
        """The working day on which something received at `moment` counts as received."""
        local = moment.astimezone(self.zone)
        day = self.working_day_from(local.date())
        if day == local.date() and self._is_late(local, cutoff):
            return self.working_day_from(day + DAY)
        return day

    def _is_late(self, local: datetime, cutoff: Cutoff) -> bool:
        match cutoff:
            case Cutoff.NONE:
                return False
            case Cutoff.AFTER_15 | Cutoff.AFTER_17:
                return local.time() > time.fromisoformat(cutoff)
            case Cutoff.LAST_HOUR:
                return local > self.closing(local.date()) - timedelta(hours=1)

    def after_working_days(
        self, start: datetime, days: int, cutoff: Cutoff = Cutoff.NONE, *, count_effective_day: bool = False
    ) -> datetime:
        """Closing time of the `days`-th working day after the effective day; 0 days: of the effective day."""
        day = self.effective_day(start, cutoff)
        for _ in range(max(days - count_effective_day, 0)):
            day = self.working_day_from(day + DAY)
        return self.closing(day)

    def after_calendar_days(self, start: datetime, days: int, cutoff: Cutoff = Cutoff.NONE) -> datetime:
        """Close of business `days` days after the effective day, rolled forward if that is a day off."""
        return self.closing(self.working_day_from(self.effective_day(start, cutoff) + days * DAY))

    def after_working_hours(self, start: datetime, hours: float) -> datetime:
        """When `hours` of opening time have passed since `start`. An end at a session's close stays there."""
        left = timedelta(hours=hours)
        for opens, closes in self._sessions_from(start):
            if left <= closes - opens:
                return opens + left
            left -= closes - opens
        raise AssertionError("sessions never end")

    def _sessions_from(self, start: datetime) -> Iterator[tuple[datetime, datetime]]:
        """What is left of the session that `start` falls into, then every later one, for ever."""
        local = start.astimezone(self.zone)
        day = local.date()
        while True:
            day = self.working_day_from(day)
            for opens, closes in self.sessions:
                begin = max(datetime.combine(day, opens, self.zone), local)
                end = datetime.combine(day, closes, self.zone)
                if begin < end:
                    yield begin, end
            day += DAY
