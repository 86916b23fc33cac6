"""What the payment service says: what a dossier costs, what was paid, and the receipts for it.

The key is the dossier's code, and `version` counts every payment fact of that dossier together, whatever the
assessment. Amounts are whole đồng. Who paid is not said: the payment page needs only the dossier's code.
"""

from typing import get_args
from uuid import UUID

from pydantic import AwareDatetime, Field

from contracts.envelope import Audience, Channel, Event
from contracts.money import Dong, FeeKind, FeeLine, FeeTiming
from contracts.vocabulary import Vocabulary


class PaymentMethod(Vocabulary):
    """How the money came.

    `gateway`: a payment gateway (bank card, account or e-wallet). `qr`: a transfer by VietQR, matched by its
    purpose text. `transfer`: a bank transfer recorded by a cashier. `cash`: at the desk. `post`: collected by
    the post.
    """

    GATEWAY = "gateway"
    QR = "qr"
    TRANSFER = "transfer"
    CASH = "cash"
    POST = "post"


class AboutFees(Event):
    """A fact about the fees of one dossier."""

    dossier_code: str
    """The code of the dossier that the money is for, for example `H99.02.01-261122-0001`."""
    assessment_id: UUID
    """Names the assessment: the set of lines that were priced and asked for together."""


class FeeRequested(AboutFees):
    """The applicant owes these fees; they can be paid from now on."""

    lines: tuple[FeeLine, ...] = Field(min_length=1)
    """What is owed."""
    amount: int = Field(ge=1)
    """The sum of the lines, in whole đồng."""
    due_at: AwareDatetime | None = None
    """Until when it should be paid, in UTC; null when only the hand-over of the result waits for it."""
    timing: FeeTiming
    """What the payment is a condition of."""


class FeePaid(AboutFees):
    """The money is there: the provider's signed message, the bank statement or the cashier says so.

    It is said once per successful attempt, whatever how often the provider repeats itself; never on the word
    of a browser that comes back from the bank.
    """

    attempt_id: UUID
    """Names the attempt to pay that succeeded; a cashier's entry is an attempt too."""
    amount: int = Field(ge=1)
    """What was paid, in whole đồng."""
    outstanding: Dong = 0
    """What is still owed on the assessment afterwards, in whole đồng; 0 means it is settled."""
    method: PaymentMethod
    """How it was paid."""
    provider: str
    """Who took the money: the gateway's name, for example `vnpay`, or `cashier`."""
    provider_txn: str
    """The provider's transaction number; with `provider` it names the payment uniquely."""
    paid_at: AwareDatetime
    """When the provider took the money, in UTC."""


class FeeWaived(AboutFees):
    """An officer with that right lifted the fee."""

    amount: Dong
    """What is no longer owed, in whole đồng."""
    reason: str
    """The ground of exemption, in Vietnamese. The publisher keeps personal data out of it."""
    document_ref: str | None = None
    """Opaque reference of the document that proves the ground."""
    officer_ref: UUID
    """Opaque reference of the officer."""


class FeeRefunded(AboutFees):
    """Money went back: paid twice, paid too late, or refundable because the dossier ended."""

    attempt_id: UUID
    """The attempt whose money went back."""
    amount: int = Field(ge=1)
    """What went back, in whole đồng."""
    reason: str
    """Why, in Vietnamese. The publisher keeps personal data out of it."""
    provider_txn: str | None = None
    """The provider's number of the refund; null when it was handed back in cash."""
    refunded_at: AwareDatetime
    """When, in UTC."""


class ReceiptIssued(AboutFees):
    """An electronic receipt (biên lai) was issued (Nghị định 123/2020/NĐ-CP, Art. 32(2), as amended).

    Numbers have no gap within symbol and year. Charges (phí) and fees (lệ phí) get separate receipts.
    """

    receipt_no: str = Field(pattern=r"^\d{7}$")
    """The number, seven digits, from 0000001 each 1 January."""
    form_symbol: str
    """Symbol of the receipt's form (ký hiệu mẫu biên lai)."""
    symbol: str
    """Symbol of the series (ký hiệu biên lai): letters and the last two digits of the year."""
    year: int = Field(ge=2020)
    """The year the number belongs to, in Viet Nam."""
    kind: FeeKind
    """What kind of money it is a receipt for."""
    amount: int = Field(ge=1)
    """The sum on the receipt, in whole đồng."""
    issued_at: AwareDatetime
    """When it was issued, in UTC."""
    receipt_ref: str | None = None
    """Opaque reference of the receipt's file; the payment service gives it to whoever may have it."""


PaymentEvent = FeeRequested | FeePaid | FeeWaived | FeeRefunded | ReceiptIssued

PAYMENTS = Channel(
    "payment.payments.v1",
    owner="payment",
    audience=Audience.PUBLIC,
    key="dossier_code",
    events=get_args(PaymentEvent),
    doc="What one dossier costs, what was paid and which receipts were issued, in order for each dossier.",
)
