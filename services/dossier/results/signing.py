"""PAdES signatures on a result: where they stand, how they are made, and what checking them gives.

The order is the law's: the leader signs the content, then the clerk gives it its number and the agency's seal. So that
numbering leaves the leader's signature valid, the document is made with three empty fields, the leader certifies it
with "filling in forms" permitted, and the number and the seal fill theirs in one incremental update that permits
nothing more. Everything here computes for tens of milliseconds: call it in a thread, never inside a transaction.
"""

# mypy: disallow-untyped-calls=False
# pyHanko annotates only part of what it offers.

from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import structlog
from asn1crypto import x509
from pyhanko.keys import load_certs_from_pemder
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.content import PdfContent
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.layout import BoxConstraints
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign import fields, signers
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.validation import EmbeddedPdfSignature, async_validate_pdf_signature
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko.sign.validation.status import PdfSignatureStatus, SignatureCoverageLevel
from pyhanko.stamp import StaticStampStyle
from pyhanko_certvalidator import ValidationContext

from contracts.refusal import Refusal
from services.dossier import typesetting
from services.dossier.clocks.calendar import HANOI

STAMP = Path(__file__).parent / "forms/stamp.typ"
NUMBER, LEADER, SEAL = "SoVanBan", "NguoiKy", "CoQuan"
Box = tuple[int, int, int, int]
BOXES: dict[str, Box] = {NUMBER: (70, 700, 250, 722), SEAL: (330, 672, 525, 722), LEADER: (335, 75, 520, 145)}
"""Left, bottom, right, top in points from the lower left corner of an A4 page."""


log = structlog.get_logger()


class KeyUnusable(Refusal):
    """A signing key is not configured or cannot be read; the log names its file."""

    status = 503
    title = "Khóa ký số chưa sẵn sàng, xin báo người quản trị"
    title_en = "The signing key cannot be used; tell the operator"


class SigningKey:
    """A key with its certificate chain, as one PKCS#12 file holds them."""

    def __init__(self, path: Path, password: str) -> None:
        signer = signers.SimpleSigner.load_pkcs12(str(path), passphrase=password.encode())
        if signer is None:
            log.error("signing.key_unusable", path=str(path))
            raise KeyUnusable
        self.signer = signer

    @property
    def subject(self) -> str:
        """The name in the certificate."""
        certificate = self.signer.signing_cert
        return str(certificate.subject.native["common_name"]) if certificate else ""


@dataclass(frozen=True, slots=True)
class Check:
    """What checking every signature of a result gave."""

    valid: bool
    signers: tuple[str, ...]
    why: str = ""
    """What is wrong, for the log; empty when valid."""


def add_fields(pdf: bytes) -> bytes:
    """The document with its three empty fields: number, seal, leader's signature."""
    writer = IncrementalPdfFileWriter(BytesIO(pdf))
    last_page = int(writer.root["/Pages"]["/Count"]) - 1
    for name, page in ((SEAL, 0), (LEADER, last_page)):
        spec = fields.SigFieldSpec(name, on_page=page, box=BOXES[name], empty_field_appearance=True)
        fields.append_signature_field(writer, spec)
    _add_number_field(writer)
    return _bytes(writer)


def _add_number_field(writer: IncrementalPdfFileWriter) -> None:
    page = writer.find_page_for_modification(0)[0]
    field = generic.DictionaryObject(
        {
            generic.pdf_name("/FT"): generic.pdf_name("/Tx"),
            generic.pdf_name("/T"): generic.TextStringObject(NUMBER),
            generic.pdf_name("/TU"): generic.TextStringObject("Số, ký hiệu văn bản"),
            generic.pdf_name("/Type"): generic.pdf_name("/Annot"),
            generic.pdf_name("/Subtype"): generic.pdf_name("/Widget"),
            generic.pdf_name("/F"): generic.NumberObject(4),  # printed
            generic.pdf_name("/P"): page,
            generic.pdf_name("/Rect"): generic.ArrayObject(map(generic.FloatObject, BOXES[NUMBER])),
            generic.pdf_name("/DA"): generic.TextStringObject("/Helv 0 Tf 0 g"),
            generic.pdf_name("/AP"): generic.DictionaryObject(
                {generic.pdf_name("/N"): writer.add_object(_appearance(writer, _stamp(NUMBER, [])))}
            ),
        }
    )
    reference = writer.add_object(field)
    writer.root["/AcroForm"]["/Fields"].append(reference)
    writer.update_container(writer.root["/AcroForm"]["/Fields"])
    page_object = page.get_object()
    page_object["/Annots"].append(reference)
    writer.update_container(page_object["/Annots"])


def sign_as_leader(pdf: bytes, key: SigningKey, *, title: str, at: datetime) -> bytes:
    """The leader's certifying signature on a document that `add_fields` made."""
    lines = [f"Người ký: {key.subject}", f"Chức vụ: {title}", f"Thời gian ký: {_local(at)}"]
    metadata = signers.PdfSignatureMetadata(
        field_name=LEADER,
        md_algorithm="sha256",
        subfilter=fields.SigSeedSubFilter.PADES,
        reason="Ký duyệt kết quả giải quyết thủ tục hành chính",
        certify=True,
        docmdp_permissions=fields.MDPPerm.FILL_FORMS,
    )
    return _sign(IncrementalPdfFileWriter(BytesIO(pdf)), metadata, key, _stamp(LEADER, lines, border=True))


