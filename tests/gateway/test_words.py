"""How things are written for people, and where a browser may be sent."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway import sessions, words
from services.gateway.settings import GatewaySettings

NOON = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)  # 12:00 in An Bình


def test_times_are_those_of_viet_nam() -> None:
    assert words.clock("2026-11-22T17:04:00Z") == "00:04 23/11/2026"
    assert words.day("2026-11-22T17:04:00+00:00") == "23/11/2026"
    assert words.clock(None) == words.day("") == ""


@pytest.mark.parametrize(
    ("amount", "written"), [(0, "0 đ"), (7000, "7.000 đ"), (1234567, "1.234.567 đ"), (None, "0 đ")]
)
def test_money_has_dots_and_its_unit(amount: int | None, written: str) -> None:
    assert words.dong(amount) == written


@pytest.mark.parametrize(
    ("left", "written"),
    [
        (timedelta(minutes=5), "còn 5 phút"),
        (timedelta(hours=1, minutes=20), "còn 1 giờ 20 phút"),
        (timedelta(days=3, hours=2), "còn 3 ngày"),
        (-timedelta(minutes=90), "quá hạn 1 giờ 30 phút"),
        (-timedelta(days=2), "quá hạn 2 ngày"),
    ],
)
def test_a_deadline_is_so_far_away(left: timedelta, written: str) -> None:
    assert words.remaining((NOON + left).isoformat(), NOON) == written


@given(st.dates())
def test_a_date_is_read_back_as_it_was_typed(date: Any) -> None:
    typed = f"{date.day:02d}/{date.month:02d}/{date.year:04d}"

    assert words.day_typed(typed) == date.isoformat()
    assert words.typed({"input": "date"}, words.day_typed(typed)) == typed


@given(st.text(max_size=20))
def test_what_is_no_date_stays_what_was_typed(text: str) -> None:
    kept = words.day_typed(text)

    assert kept == text or kept[4] == kept[7] == "-"
    assert words.typed({"input": "date"}, text) in (text, "/".join(reversed(text.split("-"))))


def test_file_types_and_sizes_are_words() -> None:
    assert words.types(["application/pdf", "image/jpeg", "image/png"]) == "PDF, JPEG hoặc PNG"
    assert words.types(["application/pdf"]) == "PDF"
    assert (words.size(10 * 1024**2), words.size(1500), words.size(1)) == ("10 MB", "1 KB", "1 KB")


def test_an_unknown_state_is_shown_as_it_is() -> None:
    assert words.state("submitted") == "Mới đăng ký"
    assert words.state("something_new") == "something_new"


# ── where a browser may be sent ──


@pytest.mark.parametrize(
    "elsewhere",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "evil",
        "/a\nb",
        "/\t/evil",
        "",
    ],
)
def test_only_own_paths_are_gone_back_to(elsewhere: str) -> None:
    assert sessions.own_path(elsewhere, "/ho-so-cua-toi") == "/ho-so-cua-toi"


@given(st.text(max_size=40) | st.builds("/{}{}".format, st.sampled_from("/\\?#@:. \t"), st.text(max_size=20)))
def test_whatever_somebody_passes_the_browser_stays_here(text: str) -> None:
    here = "https://cong.example"

    assert urlsplit(urljoin(here, sessions.own_path(text).replace("\\", "/"))).netloc == "cong.example"


def test_partners_are_those_that_the_environment_names() -> None:
    settings = GatewaySettings(
        gateway_url="https://cong.example",
        vneid_issuer="https://vneid.example/op",
        vnpay_url="https://bank.example/pay?x",
    )

    assert settings.partners == ("https://vneid.example", "https://bank.example")
    assert settings.knows("https://bank.example/other")
    for url in ("https://bank.example.evil.example/", "http://bank.example/", "//bank.example", "javascript:1", ""):
        assert not settings.knows(url)


def test_a_local_run_may_name_none_but_a_public_one_may_not() -> None:
    local = GatewaySettings(gateway_url="http://127.0.0.1:8080")
    public = GatewaySettings(gateway_url="https://cong.example")

    assert local.knows("http://127.0.0.1:8201/authorize")
    assert not local.knows("http://127.0.0.1.evil.example:8201/")
    assert not public.knows("https://cong.example:8443/")


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "dưới 1 phút"),
        (59, "dưới 1 phút"),
        (60, "1 phút"),
        (3600, "1 giờ"),
        (4800, "1 giờ 20 phút"),
        (2 * 86400 + 3 * 3600 + 300, "2 ngày 3 giờ"),
        (86400 + 300, "1 ngày"),
        (30 * 86400, "30 ngày"),
    ],
)
def test_a_duration_is_written_by_its_two_largest_units(seconds: int, written: str) -> None:
    assert words.span(seconds) == written
