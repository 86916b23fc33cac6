"""`motcua notification subscriptions …`: what operators ask about other systems' subscriptions."""

import asyncio
from datetime import datetime
from uuid import UUID

import typer

from kit import ops
from kit.clock import now
from kit.db import Database
from services.notification.systems.subscriptions import domain, store
from services.notification.systems.subscriptions.domain import Subscription
from services.notification.systems.subscriptions.store import Progress

subscriptions = typer.Typer(help="Other systems' subscriptions.", no_args_is_help=True)

FIRST, MOST = UUID(int=0), 10_000


@subscriptions.command("list")
def list_command() -> None:
    """Show every subscription: whose, where to, its state, and how far it is behind. Exit code 1 if one is disabled."""
    found = asyncio.run(ops.with_database(_all))
    for subscription, progress in found:
        typer.echo(_line(subscription, progress, now()))
    raise typer.Exit(1 if any(s.state is domain.State.DISABLED for s, _ in found) else 0)


@subscriptions.command()
def resume(subscription: UUID) -> None:
    """Let a paused or disabled subscription go on where it stopped, after the cause was mended."""
    if not asyncio.run(ops.with_database(lambda db: _resume(db, subscription))):
        raise typer.BadParameter("there is no such subscription")
    typer.echo("it goes on")


async def _all(db: Database) -> list[tuple[Subscription, Progress | None]]:
    return [(s, await store.progress(db, s.id)) for s in await store.listed(db, None, FIRST, MOST)]


async def _resume(db: Database, subscription: UUID) -> bool:
    async with db.transaction() as tx:
        found = await store.lock(tx, subscription)
        if found:
            await store.afresh(tx, subscription)
            await store.save(tx, domain.resume(found, now()))
    return found is not None


def _line(s: Subscription, progress: Progress | None, moment: datetime) -> str:
    state = f"{s.state} ({s.reason})" if s.reason else s.state
    return f"{s.id}  {s.subscriber:<16} {state:<24} {_behind(progress, moment):<40} {s.url}"


def _behind(progress: Progress | None, moment: datetime) -> str:
    if progress is None or (progress.oldest is None and not progress.waiting):
        return "up to date"
    behind = f"{(moment - progress.oldest).total_seconds():.0f} s behind" if progress.oldest else "up to date"
    return f"{behind}, {progress.waiting} waiting" if progress.waiting else behind
