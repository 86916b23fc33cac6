"""Reconciliation (đối soát): what providers and the bank say against what we booked, both ways.

Three buckets: matched; theirs only; ours only. What the statement knows of one of our attempts and nobody told us is
simply news of money, and is settled like any other (`found`). What a machine cannot decide becomes a case for a person.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from contracts.refusal import Refusal
from services.payment.ledger.domain import Movement
from services.payment.receipts.domain import VIET_NAM


class Bucket(StrEnum):
    """Where a line of a statement ended."""

    MATCHED = "matched"
    """We booked exactly that."""
    FOUND = "found"
    """We did not know yet, and it belongs to one of our attempts: it is booked now."""
    THEIRS_ONLY = "theirs_only"
    """Nothing of ours fits: a person looks."""
    DIFFERS = "differs"
    """We know it with another amount: a person looks."""


class Kind(StrEnum):
    """What a person has to look at."""

    THEIRS_ONLY = "theirs_only"
    OURS_ONLY = "ours_only"
    """We booked money that the provider's statement of that day does not show."""
    AMOUNT_DIFFERS = "amount_differs"
    REVERSED = "reversed"
    """The provider or the payer's bank took money back after it had paid for something."""


class StatementUnreadable(Refusal):
    """A statement is taken whole or not at all; `line` is the first line that is wrong, counted from 1."""

    status = 422
    title = "Không đọc được sao kê: có dòng sai, chưa dòng nào được ghi nhận"
    title_en = "The statement has a broken line; nothing of it was taken"

    def __init__(self, line: int, why: str) -> None:
        super().__init__(f"Dòng {line}: {why}", line=line)


@dataclass(frozen=True, slots=True)
class Line:
    """One movement of money on a statement."""

    place: int
    """Line of the file, from 1."""
    movement: Movement
    transaction: str
    """The provider's number of the movement."""
    reference: str
    """Our name for the attempt, as the provider repeats it; empty when there is none."""
    amount: int
    """Whole đồng."""
    moved_at: datetime
    settled_on: date | None = None
    """The day it was paid out to our account."""


@dataclass(frozen=True, slots=True)
class Period:
    """The days, in Viet Nam, that a statement is about; both included."""

    first: date
    last: date


def period(lines: Sequence[Line]) -> Period:
    """From the first to the last movement. StatementUnreadable for a statement without any."""
    if not lines:
        raise StatementUnreadable(1, "sao kê không có giao dịch nào")
    days = [line.moved_at.astimezone(VIET_NAM).date() for line in lines]
    return Period(min(days), max(days))


def check_unique(lines: Sequence[Line]) -> None:
    """A movement stands on a statement once."""
    seen: set[tuple[str, str]] = set()
    for line in lines:
        if (line.movement, line.transaction) in seen:
            raise StatementUnreadable(line.place, f"giao dịch {line.transaction} đã có ở dòng trên")
        seen.add((line.movement, line.transaction))
