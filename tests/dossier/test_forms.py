"""Official forms (Mẫu 01–05): ordered with a change, made once, sealed by the agency, readable by the parties."""

from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest
from pypdf import PdfReader

from kit.timers import Timers
from services.dossier.forms import domain, making, store
from services.dossier.forms.domain import (
    AnyFacts,
    ApologyFacts,
    Charge,
    Form,
    Original,
    Paper,
    ReceiptFacts,
    RefusalFacts,
    StopFacts,
    SupplementFacts,
    ToComplete,
)
from services.dossier.results import signing
from services.dossier.results.keys import Keys
from services.dossier.settings import Settings
from tests.dossier.office import UNIT, Office

NOON = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
DUE = NOON + timedelta(days=21)

EXAMPLES: dict[Form, AnyFacts] = {
    Form.RECEIPT: ReceiptFacts(
        unit=UNIT, at=NOON, officer="Hoàng Thu Hà", papers=(Paper(name="Tờ khai", pages=1),), time_limit="Trong ngày",
        received_at=NOON, appointment_at=DUE, delivery="Trực tuyến", fees=(Charge(name="Lệ phí", amount=16_000),),
    ),
    Form.SUPPLEMENT: SupplementFacts(
        unit=UNIT, at=NOON, officer="Hoàng Thu Hà", round=2,
        items=(
            ToComplete(
                component="Tờ khai cấp bản sao trích lục", problem="Thiếu chữ ký của người yêu cầu ở trang 2",
                guidance="Ký, ghi rõ họ tên rồi chụp hoặc quét lại cả hai trang",
            ),
            ToComplete(component="Văn bản ủy quyền", problem="Ảnh mờ", guidance="Chụp lại cho rõ chữ"),
        ),
        originals=(Original(component="Giấy chứng sinh", why="Khoản 1 Điều 16 Luật Hộ tịch"),),
        citizen_fault="lần trước đã hướng dẫn ký tờ khai nhưng tờ khai gửi lại vẫn chưa có chữ ký", due_at=DUE,
    ),
    Form.REFUSAL: RefusalFacts(
        unit=UNIT, at=NOON, accepted=False, reason="Việc này không thuộc thẩm quyền của Ủy ban nhân dân xã.",
        legal_basis="Điều 13 Luật Hộ tịch", competent_unit="H99.02.02",
    ),
    Form.APOLOGY: ApologyFacts(
        unit=UNIT, at=NOON, accepted_at=NOON - timedelta(days=3), due_at=NOON, new_due_at=DUE,
        reason="Chưa nhận được kết quả xác minh của nơi cư trú trước đây.",
    ),
    Form.STOP: StopFacts(
        unit=UNIT, at=NOON, reason="Người nộp hồ sơ đề nghị rút hồ sơ.", legal_basis="Điều 21 Nghị định 118/2025/NĐ-CP",
        returned=("Giấy chứng sinh (bản chính)",), fee="Lệ phí 16.000 đ đã nộp được hoàn trả.",
    ),
}  # fmt: skip

SAYS = {
    Form.RECEIPT: ("GIẤY TIẾP NHẬN HỒ SƠ", "16.000 đ", "12:00 ngày 11/12/2026", "Hoàng Thu Hà"),
    Form.SUPPLEMENT: ("PHIẾU YÊU CẦU BỔ SUNG", "Số: 1/HDHS", "Ký, ghi rõ họ tên", "vẫn chưa có chữ ký"),
    Form.REFUSAL: ("PHIẾU TỪ CHỐI TIẾP NHẬN", "Số: 1/TCHS", "phường Hòa Lạc", "Luật Hộ tịch"),
    Form.APOLOGY: ("PHIẾU XIN LỖI", "Số: 1/XLHS", "12:00 ngày 20/11/2026", "kết quả xác minh"),
    Form.STOP: ("DỪNG GIẢI QUYẾT HỒ SƠ", "Số: 1/DGQ", "16.000 đ", "Giấy chứng sinh"),
}


def words_of(pdf: bytes) -> str:
    """Its text, however the lines were broken."""
    return " ".join(" ".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages).split())


async def order(office: Office, code: str, form: Form, key: str = "x") -> str:
    async with office.db.transaction() as tx:
        return await store.order(tx, code, form, key, EXAMPLES[form])


