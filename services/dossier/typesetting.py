"""Documents as PDF: a typst template and the facts it shows. Same facts, same bytes."""

import json
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import segno
import typst

ROOT = Path(__file__).parent
"""Templates may import one another from here on."""

Box = tuple[float, float, float, float]
"""Left, bottom, right, top in points from the lower left corner of the page."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a template leaves room for a form field or a signature."""

    name: str
    page: int
    """Counted from 0."""
    box: Box


@dataclass(frozen=True, slots=True)
class Document:
    """A typeset document, and where its fields belong."""

    pdf: bytes
    places: tuple[Place, ...]


def typeset(template: Path, facts: dict[str, Any], *, as_of: datetime) -> Document:
    """The document as tagged PDF/A-2a and PDF/UA-1, with the places that the template marks as fields.

    `as_of` is the document's date: with it in place of the clock, typesetting again gives the same bytes. Takes about
    50 ms of CPU.
    """
    compiler = _compiler(template)
    date = _whole_second(as_of)
    pdf = _single(
        compiler.compile(format="pdf", pdf_standards=["a-2a", "ua-1"], timestamp=date, sys_inputs=_told(facts))
    )
    found = json.loads(compiler.query("<field>", field="value"))  # of the document just compiled
    return Document(pdf, tuple(map(_place, found)))


def render(template: Path, facts: dict[str, Any], *, as_of: datetime) -> bytes:
    """A plain PDF, for what becomes a part of a document."""
    made = _compiler(template).compile(format="pdf", timestamp=_whole_second(as_of), sys_inputs=_told(facts))
    return _single(made)


def _single(compiled: bytes | list[bytes] | None) -> bytes:
    """typst's own type covers pictures of many pages, too."""
    if not isinstance(compiled, bytes):
        raise TypeError("a PDF is one file")
    return compiled


_of_this_thread = threading.local()


def _compiler(template: Path) -> typst.Compiler:
    """This thread's compiler of the template: making one takes longer than a short document, and two threads may not
    use one at the same time."""
    made: dict[Path, typst.Compiler] = _of_this_thread.__dict__.setdefault("compilers", {})
    if template not in made:
        made[template] = typst.Compiler(template, root=ROOT, ignore_system_fonts=True)
    return made[template]


def _told(facts: dict[str, Any]) -> dict[str, str]:
    return {"facts": json.dumps(facts, ensure_ascii=False)}


def _whole_second(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


def _place(found: dict[str, Any]) -> Place:
    left, top = found["x"], found["page-height"] - found["y"]
    box = (left, top - found["height"], left + found["width"], top)
    return Place(found["name"], found["page"] - 1, box)


def qr(text: str) -> str:
    """The text as a QR code, in SVG, for a template's `image`.

    The mask is given: trying all eight for the prettiest takes four times as long, and readers take any.
    """
    return str(segno.make(text, error="m", mask=3).svg_inline(border=2, scale=4))