def number_and_seal(pdf: bytes, key: SigningKey, *, number: str, place: str, at: datetime) -> bytes:
    """The document's number, then the agency's seal over all of it, in one revision."""
    writer = IncrementalPdfFileWriter(BytesIO(pdf))
    field = _field(writer, NUMBER)
    field["/V"] = generic.TextStringObject(number)
    local = at.astimezone(HANOI)
    field["/AP"]["/N"] = writer.add_object(_appearance(writer, _stamp(NUMBER, [f"Số: {number}"], size=11.5)))
    writer.update_container(field)
    lines = [
        key.subject,
        f"{place}, ngày {local:%d} tháng {local:%m} năm {local:%Y}",
        f"Thời gian ký: {_local(at)}",
    ]
    metadata = signers.PdfSignatureMetadata(
        field_name=SEAL,
        md_algorithm="sha256",
        subfilter=fields.SigSeedSubFilter.PADES,
        reason=f"Phát hành văn bản số {number}",
    )
    return _sign(writer, metadata, key, _stamp(SEAL, lines, border=True, colour="#b3261e"))


def _field(writer: IncrementalPdfFileWriter, name: str) -> generic.DictionaryObject:
    for reference in writer.root["/AcroForm"]["/Fields"]:
        field: generic.DictionaryObject = reference.get_object()
        if field["/T"] == name:
            return field
    raise ValueError(f"the document has no field {name}")


def _sign(
    writer: IncrementalPdfFileWriter, metadata: signers.PdfSignatureMetadata, key: SigningKey, look: bytes
) -> bytes:
    style = StaticStampStyle(border_width=0, background=_Page(look))
    out = BytesIO()
    signers.PdfSigner(metadata, signer=key.signer, stamp_style=style).sign_pdf(writer, output=out)
    return out.getvalue()


def _stamp(name: str, lines: list[str], *, size: float = 8.5, border: bool = False, colour: str = "#1a1a1a") -> bytes:
    left, bottom, right, top = BOXES[name]
    facts = {
        "title": name, "lines": lines, "size": size, "border": border, "colour": colour,
        "width": right - left, "height": top - bottom,
    }  # fmt: skip
    return typesetting.render(STAMP, facts, as_of=datetime(2026, 1, 1, tzinfo=HANOI))


class _Page(PdfContent):
    """The first page of a PDF as the look of a field: text with its own embedded fonts, diacritics and all."""

    def __init__(self, pdf: bytes) -> None:
        self.pdf = pdf
        super().__init__()

    def render(self) -> bytes:
        writer: Any = self.writer
        page = writer.import_page_as_xobject(PdfFileReader(BytesIO(self.pdf)), page_ix=0)
        self.resources.xobject["/Look"] = page
        left, bottom, right, top = page.get_object()["/BBox"]
        self.box = BoxConstraints(width=abs(right - left), height=abs(top - bottom))
        return b"/Look Do"


def _appearance(writer: IncrementalPdfFileWriter, pdf: bytes) -> Any:
    return writer.import_page_as_xobject(PdfFileReader(BytesIO(pdf)), page_ix=0).get_object()


def _local(moment: datetime) -> str:
    return f"{moment.astimezone(HANOI):%H:%M:%S %d/%m/%Y}"


def _bytes(writer: IncrementalPdfFileWriter) -> bytes:
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def trust_roots(path: Path | None, *keys: SigningKey) -> list[x509.Certificate]:
    """The roots that the operator mounted (PEM or DER, file or folder); else those that came with the keys."""
    if path:
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        return list(load_certs_from_pemder([str(file) for file in files]))
    chain = [certificate for key in keys for certificate in key.signer.cert_registry]
    return [certificate for certificate in chain if certificate.self_signed == "maybe"]


async def check(pdf: bytes, roots: list[x509.Certificate], *expected: str) -> Check:
    """Whether it carries exactly the expected signatures: intact, valid, trusted, the last over the whole file."""
    try:
        found = PdfFileReader(BytesIO(pdf)).embedded_signatures
        if tuple(signature.field_name for signature in found) != expected:
            return Check(False, (), "other signatures than expected")
        return await _check_each(found, roots)
    except BROKEN as exc:
        return Check(False, (), f"not a readable PDF: {type(exc).__name__}")


BROKEN = (PdfError, SignatureValidationError, ValueError, KeyError, TypeError, IndexError)
"""What a damaged file makes pyHanko raise, wherever it meets the damage."""


async def _check_each(found: list[EmbeddedPdfSignature], roots: list[x509.Certificate]) -> Check:
    names = []
    for signature in found:
        context = ValidationContext(trust_roots=roots, allow_fetching=False)
        status = await async_validate_pdf_signature(signature, context)
        names.append(str(status.signing_cert.subject.native.get("common_name", "")))
        if why := _fault(status, is_last=signature is found[-1]):
            return Check(False, tuple(names), f"{signature.field_name}: {why}")
    return Check(True, tuple(names))


def _fault(status: PdfSignatureStatus, *, is_last: bool) -> str:
    if not (status.intact and status.valid):
        return "the bytes were changed"
    if not status.trusted:
        return "no trusted root vouches for it"
    if is_last and status.coverage != SignatureCoverageLevel.ENTIRE_FILE:
        return "something was added after the last signature"
    if status.modification_level is None or status.modification_level > ModificationLevel.FORM_FILLING:
        return "more than its form fields changed after signing"
    return "" if status.bottom_line else "not valid"
