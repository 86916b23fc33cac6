"""`motcua notification national …`: what an operator asks about the synchronisation with the national portal."""

import asyncio
import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import httpx2
import typer

from kit.db import Database
from kit.settings import load
from services.notification.settings import Settings
from services.notification.systems.national import checking, store, watching
from services.notification.systems.national.clients import NotTaken, Portal
from services.notification.systems.national.domain import WITHIN

national = typer.Typer(help="Synchronisation with the National Public Service Portal.", no_args_is_help=True)

SinceOption = Annotated[datetime, typer.Option(help="dossiers of which something was heard since then (UTC)")]
ResendOption = Annotated[bool, typer.Option("--resend", help="send again what the portal lacks")]


@national.command()
def check(since: SinceOption, resend: ResendOption = False) -> None:
    """Compare what the portal has with what was heard: a line for every dossier that differs; exit code 1 if any.

    Each line names the versions of the events whose progress the portal lacks, its status and the one it should have.
    What is on its way just now is not looked at.
    """
    if not watching.is_on():
        raise typer.BadParameter("this installation does not synchronise: MOTCUA_NATIONAL_SYNC_URL, tenant.yaml")
    try:
        differing = asyncio.run(_check(since.replace(tzinfo=since.tzinfo or UTC), resend))
    except (NotTaken, httpx2.HTTPError) as no:
        typer.echo(f"The portal did not answer: {no or type(no).__name__}", err=True)
        raise typer.Exit(2) from None
    typer.echo(f"{differing} dossiers differ" if differing else "nothing differs")
    raise typer.Exit(1 if differing and not resend else 0)


@national.command()
def state() -> None:
    """How far the portal is behind, as JSON; exit code 1 when that is too far, or something was given up."""
    late = asyncio.run(_state())
    raise typer.Exit(1 if late else 0)


async def _check(since: datetime, resend: bool) -> int:
    db, count = await Database.open(load(Settings).database_url, size=2), 0
    try:
        async with Portal(load(Settings)) as portal:
            async for lacking in checking.differences(db, portal, since):
                count += 1
                again = await checking.send_again(db, lacking) if resend else 0
                typer.echo(json.dumps({**asdict(lacking), "sent_again": again}))
    finally:
        await db.close()
    return count


async def _state() -> bool:
    db = await Database.open(load(Settings).database_url, size=2)
    try:
        oldest, given_up = await store.oldest(db), await store.given_up(db)
    finally:
        await db.close()
    behind = (datetime.now(UTC) - oldest).total_seconds() if oldest else 0.0
    typer.echo(json.dumps({"synchronises": watching.is_on(), "behind_seconds": round(behind), "given_up": given_up}))
    return behind > WITHIN.total_seconds() or bool(given_up)
