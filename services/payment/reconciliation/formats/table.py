"""Statements as CSV (UTF-8, with or without a byte order mark), in any order of these columns:

    type,transaction,reference,amount,moved_at,settled_on
    capture,14226112,019abf…,16000,2026-11-22T10:01:30+07:00,2026-11-23

`type`: capture, refund or reversal. `amount`: whole đồng, positive. `moved_at`: RFC 3339 with its offset. `settled_on`:
a day or nothing. Every provider's own daily file can be brought into this shape by renaming columns.
"""

import csv
from datetime import date, datetime
from io import StringIO

from services.payment.ledger.domain import Movement
from services.payment.reconciliation.domain import Line, StatementUnreadable

COLUMNS = ("type", "transaction", "reference", "amount", "moved_at", "settled_on")
MOVEMENTS = (Movement.CAPTURE, Movement.REFUND, Movement.REVERSAL)
LONGEST = 128
"""Characters of a number or reference."""


def read(data: bytes) -> list[Line]:
    rows = csv.DictReader(StringIO(_text(data), newline=""), strict=True)
    missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
    if missing:
        raise StatementUnreadable(1, f"thiếu cột {', '.join(missing)}")
    lines = []
    try:
        for row in rows:
            lines.append(_line(rows.line_num, row))
    except csv.Error as exc:
        raise StatementUnreadable(rows.line_num, str(exc)) from exc
    return lines


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise StatementUnreadable(data[: exc.start].count(b"\n") + 1, "không phải UTF-8") from exc


def _line(place: int, row: dict[str, str | None]) -> Line:
    if None in row or None in row.values():
        raise StatementUnreadable(place, "số cột không đúng với dòng đầu")
    given = {name: (row[name] or "").strip() for name in COLUMNS}
    if not 0 < len(given["transaction"]) <= LONGEST or len(given["reference"]) > LONGEST:
        raise StatementUnreadable(place, "mã giao dịch trống hoặc quá dài")
    return Line(
        place=place,
        movement=_movement(place, given["type"]),
        transaction=given["transaction"],
        reference=given["reference"],
        amount=_amount(place, given["amount"]),
        moved_at=_moment(place, given["moved_at"]),
        settled_on=_day(place, given["settled_on"]),
    )


def _movement(place: int, text: str) -> Movement:
    if text not in MOVEMENTS:
        raise StatementUnreadable(place, f"loại giao dịch phải là {', '.join(MOVEMENTS)}")
    return Movement(text)


def _amount(place: int, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 10**15):
        raise StatementUnreadable(place, f"số tiền “{text[:20]}” không phải số nguyên đồng lớn hơn 0")
    return int(text)


def _moment(place: int, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise StatementUnreadable(place, f"thời gian “{text[:40]}” phải theo RFC 3339 và có múi giờ")
    return moment


def _day(place: int, text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as exc:
        raise StatementUnreadable(place, f"ngày “{text[:20]}” phải có dạng 2026-11-23") from exc