async def fetch(office: Office, code: str, name: str) -> bytes:
    return await office.download(await office.call("GET", f"/dossiers/{code}/forms/{name}", office.an))


@pytest.mark.parametrize("form", Form)
async def test_every_form_says_what_the_circular_asks_for_under_the_agencys_seal(
    form: Form, office: Office, settings: Settings
) -> None:
    code = await office.submitted()

    assert await order(office, code, form) == f"{code}/{form}-x"
    pdf = await fetch(office, code, f"{form}-x")

    text = words_of(pdf)
    head = (
        "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM",
        "ỦY BAN NHÂN DÂN XÃ BÌNH MINH",
        "Bình Minh, ngày 20 tháng 11 năm 2026",
    )
    assert [words for words in (*head, code, "Nguyễn Thị An", *SAYS[form]) if words not in text] == []
    checked = await signing.check(pdf, Keys.of(settings).roots, signing.SEAL)
    assert checked.valid, checked.why


async def test_a_form_is_ordered_with_its_change_or_not_at_all(office: Office) -> None:
    code = await office.submitted()
    with pytest.raises(RuntimeError):
        await _order_and_fail(office, code)

    assert (await office.call("GET", f"/dossiers/{code}/forms", office.an))["items"] == []
    await order(office, code, Form.STOP)
    (listed,) = (await office.call("GET", f"/dossiers/{code}/forms", office.an))["items"]
    assert listed["number"] == "1/DGQ", "the number of what did not happen was not used up"


async def _order_and_fail(office: Office, code: str) -> None:
    async with office.db.transaction() as tx:
        await store.order(tx, code, Form.STOP, "", EXAMPLES[Form.STOP])
        raise RuntimeError("the change fails")


async def test_the_facts_of_another_form_are_refused(office: Office) -> None:
    code = await office.submitted()
    async with office.db.transaction() as tx:
        with pytest.raises(TypeError):
            await store.order(tx, code, Form.STOP, "", EXAMPLES[Form.REFUSAL])


@pytest.fixture
def timers() -> Timers:
    own = Timers()
    own.job(store.MAKE)(making.make)
    return own


async def test_the_job_makes_it_once_and_what_was_asked_for_before_stays(office: Office, timers: Timers) -> None:
    code = await office.submitted()
    await order(office, code, Form.REFUSAL, "asked")
    asked = await fetch(office, code, "mau-03-asked")
    await order(office, code, Form.REFUSAL, "waits")

    while await timers.work_next(office.db):
        pass

    items = (await office.call("GET", f"/dossiers/{code}/forms", office.an))["items"]
    assert [(item["name"], item["ready"]) for item in items] == [("mau-03-asked", True), ("mau-03-waits", True)]
    assert await fetch(office, code, "mau-03-asked") == asked


async def test_a_job_that_died_after_storing_leads_to_one_form(
    office: Office, timers: Timers, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = await office.submitted()
    await order(office, code, Form.STOP)
    with monkeypatch.context() as broken:
        broken.setattr(store, "made", _crash)
        await timers.work_next(office.db)
    assert (await store.read(office.db, code, "mau-05-x")).sha256 is None

    first = await fetch(office, code, "mau-05-x")

    assert await fetch(office, code, "mau-05-x") == first


async def _crash(*_: object) -> str:
    raise RuntimeError("the process dies here")


async def test_only_the_owner_and_the_units_of_a_dossier_see_its_forms(office: Office) -> None:
    code = await office.submitted()
    await order(office, code, Form.REFUSAL)

    for stranger in (office.binh, office.strangers["desk"]):
        await office.call("GET", f"/dossiers/{code}/forms", stranger, 404)
        await office.call("GET", f"/dossiers/{code}/forms/mau-03-x", stranger, 404)
    await office.call("GET", f"/dossiers/{code}/forms/mau-03-x", office.officers["specialist"])
    await office.call("GET", f"/dossiers/{code}/forms/mau-03-y", office.an, 404)


async def test_acceptance_issues_the_receipt(office: Office) -> None:
    code = await office.submitted()
    await office.act(code, "acceptance")

    said = (await office.bodies(code))["DossierAccepted"]

    assert said["mau01_ref"] == domain.ref(code, Form.RECEIPT)
    assert "Tờ khai" in words_of(await fetch(office, code, "mau-01"))
