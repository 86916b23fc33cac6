"""What the bank knows: payments asked for, what the payer decided, and what the merchant was told."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from deploy.standins.bank import signing
from deploy.standins.common import VIET_NAM, Recent, now, setting

REQUIRED = (
    *("vnp_Version", "vnp_Command", "vnp_TmnCode", "vnp_Amount", "vnp_CreateDate", "vnp_CurrCode", "vnp_IpAddr"),
    *("vnp_Locale", "vnp_OrderInfo", "vnp_OrderType", "vnp_ReturnUrl", "vnp_TxnRef"),
)
QUERY_FIELDS = (
    *("vnp_RequestId", "vnp_Version", "vnp_Command", "vnp_TmnCode", "vnp_TxnRef", "vnp_TransactionDate"),
    *("vnp_CreateDate", "vnp_IpAddr", "vnp_OrderInfo"),
)
REFUND_FIELDS = (
    *("vnp_RequestId", "vnp_Version", "vnp_Command", "vnp_TmnCode", "vnp_TransactionType", "vnp_TxnRef"),
    *("vnp_Amount", "vnp_TransactionNo", "vnp_TransactionDate", "vnp_CreateBy", "vnp_CreateDate", "vnp_IpAddr"),
    "vnp_OrderInfo",
)
ANSWER_FIELDS = (
    *("vnp_ResponseId", "vnp_Command", "vnp_ResponseCode", "vnp_Message", "vnp_TmnCode", "vnp_TxnRef"),
    *("vnp_Amount", "vnp_BankCode", "vnp_PayDate", "vnp_TransactionNo", "vnp_TransactionType"),
    *("vnp_TransactionStatus", "vnp_OrderInfo", "vnp_PromotionCode", "vnp_PromotionAmount"),
)


class PaymentPageError(Exception):
    """The payment page refuses the request; nobody is sent back, because nothing in it can be trusted."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True)
class Outcome:
    """How a payment ended: vnp_ResponseCode and vnp_TransactionStatus."""

    response_code: str
    status: str


PAID = Outcome("00", "00")
CANCELLED = Outcome("24", "02")
EXPIRED = Outcome("11", "02")


@dataclass
class Payment:
    """One request to pay and what became of it."""

    asked: Mapping[str, str]
    """The request's `vnp_` parameters."""
    transaction_no: str = "0"
    outcome: Outcome | None = None
    """None while the payer has not decided."""
    decided_at: datetime | None = None
    refund_no: str = ""
    """The bank's number of the refund, once there was one."""
    refund_id: str = ""
    reversed: bool = False
    """The money was taken back afterwards."""
    callbacks: list[str] = field(default_factory=list)
    """RspCode of each call to the merchant, or the kind of failure."""

    @property
    def txn_ref(self) -> str:
        return self.asked["vnp_TxnRef"]

    @property
    def amount(self) -> int:
        """In đồng."""
        return int(self.asked["vnp_Amount"]) // 100

    @property
    def paid(self) -> bool:
        return self.outcome == PAID

    def is_late(self, at: datetime) -> bool:
        until = self.asked.get("vnp_ExpireDate", "")
        return bool(until) and _stamp(at) > until

    def result(self) -> dict[str, str]:
        """What the merchant is told, by callback and through the browser; empty before the decision."""
        if self.outcome is None or self.decided_at is None:
            return {}
        told = {name: self.asked[name] for name in ("vnp_TmnCode", "vnp_Amount", "vnp_OrderInfo", "vnp_TxnRef")}
        told |= {
            "vnp_BankCode": "NCB" if self.paid else "VNPAY",
            "vnp_CardType": "ATM",
            "vnp_PayDate": _stamp(self.decided_at),
            "vnp_TransactionNo": self.transaction_no,
            "vnp_ResponseCode": self.outcome.response_code,
            "vnp_TransactionStatus": self.outcome.status,
        }
        return told | ({"vnp_BankTranNo": f"VNP{self.transaction_no}"} if self.paid else {})


