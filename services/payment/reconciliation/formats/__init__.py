"""Formats of statements, each read whole or refused with the number of the first broken line."""

from collections.abc import Callable
from enum import StrEnum

from services.payment.reconciliation.domain import Line, check_unique
from services.payment.reconciliation.formats import camt053, table


class Format(StrEnum):
    CSV = "csv"
    CAMT053 = "camt.053"


READERS: dict[Format, Callable[[bytes], list[Line]]] = {Format.CSV: table.read, Format.CAMT053: camt053.read}


def read(kind: Format, data: bytes) -> list[Line]:
    """The movements of a statement; StatementUnreadable."""
    lines = READERS[kind](data)
    check_unique(lines)
    return lines
