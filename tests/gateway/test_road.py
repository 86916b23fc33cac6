"""The citizens' and officers' pages on the whole system, in a browser without JavaScript."""

import re
from collections.abc import AsyncIterator
from io import BytesIO
from urllib.parse import urlsplit

import httpx2
import pytest
from pypdf import PdfWriter

from deploy.local.stack import Stack
from tests.gateway.browser import Browser
from tests.support import eventually

CUC, BINH = "000301000003", "000085000002"
PROCEDURE, UNIT = "2.000635", "H99.02.01"
CODE = re.compile(r"H99\.02\.01-\d{6}-\d{4,}")


@pytest.fixture
async def browsers(stack: Stack) -> AsyncIterator[list[Browser]]:
    """Browsers that are closed afterwards; `another` opens one."""
    opened: list[Browser] = []
    yield opened
    for browser in opened:
        await browser.http.aclose()


def another(browsers: list[Browser], stack: Stack) -> Browser:
    browsers.append(Browser(httpx2.AsyncClient(base_url=stack.url("gateway"), timeout=40)))
    return browsers[-1]


async def log_in(browser: Browser, number: str, back: str = "/ho-so-cua-toi") -> Browser:
    """Through VNeID's page, as a person goes."""
    await browser.open(f"/dang-nhap?quay-lai={back}")
    await browser.submit("/dang-nhap")
    return await browser._show(
        await browser.http.post(browser.answer.url, data={"identity_number": number}, follow_redirects=True)
    )


def pdf() -> bytes:
    made, writer = BytesIO(), PdfWriter()
    writer.add_blank_page(595, 842)
    writer.write(made)
    return made.getvalue()


async def fill_in(browser: Browser) -> None:
    """From the procedure's page to the last step, with everything that is needed."""
    await browser.open(f"/nop-ho-so/thu-tuc/{PROCEDURE}")
    await browser.submit("/thu-tuc/", co_quan=UNIT)
    await browser.submit(
        "/thong-tin",
        event_type="birth",
        person_name="Lê Thị Cúc",
        register_date="31/1/2001",
        copies="2",
        authorised="khong",
    )
    await browser.submit("/thanh-phan/TP-TL-01", files={"tep": ("to-khai.pdf", pdf(), "application/pdf")})
    assert "to-khai.pdf" in browser.text, browser.text
    await browser.open(browser.path.replace("thanh-phan", "nhan-ket-qua"))


async def test_a_dossier_is_filed_without_javascript(stack: Stack, browsers: list[Browser]) -> None:
    citizen = another(browsers, stack)
    await log_in(citizen, CUC, f"/nop-ho-so/thu-tuc/{PROCEDURE}")
    assert citizen.path == f"/nop-ho-so/thu-tuc/{PROCEDURE}"

    await fill_in(citizen)
    assert "31/01/2001" in citizen.text
    await citizen.submit("/nhan-ket-qua", cach_nhan="online", nhan_tin="co", hanh_dong="gui")

    assert "Đã gửi hồ sơ thành công" in citizen.text
    code = CODE.findall(citizen.text)[0]
    stranger = another(browsers, stack)
    await stranger.open(f"/tra-cuu?ma={code.lower()}")
    assert "Mới đăng ký" in stranger.text
    assert "C**" not in stranger.text

    await stranger.submit("/tra-cuu", ma=code, so_dinh_danh=CUC)
    assert "L* T** C**" in stranger.text
    assert CUC not in str(stranger.answer.url)
    await stranger.submit("/tra-cuu", ma=code, so_dinh_danh=BINH)
    assert stranger.status == 404


async def test_questions_follow_the_answers_without_javascript(stack: Stack, browsers: list[Browser]) -> None:
    citizen = another(browsers, stack)
    await log_in(citizen, CUC, "/nop-ho-so/thu-tuc/1.004222")
    await citizen.submit("/thu-tuc/", co_quan=UNIT)
    assert "chủ hộ" not in citizen.text
    assert "Nơi đăng ký" in citizen.text, "the heading of a section"

    await citizen.submit("/thong-tin", person_name="Lê Thị Cúc", housing="family", hanh_dong="tiep")
    assert "cần thêm vài thông tin" in citizen.text
    await citizen.submit("/thong-tin", head_name="Lê Văn Ông", hanh_dong="tiep")
    assert citizen.path.endswith("/thanh-phan")
    await citizen.open(citizen.path.replace("thanh-phan", "thong-tin"))
    assert "Lê Văn Ông" in citizen.answer.text

    await citizen.submit("/thong-tin", housing="own", hanh_dong="luu")
    assert "chủ hộ" not in citizen.text
    await citizen.submit("/thong-tin", housing="family", hanh_dong="luu")
    assert "Lê Văn Ông" not in citizen.answer.text, "what is not asked any more is forgotten"


