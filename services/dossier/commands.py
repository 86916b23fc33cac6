"""`motcua dossier …`: commands of its own. They need nothing that runs."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from kit.settings import load
from services.dossier.history import domain as history
from services.dossier.history.domain import Fault, Head, NotAHead, NotAHistory
from services.dossier.results import signing
from services.dossier.settings import Settings

commands = typer.Typer()

FileArgument = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)]
PdfOption = Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="the signed result (PDF)")]
RootsOption = Annotated[
    Path | None, typer.Option(exists=True, help="roots that signatures must lead to (PEM or DER, file or folder)")
]


@commands.command()
def verify_history(
    file: FileArgument,
    head: Annotated[str | None, typer.Option(help="what the QR code of a form says, or `<line>.<hash>`")] = None,
    result: PdfOption = None,
    trust_roots: RootsOption = None,
) -> None:
    """Check a dossier's history file offline: every line, and the head that a form or the signed result carries."""
    try:
        heads = [history.head_of(head)] if head else []
        heads += [_head_of_result(result, trust_roots)] if result else []
        text = _text(file)
        faults = history.check(text, *heads)
    except NotAHead as exc:
        raise typer.BadParameter(f"not a head: {exc}") from None
    except NotAHistory as exc:
        faults = [Fault(None, str(exc))]
    for fault in faults:
        typer.echo(f"WRONG  {fault}")
    if faults:
        raise typer.Exit(1)
    typer.echo(_praise(text, heads))


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode()
    except UnicodeDecodeError as exc:
        line = exc.object[: exc.start].count(b"\n")
        raise NotAHistory(f"{history.place(line)} is not UTF-8: it was changed") from None


def _head_of_result(pdf: Path, roots: Path | None) -> Head:
    """The head on a result whose signatures hold; NotAHistory says what is wrong with it."""
    mounted = roots or load(Settings).trust_roots
    if mounted is None:
        raise typer.BadParameter("name the roots that the signatures must lead to", param_hint="--trust-roots")
    data = pdf.read_bytes()
    checked = asyncio.run(signing.check(data, signing.trust_roots(mounted), signing.LEADER, signing.SEAL))
    if not checked.valid:
        raise NotAHistory(f"the signatures of {pdf.name} do not hold ({checked.why}): its head proves nothing")
    try:
        return history.head_of(signing.text_of(data, signing.HEAD))
    except NotAHead:
        raise NotAHistory(f"{pdf.name} carries no head of a history") from None


def _praise(text: str, heads: list[Head]) -> str:
    first, lines = history.read(text)
    withheld = sum(line["reason"] is None and line["reason_digest"] is not None for line in lines)
    said = [f"right  {first['dossier']}: {len(lines)} lines, none changed, removed or moved"]
    said += [f"       lines 1 to {head.no} are the ones that the given head vouches for" for head in heads]
    said += [f"       the texts of {withheld} reasons were left out of the file"] if withheld else []
    if not heads:
        said += ["       no head was given: a chain that was written anew as a whole would look the same"]
    return "\n".join(said)
