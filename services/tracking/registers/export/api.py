"""HTTP in: a register as a file for a spreadsheet."""

import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
from fastapi import Request
from fastapi.responses import FileResponse
from starlette.datastructures import State
from starlette.types import Receive, Scope, Send

from contracts.refusal import Refusal
from kit.auth import Officer
from kit.db import Database
from kit.http import Db, Now, Router
from services.tracking import answers, sheets, words
from services.tracking.access import store as access
from services.tracking.access.api import scope_of
from services.tracking.access.store import Looked
from services.tracking.registers import store
from services.tracking.registers.api import AskedFor, appointment
from services.tracking.registers.store import Wanted
from services.tracking.settings import unit_names
from services.tracking.sheets import Cell, Kind

router = Router(prefix="/api/v1", tags=["Sổ theo dõi"])

MOST_ROWS = 100_000
"""Dossiers of one file."""
AT_ONCE = 1000
"""Dossiers that are in memory."""
AT_A_TIME = 2
"""Exports of one process: each keeps a core busy for some seconds."""


class RegisterTooLarge(Refusal):
    """More dossiers than one file takes."""

    status = 422
    title = "Sổ có quá nhiều hồ sơ để xuất một lần"
    title_en = "The register has too many dossiers for one file"


class ExportsBusy(Refusal):
    """Others are exporting; nothing is wrong with this one."""

    status = 429
    title = "Đang có người khác xuất sổ, xin thử lại sau ít phút"
    title_en = "Other exports are under way, try again shortly"


HEAD = (
    "STT", "Mã hồ sơ", "Mã TTHC", "Tên TTHC", "Chủ hồ sơ (che bớt)", "Cơ quan tiếp nhận", "Cơ quan chủ trì",
    "Cơ quan đang giữ", "Kênh nộp", "Ngày gửi", "Ngày nhận", "Ngày hẹn trả", "Ngày có kết quả", "Ngày trả",
    "Phương thức nhận kết quả", "Tình trạng", "Thời hạn", "Ghi chú",
)  # fmt: skip
"""The columns of Mẫu 07 that tracking may hold, and where each dossier stands."""


@router.get("/registers/dossiers/export", response_class=FileResponse)
async def export_register(
    asked: AskedFor, who: Officer, db: Db, now: Now, request: Request, form: Kind = Kind.XLSX
) -> FileResponse:
    """Sổ theo dõi hồ sơ (Mẫu 07) as a file: `form=xlsx`, or `form=csv` in UTF-8 with a byte order mark.

    The same filters and scope as the register; 100,000 dossiers at most, more are refused (422). Cells that look like
    formulas are made text. Who exported what is written down.
    """
    scope = scope_of(who, asked.reason, asked.unit)
    wanted = store.Wanted(asked.order, scope, asked.period(now), asked.filters, AT_ONCE)
    held = ExitStack()
    try:
        path = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="so-theo-doi-")), f"so.{form}")
        with _turn(request.app.state):
            written = await _write(db, wanted, now, form, path)
        async with db.transaction() as tx:
            await access.record(tx, who, scope, Looked("export", asked.criteria(), written.codes, written.rows))
    except BaseException:
        held.close()
        raise
    name = f"so-theo-doi-{asked.unit or who.unit}-{now.astimezone(words.HANOI):%Y%m%d-%H%M}.{form}"
    return _File(held, path, media_type=sheets.MEDIA[form], filename=name, headers={"Cache-Control": "no-store"})


class _File(FileResponse):
    """A file that is gone once it was sent, or its reader went away."""

    def __init__(self, held: ExitStack, path: Path, **options: Any) -> None:
        super().__init__(path, **options)
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._held:
            await super().__call__(scope, receive, send)


@contextmanager
def _turn(state: State) -> Iterator[None]:
    under_way = getattr(state, "exports", 0)
    if under_way >= AT_A_TIME:
        raise ExportsBusy(retry_after=30)
    state.exports = under_way + 1
    try:
        yield
    finally:
        state.exports -= 1


@dataclass(slots=True)
class _Written:
    rows: int = 0
    codes: list[str] = field(default_factory=list)
    """The first ones, for the log."""


async def _write(db: Database, wanted: Wanted, now: datetime, form: Kind, path: Path) -> _Written:
    """Page after page, each a statement of its own: no transaction stays open, and a page is all that is in memory."""
    file, written = sheets.WRITERS[form](path, "Sổ theo dõi hồ sơ", HEAD), _Written()
    try:
        position, more = wanted.after, True
        while more:
            async with db.connection() as connection:
                found = await store.page(connection, replace(wanted, after=position), now)
            _count(written, found.rows)
            first = written.rows - len(found.rows) + 1
            await asyncio.to_thread(file.add, [_cells(first + n, row, now) for n, row in enumerate(found.rows)])
            position, more = found.next, found.next is not None
    finally:
        await asyncio.to_thread(file.close)
    return written


def _count(written: _Written, rows: Sequence[asyncpg.Record]) -> None:
    written.rows += len(rows)
    if written.rows > MOST_ROWS:
        most = f"{MOST_ROWS:,}".replace(",", ".")
        raise RegisterTooLarge(f"Mỗi lần xuất không quá {most} hồ sơ: chọn khoảng thời gian ngắn hơn", most=MOST_ROWS)
    written.codes += [row["code"] for row in rows[: access.MOST_CODES - len(written.codes)]]


def _cells(number: int, row: asyncpg.Record, now: datetime) -> list[Cell]:
    """One line of the file, in the order of `HEAD`."""
    kept = appointment(row, now)
    units = (_unit(row[name]) for name in ("receiving_unit", "competent_unit", "unit"))
    times = (row[name] for name in ("submitted_at", "accepted_at", "due_at", "issued_at", "returned_at"))
    note = f"Thuộc hồ sơ liên thông {row['parent_code']}" if row["parent_code"] else None
    return [
        number, row["code"], row["procedure_code"], row["procedure_name"], row["masked_name"], *units,
        words.CHANNELS.get(row["channel"], row["channel"]), *times,
        words.DELIVERIES.get(row["delivery"], row["delivery"]), answers.state(row).label, kept and kept.label, note,
    ]  # fmt: skip


def _unit(unit: str | None) -> str | None:
    return unit_names().get(unit, unit) if unit else None
