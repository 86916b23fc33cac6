"""`motcua tracking …`: commands of its own, for operators."""

import asyncio
import os
import sys
from typing import Annotated

import typer

from kit.settings import Settings, load
from kit.worker import spare_collections
from services.tracking.rebuild import making
from services.tracking.rebuild.domain import Outcome
from services.tracking.rebuild.making import BeginningLost, Busy, Different, NothingThere
from services.tracking.rebuild.shares import ShareFailed
from services.tracking.rebuild.store import RebuildRunning
from services.tracking.subscribers import inbox

operations = typer.Typer()

SHOWN = 20
"""Aggregates that are named."""
PROCESSES = min(4, os.cpu_count() or 1)
NICE = 5
"""How much a rebuild stands back behind whoever serves."""


@operations.command()
def rebuild(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Make and compare, then throw away.")] = False,
    keep_shadow: Annotated[bool, typer.Option("--keep-shadow", help="Make and compare; switch later.")] = False,
    switch: Annotated[bool, typer.Option("--switch", help="Switch to the shadow that was kept.")] = False,
    roll_back: Annotated[bool, typer.Option("--roll-back", help="Go back to what served before the switch.")] = False,
    accept_differences: Annotated[
        bool, typer.Option("--accept-differences", help="Switch though it differs: that is why you rebuild.")
    ] = False,
    without_comparing: Annotated[
        bool, typer.Option("--without-comparing", help="Do not compare: what serves is known to be empty or wrong.")
    ] = False,
    processes: Annotated[
        int, typer.Option(min=1, max=12, help="Processes that fill at once: a core for each.")
    ] = PROCESSES,
    from_what_is_left: Annotated[
        bool, typer.Option("--from-what-is-left", help="Though Kafka has lost beginnings (after `replay`).")
    ] = False,
) -> None:
    """Make the whole projection anew from Kafka while it serves, compare it, and switch in one transaction.

    Nothing that serves is touched before the switch; stop it at any time, the next run begins anew. The old tables are
    kept until the next rebuild, for --roll-back.
    """
    if dry_run + keep_shadow + switch + roll_back > 1:
        raise typer.BadParameter("choose one of --dry-run, --keep-shadow, --switch and --roll-back")
    os.nice(NICE)
    spare_collections()
    settings = load(Settings)
    if roll_back:
        work = making.roll_back(settings, inbox, say=_say)
    elif switch:
        work = making.switch_kept(settings, inbox, accept_differences=accept_differences, say=_say)
    else:
        work = making.rebuild(
            settings, inbox, keep_shadow=keep_shadow, dry_run=dry_run, accept_differences=accept_differences,
            accept_lost=from_what_is_left, compare=not without_comparing, processes=processes, say=_say,
        )  # fmt: skip
    try:
        outcome = asyncio.run(work)
    except (BeginningLost, Busy, Different, NothingThere, RebuildRunning, ShareFailed) as trouble:
        _explain(trouble)
        raise typer.Exit(1) from None
    _tell(outcome)


def _say(line: str) -> None:
    """Progress, on one line where somebody watches."""
    if sys.stderr.isatty():
        typer.echo(f"\r\x1b[K{line}", nl=False, err=True)
    else:
        typer.echo(line, err=True)


def _tell(outcome: Outcome) -> None:
    pace = outcome.events / outcome.seconds if outcome.seconds else 0
    typer.echo(f"\n{outcome.events:,} events in {outcome.seconds:,.1f} s ({pace:,.0f} events/s)")
    if outcome.unreadable:
        typer.echo(f"{outcome.unreadable} records can never be applied: see `motcua tracking dlq list`")
    _tell_differences(outcome)
    if outcome.switched:
        typer.echo(f"switched; nothing was projected for {outcome.held:.2f} s, look-ups went on")


def _tell_differences(outcome: Outcome) -> None:
    for difference in outcome.differences:
        told = f"{difference.table}: {difference.count:,} differ, {difference.moving:,} were just changing"
        typer.echo(": ".join(filter(None, [told, ", ".join(difference.keys[:SHOWN])])))
    if outcome.lacking:
        typer.echo(f"{len(outcome.lacking)} lack events: {', '.join(outcome.lacking[:SHOWN])}")
    if outcome.compared and not outcome.differs and not outcome.lacking:
        typer.echo("nothing differs from what served before")


def _explain(trouble: Exception) -> None:
    match trouble:
        case Different(outcome=outcome):
            _tell_differences(outcome)
            said = "Not switched; the shadow is kept. If this is why you rebuild: --switch --accept-differences."
        case BeginningLost():
            said = (
                f"Kafka has lost the beginning of {trouble}. Have their owners say it again (`motcua dossier replay "
                "dossier.dossiers.v1`, and so on), then run this again with --from-what-is-left."
            )
        case RebuildRunning():
            said = "Another rebuild is running."
        case ShareFailed():
            said = f"A process that was filling its share failed: {trouble}. Nothing was switched; begin anew."
        case Busy():
            said = "The tables were never free for the switch. The shadow is kept: try --switch when it is quieter."
        case _:
            said = f"{trouble}."
    typer.secho(f"\n{said}", fg="red", err=True)
