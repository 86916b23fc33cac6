"""VNPAY 2.1.0: the signed address that asks for a payment, and the signed call (IPN) that says how it ended.

Pure: no clock, no network, no database. https://sandbox.vnpayment.vn/apis/docs/thanh-toan-pay/pay.html
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from services.payment.domain import Outcome, PaymentAttempt, Report, Verdict

PROVIDER = "vnpay"
VERSION = "2.1.0"
_CLOCK = ZoneInfo("Asia/Ho_Chi_Minh")
_TIME = "%Y%m%d%H%M%S"

SIGNATURE = ("vnp_SecureHash", "vnp_SecureHashType")
FIELDS = (
    "vnp_Amount",
    "vnp_BankCode",
    "vnp_BankTranNo",
    "vnp_CardType",
    "vnp_OrderInfo",
    "vnp_PayDate",
    "vnp_ResponseCode",
    "vnp_TmnCode",
    "vnp_TransactionNo",
    "vnp_TransactionStatus",
    "vnp_TxnRef",
    *SIGNATURE,
)
"""The fields of a call; none of them is personal data."""


@dataclass(frozen=True, slots=True)
class Merchant:
    """The contract of this installation with VNPAY."""

    url: str
    tmn_code: str
    secret: str


class Answer(StrEnum):
    """The `RspCode` that VNPAY expects; after anything but 00 and 02 it calls again later."""

    CONFIRMED = "00"
    UNKNOWN_ORDER = "01"
    ALREADY_CONFIRMED = "02"
    WRONG_AMOUNT = "04"
    BAD_SIGNATURE = "97"
    UNREADABLE = "99"

    @property
    def message(self) -> str:
        return _MESSAGES[self]


_MESSAGES = {
    Answer.CONFIRMED: "Confirm Success",
    Answer.UNKNOWN_ORDER: "Order not found",
    Answer.ALREADY_CONFIRMED: "Order already confirmed",
    Answer.WRONG_AMOUNT: "Invalid amount",
    Answer.BAD_SIGNATURE: "Invalid signature",
    Answer.UNREADABLE: "Unknown error",
}

ANSWERS = {
    Verdict.PAYS: Answer.CONFIRMED,
    Verdict.OWED_BACK: Answer.CONFIRMED,  # VNPAY did its part; giving the money back is ours
    Verdict.NOT_PAID: Answer.CONFIRMED,
    Verdict.KNOWN_ALREADY: Answer.ALREADY_CONFIRMED,
    Verdict.WRONG_AMOUNT: Answer.WRONG_AMOUNT,
    Verdict.UNKNOWN_ATTEMPT: Answer.UNKNOWN_ORDER,
}


SETTLED = (Answer.CONFIRMED, Answer.ALREADY_CONFIRMED)
"""Answers after which VNPAY does not call again."""


class Unbelievable(Exception):
    """The call is not from VNPAY, not for us, or not readable: nothing in it may have an effect."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.message)
        self.answer = answer


def sign(params: Mapping[str, str], secret: str) -> str:
    """HMAC-SHA512 over the fields sorted by name and URL-encoded, in lower-case hex."""
    return hmac.new(secret.encode(), urlencode(sorted(params.items())).encode(), hashlib.sha512).hexdigest()


def redirect_url(merchant: Merchant, attempt: PaymentAttempt, *, info: str, return_url: str, address: str) -> str:
    """Where the payer's browser goes to pay. `info` is plain ASCII; `address` is the payer's IP."""
    params = {
        "vnp_Version": VERSION,
        "vnp_Command": "pay",
        "vnp_TmnCode": merchant.tmn_code,
        "vnp_Amount": str(attempt.amount * 100),
        "vnp_CurrCode": "VND",
        "vnp_TxnRef": attempt.reference,
        "vnp_OrderInfo": info,
        "vnp_OrderType": "other",
        "vnp_Locale": "vn",
        "vnp_ReturnUrl": return_url,
        "vnp_IpAddr": address,
        "vnp_CreateDate": _stamp(attempt.created_at),
        "vnp_ExpireDate": _stamp(attempt.expires_at),
    }
    signature = sign(params, merchant.secret)
    return f"{merchant.url}?{urlencode(sorted(params.items()))}&vnp_SecureHash={signature}"


def verify(merchant: Merchant, call: Mapping[str, str]) -> Report:
    """What VNPAY says in this call; `Unbelievable` unless it is signed with our secret, for our merchant."""
    params = {k: v for k, v in call.items() if k.startswith("vnp_") and k not in SIGNATURE}
    signature = call.get("vnp_SecureHash", "").lower()
    if not hmac.compare_digest(sign(params, merchant.secret).encode(), signature.encode()):
        raise Unbelievable(Answer.BAD_SIGNATURE)
    if not hmac.compare_digest(params.get("vnp_TmnCode", "").encode(), merchant.tmn_code.encode()):
        raise Unbelievable(Answer.BAD_SIGNATURE)
    try:
        return _report(params)
    except (KeyError, ValueError) as exc:
        raise Unbelievable(Answer.UNREADABLE) from exc


def evidence(call: Mapping[str, str]) -> dict[str, str]:
    """What is kept of a call, believed or not: the fields above, without what a stranger may have added."""
    return {name: call[name].replace("\0", "")[:255] for name in FIELDS if name in call}


def _report(params: Mapping[str, str]) -> Report:
    dong, hundredths = divmod(int(params["vnp_Amount"]), 100)
    if hundredths:
        raise Unbelievable(Answer.WRONG_AMOUNT)
    outcome = _outcome(params["vnp_ResponseCode"], params["vnp_TransactionStatus"])
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
