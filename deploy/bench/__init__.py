"""Benchmarks that measure this system against the bare parts it is made of, in one run on the same servers."""

import importlib
import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, help="Measure Một Cửa against the bare parts it is made of.")

BENCHMARKS = ("path", "timers", "catalogue", "payment", "dossier", "identity", "webhooks", "messages", "tracking")


@app.command()
def bench(
    name: Annotated[str, typer.Argument(help=f"One of: {', '.join(BENCHMARKS)}; all when left out.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    quick: Annotated[bool, typer.Option(help="A short run, to see that it works; writes nothing.")] = False,
    dossiers: Annotated[int, typer.Option(min=0, help="Of `tracking`: how many; a million when left out.")] = 0,
) -> None:
    """Runs the benchmarks and writes docs/benchmarks.md."""
    if name and name not in BENCHMARKS:
        raise typer.BadParameter(f"there is no benchmark {name!r}; there is {', '.join(BENCHMARKS)}")
    for chosen in [name] if name else BENCHMARKS:
        module = importlib.import_module(f"deploy.bench.{chosen}")
        sized = {"dossiers": dossiers} if chosen == "tracking" else {}
        report = module.measure(quick=quick, **sized)
        if not quick:
            report.write(Path(__file__).parents[2] / "docs/benchmarks.md")
        typer.echo(json.dumps(report.as_json(), ensure_ascii=False, indent=2) if as_json else report.as_text())
