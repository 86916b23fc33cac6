"""The papers of the story: the scan that the citizen uploads, and the signed result that comes back."""

# mypy: disallow-untyped-calls=False
# pyHanko annotates only part of what it offers.

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from pyhanko.keys import load_certs_from_pemder
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import async_validate_pdf_signature
from pyhanko.sign.validation.status import SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext


def declaration(line: str) -> bytes:
    """A PDF of one A5 page with one line of plain letters, as a scanner would send it, only smaller."""
    text = f"BT /F1 12 Tf 40 500 Td ({line}) Tj ET".encode("ascii")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 420 595] /Contents 4 0 R "
        b"/Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(text), text),
    ]
    return _numbered(objects)


def _numbered(objects: list[bytes]) -> bytes:
    """The objects with their numbers, and the table that says where each one begins."""
    out, places = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    return (
        out
        + head
        + table
        + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        % (
            len(objects) + 1,
            len(out),
        )
    )


@dataclass(frozen=True)
class Signature:
    """One signature of a document, as anybody can check it."""

    signer: str
    valid: bool
    """Bytes unchanged, signature right, and a trusted root vouches for the signer."""
    covers_all: bool


async def signatures(pdf: bytes, root: Path) -> list[Signature]:
    """Every signature, in the order it was made; `root` is the only certificate that is trusted."""
    reader = PdfFileReader(BytesIO(pdf))
    trusted = list(load_certs_from_pemder([str(root)]))
    return [await _signature(one, trusted) for one in reader.embedded_regular_signatures]


async def _signature(found: object, trusted: list[Any]) -> Signature:
    context = ValidationContext(trust_roots=trusted, allow_fetching=False)
    status = await async_validate_pdf_signature(found, context)  # type: ignore[arg-type]  # pyHanko's own type
    return Signature(
        signer=str(status.signing_cert.subject.native["common_name"]),
        valid=status.intact and status.valid and status.trusted and status.bottom_line,
        covers_all=status.coverage == SignatureCoverageLevel.ENTIRE_FILE,
    )
