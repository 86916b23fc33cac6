"""VietQR: a bank transfer whose QR code carries the amount and, as its purpose text, our reference (NAPAS, EMVCo TLV).

Nobody calls us when the money arrives: the bank's statement says so, and a transfer is ours only when purpose and
amount are exactly those of an attempt (reconciliation). Anything else is for a person to look at.
"""

import base64
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from contracts.payment import PaymentMethod
from services.payment.domain import Capture, PaymentAttempt, Report, Verdict
from services.payment.providers import Answer, Call, Order, Refunded, Started, Unbelievable, Unsupported
from services.payment.settings import PaymentSettings

PROVIDER = "vietqr"
NAPAS = "A000000727"
TO_ACCOUNT = "QRIBFTTA"
DONG = "704"
LONGEST_PURPOSE = 25
PREFIX = "MC"
NOBODY_CALLS = Answer("404", settled=True, status=404)


def payload(bank: str, account: str, amount: int | None = None, purpose: str = "") -> str:
    """What the QR code says. `bank`: six digits (BIN); without an amount the code is static; `purpose` is ASCII."""
    receiver = _field("00", bank) + _field("01", account)
    fields = _field("00", "01") + _field("01", "12" if amount else "11")
    fields += _field("38", _field("00", NAPAS) + _field("01", receiver) + _field("02", TO_ACCOUNT))
    fields += _field("53", DONG)
    fields += _field("54", str(amount)) if amount else ""
    fields += _field("58", "VN")
    fields += _field("62", _field("08", purpose)) if purpose else ""
    return f"{fields}6304{crc(f'{fields}6304'):04X}"


def _field(tag: str, value: str) -> str:
    return f"{tag}{len(value):02d}{value}"


def crc(text: str) -> int:
    """CRC-16/CCITT-FALSE: polynomial 0x1021, from 0xFFFF."""
    register = 0xFFFF
    for byte in text.encode("ascii"):
        register ^= byte << 8
        for _ in range(8):
            register = (register << 1 ^ 0x1021 if register & 0x8000 else register << 1) & 0xFFFF
    return register


@dataclass(frozen=True, slots=True)
class VietQR:
    """The account of the state treasury that the province collects on."""

    bank: str
    account: str

    name = PROVIDER
    method = PaymentMethod.QR
    life = timedelta(days=3)  # the bank's statement may come only after a weekend

    @classmethod
    def of(cls, settings: PaymentSettings) -> "VietQR | None":
        if not settings.vietqr_account:
            return None
        return cls(settings.vietqr_bank, settings.vietqr_account)

    def reference(self, attempt_id: UUID) -> str:
        """Fourteen letters and digits that survive any bank's purpose field: 60 random bits of the id."""
        random = (attempt_id.int & ((1 << 60) - 1)) << 4
        return PREFIX + base64.b32encode(random.to_bytes(8, "big")).decode()[:12]

    async def begin(self, attempt: PaymentAttempt, order: Order) -> Started:
        return Started(qr=payload(self.bank, self.account, attempt.amount, attempt.reference))

    def hear(self, call: Call) -> Report:
        raise Unbelievable(NOBODY_CALLS)

    def answer(self, verdict: Verdict) -> Answer:
        return NOBODY_CALLS

    def evidence(self, call: Call) -> dict[str, str]:
        return {}

    async def query(self, attempt: PaymentAttempt) -> Report | None:
        raise Unsupported("the bank's statement tells")

    async def refund(self, capture: Capture, refund_id: UUID) -> Refunded:
        raise Unsupported("a transfer back is made by a person")
