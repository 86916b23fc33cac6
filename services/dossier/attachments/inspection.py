"""What a file really is: parsed, never believed.

A PDF must be whole, open without a password, and carry nothing that runs or hides: no script, no action that starts a
program or sends data, no form that is a program (XFA), no file inside the file. A picture must decode. CPU work on what
strangers send: `sandbox` runs it in a process of its own, with limits.
"""

from io import BytesIO

from PIL import Image, UnidentifiedImageError
from pypdf import PdfReader
from pypdf.errors import PyPdfError
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject, NullObject

PICTURES = {"image/jpeg": "JPEG", "image/png": "PNG"}
MAX_PIXELS = 80_000_000
MAX_OBJECTS = 200_000
END_WITHIN = 2048
"""Bytes at the end of a PDF in which its end mark must stand; some programs add a little behind it."""
ACTIVE = {"/JavaScript", "/Launch", "/SubmitForm", "/ImportData", "/Rendition", "/RichMediaExecute"}
"""Kinds of PDF action that run something on the reader's machine, or send something away."""
EMBEDDING = {"/EmbeddedFiles", "/EF", "/RichMediaContent"}
"""Entries that hold files inside the file."""


class Unfit(Exception):
    """The file cannot be taken. `rule` is a stable name, the message says why in Vietnamese."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule
        self.message = message


TOO_COMPLEX = ("too_complex", "quá phức tạp, xin in lại thành PDF thường rồi tải lại")


def inspect(data: bytes, content_type: str) -> int:
    """The number of pages of a file that is what it claims to be and does no harm; Unfit otherwise."""
    if content_type == "application/pdf":
        return _inspect_pdf(data)
    if content_type in PICTURES:
        return _inspect_picture(data, PICTURES[content_type])
    raise Unfit("not_what_it_claims", "không phải loại tệp được nhận")


def _inspect_pdf(data: bytes) -> int:
    if b"%PDF-" not in data[:1024]:
        raise Unfit("not_what_it_claims", "không phải là tệp PDF")
    if b"%%EOF" not in data[-END_WITHIN:]:
        raise Unfit("truncated", "bị cắt cụt, không có phần cuối, xin tải lại")
    try:
        reader = PdfReader(BytesIO(data))
        if reader.is_encrypted:
            raise Unfit("encrypted", "đang đặt mật khẩu, xin gỡ mật khẩu rồi tải lại")
        pages = len(reader.pages)
        _refuse_harm(reader)
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as exc:
        # pypdf meets broken files with many kinds of error; all of them mean the same here
        raise Unfit("not_what_it_claims", "là tệp PDF bị hỏng, không đọc được") from exc
    if not pages:
        raise Unfit("not_what_it_claims", "là tệp PDF không có trang nào")
    return pages


def _refuse_harm(reader: PdfReader) -> None:
    """Every object of the file, wherever it hangs: at the catalogue, a page, a field, or a tree of names."""
    identifiers = [(number, generation) for generation, table in reader.xref.items() for number in table]
    identifiers += [(number, 0) for number in reader.xref_objStm]
    if len(identifiers) > MAX_OBJECTS:
        raise Unfit(*TOO_COMPLEX)
    for number, generation in identifiers:
        _refuse_harm_in(reader.get_object(IndirectObject(number, generation, reader)))
    _refuse_harm_in(reader.trailer)


def _refuse_harm_in(thing: object, depth: int = 0) -> None:
    """Looks at direct objects only: what is referred to has its own turn."""
    if depth > 50:
        raise Unfit(*TOO_COMPLEX)
    if isinstance(thing, DictionaryObject):
        _refuse_entries(thing)
        for key in thing:
            _refuse_harm_in(thing.raw_get(key), depth + 1)
    elif isinstance(thing, ArrayObject):
        for index in range(len(thing)):
            _refuse_harm_in(list.__getitem__(thing, index), depth + 1)


def _refuse_entries(entries: DictionaryObject) -> None:
    kind = entries.raw_get("/S") if "/S" in entries else NullObject()
    if "/JS" in entries or "/XFA" in entries or kind in ACTIVE:
        raise Unfit("active_content", "có chứa mã lệnh, xin in lại thành PDF thường rồi tải lại")
    if EMBEDDING & entries.keys():
        raise Unfit("embedded_files", "có chứa tệp khác bên trong, xin tải riêng từng tệp")


def _inspect_picture(data: bytes, expected: str) -> int:
    try:
        with Image.open(BytesIO(data), formats=list(PICTURES.values())) as picture:
            if picture.format != expected:
                raise Unfit("not_what_it_claims", f"không phải là ảnh {expected}")
            if picture.width * picture.height > MAX_PIXELS:
                raise Unfit("too_large", "có kích thước ảnh quá lớn")
            picture.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
        raise Unfit("too_large", "có kích thước ảnh quá lớn") from exc
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as exc:
        raise Unfit("not_what_it_claims", "không phải là ảnh đọc được") from exc
    return 1
