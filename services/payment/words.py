"""Amounts in words, as a receipt must show them: 105.000 đ is "một trăm linh năm nghìn đồng"."""

_DIGITS = ("không", "một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín")
_AFTER_TENS = ("", "mốt", "hai", "ba", "tư", "lăm", "sáu", "bảy", "tám", "chín")
_SCALES = ("", " nghìn", " triệu")
_BILLION = 1_000_000_000


def in_words(amount: int) -> str:
    """A whole, not negative number of đồng, in Vietnamese and in lower case."""
    if amount < 0:
        raise ValueError("an amount of money is never negative")
    return f"{_number(amount, full=False) or 'không'} đồng"


def _number(n: int, *, full: bool) -> str:
    """`full`: something stands before, so that empty hundreds are read too ("không trăm linh năm")."""
    billions, rest = divmod(n, _BILLION)
    if billions:
        return f"{_number(billions, full=full)} tỷ {_number(rest, full=True)}".rstrip()
    groups = [(n // 1000**place % 1000, scale) for place, scale in enumerate(_SCALES)]
    words: list[str] = []
    for group, scale in reversed(groups):
        if group:
            words.append(_group(group, full=full or bool(words)) + scale)
    return " ".join(words)


def _group(n: int, *, full: bool) -> str:
    """1 to 999."""
    hundreds, rest = divmod(n, 100)
    if not hundreds and not full:
        return _below_hundred(rest)
    return f"{_DIGITS[hundreds]} trăm {_after_hundreds(rest)}".rstrip()


def _after_hundreds(n: int) -> str:
    return f"linh {_DIGITS[n]}" if 0 < n < 10 else _below_hundred(n)


def _below_hundred(n: int) -> str:
    """1 to 99, and nothing at all for 0."""
    tens, unit = divmod(n, 10)
    match tens, unit:
        case 0, 0:
            return ""
        case 0, _:
            return _DIGITS[unit]
        case _, 0:
            return "mười" if tens == 1 else f"{_DIGITS[tens]} mươi"
        case 1, 5:
            return "mười lăm"
        case 1, _:
            return f"mười {_DIGITS[unit]}"
        case _:
            return f"{_DIGITS[tens]} mươi {_AFTER_TENS[unit]}"


def dong(amount: int) -> str:
    """As people write it: `16.000 đ`."""
    return f"{amount:,} đ".replace(",", ".")
