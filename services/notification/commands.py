"""`motcua notification …`: commands of its own."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import asyncpg
import typer

from kit import ops
from kit.clock import now
from kit.db import Database
from kit.settings import load
from services.notification.people import words
from services.notification.people.cursors import position
from services.notification.people.failures import store as failures
from services.notification.people.failures.store import Filter
from services.notification.people.preview.domain import Phone, Preview
from services.notification.settings import Settings
from services.notification.systems.national.commands import national
from services.notification.systems.subscriptions.commands import subscriptions

commands = typer.Typer()
"""They need nothing that runs."""
operations = typer.Typer()
"""They work on the service's database."""
failed = typer.Typer(help="Messages that were given up.", no_args_is_help=True)
operations.add_typer(failed, name="failed")
operations.add_typer(national, name="national")
operations.add_typer(subscriptions, name="subscriptions")

PORTION = 1000
"""Messages of one transaction."""

FileOption = Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="a file that is not in place yet")]


@commands.command()
def preview(
    template: Annotated[str, typer.Argument(help="its key, such as dossier_accepted")], file: FileOption = None
) -> None:
    """Show a template as people get it, over every channel, with example words. Needs nothing that runs."""
    if template not in words.KEYS:
        raise typer.BadParameter(f"the templates are {', '.join(words.KEYS)}")
    try:
        path = file or Path(load(Settings).tenant, "templates", f"{template}.yaml")
        text = words.parse(template, path.read_text("utf-8"))
    except (words.TemplateRefused, OSError, UnicodeDecodeError) as no:
        typer.echo(f"REFUSED  {no}")
        raise typer.Exit(1) from None
    made = words.preview(text)
    typer.echo("\n\n".join(_shown(text.version, one) for one in made))
    for warning in [warning for one in made for warning in one.warnings]:
        typer.echo(f"WARNING  {warning}")


def _shown(version: int, one: Preview) -> str:
    body = "\n".join(f"  {line}".rstrip() for line in one.body.splitlines())
    sms = [_counted("usual", one.sms), _counted("longest", one.sms_longest)]
    return "\n".join([f"── {one.language}, version {version} ──", f"  {one.subject}", "", body, "", *sms])


def _counted(words_used: str, phone: Phone) -> str:
    size = phone.size
    counted = f"{size.characters} characters, {size.alphabet}, {size.segments} segment{'s' * (size.segments > 1)}"
    return f"SMS, {words_used} words ({counted}{', cut to one' if phone.is_cut else ''}):\n  {phone.text}"


# ── what was given up ──

UnitOption = Annotated[str | None, typer.Option(help="of dossiers that this unit received")]
ChannelOption = Annotated[str | None, typer.Option(help="email, sms or in_app")]
TemplateOption = Annotated[str | None, typer.Option(help="made from this template")]
ReasonOption = Annotated[str | None, typer.Option(help="no_address, rejected, unavailable or template")]
SinceOption = Annotated[datetime | None, typer.Option(help="given up since then (UTC)")]


@failed.command("list")
def failed_list(
    unit: UnitOption = None,
    channel: ChannelOption = None,
    template: TemplateOption = None,
    reason: ReasonOption = None,
    since: SinceOption = None,
    limit: Annotated[int, typer.Option(min=1, help="the newest so many")] = 50,
) -> None:
    """Show each message that was given up: which, why, after how many attempts. Never its content or address."""
    which = Filter(unit, channel, template, reason, _utc(since))
    for row in asyncio.run(ops.with_database(lambda db: failures.failed(db, which, limit, position(None)))):
        typer.echo(_line(row))


@failed.command("resend")
def failed_resend(
    unit: UnitOption = None,
    channel: ChannelOption = None,
    template: TemplateOption = None,
    reason: ReasonOption = None,
    since: SinceOption = None,
    message: Annotated[UUID | None, typer.Option(help="only this message")] = None,
) -> None:
    """Send all that match again, after the cause was mended. Their attempts begin anew."""
    which = Filter(unit, channel, template, reason, _utc(since))
    count = asyncio.run(ops.with_database(lambda db: _resend(db, which, message)))
    typer.echo(f"{count} {'message' if count == 1 else 'messages'} will be sent again")


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=moment.tzinfo or UTC) if moment else None


def _line(row: asyncpg.Record) -> str:
    what = f"{row['channel']:<6} {row['template']:<22} {row['reason']:<12} {row['attempts']:>2} attempts"
    return f"{row['id']}  {row['settled_at']:%Y-%m-%d %H:%M:%S}  {what}  {row['dossier_code']}"


async def _resend(db: Database, which: Filter, message: UUID | None) -> int:
    if message:
        async with db.transaction() as tx:
            return int(await failures.send_again(tx, message, now()))
    count, portion = 0, PORTION
    while portion == PORTION:
        async with db.transaction() as tx:
            portion = await failures.send_all_again(tx, which, PORTION, now())
        count += portion
    return count
