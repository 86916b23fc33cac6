"""Load: fictional lives of dossiers by the million, `./motcua load generate`."""

import asyncio
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from deploy.load import publishing
from deploy.load.lives import Plan
from deploy.local import running
from deploy.local.trouble import Trouble
from kit.settings import Settings

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Fill a sandbox with fictional dossiers.")


@app.callback()
def load() -> None:
    """Fill a sandbox with fictional dossiers."""


@app.command()
def generate(
    dossiers: Annotated[int, typer.Option(min=1, help="How many dossiers, about eight events each.")],
    events_per_second: Annotated[float, typer.Option(min=0, help="At this pace; 0 = as fast as it goes.")] = 0,
    seed: Annotated[int, typer.Option(help="The same seed tells the same lives.")] = 1,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day of the first; a year ago when left out.")
    ] = None,
    first: Annotated[int, typer.Option(min=0, help="How many were generated before; numbers go on after them.")] = 0,
    kafka: Annotated[str, typer.Option(help="host:port,…; the running system's when left out.")] = "",
    processes: Annotated[int, typer.Option(min=1, help="Processes that generate.")] = os.cpu_count() or 1,
    among_others: Annotated[bool, typer.Option(help="Even where there are dossiers that were not generated.")] = False,
) -> None:
    """Publish fictional lives of dossiers as contract events, straight to Kafka: for empty and sandbox installations.

    Accounts, dossiers and fees, spread over procedures, units, ways in and outcomes. The dossier and payment services
    know nothing of these dossiers; tracking, notification and other subscribers hear of them as of any other.
    """
    settings, key = _target(kafka)
    if not among_others:
        _check(settings)
    present = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    begin = since.replace(tzinfo=UTC) if since else present - timedelta(days=365)
    if begin >= present:
        raise typer.BadParameter("must lie before today", param_hint="--since")
    plan = Plan(dossiers, begin, present, seed=seed, first=first, digest_key=key)
    began = time.monotonic()
    count = publishing.generate(settings, plan, processes=processes, per_second=events_per_second, watch=_show)
    seconds = time.monotonic() - began
    typer.echo(f"\r{count:,} events of {dossiers:,} dossiers in {seconds:,.0f} s ({count / seconds:,.0f} events/s)")


def _target(kafka: str) -> tuple[Settings, str]:
    """The Kafka to fill, and the key for digests of identity numbers."""
    if kafka:
        return Settings(kafka=kafka), os.environ.get("MOTCUA_DIGEST_KEY", "")
    state = running.read_state()
    if state is None or not running.is_running():
        raise Trouble("Một Cửa is not running: start it with `./motcua up --detach`, or name a Kafka with --kafka.")
    site = running.site(state["ports"])
    return Settings(kafka=site.kafka), site.secrets.digest_key


def _check(settings: Settings) -> None:
    try:
        asyncio.run(publishing.refuse_foreign(settings))
    except publishing.ForeignData:
        raise Trouble(
            "There are dossiers here that were not generated: this looks like a real installation. "
            "If it is a sandbox all the same, say --among-others."
        ) from None


def _show(count: int) -> None:
    if sys.stderr.isatty():
        typer.echo(f"\r{count:,} events …", nl=False, err=True)
