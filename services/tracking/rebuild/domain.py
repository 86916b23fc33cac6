"""How far a rebuild is, and what it found."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """Events read so far, of those that stood on Kafka when it began."""

    done: int
    total: int
    seconds: float

    @property
    def per_second(self) -> float:
        return self.done / self.seconds if self.seconds else 0.0

    @property
    def left(self) -> float:
        """Seconds, if it goes on like this."""
        return max(0, self.total - self.done) / self.per_second if self.done else 0.0

    def __str__(self) -> str:
        share = 100 * self.done / self.total if self.total else 100
        minutes, seconds = divmod(round(self.left), 60)
        pace = f"{self.per_second:,.0f} events/s"
        return f"{self.done:,} of {self.total:,} events ({share:.0f} %), {pace}, {minutes}:{seconds:02d} left"


@dataclass(frozen=True, slots=True)
class Difference:
    """What a table says otherwise when it is made anew."""

    table: str
    keys: tuple[str, ...]
    """Aggregates whose rows differ although both tables have heard the same of them: the first of them."""
    count: int
    """How many there are."""
    moving: int
    """Aggregates that could not be held against each other, because something was just heard of them."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a rebuild did."""

    events: int
    seconds: float
    unreadable: int = 0
    """Records that can never be applied: they lie among the dead letters of the live projection too."""
    lost: tuple[str, ...] = ()
    """Topics whose beginning retention has taken."""
    lacking: tuple[str, ...] = ()
    """Aggregates of which live has heard more than Kafka still tells."""
    differences: tuple[Difference, ...] = ()
    compared: bool = False
    switched: bool = False
    held: float = 0.0
    """Seconds during which nothing was projected, for the switch; look-ups went on."""

    @property
    def differs(self) -> int:
        return sum(difference.count for difference in self.differences)


def lost_beginnings(first: dict[tuple[str, int], int], compacted: frozenset[str]) -> tuple[str, ...]:
    """Topics that do not begin at their beginning; a compacted one never does, and loses nothing by it."""
    return tuple(sorted({topic for (topic, _), offset in first.items() if offset and topic not in compacted}))
