"""MoMo v2: a signed request gives a page to pay at, a signed call (IPN) says how it ended and wants 204 within 15 s.

Signatures are HMAC-SHA256 over `key=value` pairs joined by `&`, keys from a to z. A repeated `requestId` is harmless.
https://developers.momo.vn/v3/docs/payment/api/wallet/onetime
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from contracts.payment import PaymentMethod
from kit import ids
from services.payment.domain import ATTEMPT_LIFE, Capture, Outcome, PaymentAttempt, Report, Verdict
from services.payment.providers import Answer, Away, Call, Declined, Order, Refunded, Started, Unbelievable, evidence_of
from services.payment.providers import http as web
from services.payment.settings import PaymentSettings

PROVIDER = "momo"
CALLBACK = (
    *("amount", "extraData", "message", "orderId", "orderInfo", "orderType", "partnerCode", "payType", "requestId"),
    *("responseTime", "resultCode", "transId"),
)
"""What the signature of a call goes over, besides our access key."""
KEPT = ("partnerCode", "orderId", "requestId", "amount", "transId", "resultCode", "payType", "responseTime")
"""The fields of a call that are kept; none of them is personal data."""
PAID = 0
UNDECIDED = (1000, 7000, 7002, 9000)
"""Begun, on its way, or authorised and not captured."""
CANCELLED = (1003, 1006)
REFUND_AGAIN_LATER = (10, 99, 7000, 7002)
TAKEN = Answer("204", settled=True, status=204)
REFUSED = Answer("400", settled=False, status=400)


def sign(fields: Mapping[str, Any], secret: str) -> str:
    text = "&".join(f"{name}={fields[name]}" for name in sorted(fields))
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class MoMo:
    """The contract of this installation with MoMo."""

    url: str
    """Base of the API, `https://payment.momo.vn`."""
    partner_code: str
    access_key: str
    secret: str
    ipn_url: str
    """Where MoMo calls us."""

    name = PROVIDER
    method = PaymentMethod.GATEWAY
    life = ATTEMPT_LIFE

    @classmethod
    def of(cls, settings: PaymentSettings) -> "MoMo | None":
        if not settings.momo_url:
            return None
        return cls(
            settings.momo_url, settings.momo_partner_code, settings.momo_access_key.get_secret_value(),
            settings.momo_secret.get_secret_value(), f"{settings.callback_base}/api/v1/callbacks/{PROVIDER}",
        )  # fmt: skip

    def reference(self, attempt_id: UUID) -> str:
        return attempt_id.hex

    async def begin(self, attempt: PaymentAttempt, order: Order) -> Started:
        fields = {
            "partnerCode": self.partner_code,
            "requestType": "captureWallet",
            "ipnUrl": self.ipn_url,
            "redirectUrl": order.return_url,
            "orderId": attempt.reference,
            "amount": attempt.amount,
            "orderInfo": order.info,
            "requestId": attempt.reference,
            "extraData": "",
        }
        said = await self._ask("create", fields, extra={"lang": "vi"})
        if said.get("resultCode") != PAID or not said.get("payUrl"):
            raise Declined(str(said.get("resultCode")))
        return Started(redirect_url=str(said["payUrl"]))

    def hear(self, call: Call) -> Report:
        said = _object(call.body)
        fields = {name: said.get(name, "") for name in CALLBACK}
        expected = sign(fields | {"accessKey": self.access_key}, self.secret)
        signature = str(said.get("signature", ""))
        if not hmac.compare_digest(expected.encode(), signature.encode()) or said["partnerCode"] != self.partner_code:
            raise Unbelievable(REFUSED)
        try:
            return _report(said)
        except (KeyError, ValueError, TypeError) as exc:
            raise Unbelievable(REFUSED) from exc

    def answer(self, verdict: Verdict) -> Answer:
        """MoMo knows one answer: taken. What does not fit our records is a case for a person, not for MoMo."""
        return TAKEN

    def evidence(self, call: Call) -> dict[str, str]:
        try:
            return evidence_of(_object(call.body), KEPT)
        except Unbelievable:
            return {}

    async def query(self, attempt: PaymentAttempt) -> Report | None:
        fields = {"partnerCode": self.partner_code, "requestId": ids.new().hex, "orderId": attempt.reference}
        said = await self._ask("query", fields, extra={"lang": "vi"})
        if said.get("resultCode") in UNDECIDED:
            return None
        try:
            return _report(said)
        except (KeyError, ValueError, TypeError) as exc:
            raise Away("query unreadable") from exc

    async def refund(self, capture: Capture, refund_id: UUID) -> Refunded:
        fields = {
            "partnerCode": self.partner_code,
            "orderId": refund_id.hex,
            "requestId": refund_id.hex,
            "amount": capture.amount,
            "transId": int(capture.transaction),
            "description": f"Hoan tien {capture.reference}",
        }
        said = await self._ask("refund", fields, extra={"lang": "vi"})
        code = said.get("resultCode")
        if code in REFUND_AGAIN_LATER:
            raise Away(f"refund {code}")
        if code != PAID:
            raise Declined(str(code))
        return Refunded(str(said.get("transId", refund_id.hex)))

    async def _ask(self, what: str, fields: dict[str, Any], extra: dict[str, str]) -> dict[str, Any]:
        signature = sign(fields | {"accessKey": self.access_key}, self.secret)
        return await web.post(f"{self.url}/v2/gateway/api/{what}", {**fields, **extra, "signature": signature})


def _object(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except ValueError as exc:
        raise Unbelievable(REFUSED) from exc
    if not isinstance(said, dict) or not _has(said, CALLBACK):
        raise Unbelievable(REFUSED)
    return said


def _has(said: Mapping[str, Any], names: Iterable[str]) -> bool:
    return all(isinstance(said.get(name, ""), str | int) for name in names)


def _report(said: Mapping[str, Any]) -> Report:
    code, amount, order = int(said["resultCode"]), int(said["amount"]), str(said["orderId"])
    if code != PAID:
        outcome = Outcome.CANCELLED if code in CANCELLED else Outcome.FAILED
        return Report(PROVIDER, order, outcome, amount, transaction="", paid_at=None)
    at = datetime.fromtimestamp(int(said["responseTime"]) / 1000, UTC)
    return Report(PROVIDER, order, Outcome.SUCCEEDED, amount, str(said["transId"]), at)
