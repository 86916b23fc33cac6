"""The figures in words: for the screen, for machines, and for docs/benchmarks.md."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.bench.figures import Amount, Figures, Latency, Rates, Ratio

HEAD = """\
# Benchmarks

`./motcua bench` measures, and writes what stands between the markers; do not edit that by hand. Each benchmark starts
servers of its own (Kafka, PostgreSQL and S3, embedded, on free ports), measures ours and the bare part by turns on the
same servers, and gives medians, with the smallest and the largest value in brackets. A fraction is computed repetition
by repetition. Everything runs on one machine, the load generators too: absolute figures say little about another
machine, fractions say more.
"""


@dataclass(frozen=True)
class Report:
    name: str
    figures: Figures
    conditions: dict[str, str]

    def as_json(self) -> dict[str, Any]:
        return {"benchmark": self.name, "conditions": self.conditions, **self.figures.as_json()}

    def as_text(self) -> str:
        return "\n".join(self._lines())

    def write(self, file: Path) -> None:
        """Put the figures between this benchmark's markers; other benchmarks' stay."""
        begin, end = f"<!-- bench {self.name} -->", f"<!-- /bench {self.name} -->"
        section = f"{begin}\n{self.as_text()}\n{end}"
        text = file.read_text("utf-8") if file.exists() else f"{HEAD}\n{begin}\n{end}\n"
        if begin not in text:
            text += f"\n{begin}\n{end}\n"
        file.parent.mkdir(exist_ok=True)
        between = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
        file.write_text(between.sub(lambda _: section, text), "utf-8")

    def _lines(self) -> Iterator[str]:
        yield f"\n## {self.name}\n"
        yield from (f"- {name}: {value}" for name, value in self.conditions.items())
        if self.figures.ratios:
            yield "\n| ours against the bare part | ours | bare | fraction | goal | |"
            yield "|---|--:|--:|--:|--:|---|"
        yield from map(_ratio, self.figures.ratios)
        yield "\n| on its way | rate | p50 | p95 | p99 | longest | of | goal | |"
        yield "|---|---|--:|--:|--:|--:|--:|--:|---|"
        yield from map(_latency, self.figures.latencies)
        yield "\n| besides | |"
        yield "|---|--:|"
        yield from map(_rates, self.figures.rates)
        yield from map(_amount, self.figures.amounts)
        yield ""


def _verdict(met: bool | None) -> str:
    return "" if met is None else "met" if met else "**not met**"


def _ratio(r: Ratio) -> str:
    return " | ".join(
        [
            f"| {r.title} ({r.unit})",
            r.ours.shown(lambda v: f"{v:,.0f}"),
            r.bare.shown(lambda v: f"{v:,.0f}"),
            r.fraction.shown(lambda v: f"{v:.2f}"),
            f"≥ {r.goal}",
            f"{_verdict(r.met)} |",
        ]
    )


def _latency(entry: Latency) -> str:
    goals = [("p95", entry.goal_p95), ("p99", entry.goal_p99)]
    goal = ", ".join(f"{name} ≤ {value:.0f} ms" for name, value in goals if value is not None)
    return " | ".join(
        [
            f"| {entry.title}",
            entry.rate,
            f"{entry.p50:.1f} ms",
            f"{entry.p95:.1f} ms",
            f"{entry.p99:.1f} ms",
            f"{max(entry.milliseconds):.0f} ms",
            f"{len(entry.milliseconds):,}",
            goal,
            f"{_verdict(entry.met)} |",
        ]
    )


def _rates(rates: Rates) -> str:
    digits = 1 if rates.values.median < 50 else 0
    goal = "" if rates.goal is None else f"; goal ≥ {rates.goal:g}: {_verdict(rates.met)}"
    return f"| {rates.title} | {rates.values.shown(lambda v: f'{v:,.{digits}f}')} {rates.unit}{goal} |"


def _amount(amount: Amount) -> str:
    return f"| {amount.title} | {amount.value:,.4g} {amount.unit} |"
