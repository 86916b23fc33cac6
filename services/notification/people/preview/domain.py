"""What a template looks like before anybody gets it: example words, and how phone companies count a text."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

SEGMENT = 160
"""Characters of one text message in the GSM-7 alphabet (3GPP TS 23.038); 153 in each of several."""
GSM7 = frozenset(
    "@£$¥\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENDED = frozenset("^{}\\[~]|€")
"""Characters of GSM-7 that take two places."""

_UNIT = "Ủy ban nhân dân xã Bình Minh"
_LONG_UNIT = "Trung tâm Phục vụ hành chính công tỉnh An Bình"
_PORTAL = "https://dichvucong.anbinh.example.vn"
_CODE, _LONG_CODE = "H99.02.01-261122-0001", "H99.02.01-261122-10001"
_MOMENT = "16:30 23/11/2026"
_REASON = "Thành phần hồ sơ không hợp lệ theo quy định"
_LAW = "khoản 2 Điều 17 Nghị định 61/2018/NĐ-CP"

EXAMPLES: Mapping[str, tuple[str, str]] = {
    "code": (_CODE, _LONG_CODE),
    "procedure_name": (
        "Cấp bản sao Trích lục hộ tịch",
        "Đăng ký khai sinh kết hợp đăng ký nhận cha, mẹ, con; đăng ký thường trú; cấp thẻ bảo hiểm y tế cho trẻ em",
    ),
    "unit_name": (_UNIT, _LONG_UNIT),
    "time": ("08:40 22/11/2026", "08:40 22/11/2026"),
    "date": ("22/11/2026", "22/11/2026"),
    "due": (_MOMENT, "theo thông báo của cơ quan giải quyết"),
    "old_due": (_MOMENT, _MOMENT),
    "host": ("dichvucong.anbinh.example.vn", "dichvucong.anbinh.example.vn"),
    "lookup_url": (f"{_PORTAL}/tra-cuu?ma={_CODE}", f"{_PORTAL}/tra-cuu?ma={_LONG_CODE}"),
    "payment_url": (f"{_PORTAL}/thanh-toan?ma={_CODE}", f"{_PORTAL}/thanh-toan?ma={_LONG_CODE}"),
    "result_url": (f"{_PORTAL}/ho-so/{_CODE}", f"{_PORTAL}/ho-so/{_LONG_CODE}"),
    "amount": ("16.000", "1.234.567.000"),
    "receipt": ("0000001", "0000001"),
    "round": ("1", "2"),
    "reason": (_REASON, _REASON * 6),
    "guidance": ("", "\nHướng dẫn: nộp hồ sơ tại Sở Xây dựng, cơ quan có thẩm quyền giải quyết thủ tục này."),
    "apology": ("có", "có"),
    "legal_basis": (_LAW, _LAW),
    "place": (f"Bộ phận Một cửa {_UNIT}", f"Bộ phận Tiếp nhận và Trả kết quả của {_LONG_UNIT}"),
    "number": ("15/TLHT", "12345/QĐ-UBND"),
    "replaced": ("", " Kết quả thay thế: số 12346/QĐ-UBND."),
    "otp": ("204816", "204816"),
    "m": ("3", "5"),
}
"""Word → a usual one, and the longest that is to be expected. Nobody's data."""


def examples(names: Iterable[str], *, longest: bool = False) -> dict[str, str]:
    """An example of each of these words."""
    return {name: EXAMPLES[name][longest] for name in names}


@dataclass(frozen=True, slots=True)
class Size:
    """A text message as it is counted, and paid for."""

    alphabet: str
    """`GSM-7`, or `UCS-2` as soon as one character is not in it."""
    characters: int
    segments: int


def size(text: str) -> Size:
    """How a phone company counts this text."""
    if set(text) <= GSM7 | EXTENDED:
        length = sum(2 if c in EXTENDED else 1 for c in text)
        return Size("GSM-7", length, _segments(length, SEGMENT, 153))
    length = len(text.encode("utf-16-be")) // 2
    return Size("UCS-2", length, _segments(length, 70, 67))


def _segments(length: int, alone: int, one_of_many: int) -> int:
    return 1 if length <= alone else math.ceil(length / one_of_many)


@dataclass(frozen=True, slots=True)
class Phone:
    """A text message as a phone gets it."""

    text: str
    """Folded, and cut to one segment."""
    full: str
    """Folded, before it is cut."""
    size: Size
    """Of the folded text before it is cut."""

    @property
    def is_cut(self) -> bool:
        return self.text != self.full


@dataclass(frozen=True, slots=True)
class Preview:
    """A template in one language, with example words."""

    language: str
    subject: str
    body: str
    sms: Phone
    sms_longest: Phone
    """With the longest words to be expected."""

    @property
    def warnings(self) -> list[str]:
        """What a person should look at before this is used."""
        found = []
        if self.sms.is_cut:
            found.append(
                f"{self.language}: SMS dài {self.sms.size.segments} tin và sẽ bị cắt ngay cả với từ thông thường"
            )
        elif self.sms_longest.is_cut:
            length = self.sms_longest.size.characters
            found.append(f"{self.language}: SMS sẽ bị cắt khi các từ dài nhất ({length} ký tự, tối đa {SEGMENT})")
        return found
