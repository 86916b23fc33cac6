"""A register as a file: what a spreadsheet shows, and what it must never run."""

import csv
import io
import tracemalloc
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx2
import pytest

from kit.db import Database
from services.tracking.app import app
from services.tracking.registers.export import api as export
from services.tracking.sheets import WRITERS, Cell, Kind, as_text, harmless
from tests.tracking import story
from tests.tracking.hearing import hear
from tests.tracking.test_registers import WHY, MakeDatabase, _fill, expected, inspector, officer

XML = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    return await make_database("tracking", "a register", _fill)


async def exported(http: httpx2.AsyncClient, headers: dict[str, str], **asked: Any) -> httpx2.Response:
    return await http.get("/api/v1/registers/dossiers/export", params=asked, headers=headers)


def rows_of(content: bytes) -> list[list[str]]:
    """The texts of an XLSX file's only sheet."""
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        assert book.testzip() is None
        sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))  # noqa: S314
    assert list(sheet.iter(f"{XML}f")) == [], "no formula at all"
    return [[_text(cell) for cell in row.iter(f"{XML}c")] for row in sheet.iter(f"{XML}row")]


def _text(cell: ElementTree.Element) -> str:
    inline = "".join(text.text or "" for text in cell.iter(f"{XML}t"))
    return inline or cell.findtext(f"{XML}v") or ""


async def test_a_csv_begins_with_its_mark_and_has_every_dossier_once(http: httpx2.AsyncClient) -> None:
    answer = await exported(http, officer(), form="csv")
    assert answer.status_code == 200
    assert answer.content.startswith(b"\xef\xbb\xbfSTT,")
    assert ".csv" in answer.headers["content-disposition"]
    head, *lines = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert head == list(export.HEAD)
    assert [line[1] for line in lines] == expected("H99.02.01")
    assert [line[0] for line in lines] == [str(n) for n in range(1, len(lines) + 1)]
    assert {line[4] for line in lines} == {story.MASKED}


async def test_an_xlsx_has_the_same_with_real_dates(http: httpx2.AsyncClient) -> None:
    answer = await exported(http, officer(), form="xlsx")
    head, *lines = rows_of(answer.content)
    assert head == list(export.HEAD)
    assert [line[1] for line in lines] == expected("H99.02.01")
    assert all(float(line[9]) > 46000 for line in lines), "days since 1900, as spreadsheets count"


async def test_what_is_exported_is_within_the_scope_and_written_down(http: httpx2.AsyncClient) -> None:
    assert (await exported(http, officer(), unit="H99.02.02")).status_code == 403
    assert (await exported(http, inspector())).status_code == 403
    many = len(expected("H99"))
    assert len((await exported(http, inspector(), form="csv", reason=WHY)).text.splitlines()) == many + 1
    log = (await http.get("/api/v1/accesses", headers=inspector())).json()["items"]
    assert [(line["what"], line["rows"], line["reason"]) for line in log] == [("export", many, WHY)]


async def test_more_than_a_file_takes_is_refused_with_what_to_do(
    http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "MOST_ROWS", 20)
    answer = await exported(http, officer())
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:motcua:problem:register-too-large"
    fifty_years = await exported(http, officer(), **{"from": "1976-11-23", "to": "2026-11-23"})
    assert fifty_years.json()["type"] == "urn:motcua:problem:register-period-invalid"


async def test_one_process_exports_two_at_a_time(http: httpx2.AsyncClient) -> None:
    app.state.exports = export.AT_A_TIME
    busy = await exported(http, officer())
    app.state.exports = 0
    assert busy.status_code == 429
    assert (await exported(http, officer())).status_code == 200
    assert app.state.exports == 0


async def test_a_name_that_is_a_formula_stays_a_name(http: httpx2.AsyncClient, db: Database) -> None:
    evil = '=HYPERLINK("http://evil.example","Bấm vào đây")'
    sent = story.submitted(1, "H99.02.02-261122-9000").model_copy(update={"procedure_name": evil})
    when = datetime.now(UTC)
    await hear(db, sent.model_copy(update={"receiving_unit": "H99.02.02", "submitted_at": when}))
    for form in ("csv", "xlsx"):
        answer = await exported(http, officer("H99.02.02"), form=form)
        text = answer.text if form == "csv" else str(rows_of(answer.content))
        assert "'=HYPERLINK" in text


@pytest.mark.parametrize("text", ["=1+1", "+84900", "-2", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1+1", "\ufeff=1"])
def test_what_looks_like_a_formula_is_made_text(text: str) -> None:
    assert harmless(text) == "'" + text


def test_what_does_not_is_left_as_it_is() -> None:
    for text in ("H99.02.01-261122-0001", "N***** T** A*", "Cấp bản sao", "", "a=b"):
        assert harmless(text) == text
    assert as_text(datetime(2026, 11, 22, 8, 4, tzinfo=UTC)) == "22/11/2026 15:04"
    assert as_text(None) == ""


@pytest.mark.parametrize("kind", list(Kind))
def test_ten_times_the_rows_take_no_more_memory(kind: Kind, tmp_path: Path) -> None:
    row: list[Cell] = [
        1,
        "H99.02.01-261122-0001",
        "Cấp bản sao trích lục",
        None,
        datetime(2026, 11, 22, tzinfo=UTC),
    ] * 3
    peaks = [_peak(kind, tmp_path / f"{many}.{kind}", row, many) for many in (200, 2000)]
    assert peaks[1] < peaks[0] * 1.5


def _peak(kind: Kind, path: Path, row: list[Cell], many: int) -> int:
    tracemalloc.start()
    file = WRITERS[kind](path, "Sổ", ["Cột"] * len(row))
    for _ in range(many // 100):
        file.add([row] * 100)
    file.close()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak
