"""What a file really is: parsed, never believed. CPU work: call it in a thread.

A PDF must open without a password and may carry no script and no action that starts a program; a picture must decode.
"""

from io import BytesIO

from PIL import Image, UnidentifiedImageError
from pypdf import PdfReader
from pypdf.errors import PyPdfError
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject, NullObject

PICTURES = {"image/jpeg": "JPEG", "image/png": "PNG"}
MAX_PIXELS = 80_000_000
MAX_OBJECTS = 200_000
ACTIVE = {"/JavaScript", "/Launch"}
"""Kinds of PDF action that run something on the reader's machine."""


class Unfit(Exception):
    """The file cannot be taken. `rule` is a stable name, the message says why in Vietnamese."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule
        self.message = message


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
    try:
        reader = PdfReader(BytesIO(data))
        if reader.is_encrypted:
            raise Unfit("encrypted", "đang đặt mật khẩu, xin gỡ mật khẩu rồi tải lại")
        pages = len(reader.pages)
        if _is_active(reader):
            raise Unfit("active_content", "có chứa mã lệnh, xin in lại thành PDF thường rồi tải lại")
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as exc:
        # pypdf meets broken files with many kinds of error; all of them mean the same here
        raise Unfit("not_what_it_claims", "là tệp PDF bị hỏng, không đọc được") from exc
    if not pages:
        raise Unfit("not_what_it_claims", "là tệp PDF không có trang nào")
    return pages


def _is_active(reader: PdfReader) -> bool:
    identifiers = [(number, generation) for generation, table in reader.xref.items() for number in table]
    identifiers += [(number, 0) for number in reader.xref_objStm]
    if len(identifiers) > MAX_OBJECTS:
        raise Unfit("too_complex", "quá phức tạp, xin in lại thành PDF thường rồi tải lại")
    for number, generation in identifiers:
        found = reader.get_object(IndirectObject(number, generation, reader))
        if found is not None and _holds_action(found):
            return True
    return False


def _holds_action(thing: object, depth: int = 0) -> bool:
    """Looks at direct objects only: what is referred to has its own turn."""
    if depth > 50:
        raise Unfit("too_complex", "quá phức tạp, xin in lại thành PDF thường rồi tải lại")
    if isinstance(thing, DictionaryObject):
        kind = thing.raw_get("/S") if "/S" in thing else NullObject()
        if "/JS" in thing or kind in ACTIVE:
            return True
        return any(_holds_action(thing.raw_get(key), depth + 1) for key in thing)
    if isinstance(thing, ArrayObject):
        return any(_holds_action(list.__getitem__(thing, index), depth + 1) for index in range(len(thing)))
    return False


def _inspect_picture(data: bytes, expected: str) -> int:
    try:
        with Image.open(BytesIO(data), formats=list(PICTURES.values())) as picture:
            if picture.format != expected:
                raise Unfit("not_what_it_claims", f"không phải là ảnh {expected}")
            if picture.width * picture.height > MAX_PIXELS:
                raise Unfit("too_large", "có kích thước ảnh quá lớn")
            picture.load()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as exc:
        raise Unfit("not_what_it_claims", "không phải là ảnh đọc được") from exc
    return 1
