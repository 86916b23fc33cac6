"""Registration, every way in, the account and its standardisation, on the whole system, without JavaScript."""

import itertools
import re
import time
from collections.abc import AsyncIterator

import asyncpg
import httpx2
import pyotp
import pytest

from deploy.local.stack import Stack
from tests.gateway.browser import Browser
from tests.support import eventually

PASSWORD = "trời mưa nhiều quá"
_numbers = itertools.count(21)


@pytest.fixture
async def browser(stack: Stack) -> AsyncIterator[Browser]:
    async with httpx2.AsyncClient(base_url=stack.url("gateway"), timeout=40) as http:
        yield Browser(http)


@pytest.fixture
def phone() -> str:
    return f"09000009{next(_numbers)}"


async def code(stack: Stack, phone: str, before: int = 0) -> str:
    """The newest one-time password on that phone, once there are more than `before`."""
    async with httpx2.AsyncClient(base_url=stack.url("sms")) as phones:

        async def arrived() -> str:
            texts = [m["content"] for m in (await phones.get("/messages", params={"phone": phone})).json()]
            codes = [found[1] for text in texts if (found := re.search(r"OTP cua ban la (\d{6})", text))]
            return codes[0] if len(codes) > before else ""

        return str(await eventually(arrived, within=30))


async def register(stack: Stack, browser: Browser, phone: str, so_dinh_danh: str = "") -> Browser:
    await browser.open("/dang-ky")
    await browser.submit("/dang-ky", ho_ten="Trần Thị Mơ", dien_thoai=phone, so_dinh_danh=so_dinh_danh)
    return await browser.submit("/dang-ky/xac-nhan", ma=await code(stack, phone), mat_khau=PASSWORD)


async def test_somebody_registers_by_phone_and_is_asked_to_standardise_on_every_page(
    stack: Stack, browser: Browser, phone: str
) -> None:
    await register(stack, browser, phone)

    assert browser.path == "/tai-khoan"
    assert "Còn thiếu: số định danh (CCCD), ngày cấp căn cước" in browser.text
    for path in ("/", "/ho-so-cua-toi", "/tra-cuu"):
        assert "Tài khoản chưa được chuẩn hóa" in (await browser.open(path)).text

    await browser.open("/tai-khoan")
    await browser.submit("/chuan-hoa", ho_ten="Trần Thị Mơ", so_dinh_danh="000 195 000999", ngay_cap="15/7/2024")
    assert "Đã ghi nhận" in browser.text
    assert "15/07/2024" in browser.text
    assert "Xác thực bằng VNeID" in browser.text


async def test_a_wrong_code_is_asked_for_again_and_the_password_may_be_forgotten(
    stack: Stack, browser: Browser, phone: str
) -> None:
    await register(stack, browser, phone)
    await browser.submit("/dang-xuat")
    await browser.open("/quen-mat-khau")
    await browser.submit("/quen-mat-khau", dien_thoai=phone)
    right = await code(stack, phone, before=1)
    await browser.submit("/xac-nhan", ma="000000" if right != "000000" else "111111", mat_khau="một mật khẩu mới")
    assert "Bạn còn 4 lần thử" in browser.text
    await browser.submit("/xac-nhan", ma=right, mat_khau="một mật khẩu mới")
    assert "Đã đặt mật khẩu mới" in browser.text

    await browser.submit("/dang-nhap-tai-khoan", dien_thoai=phone, mat_khau=PASSWORD)
    assert "không đúng" in browser.text
    await browser.submit("/dang-nhap-tai-khoan", dien_thoai=phone, mat_khau="một mật khẩu mới")
    await browser.submit("/ma", ma=await code(stack, phone, before=2))
    assert browser.path == "/ho-so-cua-toi"


async def test_an_account_is_verified_by_vneid_and_the_notice_goes_away(
    stack: Stack, browser: Browser, phone: str
) -> None:
    number = "000179000005"  # nobody else logs in as Giang at VNeID
    await register(stack, browser, phone, so_dinh_danh=number)

    await browser.submit("/dang-nhap")
    page = browser.answer.url
    await browser._show(await browser.http.post(page, data={"identity_number": number}, follow_redirects=True))

    assert browser.path == "/tai-khoan"
    assert "Đã chuẩn hóa" in browser.text
    assert "Hoàng Thị Giang" in browser.text
    assert "chưa được chuẩn hóa" not in browser.text


