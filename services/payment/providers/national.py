"""The national payment platform (nền tảng thanh toán của Cổng Dịch vụ công quốc gia): bills with one line for each fee.

Its specification is not public; messages follow what provincial systems are seen to send: version 1.0.6, `MaXacThuc` is
SHA-256 over the values joined by `|` with the shared secret at the end, `MaLoi` "00" is success. A second message about
a bill that is no longer waiting changes nothing.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from contracts.payment import PaymentMethod
from services.payment.domain import ATTEMPT_LIFE, Capture, Outcome, PaymentAttempt, Report, Verdict
from services.payment.providers import (
    Answer,
    Away,
    Call,
    Declined,
    Order,
    Refunded,
    Started,
    Unbelievable,
    Unsupported,
    evidence_of,
)
from services.payment.providers import http as web
from services.payment.settings import PaymentSettings

PROVIDER = "national"
VERSION = "1.0.6"
CURRENCY = "VND"
OK, WAITING = "00", "01"
_CLOCK = ZoneInfo("Asia/Ho_Chi_Minh")
INIT = ("PhienBan", "MaDoiTac", "MaThamChieu", "SoTien", "LoaiTien", "UrlBack")
BILL = ("PhienBan", "MaDoiTac", "MaThamChieu", "SoTien", "LoaiTien", "MaGiaoDich", "ThoiGianGD", "TrangThaiGD")
ASK = ("PhienBan", "MaDoiTac", "MaThamChieu")


def authenticate(fields: Mapping[str, Any], names: Iterable[str], secret: str) -> str:
    """`MaXacThuc` of a message."""
    return hashlib.sha256("|".join([*(str(fields[name]) for name in names), secret]).encode()).hexdigest()


def _answer(code: str, text: str, *, settled: bool) -> Answer:
    return Answer(code, settled, body={"MaLoi": code, "MoTaLoi": text})


ANSWERS = {
    Verdict.PAYS: _answer(OK, "Thành công", settled=True),
    Verdict.OWED_BACK: _answer(OK, "Thành công", settled=True),
    Verdict.NOT_PAID: _answer(OK, "Thành công", settled=True),
    Verdict.KNOWN_ALREADY: _answer(OK, "Giao dịch đã được ghi nhận", settled=True),
    Verdict.WRONG_AMOUNT: _answer("04", "Số tiền không khớp", settled=False),
    Verdict.UNKNOWN_ATTEMPT: _answer("02", "Không tìm thấy giao dịch", settled=False),
}
NOT_AUTHENTIC = _answer("03", "Sai mã xác thực", settled=False)
UNREADABLE = _answer("99", "Bản tin không đọc được", settled=False)


@dataclass(frozen=True, slots=True)
class NationalPlatform:
    """The contract of this installation with the platform."""

    url: str
    partner: str
    secret: str
    account: str
    """The beneficiary's account (TKThuHuong)."""

    name = PROVIDER
    method = PaymentMethod.GATEWAY
    life = ATTEMPT_LIFE

    @classmethod
    def of(cls, settings: PaymentSettings) -> "NationalPlatform | None":
        if not settings.national_url:
            return None
        secret = settings.national_secret.get_secret_value()
        return cls(settings.national_url, settings.national_partner, secret, settings.national_account)

    def reference(self, attempt_id: UUID) -> str:
        return attempt_id.hex

    async def begin(self, attempt: PaymentAttempt, order: Order) -> Started:
        fields: dict[str, Any] = {
            "PhienBan": VERSION,
            "MaDoiTac": self.partner,
            "MaThamChieu": attempt.reference,
            "SoTien": attempt.amount,
            "LoaiTien": CURRENCY,
            "UrlBack": order.return_url,
        }
        bill = {"MaDichVu": "2", "MaHoSo": order.dossier_code, "TKThuHuong": self.account}
        code = authenticate(fields, INIT, self.secret)
        said = await web.post(f"{self.url}/init", {**fields, "ThongTinBienLai": bill, "MaXacThuc": code})
        if said.get("MaLoi") != OK or not said.get("UrlThanhToan"):
            raise Declined(str(said.get("MaLoi")))
        return Started(redirect_url=str(said["UrlThanhToan"]))

    def hear(self, call: Call) -> Report:
        try:
            said = json.loads(call.body)
            self._believe(said)
            return _report(said)
        except (KeyError, ValueError, TypeError) as exc:
            raise Unbelievable(UNREADABLE) from exc

    def _believe(self, said: Mapping[str, Any]) -> None:
        expected = authenticate(said, BILL, self.secret)
        authentic = hmac.compare_digest(expected.encode(), str(said["MaXacThuc"]).encode())
        if not authentic or said["MaDoiTac"] != self.partner or said["LoaiTien"] != CURRENCY:
            raise Unbelievable(NOT_AUTHENTIC)

    def answer(self, verdict: Verdict) -> Answer:
        return ANSWERS[verdict]

    def evidence(self, call: Call) -> dict[str, str]:
        try:
            said = json.loads(call.body)
        except ValueError:
            return {}
        return evidence_of(said, (*BILL, "MaXacThuc")) if isinstance(said, dict) else {}

    async def query(self, attempt: PaymentAttempt) -> Report | None:
        fields = {"PhienBan": VERSION, "MaDoiTac": self.partner, "MaThamChieu": attempt.reference}
        said = await web.post(f"{self.url}/bill", {**fields, "MaXacThuc": authenticate(fields, ASK, self.secret)})
        if said.get("MaLoi") != OK or said.get("TrangThaiGD") == WAITING:
            return None
        try:
            self._believe(said)
            return _report(said)
        except (KeyError, ValueError, TypeError, Unbelievable) as exc:
            raise Away("bill unreadable") from exc

    async def refund(self, capture: Capture, refund_id: UUID) -> Refunded:
        raise Unsupported("the platform has no message for it")


def _report(said: Mapping[str, Any]) -> Report:
    reference, amount = str(said["MaThamChieu"]), int(said["SoTien"])
    if said["TrangThaiGD"] != OK:
        return Report(PROVIDER, reference, Outcome.FAILED, amount, transaction="", paid_at=None)
    at = datetime.strptime(str(said["ThoiGianGD"]), "%Y%m%d%H%M%S").replace(tzinfo=_CLOCK)
    return Report(PROVIDER, reference, Outcome.SUCCEEDED, amount, str(said["MaGiaoDich"]), at)
