"""What the benchmarks say about what they measured."""

from pathlib import Path

import pytest

from deploy.bench.figures import Amount, Figures, Latency, Rates, Ratio, Repeated, percentile
from deploy.bench.report import Report
from deploy.demo.papers import declaration
from services.dossier.attachments.inspection import inspect

FIGURES = Figures(
    ratios=[Ratio("relay", Repeated((600.0, 700.0, 650.0)), Repeated((1000.0, 1000.0, 1300.0)), "events/s", goal=0.6)],
    latencies=[Latency("seen", "20/s", tuple(float(n) for n in range(1, 101)), goal_p99=50)],
    rates=[Rates("with a file", Repeated((5.0,)), "submissions/s")],
    amounts=[Amount("memory", 37, "MB")],
)
REPORT = Report("path", FIGURES, {"machine": "two cores"})


@pytest.mark.parametrize(("share", "value"), [(0.5, 51.0), (0.99, 100.0), (1.0, 100.0)])
def test_a_percentile_is_a_value_that_was_measured(share: float, value: float) -> None:
    assert percentile([float(n) for n in range(1, 101)], share) == value


def test_a_fraction_is_taken_repetition_by_repetition() -> None:
    (ratio,) = FIGURES.ratios

    assert ratio.fraction.values == (0.6, 0.7, 0.5)
    assert ratio.met


def test_a_goal_that_was_missed_is_said_plainly() -> None:
    text = REPORT.as_text()

    assert "| 0.60 (0.50–0.70) | ≥ 0.6 | met |" in text
    assert "| p99 ≤ 50 ms | **not met** |" in text
    assert REPORT.as_json()["latencies"][0]["met"] is False


def test_writing_replaces_only_this_benchmarks_figures(tmp_path: Path) -> None:
    file = tmp_path / "benchmarks.md"
    other = "<!-- bench payment -->\nolder figures\n<!-- /bench payment -->\n"
    REPORT.write(file)
    file.write_text(file.read_text("utf-8") + other, "utf-8")

    Report("path", FIGURES, {"machine": "four cores"}).write(file)

    text = file.read_text("utf-8")
    assert text.startswith("# Benchmarks")
    assert "four cores" in text
    assert "two cores" not in text
    assert other in text


def test_the_file_that_is_sent_is_a_pdf_that_the_desk_takes() -> None:
    assert inspect(declaration("To khai"), "application/pdf") == 1
