"""Numbers that were measured, and what they are held against."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which that share of them lies (nearest rank)."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


@dataclass(frozen=True)
class Repeated:
    """One quantity, measured several times."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def shown(self, form: Callable[[float], str]) -> str:
        """The median and, in brackets, the smallest and the largest."""
        return f"{form(self.median)} ({form(min(self.values))}–{form(max(self.values))})"


@dataclass(frozen=True)
class Ratio:
    """Ours as a fraction of the bare part, repetition by repetition, each beside the other in the same run."""

    title: str
    ours: Repeated
    bare: Repeated
    unit: str
    goal: float

    @property
    def fraction(self) -> Repeated:
        return Repeated(tuple(o / b for o, b in zip(self.ours.values, self.bare.values, strict=True)))

    @property
    def met(self) -> bool:
        return self.fraction.median >= self.goal


@dataclass(frozen=True)
class Latency:
    """Milliseconds at one rate, all repetitions together."""

    title: str
    rate: str
    milliseconds: tuple[float, ...]
    goal_p99: float | None = None
    goal_p95: float | None = None

    @property
    def p50(self) -> float:
        return percentile(self.milliseconds, 0.50)

    @property
    def p95(self) -> float:
        return percentile(self.milliseconds, 0.95)

    @property
    def p99(self) -> float:
        return percentile(self.milliseconds, 0.99)

    @property
    def met(self) -> bool | None:
        goals = [(self.p95, self.goal_p95), (self.p99, self.goal_p99)]
        wanted = [(value, goal) for value, goal in goals if goal is not None]
        return all(value <= goal for value, goal in wanted) if wanted else None


@dataclass(frozen=True)
class Amount:
    """One plain figure, such as memory."""

    title: str
    value: float
    unit: str


@dataclass(frozen=True)
class Rates:
    """A rate by itself, with a goal or without."""

    title: str
    values: Repeated
    unit: str
    goal: float | None = None

    @property
    def met(self) -> bool | None:
        return None if self.goal is None else self.values.median >= self.goal


@dataclass(frozen=True)
class Figures:
    """All of one run."""

    ratios: list[Ratio] = field(default_factory=list)
    latencies: list[Latency] = field(default_factory=list)
    rates: list[Rates] = field(default_factory=list)
    amounts: list[Amount] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "ratios": [_ratio(r) for r in self.ratios],
            "latencies": [_latency(entry) for entry in self.latencies],
            "rates": [
                {"title": r.title, "unit": r.unit, "values": r.values.values, "goal": r.goal, "met": r.met}
                for r in self.rates
            ],
            "amounts": [vars(a) for a in self.amounts],
        }


def _ratio(r: Ratio) -> dict[str, Any]:
    return {
        "title": r.title,
        "unit": r.unit,
        "ours": r.ours.values,
        "bare": r.bare.values,
        "fraction": r.fraction.median,
        "goal": r.goal,
        "met": r.met,
    }


def _latency(entry: Latency) -> dict[str, Any]:
    return {
        "title": entry.title,
        "rate": entry.rate,
        "count": len(entry.milliseconds),
        "p50_ms": entry.p50,
        "p99_ms": entry.p99,
        "max_ms": max(entry.milliseconds),
        "goal_p99_ms": entry.goal_p99,
        "p95_ms": entry.p95,
        "goal_p95_ms": entry.goal_p95,
        "met": entry.met,
    }
