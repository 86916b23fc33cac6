"""PAdES signatures on a result: where they stand, how they are made, and what checking them gives.

The order is the law's: the leader signs the content, then the clerk gives it its number and the agency's seal. So that
numbering leaves the leader's signature valid, the document is made with three empty fields, the leader certifies it
with "filling in forms" permitted, and the number and the seal fill theirs in one incremental update that permits
nothing more. Everything here computes for tens of milliseconds: call it in a thread, never inside a transaction.
"""

# mypy: disallow-untyped-calls=False
# pyHanko annotates only part of what it offers.

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import Any

from asn1crypto import x509
from pyhanko.keys import load_certs_from_pemder
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.content import PdfContent
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.layout import AxisAlignment, BoxConstraints, Margins, SimpleBoxLayoutRule
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign import fields, signers
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.signers.pdf_cms import Signer
from pyhanko.sign.validation import EmbeddedPdfSignature, async_validate_pdf_signature
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko.sign.validation.status import PdfSignatureStatus, SignatureCoverageLevel
from pyhanko.stamp import StaticStampStyle
from pyhanko_certvalidator import ValidationContext
from pypdf import PdfReader, PdfWriter

from contracts.refusal import Refusal
from services.dossier import typesetting
from services.dossier.clocks.calendar import HANOI
from services.dossier.typesetting import Document, Place

STAMP = Path(__file__).parent / "forms/stamp.typ"
NUMBER, DATE, HEAD, LEADER, SEAL = "SoVanBan", "NgayVanBan", "LichSu", "NguoiKy", "CoQuan"
"""The fields that a template marks (`field` in forms/templates/letterhead.typ): number and date of the document, the
head of the dossier's history, the signer's and the agency's signature."""
TEXTS = {
    NUMBER: "Số, ký hiệu văn bản",
    DATE: "Địa danh và ngày, tháng, năm ban hành",
    HEAD: "Mã QR tra cứu và đầu chuỗi lịch sử hồ sơ",
}

RED = "#b3261e"
WHOLE = SimpleBoxLayoutRule(AxisAlignment.ALIGN_MID, AxisAlignment.ALIGN_MID, Margins.uniform(0))
"""A look fills its field."""


class KeyUnusable(Refusal):
    """A signing key is not configured or cannot be read; the log names its file."""

    status = 503
    title = "Khóa ký số chưa sẵn sàng, xin báo người quản trị"
    title_en = "The signing key cannot be used; tell the operator"


class SigningKey:
    """A key with its certificate chain, wherever it is kept. One signature at a time: tokens have one session."""

    def __init__(self, signer: Signer) -> None:
        self.signer = signer
        self.turn = Lock()

    @property
    def subject(self) -> str:
        """The name in the certificate."""
        certificate = self.signer.signing_cert
        return str(certificate.subject.native["common_name"]) if certificate else ""

    @cached_property
    def room(self) -> int:
        """Hexadecimal digits that a signature may take: certificates, attributes and the signature proper.

        Without being told, pyHanko finds out by signing twice.
        """
        certificates = [*self.signer.cert_registry, *([self.signer.signing_cert] if self.signer.signing_cert else [])]
        return 2 * (sum(len(certificate.dump()) for certificate in certificates) + 4096)


@dataclass(frozen=True, slots=True)
class Check:
    """What checking every signature of a result gave."""

    valid: bool
    signers: tuple[str, ...]
    why: str = ""
    """What is wrong, for the log; empty when valid."""


def add_fields(document: Document, *, after: bytes = b"") -> bytes:
    """The document with an empty form field at each of its marked places; behind the pages of another PDF, if given."""
    if after:
        document = _behind(after, document)
    writer = IncrementalPdfFileWriter(BytesIO(document.pdf))
    for place in document.places:
        if place.name in TEXTS:
            _add_text_field(writer, place)
        else:
            spec = fields.SigFieldSpec(place.name, on_page=place.page, box=_whole(place), empty_field_appearance=True)
            fields.append_signature_field(writer, spec)
    return _bytes(writer)


def _behind(pdf: bytes, document: Document) -> Document:
    """One document of both, its places moved with their pages."""
    joined, before, out = PdfWriter(), pages_of(pdf), BytesIO()
    joined.append(BytesIO(pdf))
    joined.append(BytesIO(document.pdf))
    joined.write(out)
    return Document(out.getvalue(), tuple(replace(place, page=place.page + before) for place in document.places))


def pages_of(pdf: bytes) -> int:
    """How many pages it has."""
    return len(PdfReader(BytesIO(pdf)).pages)


def _whole(place: Place) -> tuple[int, int, int, int]:
    left, bottom, right, top = map(round, place.box)
    return left, bottom, right, top


def _add_text_field(writer: IncrementalPdfFileWriter, place: Place) -> None:
    page = writer.find_page_for_modification(place.page)[0]
    field = generic.DictionaryObject(
        {
            generic.pdf_name("/FT"): generic.pdf_name("/Tx"),
            generic.pdf_name("/T"): generic.TextStringObject(place.name),
            generic.pdf_name("/TU"): generic.TextStringObject(TEXTS[place.name]),
            generic.pdf_name("/Type"): generic.pdf_name("/Annot"),
            generic.pdf_name("/Subtype"): generic.pdf_name("/Widget"),
            generic.pdf_name("/F"): generic.NumberObject(4),  # printed
            generic.pdf_name("/P"): page,
            generic.pdf_name("/Rect"): generic.ArrayObject(map(generic.FloatObject, place.box)),
            generic.pdf_name("/DA"): generic.TextStringObject("/Helv 0 Tf 0 g"),
        }
    )
    empty = writer.add_object(_nothing(place))
    field["/AP"] = generic.DictionaryObject({generic.pdf_name("/N"): empty})
    reference = writer.add_object(field)
    form = _acro_form(writer)
    form["/Fields"].append(reference)
    writer.update_container(form["/Fields"])
    page_object = page.get_object()
    page_object.setdefault("/Annots", generic.ArrayObject()).append(reference)
    writer.update_container(page_object["/Annots"])