@dataclass
class Bank:
    tmn_code: str
    secret: str
    ipn_url: str
    retry_seconds: float
    payments: Recent[Payment] = field(default_factory=lambda: Recent(10_000))
    """By vnp_TxnRef."""
    queries: Recent[bool] = field(default_factory=lambda: Recent(10_000))
    """vnp_RequestId of the queries answered."""
    last_transaction_no: int = field(default_factory=lambda: 14_000_000 + secrets.randbelow(1_000_000))

    def asked_to_pay(self, parameters: Mapping[str, str]) -> Payment:
        """The payment of this signed request, new or known; PaymentPageError if the request is not good."""
        self._check(parameters)
        asked = {name: value for name, value in parameters.items() if name.startswith("vnp_")}
        payment = self.payments.get(asked["vnp_TxnRef"])
        if payment is None:
            payment = self.payments[asked["vnp_TxnRef"]] = Payment(asked)
        if payment.asked != asked:
            raise PaymentPageError("02", "Mã giao dịch này đã được dùng cho một yêu cầu thanh toán khác.")
        return payment

    def _check(self, parameters: Mapping[str, str]) -> None:
        if parameters.get("vnp_TmnCode") != self.tmn_code:
            raise PaymentPageError("72", "Không tìm thấy đơn vị nhận tiền.")
        if not signing.is_signed(parameters, self.secret):
            raise PaymentPageError("70", "Sai chữ ký của yêu cầu thanh toán.")
        missing = [name for name in REQUIRED if not parameters.get(name)]
        fixed = {"vnp_Version": "2.1.0", "vnp_Command": "pay", "vnp_CurrCode": "VND"}
        wrong = [name for name, value in fixed.items() if parameters.get(name) != value]
        if missing or wrong or not _is_amount(parameters["vnp_Amount"]):
            named = ", ".join([*missing, *wrong]) or "vnp_Amount"
            raise PaymentPageError("03", f"Yêu cầu thanh toán sai định dạng: {named}.")

    def decide(self, payment: Payment, *, pay: bool) -> bool:
        """The payer decides, once; whether this was the decision. After vnp_ExpireDate nobody can pay."""
        if payment.outcome is not None:
            return False
        at = now()
        expired = payment.is_late(at)
        payment.outcome = EXPIRED if expired else PAID if pay else CANCELLED
        payment.decided_at = at
        if payment.paid:
            self.last_transaction_no += 1
            payment.transaction_no = str(self.last_transaction_no)
        return True

    def return_url(self, payment: Payment) -> str:
        return _with_query(payment.asked["vnp_ReturnUrl"], signing.signed_query(payment.result(), self.secret))

    def callback_url(self, payment: Payment, *, forged: bool = False) -> str:
        secret = "not the merchant's" if forged else self.secret
        return _with_query(self.ipn_url, signing.signed_query(payment.result(), secret))

    def refund(self, asked: Mapping[str, str], *, refuses: bool = False) -> dict[str, str]:
        """The signed answer to a refund message: the whole amount, once; a repetition gets the same number."""
        answer = dict.fromkeys(ANSWER_FIELDS, "") | self._refund_result(asked, refuses)
        answer |= {"vnp_ResponseId": secrets.token_hex(16), "vnp_Command": "refund"}
        signed = signing.joined(answer[name] for name in ANSWER_FIELDS[:13])
        return answer | {signing.SIGNATURE: signing.sign(signed, self.secret)}

    def _refund_result(self, asked: Mapping[str, str], refuses: bool) -> dict[str, str]:
        text = signing.joined(asked.get(name, "") for name in REFUND_FIELDS)
        payment = self.payments.get(asked.get("vnp_TxnRef", ""))
        if not signing.matches(text, asked.get(signing.SIGNATURE, ""), self.secret):
            return _refusal("97", "Invalid checksum")
        if payment is None or payment.transaction_no != asked["vnp_TransactionNo"]:
            return _refusal("91", "Transaction not found")
        if refuses or asked["vnp_Amount"] != payment.asked["vnp_Amount"] or asked["vnp_TransactionType"] != "02":
            return _refusal("95", "Refund refused")
        if payment.refund_id and payment.refund_id != asked["vnp_RequestId"]:
            return _refusal("94", "Refund in process")
        if not payment.refund_no:
            self.last_transaction_no += 1
            payment.refund_no, payment.refund_id = str(self.last_transaction_no), asked["vnp_RequestId"]
        return {**_found(payment), "vnp_TransactionNo": payment.refund_no, "vnp_Message": "Refund success"}

    def query(self, asked: Mapping[str, str]) -> dict[str, str]:
        """The signed answer to a querydr message."""
        answer = dict.fromkeys(ANSWER_FIELDS, "") | self._query_result(asked)
        answer |= {"vnp_ResponseId": secrets.token_hex(16), "vnp_Command": "querydr"}
        answer[signing.SIGNATURE] = signing.sign(signing.joined(answer[name] for name in ANSWER_FIELDS), self.secret)
        return answer

    def _query_result(self, asked: Mapping[str, str]) -> dict[str, str]:
        text = signing.joined(asked.get(name, "") for name in QUERY_FIELDS)
        if asked.get("vnp_TmnCode") != self.tmn_code:
            return _refusal("02", "Invalid TmnCode")
        if not signing.matches(text, asked.get(signing.SIGNATURE, ""), self.secret):
            return _refusal("97", "Invalid checksum")
        if asked.get("vnp_Command") != "querydr" or not all(asked.get(name) for name in QUERY_FIELDS):
            return _refusal("03", "Invalid data format")
        if asked["vnp_RequestId"] in self.queries:
            return _refusal("94", "Duplicate request")
        self.queries[asked["vnp_RequestId"]] = True
        payment = self.payments.get(asked["vnp_TxnRef"])
        if payment is None or payment.asked["vnp_CreateDate"] != asked["vnp_TransactionDate"]:
            return _refusal("91", "Transaction not found")
        return _found(payment)


def _found(payment: Payment) -> dict[str, str]:
    known = payment.result()
    return {
        **{name: value for name, value in known.items() if name in ANSWER_FIELDS},
        "vnp_TmnCode": payment.asked["vnp_TmnCode"],
        "vnp_TxnRef": payment.txn_ref,
        "vnp_Amount": payment.asked["vnp_Amount"],
        "vnp_OrderInfo": payment.asked["vnp_OrderInfo"],
        "vnp_TransactionStatus": payment.outcome.status if payment.outcome else "01",
        "vnp_TransactionType": "01",
        "vnp_ResponseCode": "00",
        "vnp_Message": "QueryDR Success",
    }


def _refusal(code: str, message: str) -> dict[str, str]:
    return {"vnp_ResponseCode": code, "vnp_Message": message}


def _stamp(at: datetime) -> str:
    return at.astimezone(VIET_NAM).strftime("%Y%m%d%H%M%S")


def _is_amount(text: str) -> bool:
    """Whole đồng × 100."""
    return text.isascii() and text.isdigit() and int(text) > 0 and int(text) % 100 == 0


def _with_query(url: str, query: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{query}"


def from_environment() -> Bank:
    """The bank that the environment of the package's docstring describes."""
    return Bank(
        tmn_code=setting("MOTCUA_VNPAY_TMN_CODE"),
        secret=setting("MOTCUA_VNPAY_SECRET"),
        ipn_url=setting("MOTCUA_VNPAY_IPN_URL"),
        retry_seconds=float(setting("MOTCUA_VNPAY_IPN_RETRY_SECONDS", "5")),
    )
