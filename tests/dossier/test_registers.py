"""The control sheet (Mẫu 06) and the register (Mẫu 07): made on demand from what is kept, for officers only."""

import os
import re
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from pypdf import PdfReader

from kit.clock import now
from services.dossier import tenant, typesetting
from services.dossier.clocks.calendar import HANOI
from services.dossier.registers import domain, words
from services.dossier.registers.domain import Entry
from tests.dossier.office import TENANT, UNIT, Office


def words_of(pdf: bytes) -> str:
    """Its text, however the lines were broken."""
    text = " ".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages)
    return " ".join(text.split())


def squeezed(text: str) -> str:
    """Narrow columns break a code into several lines."""
    return re.sub(r"[\s\u200b]", "", text).lower()


def keep(name: str, pdf: bytes) -> None:
    """For somebody who wants to look at it."""
    if folder := os.environ.get("MOTCUA_LOOK"):
        Path(folder, name).write_bytes(pdf)


def today() -> date:
    return now().astimezone(HANOI).date()


async def test_the_control_sheet_says_who_gave_it_to_whom_and_whether_in_time(office: Office) -> None:
    code = await office.issued(delivery="desk")
    await office.db.execute("UPDATE clock SET due_at = started_at WHERE dossier_code = $1 AND key LIKE 'leader%'", code)
    early = "UPDATE clock SET due_at = due_at + interval '2 days' WHERE dossier_code = $1 AND kind = 'reception_sla'"
    await office.db.execute(early, code)
    await office.act(code, "handover", json={"receiver": "owner"})

    pdf = await office.download(await office.call("GET", f"/dossiers/{code}/control-sheet", office.officers["desk"]))

    keep("mau-06.pdf", pdf)
    text = words_of(pdf)
    said = (
        "PHIẾU KIỂM SOÁT QUÁ TRÌNH GIẢI QUYẾT HỒ SƠ", code, "Nguyễn Thị An", "Người nộp hồ sơ",
        "Bộ phận Tiếp nhận và Trả kết quả", "Công chức chuyên môn", "Văn thư", "Trình kết quả", "Ban hành kết quả",
        "Trước hạn", "Quá hạn", "Đã trả kết quả",
    )  # fmt: skip
    assert [each for each in said if each not in text] == []
    assert "/MarkInfo" in PdfReader(BytesIO(pdf)).trailer["/Root"]  # type: ignore[operator]


async def test_only_officers_who_may_read_the_dossier_get_its_control_sheet(office: Office) -> None:
    code = await office.submitted()
    path = f"/dossiers/{code}/control-sheet"
    await office.call("GET", path, office.an, 403)
    await office.call("GET", path, office.strangers["desk"], 404)
    await office.call("GET", path, office.officer("system_admin"), 403)
    await office.call("GET", path, office.officers["desk"])


async def test_the_register_has_what_the_unit_took_in_and_printing_it_is_remembered(office: Office) -> None:
    accepted, waiting = await office.issued(), await office.submitted()
    path = f"/registers/dossiers?from={today()}&to={today()}"

    pdf = await office.download(await office.call("GET", path, office.officers["clerk"]))
    empty = await office.download(await office.call("GET", path, office.strangers["clerk"]))

    keep("mau-07.pdf", pdf)
    text = words_of(pdf)
    said = ("SỔ THEO DÕI HỒ SƠ", accepted, "Nguyễn Thị An", "Xã Bình Minh", "Trực tuyến", "Đã nhận", "Tổng số: 1 hồ sơ")
    assert [each for each in said if squeezed(each) not in squeezed(text)] == []
    assert squeezed(waiting) not in squeezed(text), "what was not accepted yet is not in the register"
    assert "Không có hồ sơ nào" in words_of(empty), "another unit's register"
    assert await office.db.fetchval("SELECT count(*) FROM reading WHERE what = 'register'") == 1
    await office.call("GET", path, office.an, 403)
    await office.call("GET", path, office.officer("inspector"), 403)


@pytest.mark.parametrize(("days", "rule"), [(-1, "register-period-invalid"), (366, "register-period-invalid")])
async def test_a_period_that_is_none_or_too_long_is_refused(office: Office, days: int, rule: str) -> None:
    first = date(2026, 1, 1)
    path = f"/registers/dossiers?from={first}&to={first + timedelta(days=days)}"
    assert (await office.call("GET", path, office.officers["desk"], 422))["type"].endswith(rule)


def test_a_register_of_more_than_two_thousand_rows_is_refused_with_what_to_do() -> None:
    domain.check_size(2000)
    with pytest.raises(domain.RegisterTooLarge, match="khoảng thời gian ngắn hơn"):
        domain.check_size(2001)


def test_the_largest_register_is_printed() -> None:
    moment = now()
    entry = Entry(
        "H99.02.01-261120-0001", "Thủ tục cấp bản sao Trích lục hộ tịch", "Nguyễn Thị An",
        {"owner": {"address": {"text": "Thôn Đông, xã Bình Minh, tỉnh An Bình"}, "phone": "0900000001"}}, UNIT,
        "returned", moment, moment, moment, "on_time", "desk", None,
    )  # fmt: skip
    facts = words.register(
        UNIT, today(), today(), [entry] * 2000, tenant.load(TENANT), "https://dichvucong.example.vn", moment
    )
    pdf = typesetting.typeset(words.REGISTER, facts, as_of=moment).pdf
    keep("mau-07-2000.pdf", pdf)
    assert "Tổng số: 2000 hồ sơ" in PdfReader(BytesIO(pdf)).pages[-1].extract_text()
