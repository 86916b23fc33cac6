"""Tables as files that a spreadsheet opens right: written row by row to the disk, so that memory stays the same."""

import csv
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TextIO

import xlsxwriter

from services.tracking.words import HANOI

Cell = str | int | datetime | None


class Kind(StrEnum):
    """The format of a file."""

    CSV = "csv"
    """UTF-8 with a byte order mark, commas, CRLF (RFC 4180): spreadsheets then read Vietnamese right."""
    XLSX = "xlsx"


MEDIA = {
    Kind.CSV: "text/csv; charset=utf-8",
    Kind.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula (OWASP: CSV injection): an apostrophe before what looks like one."""
    return f"'{text}" if text.lstrip(" \u00a0\u200b\ufeff").startswith(_FORMULA) else text


def as_text(cell: Cell) -> str:
    """A cell as people write it: `15:04 22/11/2026` in Viet Nam, numbers as they are, text made harmless."""
    match cell:
        case None:
            return ""
        case datetime():
            return cell.astimezone(HANOI).strftime("%d/%m/%Y %H:%M")
        case str():
            return harmless(cell)
    return str(cell)


class Csv:
    """A CSV file that grows."""

    def __init__(self, path: Path, title: str, head: Sequence[str]) -> None:
        self._file: TextIO = path.open("w", encoding="utf-8-sig", newline="")
        self._writer = csv.writer(self._file)
        self._writer.writerow(head)

    def add(self, rows: Iterable[Sequence[Cell]]) -> None:
        self._writer.writerows([as_text(cell) for cell in row] for row in rows)

    def close(self) -> None:
        self._file.close()


class Xlsx:
    """An XLSX file that grows: a row is on the disk once the next one begins."""

    def __init__(self, path: Path, title: str, head: Sequence[str]) -> None:
        options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        self._book = xlsxwriter.Workbook(str(path), {**options, "tmpdir": str(path.parent)})
        self._sheet = self._book.add_worksheet(title[:31])
        self._moment = self._book.add_format({"num_format": "dd/mm/yyyy hh:mm"})
        self._sheet.freeze_panes(1, 0)
        self._sheet.set_column(0, len(head) - 1, 20)
        bold = self._book.add_format({"bold": True})
        for column, text in enumerate(head):
            self._sheet.write_string(0, column, text, bold)
        self._next = 1

    def add(self, rows: Iterable[Sequence[Cell]]) -> None:
        for row in rows:
            for column, cell in enumerate(row):
                self._write(column, cell)
            self._next += 1

    def _write(self, column: int, cell: Cell) -> None:
        match cell:
            case None:
                return
            case datetime():  # a spreadsheet knows no time zones: it shows the clock of Viet Nam
                local = cell.astimezone(HANOI).replace(tzinfo=None)
                self._sheet.write_datetime(self._next, column, local, self._moment)
            case int():
                self._sheet.write_number(self._next, column, cell)
            case _:
                self._sheet.write_string(self._next, column, harmless(cell))

    def close(self) -> None:
        self._book.close()


WRITERS: dict[Kind, type[Csv] | type[Xlsx]] = {Kind.CSV: Csv, Kind.XLSX: Xlsx}