def _nothing(place: Place) -> generic.StreamObject:
    """How a field looks that is empty."""
    left, bottom, right, top = place.box
    box = generic.ArrayObject(map(generic.FloatObject, (0, 0, right - left, top - bottom)))
    kind = {"/Type": generic.pdf_name("/XObject"), "/Subtype": generic.pdf_name("/Form"), "/BBox": box}
    return generic.StreamObject({generic.pdf_name(name): value for name, value in kind.items()}, stream_data=b"")


def _acro_form(writer: IncrementalPdfFileWriter) -> generic.DictionaryObject:
    if "/AcroForm" not in writer.root:
        writer.root["/AcroForm"] = generic.DictionaryObject({generic.pdf_name("/Fields"): generic.ArrayObject()})
        writer.update_root()
    form: generic.DictionaryObject = writer.root["/AcroForm"]
    return form


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
    return _sign(IncrementalPdfFileWriter(BytesIO(pdf)), metadata, key, lines)


def seal(pdf: bytes, key: SigningKey, *, reason: str, at: datetime) -> bytes:
    """The agency's seal alone, certifying a document that `add_fields` made: nothing may change afterwards."""
    lines = ["Ký bởi: " + key.subject, f"Thời gian ký: {_local(at)}"]
    metadata = signers.PdfSignatureMetadata(
        field_name=SEAL,
        md_algorithm="sha256",
        subfilter=fields.SigSeedSubFilter.PADES,
        reason=reason,
        certify=True,
        docmdp_permissions=fields.MDPPerm.NO_CHANGES,
    )
    return _sign(IncrementalPdfFileWriter(BytesIO(pdf)), metadata, key, lines, colour=RED)


def number_and_seal(pdf: bytes, key: SigningKey, *, number: str, place_and_date: str, head: str, at: datetime) -> bytes:
    """Number, date and the history's head, then the agency's seal over all of it, in one revision.

    `head` is what the QR code says.
    """
    writer = IncrementalPdfFileWriter(BytesIO(pdf))
    _fill(writer, NUMBER, f"Số: {number}", lines=[f"Số: {number}"])
    _fill(writer, DATE, place_and_date, lines=[place_and_date], style="italic")
    _fill(writer, HEAD, head, qr=typesetting.qr(head))
    metadata = signers.PdfSignatureMetadata(
        field_name=SEAL,
        md_algorithm="sha256",
        subfilter=fields.SigSeedSubFilter.PADES,
        reason=f"Phát hành văn bản số {number}",
    )
    return _sign(writer, metadata, key, ["Ký bởi: " + key.subject, f"Thời gian ký: {_local(at)}"], colour=RED)


def _fill(writer: IncrementalPdfFileWriter, name: str, text: str, **look: Any) -> None:
    field = _field(writer, name)
    field["/V"] = generic.TextStringObject(text)
    field["/AP"]["/N"] = writer.add_object(_appearance(writer, _stamp(field, size=11, **look)))
    writer.update_container(field)


def text_of(pdf: bytes, name: str) -> str:
    """What a text field of the document says; empty when it has none."""
    form = PdfFileReader(BytesIO(pdf)).root.get("/AcroForm", {})
    found = (reference.get_object() for reference in form.get("/Fields", ()))
    return next((str(field["/V"]) for field in found if field["/T"] == name and "/V" in field), "")


def _field(writer: IncrementalPdfFileWriter, name: str) -> generic.DictionaryObject:
    for reference in writer.root["/AcroForm"]["/Fields"]:
        field: generic.DictionaryObject = reference.get_object()
        if field["/T"] == name:
            return field
    raise ValueError(f"the document has no field {name}")


def _sign(
    writer: IncrementalPdfFileWriter,
    metadata: signers.PdfSignatureMetadata,
    key: SigningKey,
    lines: list[str],
    colour: str = "#1a1a1a",
) -> bytes:
    look = _stamp(_field(writer, str(metadata.field_name)), lines=lines, border=True, colour=colour)
    style = StaticStampStyle(border_width=0, background=_Page(look), background_layout=WHOLE)
    out = BytesIO()
    signer = signers.PdfSigner(metadata, signer=key.signer, stamp_style=style)
    with key.turn:
        signer.sign_pdf(writer, output=out, bytes_reserved=key.room)
    return out.getvalue()


def _stamp(
    field: generic.DictionaryObject, *, lines: Sequence[str] = (), qr: str = "", size: float = 8.5,
    border: bool = False, colour: str = "#1a1a1a", style: str = "normal",
) -> bytes:  # fmt: skip
    """What a field shows, exactly as large as it is."""
    left, bottom, right, top = map(float, field["/Rect"])
    facts = {
        "title": field["/T"], "lines": lines, "qr": qr, "size": size, "border": border, "colour": colour,
        "style": style, "width": right - left, "height": top - bottom,
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


async def check_all(pdf: bytes, roots: list[x509.Certificate]) -> Check:
    """Whether it is signed at all, and every signature in it intact, valid, trusted, the last over the whole file."""
    try:
        found = PdfFileReader(BytesIO(pdf)).embedded_signatures
        return await _check_each(found, roots) if found else Check(False, (), "it is not signed")
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
