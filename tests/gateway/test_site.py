"""What every page promises, with nothing behind it: all other services are away."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from services.gateway import clients, pages
from services.gateway.app import app
from tests.gateway.browser import Browser
from tests.standins.conftest import free_port

FOLDER = Path(pages.__file__).parent
HOME = "http://cong.test"


@pytest.fixture
def site(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The site's own address; every other service is an address where nobody listens."""
    address: str = getattr(request, "param", HOME)
    monkeypatch.setattr("kit.settings._loaded", {})
    for name in ("IDENTITY", "DOSSIER", "PAYMENT", "TRACKING"):
        monkeypatch.setenv(f"MOTCUA_{name}_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("MOTCUA_GATEWAY_URL", address)
    monkeypatch.setenv("MOTCUA_VNEID_ISSUER", "https://vneid.example")
    pages._headers.cache_clear()
    for client in (clients.identity, clients.dossier, clients.payment, clients.tracking):
        monkeypatch.setattr(client, "_http", None)
    return address


@pytest.fixture
async def browser(site: str) -> AsyncIterator[Browser]:
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url=site) as http:
        yield Browser(http)


# ── headers and cookies ──


async def test_every_answer_forbids_frames_foreign_scripts_and_guessing(browser: Browser) -> None:
    for path in ("/", "/dang-nhap", "/can-bo", "/khong-co", "/static/site.css"):
        headers = (await browser.open(path)).answer.headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "form-action 'self' https://vneid.example" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"


async def test_pages_are_never_kept_and_styles_always(browser: Browser) -> None:
    assert (await browser.open("/dang-nhap")).answer.headers["cache-control"] == "no-store"
    assert "immutable" in (await browser.open(pages.static_url("site.css"))).answer.headers["cache-control"]


async def test_a_cookie_is_out_of_reach_of_scripts_and_other_sites(browser: Browser) -> None:
    cookie = (await browser.open("/dang-nhap")).answer.headers["set-cookie"]

    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie


@pytest.mark.parametrize("site", ["https://cong.test"], indirect=True)
async def test_under_https_a_cookie_is_bound_to_this_very_host(browser: Browser) -> None:
    answer = (await browser.open("/dang-nhap")).answer

    assert re.match(r"__Host-luot-truy-cap=[\w-]{43};", answer.headers["set-cookie"])
    assert "Secure" in answer.headers["set-cookie"]
    assert "Path=/" in answer.headers["set-cookie"]
    assert "strict-transport-security" in answer.headers


# ── forms ──


async def test_a_form_of_ours_is_taken(browser: Browser) -> None:
    await browser.open("/dang-nhap")

    assert (await browser.submit("/dang-nhap")).status == 503  # it went through, to an identity that is away


@pytest.mark.parametrize("token", ["", "0" * 64, "đúng"])
async def test_a_form_without_this_browsers_token_is_refused(browser: Browser, token: str) -> None:
    await browser.open("/dang-nhap")

    assert (await browser.submit("/dang-nhap", form_token=token)).status == 403


async def test_the_token_of_another_browser_is_refused(browser: Browser) -> None:
    token = (await browser.open("/dang-nhap")).page.forms[-1].fields["form_token"]
    browser.http.cookies.clear()
    await browser.open("/dang-nhap")

    assert (await browser.submit("/dang-nhap", form_token=token)).status == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Origin": HOME},
    ],
)
async def test_a_form_that_another_site_sends_is_refused_even_with_the_token(
    browser: Browser, headers: dict[str, str]
) -> None:
    await browser.open("/dang-nhap")

    assert (await browser.submit("/dang-nhap", headers=headers)).status == 403


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "same-origin"}, {"Origin": HOME}, {"Sec-Fetch-Site": "none"}])
async def test_browsers_that_say_where_a_form_comes_from_are_believed(
    browser: Browser, headers: dict[str, str]
) -> None:
    await browser.open("/dang-nhap")

    assert (await browser.submit("/dang-nhap", headers=headers)).status == 503


async def test_a_form_without_a_length_or_too_long_is_not_read(browser: Browser) -> None:
    async def endless() -> AsyncIterator[bytes]:
        raise AssertionError("it was read")
        yield b""

    assert (await browser.http.post("/dang-nhap", content=endless())).status_code == 413
    long = {"Content-Length": "20000001"}
    assert (await browser.http.post("/dang-nhap", content=endless(), headers=long)).status_code == 413


# ── coming in, going out ──