async def test_sending_twice_is_one_dossier(stack: Stack, browsers: list[Browser]) -> None:
    citizen = another(browsers, stack)
    await log_in(citizen, CUC)
    await fill_in(citizen)
    page, last = citizen.page, citizen.path

    codes = set()
    for _ in range(2):
        citizen.page = page
        await citizen.submit(last, cach_nhan="online", hanh_dong="gui")
        codes.add(CODE.findall(citizen.text)[0])

    assert len(codes) == 1


async def test_what_is_missing_is_said_all_at_once_and_the_draft_is_kept(stack: Stack, browsers: list[Browser]) -> None:
    citizen = another(browsers, stack)
    await log_in(citizen, CUC)
    await citizen.open(f"/nop-ho-so/thu-tuc/{PROCEDURE}")
    await citizen.submit("/thu-tuc/", co_quan=UNIT)
    await citizen.submit(
        "/thong-tin", person_name="Lê Thị Cúc", copies="rất nhiều", register_date="hôm qua", hanh_dong="luu"
    )
    assert "Đã lưu hồ sơ" in citizen.text
    draft = citizen.path

    await citizen.open(draft.replace("thong-tin", "nhan-ket-qua"))
    await citizen.submit("/nhan-ket-qua", cach_nhan="online", hanh_dong="gui")

    assert citizen.status == 422
    for problem in ("Số lượng bản sao", "Ngày đăng ký", "Loại việc hộ tịch", "Thiếu thành phần"):
        assert problem in citizen.text
    await citizen.open("/ho-so-cua-toi?thu-muc=not_sent")
    assert draft in citizen.page.links
    await citizen.submit(draft.replace("thong-tin", "xoa"))
    assert draft not in citizen.page.links


@pytest.mark.parametrize(
    ("name", "content", "kind", "said"),
    [
        ("x.exe", b"MZ", "application/x-msdownload", "chỉ nhận tệp"),
        ("rong.pdf", b"", "application/pdf", "chưa chọn tệp"),
        ("to.pdf", b"%PDF-" + b"0" * 11_000_000, "application/pdf", "không quá 10 MB"),
    ],
)
async def test_a_file_that_cannot_be_taken_is_refused_in_words(
    stack: Stack, browsers: list[Browser], name: str, content: bytes, kind: str, said: str
) -> None:
    citizen = another(browsers, stack)
    await log_in(citizen, CUC)
    await citizen.open(f"/nop-ho-so/thu-tuc/{PROCEDURE}")
    await citizen.submit("/thu-tuc/", co_quan=UNIT)
    await citizen.submit("/thong-tin", hanh_dong="tiep")

    await citizen.submit("/thanh-phan/TP-TL-01", files={"tep": (name, content, kind)})

    assert citizen.status == 422
    assert said in citizen.text
    assert name not in citizen.text


async def test_nobody_sees_what_is_not_theirs(stack: Stack, browsers: list[Browser]) -> None:
    owner, other = another(browsers, stack), another(browsers, stack)
    await log_in(owner, CUC)
    await fill_in(owner)
    draft = owner.path
    await owner.submit("/nhan-ket-qua", cach_nhan="online", hanh_dong="gui")
    code = CODE.findall(owner.text)[0]

    await log_in(other, BINH)
    for path in (draft, f"/ho-so-cua-toi/{code}", f"/ho-so-cua-toi/{code}/ket-qua", f"/ho-so-cua-toi/{code}/giay-hen"):
        await other.open(path)
        assert other.status in (403, 404), path
        assert "Cúc" not in other.text


async def test_logging_out_ends_the_session_for_every_copy_of_its_cookie(stack: Stack, browsers: list[Browser]) -> None:
    citizen = another(browsers, stack)
    await log_in(citizen, CUC)
    copy = citizen.http.cookies["cong-dan"]

    await citizen.submit("/dang-xuat")
    citizen.http.cookies.set("cong-dan", copy, domain=urlsplit(stack.url("gateway")).hostname or "")

    assert (await citizen.open("/ho-so-cua-toi")).path == "/dang-nhap"


async def test_a_login_makes_earlier_forms_void(stack: Stack, browsers: list[Browser]) -> None:
    citizen = another(browsers, stack)
    prepared = (await citizen.open("/dang-nhap")).page
    await log_in(citizen, CUC)

    citizen.page = prepared
    assert (await citizen.submit("/dang-nhap")).status == 403


