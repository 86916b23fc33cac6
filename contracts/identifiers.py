"""Codes and identifiers of people, organisations and agencies: each in one canonical form, or refused.

Numbers are made of ASCII digits only: with full-width or Arabic-Indic ones, two numbers that look the same would be
two people. Nothing here asks anybody: that a number is well formed does not say that it was issued.
"""

import re
import unicodedata
from datetime import date
from enum import StrEnum

from contracts.refusal import Refusal


class IdentityNumberMalformed(Refusal):
    """An identity number is exactly twelve digits."""

    status = 422
    title = "Số định danh cá nhân phải có đúng 12 chữ số."
    title_en = "A personal identification number has exactly 12 digits."


class TaxCodeMalformed(Refusal):
    """Ten digits with their check digit, a branch's three digits behind a hyphen, or a personal identity number."""

    status = 422
    title = (
        "Mã số thuế chưa đúng: gồm 10 chữ số, 10 chữ số và 3 chữ số của đơn vị phụ thuộc, hoặc số định danh cá nhân."
    )
    title_en = "The tax code is not valid."


class NameMissing(Refusal):
    """A name has letters."""

    status = 422
    title = "Vui lòng ghi họ và tên."
    title_en = "A name has letters."


class NameInForeignLetters(Refusal):
    """A name is written in Latin letters: a Cyrillic "а" would make another person who looks the same."""

    status = 422
    title = "Họ và tên chỉ gồm chữ cái tiếng Việt hoặc chữ La-tinh, khoảng trắng, dấu nháy và dấu gạch nối."
    title_en = "A name is written in Latin letters."


class PhoneMalformed(Refusal):
    """A phone number has 8 to 15 digits."""

    status = 422
    title = "Số điện thoại chưa đúng."
    title_en = "The phone number is not valid."


class EmailMalformed(Refusal):
    """An address has a local part and a domain."""

    status = 422
    title = "Địa chỉ thư điện tử chưa đúng."
    title_en = "The e-mail address is not valid."


class AgencyIdMalformed(Refusal):
    """An agency's id by QĐ 20/2020/QĐ-TTg, or by QCVN 102:2016 before it."""

    status = 422
    title = "Mã định danh cơ quan chưa đúng."
    title_en = "The agency id is not valid."


class UnitCodeMalformed(Refusal):
    """An administrative unit by QĐ 19/2025/QĐ-TTg."""

    status = 422
    title = "Mã đơn vị hành chính chưa đúng: 2 chữ số cho tỉnh, 5 chữ số cho xã."
    title_en = "The code of the administrative unit is not valid."


_NUMBER = re.compile(r"[0-9]{12}")
_OLD_NUMBER = re.compile(r"[0-9]{9}")
_MOBILE = re.compile(r"(?:\+84|84|0)((?:3[2-9]|5[25689]|7[06-9]|8[1-9]|9[0-9])[0-9]{7})")
_ANY_PHONE = re.compile(r"\+?[0-9]{8,15}")
_EMAIL = re.compile(r"[^\s@<>\"(),:;\\\[\]]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")
_AGENCY = re.compile(r"[A-Y][0-9]{2}(?:\.[A-Z0-9]{2,3}){0,4}")
_OLD_AGENCY = re.compile(r"[0-9]{3}\.[0-9]{2}\.[0-9]{2}\.[A-Y][0-9]{2}")
_TAX_CODE = re.compile(r"([0-9]{10})(?:-?([0-9]{3}))?")
_SPACES = re.compile(r"\s+")


def _compact(text: str) -> str:
    """Without the spaces that people type between digits, and without what nobody sees."""
    return "".join(c for c in text if not c.isspace() and unicodedata.category(c) != "Cf")


# ── people ──────────────────────────────────────────────────────────────────────────────────────────


def identity_number(text: str) -> str:
    """The twelve digits of a số định danh cá nhân (Luật Căn cước 2023, Điều 12).

    There is no checksum, and the province part is not checked: codes of merged provinces stay for ever.
    """
    number = _compact(text)
    if not _NUMBER.fullmatch(number):
        raise IdentityNumberMalformed()
    return number


def look_up_number(text: str) -> str:
    """An identity number, or the nine digits of an old CMND: for look-up and history only, never for an account."""
    number = _compact(text)
    return number if _OLD_NUMBER.fullmatch(number) else identity_number(number)


class Doubt(StrEnum):
    """Something about an identity number that should be asked about; none of it is a refusal."""

    PLACE_UNKNOWN = "place_unknown"
    """No province or country has the prefix 000."""
    YEAR_DIFFERS = "year_differs"
    """The number says another year of birth."""
    GENDER_DIFFERS = "gender_differs"
    CENTURY_UNKNOWN = "century_unknown"
    """A century digit of 4 or more: nobody born in the 22nd century files dossiers yet."""