async def test_whoever_is_not_logged_in_goes_to_the_login_and_comes_back(browser: Browser) -> None:
    await browser.open("/ho-so-cua-toi")

    assert browser.path == "/dang-nhap"
    assert browser.page.forms[-1].fields["quay_lai"] == "/ho-so-cua-toi"


async def test_an_officers_page_leads_to_the_officers_login(browser: Browser) -> None:
    assert (await browser.open("/can-bo/reception")).path == "/can-bo"


async def test_a_login_that_another_browser_began_is_not_finished_here(browser: Browser) -> None:
    await browser.open("/dang-nhap/vneid?code=stolen&state=of-somebody-else")

    assert browser.status == 410
    assert "đăng nhập lại" in browser.text


async def test_a_login_goes_back_to_own_pages_only(browser: Browser) -> None:
    await browser.open("/dang-nhap?quay-lai=//evil.example/")

    assert browser.page.forms[-1].fields["quay_lai"] == "/ho-so-cua-toi"


# ── when something is away ──


async def test_home_stands_without_the_catalogue(browser: Browser) -> None:
    await browser.open("/")

    assert browser.status == 200
    assert "tạm thời gián đoạn" in browser.text
    assert "Tra cứu hồ sơ" in browser.text


async def test_a_page_says_what_to_do_when_a_service_is_away(browser: Browser) -> None:
    await browser.open("/tra-cuu?ma=H99.02.01-261122-0001")

    assert browser.status == 503
    assert "tải lại trang" in browser.text
    assert "Những gì bạn đã lưu vẫn còn" in browser.text


async def test_a_code_that_cannot_be_one_is_explained_without_asking_anybody(browser: Browser) -> None:
    await browser.open("/tra-cuu?ma=12345")

    assert browser.status == 404
    assert "Mã hồ sơ chưa đúng" in browser.text


async def test_an_address_that_leads_nowhere_is_a_page_too(browser: Browser) -> None:
    assert (await browser.open("/khong-co")).status == 404
    assert "Không tìm thấy trang này" in browser.text


async def test_a_session_is_not_lost_while_identity_is_away(browser: Browser) -> None:
    browser.http.cookies.set("cong-dan", "s" * 43)

    assert (await browser.open("/ho-so-cua-toi")).status == 503
    assert browser.http.cookies.get("cong-dan") == "s" * 43


# ── what the pages are made of ──


@pytest.mark.parametrize("template", sorted(path.name for path in (FOLDER / "templates").iterdir()))
def test_a_template_has_no_inline_style_or_script_and_asks_no_other_host(template: str) -> None:
    text = (FOLDER / "templates" / template).read_text("utf-8")

    assert not re.search(r"<script(?! src=)|<style|\sstyle=|\son[a-z]+=|https?://|\|\s*safe", text)


@pytest.mark.parametrize("template", sorted(path.name for path in (FOLDER / "templates").iterdir()))
def test_every_form_that_changes_something_carries_its_proof(template: str) -> None:
    text = (FOLDER / "templates" / template).read_text("utf-8")
    posting = re.findall(r'<form[^>]*method="post"[^>]*>\s*(.{0,13})', text)

    assert all(start.startswith("{{ proof() }}") for start in posting)


def test_style_and_script_are_small() -> None:
    assert sum(path.stat().st_size for path in (FOLDER / "static").iterdir()) < 15_000


def _luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        ("ink", "wash"),
        ("soft", "wash"),
        ("soft", "paper"),
        ("blue", "wash"),
        ("bad", "paper"),
        ("paper", "red"),
        ("red", "paper"),
    ],
)
def test_text_stands_out_from_its_ground(ink: str, paper: str) -> None:
    css = (FOLDER / "static/site.css").read_text("utf-8")
    colours = {name: f"#{value[1] * 2}{value[2] * 2}{value[3] * 2}" if len(value) == 4 else value
               for name, value in re.findall(r"--([a-z-]+):(#[0-9a-f]{3,6})", css)}  # fmt: skip
    light, dark = sorted((_luminance(colours[ink]), _luminance(colours[paper])), reverse=True)

    assert (light + 0.05) / (dark + 0.05) >= 4.5


async def test_a_login_while_the_provider_is_away_says_so_and_offers_another_try(browser: Browser) -> None:
    await browser.open("/dang-nhap")
    await browser.submit("/dang-nhap", cach="vneid", quay_lai="/ho-so-cua-toi")

    assert browser.status == 503
    assert "tạm thời không phản hồi" in browser.text
    assert any(form.fields.get("cach") == "vneid" for form in browser.page.forms)
