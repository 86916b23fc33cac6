"""When a text message may go: not while people sleep, and not more a minute than its unit may send."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from services.notification.people.domain import LOCAL

EVERYBODY_ELSE = "default"


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From one time of the day to another (local; over midnight or not) no phone rings."""

    begin: time
    end: time

    def over(self, now: datetime) -> datetime | None:
        """When the quiet hours that it is now end; None if it is none of them."""
        local = now.astimezone(LOCAL)
        if not self._hold(local.time()):
            return None
        end = local.replace(hour=self.end.hour, minute=self.end.minute, second=0, microsecond=0)
        return end if end > local else end + timedelta(days=1)

    def _hold(self, at: time) -> bool:
        if self.begin <= self.end:
            return self.begin <= at < self.end
        return at >= self.begin or at < self.end


@dataclass(frozen=True, slots=True)
class Texting:
    """What the province decided about text messages."""

    quiet: QuietHours | None
    per_minute: Mapping[str, int]
    """Unit → how many a minute; `default` is for every unit that is not named."""

    def pace(self, unit: str) -> timedelta:
        """Time from one message of this unit to its next, once its minute is used up."""
        return timedelta(minutes=1) / self.per_minute.get(unit, self.per_minute[EVERYBODY_ELSE])


BURST = timedelta(minutes=1)
"""A unit that was silent may send a whole minute's messages at once: the bucket is full."""


def turn(full_at: datetime) -> datetime:
    """When the message may go whose token makes the bucket full again at `full_at`."""
    return full_at - BURST