def doubts(number: str, born: date | None = None, gender: str | None = None) -> frozenset[Doubt]:
    """What does not fit in a well formed number, given what else is declared (`gender`: `male` or `female`)."""
    century, is_woman = divmod(int(number[3]), 2)
    year = 1900 + 100 * century + int(number[4:6])
    found = {
        Doubt.PLACE_UNKNOWN: number.startswith("000"),
        Doubt.CENTURY_UNKNOWN: century > 1,
        Doubt.YEAR_DIFFERS: born is not None and born.year != year,
        Doubt.GENDER_DIFFERS: gender is not None and (gender == "female") != bool(is_woman),
    }
    return frozenset(doubt for doubt, there in found.items() if there)


def person_name(text: str) -> str:
    """A name in one canonical form: NFC, single spaces, nothing invisible, Latin letters only."""
    composed = unicodedata.normalize("NFC", text)
    seen = "".join(c if c.isprintable() else " " for c in composed if unicodedata.category(c) != "Cf")
    name = _SPACES.sub(" ", seen).strip()
    if not any(c.isalpha() for c in name):
        raise NameMissing()
    if not all(_may_be_in_a_name(c) for c in name):
        raise NameInForeignLetters()
    return name


def _may_be_in_a_name(c: str) -> bool:
    if c.isalpha():
        return unicodedata.name(c, "").startswith("LATIN ")
    return c in " -'’.," or bool(unicodedata.combining(c))


_TONES = frozenset("\u0300\u0301\u0303\u0309\u0323")


def same_name(one: str, other: str) -> bool:
    """Whether two names are the same to a Vietnamese reader: `HOÀ`, `Hòa` and `hoà` are, `Thủy` and `Thùy` are not."""
    return _name_key(one) == _name_key(other)


def _name_key(name: str) -> list[str]:
    """Each word's letters, then its tone: the tone may stand on either vowel of `oa`, `oe` and `uy`."""
    words = unicodedata.normalize("NFD", person_name(name).casefold()).replace("’", "'").split(" ")
    return ["".join(c for c in w if c not in _TONES) + "".join(c for c in w if c in _TONES) for w in words]


def masked(name: str) -> str:
    """First letters only: `Nguyễn Thị An` → `N***** T** A*`."""
    return " ".join(word[0] + "*" * (len(word) - 1) for word in person_name(name).split(" "))


def phone_number(text: str) -> str:
    """A Vietnamese mobile as `+84…`; a foreign number keeps its digits: foreigners have phones too."""
    plain = re.sub(r"[.\-()]", "", _compact(text))
    if match := _MOBILE.fullmatch(plain):
        return f"+84{match[1]}"
    if not _ANY_PHONE.fullmatch(plain):
        raise PhoneMalformed()
    return plain


def is_vietnamese_mobile(phone: str) -> bool:
    """Whether a canonical number has a prefix of a Vietnamese mobile operator; prefixes change, so only warn."""
    return bool(_MOBILE.fullmatch(phone))


def email_address(text: str) -> str:
    """The address with its domain in lower case."""
    local, _, domain = unicodedata.normalize("NFC", text).strip().rpartition("@")
    address = f"{local}@{domain.lower()}"
    if not _EMAIL.fullmatch(address) or len(address) > 254:
        raise EmailMalformed()
    return address


# ── organisations and agencies ──────────────────────────────────────────────────────────────────────

_WEIGHTS = (31, 29, 23, 19, 17, 13, 7, 5, 3)


def tax_code(text: str) -> str:
    """A tax code (TT 86/2024/TT-BTC, Điều 5): `0100047516`, of a branch `0100047516-001`, or, since 01/07/2025 for
    individuals and household businesses, the personal identity number."""
    code = _compact(text)
    if _NUMBER.fullmatch(code):
        return code
    match = _TAX_CODE.fullmatch(code)
    if match is None or match[2] == "000" or check_digit(match[1][:9]) != match[1][9]:
        raise TaxCodeMalformed()
    return f"{match[1]}-{match[2]}" if match[2] else match[1]


def check_digit(base: str) -> str | None:
    """The tenth digit that belongs to nine; None when no tax code begins with these nine."""
    digit = 10 - sum(weight * int(d) for weight, d in zip(_WEIGHTS, base, strict=True)) % 11
    return None if digit == 10 else str(digit)


def agency_id(text: str) -> str:
    """An agency's id: `H42.12.05` (QĐ 20/2020/QĐ-TTg, level 1 first) or the older `000.00.05.H42` (level 1 last)."""
    code = _compact(text).upper()
    if len(code) > 35 or not (_AGENCY.fullmatch(code) or _OLD_AGENCY.fullmatch(code)):
        raise AgencyIdMalformed()
    return code


def agency_root(code: str) -> str:
    """Level 1 of a canonical agency id: the ministry or province, `H42`."""
    return code[-3:] if _OLD_AGENCY.fullmatch(code) else code[:3]


def unit_code(text: str) -> str:
    """An administrative unit (QĐ 19/2025/QĐ-TTg): two digits for a province, five for a commune."""
    code = _compact(text)
    if not re.fullmatch(r"[0-9]{2}|[0-9]{5}", code):
        raise UnitCodeMalformed()
    return code
