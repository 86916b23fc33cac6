"""VNPAY 2.1.0: the signed address that asks for a payment, the signed call (IPN) that says how it ended, and the signed
questions `querydr` and `refund`.

https://sandbox.vnpayment.vn/apis/docs/thanh-toan-pay/pay.html and …/truy-van-hoan-tien/querydr&refund.html
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from contracts.payment import PaymentMethod
from kit import ids
from kit.clock import now
from services.payment.domain import ATTEMPT_LIFE, Capture, Outcome, PaymentAttempt, Report, Verdict
from services.payment.providers import Answer, Away, Call, Declined, Order, Refunded, Started, Unbelievable, evidence_of
from services.payment.providers import http as web
from services.payment.settings import PaymentSettings

PROVIDER = "vnpay"
VERSION = "2.1.0"
_CLOCK = ZoneInfo("Asia/Ho_Chi_Minh")
_TIME = "%Y%m%d%H%M%S"
_HERE = "127.0.0.1"
"""`vnp_IpAddr` of our own questions: who asks, not who pays."""

SIGNATURE = ("vnp_SecureHash", "vnp_SecureHashType")
FIELDS = (
    *("vnp_Amount", "vnp_BankCode", "vnp_BankTranNo", "vnp_CardType", "vnp_OrderInfo", "vnp_PayDate"),
    *("vnp_ResponseCode", "vnp_TmnCode", "vnp_TransactionNo", "vnp_TransactionStatus", "vnp_TxnRef"),
    *SIGNATURE,
)
"""The fields of a call; none of them is personal data."""

# What the signature of a question or an answer goes over, joined by `|`.
QUERY = (
    *("vnp_RequestId", "vnp_Version", "vnp_Command", "vnp_TmnCode", "vnp_TxnRef", "vnp_TransactionDate"),
    *("vnp_CreateDate", "vnp_IpAddr", "vnp_OrderInfo"),
)
QUERIED = (
    *("vnp_ResponseId", "vnp_Command", "vnp_ResponseCode", "vnp_Message", "vnp_TmnCode", "vnp_TxnRef", "vnp_Amount"),
    *("vnp_BankCode", "vnp_PayDate", "vnp_TransactionNo", "vnp_TransactionType", "vnp_TransactionStatus"),
    *("vnp_OrderInfo", "vnp_PromotionCode", "vnp_PromotionAmount"),
)
REFUND = (
    *("vnp_RequestId", "vnp_Version", "vnp_Command", "vnp_TmnCode", "vnp_TransactionType", "vnp_TxnRef"),
    *("vnp_Amount", "vnp_TransactionNo", "vnp_TransactionDate", "vnp_CreateBy", "vnp_CreateDate", "vnp_IpAddr"),
    "vnp_OrderInfo",
)
REFUNDED = QUERIED[:13]

NOT_FOUND, ASKED_BEFORE, REFUSED = "91", "94", ("95", "02", "03")
PENDING = "01"
FULL_REFUND = "02"


class Code(StrEnum):
    """The `RspCode` that VNPAY expects; after anything but 00 and 02 it calls again later."""

    CONFIRMED = "00"
    UNKNOWN_ORDER = "01"
    ALREADY_CONFIRMED = "02"
    WRONG_AMOUNT = "04"
    BAD_SIGNATURE = "97"
    UNREADABLE = "99"

    @property
    def answer(self) -> Answer:
        settled = self in (Code.CONFIRMED, Code.ALREADY_CONFIRMED)
        return Answer(self.value, settled, body={"RspCode": self.value, "Message": _MESSAGES[self]})


_MESSAGES = {
    Code.CONFIRMED: "Confirm Success",
    Code.UNKNOWN_ORDER: "Order not found",
    Code.ALREADY_CONFIRMED: "Order already confirmed",
    Code.WRONG_AMOUNT: "Invalid amount",
    Code.BAD_SIGNATURE: "Invalid signature",
    Code.UNREADABLE: "Unknown error",
}

CODES = {
    Verdict.PAYS: Code.CONFIRMED,
    Verdict.OWED_BACK: Code.CONFIRMED,  # VNPAY did its part; giving the money back is ours
    Verdict.NOT_PAID: Code.CONFIRMED,
    Verdict.KNOWN_ALREADY: Code.ALREADY_CONFIRMED,
    Verdict.WRONG_AMOUNT: Code.WRONG_AMOUNT,
    Verdict.UNKNOWN_ATTEMPT: Code.UNKNOWN_ORDER,
}


def sign(params: Mapping[str, str], secret: str) -> str:
    """HMAC-SHA512 over the fields sorted by name and URL-encoded, in lower-case hex."""
    return _hmac(urlencode(sorted(params.items())), secret)


def sign_joined(values: Iterable[str], secret: str) -> str:
    """HMAC-SHA512 over the values in the order of the documentation, joined by `|`."""
    return _hmac("|".join(values), secret)


def _hmac(text: str, secret: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha512).hexdigest()


@dataclass(frozen=True, slots=True)
class VNPay:
    """The contract of this installation with VNPAY."""

    url: str
    """VNPAY's payment page."""
    api_url: str
    """Where questions are asked."""
    tmn_code: str
    secret: str

    name = PROVIDER
    method = PaymentMethod.GATEWAY
    life = ATTEMPT_LIFE

    @classmethod
    def of(cls, settings: PaymentSettings) -> "VNPay | None":
        if not settings.vnpay_url:
            return None
        secret = settings.vnpay_secret.get_secret_value()
        return cls(settings.vnpay_url, settings.vnpay_api_url, settings.vnpay_tmn_code, secret)

    def reference(self, attempt_id: UUID) -> str:
        return attempt_id.hex

    async def begin(self, attempt: PaymentAttempt, order: Order) -> Started:
        return Started(redirect_url=self.redirect_url(attempt, order))

    def redirect_url(self, attempt: PaymentAttempt, order: Order) -> str:
        """Where the payer's browser goes to pay."""
        params = {
            "vnp_Version": VERSION,
            "vnp_Command": "pay",
            "vnp_TmnCode": self.tmn_code,
            "vnp_Amount": str(attempt.amount * 100),
            "vnp_CurrCode": "VND",
            "vnp_TxnRef": attempt.reference,
            "vnp_OrderInfo": order.info,
            "vnp_OrderType": "other",
            "vnp_Locale": "vn",
            "vnp_ReturnUrl": order.return_url,
            "vnp_IpAddr": order.address,
            "vnp_CreateDate": _stamp(attempt.created_at),
            "vnp_ExpireDate": _stamp(attempt.expires_at),
        }
        return f"{self.url}?{urlencode(sorted(params.items()))}&vnp_SecureHash={sign(params, self.secret)}"

    def hear(self, call: Call) -> Report:
        params = {k: v for k, v in call.query.items() if k.startswith("vnp_") and k not in SIGNATURE}
        signature = call.query.get("vnp_SecureHash", "").lower()
        ours = _same(params.get("vnp_TmnCode", ""), self.tmn_code)
        if not (_same(sign(params, self.secret), signature) and ours):
            raise Unbelievable(Code.BAD_SIGNATURE.answer)
        try:
            return _report(params, params["vnp_ResponseCode"])
        except (KeyError, ValueError) as exc:
            raise Unbelievable(Code.UNREADABLE.answer) from exc

    def answer(self, verdict: Verdict) -> Answer:
        return CODES[verdict].answer

    def evidence(self, call: Call) -> dict[str, str]:
        return evidence_of(call.query, FIELDS)

    async def query(self, attempt: PaymentAttempt) -> Report | None:
        asked = self._question("querydr", attempt.reference, attempt.created_at, f"Truy van {attempt.reference}")
        said = await self._ask(asked, QUERY, QUERIED)
        if said["vnp_ResponseCode"] == NOT_FOUND or said.get("vnp_TransactionStatus") == PENDING:
            return None
        if said["vnp_ResponseCode"] != Code.CONFIRMED:
            raise Away(f"querydr {said['vnp_ResponseCode']}")
        try:
            return _report(said, said["vnp_TransactionStatus"])
        except (KeyError, ValueError) as exc:
            raise Away("querydr unreadable") from exc

    async def refund(self, capture: Capture, refund_id: UUID) -> Refunded:
        asked = self._question("refund", capture.reference, capture.started_at, f"Hoan tien {capture.reference}")
        asked |= {
            "vnp_RequestId": refund_id.hex,
            "vnp_TransactionType": FULL_REFUND,
            "vnp_Amount": str(capture.amount * 100),
            "vnp_TransactionNo": capture.transaction,
            "vnp_CreateBy": "motcua",
        }
        said = await self._ask(asked, REFUND, REFUNDED)
        code = said["vnp_ResponseCode"]
        if code in REFUSED or code == NOT_FOUND:
            raise Declined(code)
        if code not in (Code.CONFIRMED, ASKED_BEFORE):
            raise Away(f"refund {code}")
        return Refunded(said.get("vnp_TransactionNo") or refund_id.hex)

    def _question(self, command: str, reference: str, started_at: datetime, info: str) -> dict[str, str]:
        return {
            "vnp_RequestId": ids.new().hex,
            "vnp_Version": VERSION,
            "vnp_Command": command,
            "vnp_TmnCode": self.tmn_code,
            "vnp_TxnRef": reference,
            "vnp_TransactionDate": _stamp(started_at),
            "vnp_CreateDate": _stamp(now()),
            "vnp_IpAddr": _HERE,
            "vnp_OrderInfo": info,
        }

    async def _ask(self, asked: dict[str, str], signed: Iterable[str], answered: Iterable[str]) -> dict[str, str]:
        """VNPAY's answer, believed only with its signature."""
        signature = sign_joined((asked[name] for name in signed), self.secret)
        raw = await web.post(self.api_url, asked | {"vnp_SecureHash": signature})
        said = {name: _text(value) for name, value in raw.items()}
        if not said.get("vnp_ResponseCode"):
            raise Away("no answer code")
        expected = sign_joined((said.get(name, "") for name in answered), self.secret)
        if not _same(expected, said.get("vnp_SecureHash", "").lower()):
            raise Away("bad signature")
        return said


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _same(a: str, b: str) -> bool:
    return hmac.compare_digest(a.encode(), b.encode())


def _report(params: Mapping[str, str], response: str) -> Report:
    dong, hundredths = divmod(int(params["vnp_Amount"]), 100)
    if hundredths:
        raise Unbelievable(Code.WRONG_AMOUNT.answer)
    outcome = _outcome(response, params["vnp_TransactionStatus"])
    if outcome is not Outcome.SUCCEEDED:  # vnp_TransactionNo is "0", the same for everybody
        return Report(PROVIDER, params["vnp_TxnRef"], outcome, dong, transaction="", paid_at=None)
    paid_at = _moment(params["vnp_PayDate"])
    return Report(PROVIDER, params["vnp_TxnRef"], outcome, dong, params["vnp_TransactionNo"], paid_at)


def _outcome(response: str, status: str) -> Outcome:
    match response, status:
        case "00", "00":
            return Outcome.SUCCEEDED
        case "24", _:
            return Outcome.CANCELLED
        case _:
            return Outcome.FAILED


def _stamp(at: datetime) -> str:
    return at.astimezone(_CLOCK).strftime(_TIME)


def _moment(stamp: str) -> datetime:
    return datetime.strptime(stamp, _TIME).replace(tzinfo=_CLOCK)
