"""The national payment platform as provincial systems see it: init → pay page → confirmation; GET_BILL as `/bill`.

`MaXacThuc` is SHA-256 over the values joined by `|`, the shared secret last; `MaLoi` "00" is success.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

import httpx2
from fastapi import APIRouter, Form, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from deploy.standins.common import VIET_NAM, Recent, now, page

INIT = ("PhienBan", "MaDoiTac", "MaThamChieu", "SoTien", "LoaiTien", "UrlBack")
BILL = ("PhienBan", "MaDoiTac", "MaThamChieu", "SoTien", "LoaiTien", "MaGiaoDich", "ThoiGianGD", "TrangThaiGD")
ASK = ("PhienBan", "MaDoiTac", "MaThamChieu")
PAID, WAITING, FAILED = "00", "01", "02"

router = APIRouter()


@dataclass
class Bill:
    asked: Mapping[str, Any]
    state: str = WAITING
    number: str = ""
    decided_at: datetime | None = None
    callbacks: list[str] = field(default_factory=list)
    """MaLoi of each call to the merchant, or the kind of failure."""


@dataclass
class Platform:
    partner: str
    secret: str
    address: str
    confirm_url: str
    bills: Recent[Bill] = field(default_factory=lambda: Recent(10_000))

    def code(self, fields: Mapping[str, Any], names: tuple[str, ...]) -> str:
        joined = "|".join([*(str(fields.get(name, "")) for name in names), self.secret])
        return hashlib.sha256(joined.encode()).hexdigest()

    def believes(self, asked: Mapping[str, Any], names: tuple[str, ...]) -> bool:
        known = asked.get("MaDoiTac") == self.partner
        return known and hmac.compare_digest(self.code(asked, names), str(asked.get("MaXacThuc", "")))

    def told(self, bill: Bill) -> dict[str, Any]:
        at = (bill.decided_at or now()).astimezone(VIET_NAM)
        fields = {
            "PhienBan": bill.asked["PhienBan"], "MaDoiTac": self.partner, "MaThamChieu": bill.asked["MaThamChieu"],
            "SoTien": bill.asked["SoTien"], "LoaiTien": "VND", "MaGiaoDich": bill.number,
            "ThoiGianGD": f"{at:%Y%m%d%H%M%S}", "TrangThaiGD": bill.state,
        }  # fmt: skip
        return fields | {"MaXacThuc": self.code(fields, BILL)}


def _platform(request: Request) -> Platform:
    platform: Platform = request.app.state.national
    return platform


@router.get("/told/national/{reference}")
async def told(request: Request, reference: str) -> dict[str, Any]:
    """The confirmation of this bill, for tests; the real one shows it to nobody."""
    return _platform(request).told(_bill(request, reference))


@router.post("/national/init")
async def init(request: Request, asked: dict[str, Any]) -> dict[str, Any]:
    platform = _platform(request)
    if not platform.believes(asked, INIT):
        return {"MaLoi": "03", "MoTaLoi": "Sai mã xác thực"}
    reference = str(asked["MaThamChieu"])
    if reference not in platform.bills:
        platform.bills[reference] = Bill(asked)
    return {"MaLoi": "00", "MoTaLoi": "Thành công", "UrlThanhToan": f"{platform.address}/national/{reference}"}


@router.get("/national/{reference}")
async def show(request: Request, reference: str) -> Response:
    bill = _bill(request, reference)
    about = bill.asked["ThongTinBienLai"]["MaHoSo"]
    return page(
        "bank.html", amount=bill.asked["SoTien"], txn_ref=reference, order_info=about, merchant="Cổng DVC quốc gia"
    )


@router.post("/national/bill")
async def ask(request: Request, asked: dict[str, Any]) -> dict[str, Any]:
    platform = _platform(request)
    if not platform.believes(asked, ASK):
        return {"MaLoi": "03", "MoTaLoi": "Sai mã xác thực"}
    bill = platform.bills.get(str(asked["MaThamChieu"]))
    return {"MaLoi": "00", **platform.told(bill)} if bill else {"MaLoi": "02", "MoTaLoi": "Không tìm thấy giao dịch"}


@router.post("/national/{reference}")
async def decide(
    request: Request, reference: str, decision: Annotated[str, Form(pattern="^(pay|cancel)$")]
) -> Response:
    platform, bill = _platform(request), _bill(request, reference)
    if bill.state == WAITING:
        bill.state, bill.decided_at = (PAID if decision == "pay" else FAILED), now()
        bill.number = f"NPP{secrets.randbelow(10**12):012d}" if bill.state == PAID else ""

        async def tell(client: httpx2.AsyncClient, forged: bool) -> str:
            return await _call(client, platform, platform.told(bill) | ({"MaXacThuc": "0" * 64} if forged else {}))

        request.app.state.callbacks.begin(tell, ("00",), bill.callbacks)
    return RedirectResponse(str(bill.asked["UrlBack"]), 303)


async def _call(client: httpx2.AsyncClient, platform: Platform, body: dict[str, Any]) -> str:
    try:
        return str((await client.post(platform.confirm_url, json=body)).json()["MaLoi"])
    except httpx2.HTTPError as error:
        return type(error).__name__
    except (ValueError, KeyError, TypeError):
        return "not the platform's protocol"


def _bill(request: Request, reference: str) -> Bill:
    bill = _platform(request).bills.get(reference)
    if bill is None:
        raise HTTPException(404)
    return bill
