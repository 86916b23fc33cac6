"""`motcua notification …`: commands of its own."""

from pathlib import Path
from typing import Annotated

import typer

from kit.settings import load
from services.notification.people import words
from services.notification.people.preview.domain import Phone, Preview
from services.notification.settings import Settings

commands = typer.Typer()

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