async def test_a_contact_changes_by_a_code_to_the_new_phone(stack: Stack, browser: Browser, phone: str) -> None:
    await register(stack, browser, phone)
    await browser.submit("/lien-he", dien_thoai=f"09000008{phone[-2:]}")
    assert "Nhập mã OTP" in browser.text
    await browser.submit("/lien-he/xac-nhan", ma=await code(stack, f"09000008{phone[-2:]}"))
    assert "Đã đổi thông tin liên hệ" in browser.text


async def test_an_old_login_is_asked_to_prove_itself_again_and_is_not_logged_out(
    stack: Stack, browser: Browser, phone: str
) -> None:
    await browser.open("/dang-ky")
    await browser.submit("/dang-ky", ho_ten="Trần Thị Mơ", dien_thoai=phone)
    await browser.submit("/dang-ky/xac-nhan", follow=False, ma=await code(stack, phone), mat_khau=PASSWORD)
    await _age_logins(stack)  # before the gateway has a token that says otherwise

    await browser.open("/tai-khoan")
    await browser.submit("/lien-he", thu_dien_tu="mo.tran@example.vn")

    assert browser.path == "/xac-nhan-lai"
    assert "Việc bạn sắp làm cần xác nhận chính bạn đang thực hiện" in browser.text
    assert (await browser.open("/tai-khoan")).path == "/tai-khoan"


async def _age_logins(stack: Stack) -> None:
    """As if everybody had logged in an hour ago."""
    conn = await asyncpg.connect(stack.site.place("identity").migration_url)
    try:
        await conn.execute("UPDATE session SET auth_time = auth_time - interval '1 hour' WHERE kind = 'citizen'")
    finally:
        await conn.close()


async def test_consents_sessions_export_and_closing_are_in_the_owners_hands(
    stack: Stack, browser: Browser, phone: str
) -> None:
    await register(stack, browser, phone)
    await browser.submit("/dong-y/autofill")
    assert "Rút lại" in browser.text
    await browser.submit("/rut-dong-y/")
    assert "Rút lại" not in browser.text
    data = (await browser.http.get("/tai-khoan/du-lieu")).json()
    assert data["profile"]["phone"] == f"+84{phone[1:]}"
    assert len(data["consents"]) == 1

    await browser.open("/tai-khoan/dong")
    await browser.submit("/tai-khoan/dong")

    assert "Đã đóng tài khoản" in browser.text
    assert (await browser.open("/tai-khoan")).path == "/dang-nhap"


async def test_an_officer_sets_up_an_authenticator_and_is_asked_for_it(stack: Stack, browser: Browser) -> None:
    async def log_in() -> None:  # as an officer whom no other test on this stack is
        await browser.open("/can-bo")
        password = stack.site.secrets.demo_password
        await browser.submit("/can-bo/dang-nhap", ten_dang_nhap="cong-khai", mat_khau=password)

    await log_in()
    await browser.open("/can-bo/tai-khoan")
    await browser.submit("/can-bo/tai-khoan/ma")
    secret = next(form.fields["bi_mat"] for form in browser.page.forms if "bi_mat" in form.fields)
    authenticator = pyotp.TOTP(secret)
    await browser.submit("/ma/xac-nhan", ma="000000" if authenticator.now() != "000000" else "111111")
    assert "Mã không đúng" in browser.text
    await browser.submit("/ma/xac-nhan", ma=authenticator.now())
    assert "Đã bật mã xác thực" in browser.text
    await browser.submit("/can-bo/dang-xuat")

    await log_in()
    assert "Xác thực hai lớp" in browser.text
    await browser.submit("/dang-nhap/ma", ma=authenticator.at(time.time() + 30))
    await browser.open("/can-bo/tai-khoan")
    assert "Đinh Quang Vinh" in browser.text
