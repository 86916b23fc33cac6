"""Documents as PDF: a typst template and the facts it shows. Same facts, same bytes."""

import json
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
    compiler = _compiler(template, facts)
    pdf = _single(compiler.compile(format="pdf", pdf_standards=["a-2a", "ua-1"], timestamp=_whole_second(as_of)))
    found = json.loads(compiler.query("<field>", field="value"))
    return Document(pdf, tuple(map(_place, found)))


def render(template: Path, facts: dict[str, Any], *, as_of: datetime) -> bytes:
    """A plain PDF, for what becomes a part of a document."""
    return _single(_compiler(template, facts).compile(format="pdf", timestamp=_whole_second(as_of)))


def _single(compiled: bytes | list[bytes] | None) -> bytes:
    """typst's own type covers pictures of many pages, too."""
    if not isinstance(compiled, bytes):
        raise TypeError("a PDF is one file")
    return compiled


def _compiler(template: Path, facts: dict[str, Any]) -> typst.Compiler:
    told = {"facts": json.dumps(facts, ensure_ascii=False)}
    return typst.Compiler(template, root=ROOT, ignore_system_fonts=True, sys_inputs=told)


def _whole_second(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


def _place(found: dict[str, Any]) -> Place:
    left, top = found["x"], found["page-height"] - found["y"]
    box = (left, top - found["height"], left + found["width"], top)
    return Place(found["name"], found["page"] - 1, box)


def qr(text: str) -> str:
    """The text as a QR code, in SVG, for a template's `image`."""
    return str(segno.make(text, error="m").svg_inline(border=2, scale=4))
