"""The pages of statistics, with tracking behind them and its real database; nobody else is needed."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx2
import pytest

from kit import settings as kit_settings
from kit.db import Database
from kit.http import Now
from services.gateway import clients, pages
from services.gateway.app import app as site
from services.gateway.sessions import Visitor
from services.tracking.app import app as tracking
from services.tracking.settings import Settings
from tests.gateway.browser import Browser
from tests.tracking import callers, counted, story
from tests.tracking.counted import Asked, midnight
from tests.tracking.hearing import hear

LIVES = counted.lives(150, seed=5)
UNITS = ("H99", "H99.01", *counted.UNITS)
HOME = "http://cong.test"


class Inspector(Visitor):
    """An inspector of the province, whose token is made here."""

    async def token(self, audience: str) -> str:
        return callers.officer(audience, "inspector", unit="H99")["Authorization"].removeprefix("Bearer ")


@pytest.fixture
async def browser(
    make_database: Callable[[str], Awaitable[Database]], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Browser]:
    db = await make_database("tracking")
    await hear(db, *[event for one in LIVES for event in (*one.said, *one.paid)])
    monkeypatch.setattr(kit_settings, "_loaded", {Settings: Settings(digest_key=story.KEY)})
    monkeypatch.setenv("MOTCUA_GATEWAY_URL", HOME)
    monkeypatch.setenv("MOTCUA_VNEID_ISSUER", "https://vneid.example")
    pages._headers.cache_clear()
    tracking.state.db, tracking.state.verifier = db, callers.verifier("tracking")
    present = Now.__metadata__[0].dependency  # type: ignore[attr-defined]
    monkeypatch.setitem(tracking.dependency_overrides, present, lambda: counted.NOW)
    monkeypatch.setitem(site.dependency_overrides, pages._officer, _inspector)
    behind = httpx2.AsyncClient(transport=httpx2.ASGITransport(tracking), base_url="http://tracking.test")
    monkeypatch.setattr(clients.tracking, "_http", behind)
    async with behind, httpx2.AsyncClient(transport=httpx2.ASGITransport(site), base_url=HOME) as http:
        yield Browser(http)


async def _inspector() -> Visitor:
    return Inspector("session", "ref", "Tạ Văn Hùng", "H99", ("inspector",))


def figures(first: int, last: int) -> dict[str, int]:
    return counted.recount(LIVES, Asked(UNITS, None, midnight(2026, first), midnight(2026, last + 1)))


async def test_everybody_reads_how_punctual_the_agencies_are(browser: Browser) -> None:
    shown = await browser.open("/thong-ke?thang=2026-10")
    assert shown.status == 200
    assert "Kết quả giải quyết hồ sơ tháng 10/2026" in shown.text
    assert "Ủy ban nhân dân xã Bình Minh" in shown.text
    assert not any("ho-so" in link for link in shown.page.links if "thong-ke" in link)
    assert shown.page.nameless == []


async def test_an_officer_opens_a_figure_down_to_its_dossiers_and_takes_the_file(browser: Browser) -> None:
    shown = await browser.open("/can-bo/thong-ke?tu=2026-08&den=2026-10")
    expected = figures(8, 10)
    assert f"Giải quyết quá hạn, Tổng cộng: {expected['settled_late']}, xem hồ sơ" in shown.answer.text
    assert shown.page.nameless == []

    link = next(link for link in shown.page.links if "figure=settled_late" in link and "unit=H99&" in link)
    opened = await browser.open(link)
    late = {one.code for one in LIVES if one.outcome == "late" and one.ended and _in(one.ended, 8, 10)}
    assert {code for code in late if code in opened.text} == late
    assert len(late) == expected["settled_late"]

    file = await browser.open("/can-bo/thong-ke.csv?tu=2026-08&den=2026-10&theo=month")
    assert file.answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "Tháng 08/2026" in file.answer.text


def _in(moment: Any, first: int, last: int) -> bool:
    return bool(midnight(2026, first) <= moment < midnight(2026, last + 1))


async def test_a_period_that_cannot_be_is_explained(browser: Browser) -> None:
    shown = await browser.open("/can-bo/thong-ke?tu=2026-10&den=2026-08")
    assert shown.status == 422
    assert "Kỳ thống kê không hợp lệ" in shown.text
