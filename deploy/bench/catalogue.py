"""`bench catalogue`: finding procedures among as many as the nation has."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count, islice, product
from random import Random

import httpx2

from deploy.bench.figures import Amount, Figures, Latency
from deploy.bench.measuring import measured
from deploy.bench.report import Report
from deploy.bench.rig import Rig
from deploy.local.places import ROOT
from kit.db import Database
from services.dossier import tenant
from services.dossier.catalogue import store
from services.dossier.catalogue.domain import Field, Procedure

SIZE = 2_500
"""About as many as the national catalogue has."""
GOAL_MS = 20.0
"""95 of 100 searches take no longer."""
ACTS = (
    "Cấp", "Cấp lại", "Cấp đổi", "Gia hạn", "Thu hồi", "Sửa đổi, bổ sung", "Đăng ký", "Xác nhận", "Thẩm định",
    "Công nhận", "Chấp thuận", "Điều chỉnh", "Hủy bỏ", "Thông báo", "Phê duyệt",
)  # fmt: skip
PAPERS = (
    "giấy phép", "giấy chứng nhận", "chứng chỉ hành nghề", "giấy xác nhận", "quyết định", "hồ sơ", "thẻ", "bản sao",
    "đề án", "phương án", "kế hoạch", "danh mục",
)  # fmt: skip
THINGS = (
    "kinh doanh vận tải", "hoạt động khám bệnh, chữa bệnh", "xây dựng công trình", "khai thác nước dưới đất",
    "bán lẻ rượu", "tổ chức biểu diễn nghệ thuật", "an toàn thực phẩm", "nuôi trồng thủy sản", "quảng cáo ngoài trời",
    "dạy thêm, học thêm", "đấu giá tài sản", "bảo vệ môi trường", "lao động nước ngoài", "trợ giúp xã hội",
    "giao đất, cho thuê đất", "chuyển mục đích sử dụng đất", "đăng ký hộ kinh doanh", "phòng cháy, chữa cháy",
)  # fmt: skip
FIELDS = tuple(f"Lĩnh vực {name}" for name in ("giao thông", "y tế", "xây dựng", "môi trường", "văn hóa", "giáo dục"))
WORDS = (
    "khai sinh",
    "giay phep kinh doanh",
    "cấp lại",
    "1.0",
    "xay dung",
    "trich luc",
    "",
    "dat",
    "khong co gi nhu the",
)
FILTERS: tuple[dict[str, str], ...] = (
    {}, {"unit": "H99.02.01"}, {"level": "partial"}, {"audience": "business", "level": "full"},
    {"unit": "H99.02.02", "agency_level": "commune"},
)  # fmt: skip


def generated(size: int = SIZE) -> Iterator[Procedure]:
    """So many procedures of the tenant's shapes under other names; the same ones every time."""
    chance = Random(2026)  # noqa: S311 (made-up data)
    folder = str(ROOT / "deploy/tenants/an-binh")
    models = [each for each in tenant.procedures(folder) if not each.retired and not each.member_only]
    names = (f"{act} {paper} {thing}" for act, paper, thing in product(ACTS, PAPERS, THINGS))
    for number, name in islice(zip(count(100_000), names, strict=False), size):
        model, field = chance.choice(models), chance.randrange(len(FIELDS))
        yield replace(
            model,
            code=f"3.{number}",
            name=name,
            field=Field(f"F{field}", FIELDS[field]),
            summary=f"{name}. {model.summary}",
            competent_level=chance.choice(["commune", "province"]),
            keywords=(),
            offers=(),
            units=(),
        )


async def fill(db: Database, size: int = SIZE) -> None:
    """Publish them, as the tenant's own are published."""
    async with db.transaction() as tx:
        await store.publish(tx, generated(size))


def measure(*, quick: bool = False) -> Report:
    return measured("catalogue", lambda rig: _figures(rig, searches=200 if quick else 3_000))


async def _figures(rig: Rig, searches: int) -> Figures:
    await rig.stack.up("dossier")
    db = await Database.open(rig.stack.site.place("dossier").database_url)
    began = time.perf_counter()
    await fill(db)
    filled = Amount(f"{SIZE:,} procedures checked in", time.perf_counter() - began, "s")
    await db.close()
    return Figures(latencies=[await _search(rig, searches)], amounts=[filled])


async def _search(rig: Rig, searches: int) -> Latency:
    """Milliseconds of one search after another over HTTP, each with its counts for every filter."""
    milliseconds = []
    queries = [{"q": words, **filters} for words, filters in product(WORDS, FILTERS)]
    async with httpx2.AsyncClient(base_url=rig.stack.url("dossier")) as http:
        for number in range(searches):
            began = time.perf_counter()
            answer = await http.get("/api/v1/procedures", params={**queries[number % len(queries)], "limit": 20})
            milliseconds.append((time.perf_counter() - began) * 1000)
            answer.raise_for_status()
            await asyncio.sleep(0)
    return Latency(
        f"search among {SIZE:,} procedures, with the counts of every filter", "one after another",
        tuple(milliseconds), goal_p95=GOAL_MS,
    )  # fmt: skip
