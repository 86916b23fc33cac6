"""What an officer writes in an order is told to others; nobody's name or number belongs there."""

import re

from contracts.refusal import Refusal
from services.dossier.catalogue.domain import fold
from services.dossier.processing.domain import Facts

_NUMBERS = re.compile(r"(?<!\d)(?:\d{9}|\d{12}|(?:\+84|0)\d{9})(?!\d)")
"""Identity numbers (old and new) and telephone numbers."""
_ADDRESS = re.compile(r"\S+@\S+\.\S+")


class NamesSomebody(Refusal):
    """The words go on a public channel: they tell no name, number or address of a person."""

    status = 422
    title = "Nội dung được gửi cho hệ thống khác: không ghi họ tên, số định danh, điện thoại, thư điện tử"
    title_en = "The text goes to other systems: leave out names, identity numbers, telephone numbers and e-mails"


def check_words(facts: Facts, *texts: str | None) -> None:
    """Refuse what names the owner, or gives a number or address of anybody."""
    for text in filter(None, texts):
        if _NUMBERS.search(text.replace(" ", "")) or _ADDRESS.search(text) or _is_named(facts.owner_name, text):
            raise NamesSomebody


def _is_named(owner: str, text: str) -> bool:
    """The full name, as words; one word of it says nothing."""
    name, words = fold(owner).split(), re.findall(r"\w+", fold(text))
    spans = (words[start : start + len(name)] for start in range(len(words)))
    return len(name) > 1 and any(span == name for span in spans)
