"""Receipts (biên lai): numbers without a gap within symbol and year, one receipt for each kind of money."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from contracts.money import FeeKind, FeeLine

VIET_NAM = ZoneInfo("Asia/Ho_Chi_Minh")
RECEIPT_KINDS = (FeeKind.PHI, FeeKind.LE_PHI)
"""The kinds of money that the state gives a receipt for, one receipt each; postage is never on it."""


@dataclass(frozen=True, slots=True)
class ReceiptNumber:
    """A number taken from its series, to be used in the same transaction, so that the series has no gap."""

    kind: FeeKind
    form_symbol: str
    symbol: str
    year: int
    number: int

    def __str__(self) -> str:
        return f"{self.number:07d}"

    @property
    def ref(self) -> str:
        """Names the receipt in addresses and events: symbol, year and number are unique together."""
        return f"{self.symbol}.{self.year}.{self}"


@dataclass(frozen=True, slots=True)
class Receipt:
    """Biên lai for one kind of money (Nghị định 123/2020/NĐ-CP)."""

    number: ReceiptNumber
    assessment_id: UUID
    attempt_id: UUID
    lines: tuple[FeeLine, ...]
    amount: int
    issued_at: datetime


def symbol(letters: str, year: int) -> str:
    """Ký hiệu biên lai: registered letters, two digits of the year, E for electronic: `LA-26E`."""
    return f"{letters}-{year % 100:02d}E"


def local_year(now: datetime) -> int:
    """The year whose receipt numbers are in use; it begins at midnight in Viet Nam."""
    return now.astimezone(VIET_NAM).year
