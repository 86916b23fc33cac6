"""The ledger: every movement of money, booked twice, written once and never changed. Amounts are whole đồng."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

OWED_BACK = "owed_back"
"""The account of money that is not ours."""
BANK = "bank"
"""The account of money that providers paid out to us."""
REVERSED = "reversed"
"""The account of money that was taken back from us and that a person has to look at."""


def held_by(provider: str) -> str:
    """The account of money that a provider holds for us: what it took, less what it gave back or paid out."""
    return f"provider:{provider}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One side of a posting: a debit is positive, a credit negative."""

    account: str
    amount: int


class Movement(StrEnum):
    """What the money did."""

    CAPTURE = "capture"
    """The provider took it from the payer."""
    REFUND = "refund"
    """The provider gave it back."""
    REVERSAL = "reversal"
    """The provider or the payer's bank took it back by itself."""
    SETTLEMENT = "settlement"
    """The provider paid it out to our bank account."""


@dataclass(frozen=True, slots=True)
class Posting:
    """Money that moved, booked twice: its entries add up to zero."""

    assessment_id: UUID
    attempt_id: UUID
    provider: str
    transaction: str
    """The provider's number of this movement: a refund has its own."""
    moved_at: datetime
    pays: bool
    """Whether it settles the assessment; money that does not has to go back."""
    entries: tuple[Entry, ...]
    movement: Movement

    @property
    def amount(self) -> int:
        """What moved."""
        return sum(entry.amount for entry in self.entries if entry.amount > 0)