async def test_somebody_with_level_one_is_told_where_to_go(stack: Stack, browsers: list[Browser]) -> None:
    citizen = await log_in(another(browsers, stack), "000058000004")

    assert citizen.status == 403
    assert "công an" in citizen.text


async def test_officers_see_the_queues_of_their_role_and_do_one_act(stack: Stack, browsers: list[Browser]) -> None:
    citizen, desk = another(browsers, stack), another(browsers, stack)
    await log_in(citizen, CUC)
    await fill_in(citizen)
    await citizen.submit("/nhan-ket-qua", cach_nhan="online", hanh_dong="gui")
    code = CODE.findall(citizen.text)[0]

    await desk.open("/can-bo")
    await desk.submit("/can-bo/dang-nhap", ten_dang_nhap="mot-cua", mat_khau="không phải")
    assert (desk.status, "không đúng" in desk.text) == (401, True)
    await desk.submit("/can-bo/dang-nhap", ten_dang_nhap="mot-cua", mat_khau=stack.site.secrets.demo_password)
    assert code in desk.text
    assert "còn" in desk.text
    assert not any("signing" in link for link in desk.page.links)
    await desk.submit(f"/can-bo/ho-so/{code}/acceptance")
    assert "Đã thực hiện “Tiếp nhận”" in desk.text

    async def accepted() -> bool:
        return "Hẹn trả kết quả" in (await citizen.open(f"/ho-so-cua-toi/{code}")).text

    await eventually(accepted)

    async def may_pay() -> bool:
        return "16.000 đ" in (await citizen.open(f"/thanh-toan?ma={code}")).text

    await eventually(may_pay)
    await citizen.submit("/thanh-toan", follow=False)
    assert citizen.answer.headers["location"].startswith(stack.url("bank"))
    assert "chờ ngân hàng" in (await citizen.open("/thanh-toan/ket-qua")).text
    assert citizen.page.redirects_to == "/thanh-toan/ket-qua?lan=1"


async def test_officers_find_a_dossier_in_their_register_and_inspectors_say_why(
    stack: Stack, browsers: list[Browser]
) -> None:
    citizen, desk, inspector = (another(browsers, stack) for _ in range(3))
    await log_in(citizen, CUC)
    await fill_in(citizen)
    await citizen.submit("/nhan-ket-qua", cach_nhan="online", hanh_dong="gui")
    code = CODE.findall(citizen.text)[0]
    await citizen.open(f"/ho-so-cua-toi/{code}")
    assert "Các bước xử lý" in citizen.text
    for officer, name in ((desk, "mot-cua"), (inspector, "kiem-soat")):
        await officer.open("/can-bo")
        password = stack.site.secrets.demo_password
        await officer.submit("/can-bo/dang-nhap", ten_dang_nhap=name, mat_khau=password)

    await desk.open("/can-bo/so-theo-doi")
    assert code in desk.text
    assert "Lê Thị Cúc" not in desk.text
    assert desk.page.nameless == []
    sheet = (await desk.open("/can-bo/so-theo-doi/tep?dang=csv")).answer
    assert sheet.content.startswith("\ufeffSTT".encode())
    assert code in sheet.text
    await desk.open("/can-bo/tra-cuu")
    await desk.submit("/can-bo/tra-cuu", ma=code[-8:])
    assert f"/can-bo/ho-so/{code}" in desk.page.links
    await desk.open(f"/can-bo/ho-so/{code}")
    assert "Phiếu kiểm soát" in desk.text
    assert (await desk.open("/can-bo/so-theo-doi?tu-ngay=01/01/1976&den-ngay=01/01/2026")).status == 200
    assert "Khoảng thời gian của sổ không hợp lệ" in desk.text

    assert "Phải ghi lý do" in inspector.text
    assert (await inspector.open(f"/can-bo/ho-so/{code}")).status == 404
    await inspector.open(f"/can-bo/ho-so/{code}?ly-do=Kiểm tra theo khiếu nại số 12")
    assert "Phiếu kiểm soát" in inspector.text


async def test_every_input_has_a_name_for_people(stack: Stack, browsers: list[Browser]) -> None:
    citizen = another(browsers, stack)
    for path in ("/", "/tra-cuu", "/thanh-toan", "/can-bo"):
        assert (await citizen.open(path)).page.nameless == [], path
    await log_in(citizen, CUC)
    await fill_in(citizen)
    for step in ("thong-tin", "thanh-phan", "nhan-ket-qua"):
        await citizen.open(citizen.path.rsplit("/", 1)[0] + "/" + step)
        assert citizen.page.inputs
        assert citizen.page.nameless == [], step
