"""Official forms (Mẫu 01–05, Thông tư 03/2025/TT-VPCP): what each of them has to say.

Whoever changes a dossier states the facts of its form in the same transaction; the document is made from them
afterwards. A field of the regulation without a default cannot be forgotten.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from contracts.refusal import Refusal


class Form(StrEnum):
    """Which form. The value is part of its reference."""

    RECEIPT = "mau-01"
    """Giấy tiếp nhận hồ sơ và hẹn trả kết quả."""
    SUPPLEMENT = "mau-02"
    """Phiếu yêu cầu bổ sung, hoàn thiện hồ sơ."""
    REFUSAL = "mau-03"
    """Phiếu từ chối tiếp nhận, giải quyết hồ sơ."""
    APOLOGY = "mau-04"
    """Văn bản xin lỗi và đề nghị gia hạn thời gian trả kết quả."""
    STOP = "mau-05"
    """Thông báo dừng giải quyết hồ sơ."""


TITLES = {
    Form.RECEIPT: "Giấy tiếp nhận hồ sơ và hẹn trả kết quả",
    Form.SUPPLEMENT: "Phiếu yêu cầu bổ sung, hoàn thiện hồ sơ",
    Form.REFUSAL: "Phiếu từ chối tiếp nhận, giải quyết hồ sơ",
    Form.APOLOGY: "Văn bản xin lỗi và đề nghị gia hạn thời gian trả kết quả",
    Form.STOP: "Thông báo dừng giải quyết hồ sơ",
}

SYMBOLS = {Form.SUPPLEMENT: "HDHS", Form.REFUSAL: "TCHS", Form.APOLOGY: "XLHS", Form.STOP: "DGQ"}
"""Symbol behind the running number (`15/HDHS`); the receipt has the dossier's code instead."""


class FormNotFound(Refusal):
    """The dossier has no such form."""

    status = 404
    title = "Hồ sơ không có văn bản này"
    title_en = "The dossier has no such form"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What every form says besides what the dossier itself tells (code, owner, procedure)."""

    unit: str
    """Agency id of whoever issues it: its name, number and seal stand on the form."""
    at: datetime
    """When it is issued; the date on the form."""
    officer: str = ""
    """Name of the officer to turn to, as printed; empty when only the unit is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """One line of the table of components that were received (thành phần hồ sơ)."""

    name: str
    kind: str = "Bản điện tử"
    """Bản chính, bản sao, bản chứng thực, bản điện tử."""
    pages: int
    copies: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One line of fees, in whole đồng."""

    name: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptFacts(Facts):
    """Mẫu 01: the desk accepted the dossier and gives an appointment."""

    papers: tuple[Paper, ...]
    sets: int = 1
    """Number of sets (số bộ hồ sơ)."""
    time_limit: str
    """In words: `3 ngày làm việc`."""
    received_at: datetime
    appointment_at: datetime | None
    """None for a procedure without an appointment."""
    delivery: str
    """How and where the result is received, in words."""
    fees: tuple[Charge, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToComplete:
    """One component that has to be put right: what is wrong with it, and how to fix it."""

    component: str
    """Name of the component, as the applicant knows it."""
    problem: str
    guidance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """A paper original to bring, and why the law needs it."""

    component: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplementFacts(Facts):
    """Mẫu 02: what the applicant has to complete, at once and in full."""

    round: int
    items: tuple[ToComplete, ...]
    originals: tuple[Original, ...]
    citizen_fault: str | None
    """From round 2: what of the previous guidance was not done."""
    due_at: datetime
    """Until when; then the dossier is closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalFacts(Facts):
    """Mẫu 03: taken in no further, and why."""

    accepted: bool
    """False: not taken in (từ chối tiếp nhận). True: refused after acceptance (từ chối giải quyết)."""
    reason: str
    legal_basis: str | None
    """None only when the unit is not competent."""
    competent_unit: str | None
    """Agency id of the unit to turn to instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApologyFacts(Facts):
    """Mẫu 04: the agency is late, apologises and names a new date, at most once."""

    accepted_at: datetime
    due_at: datetime
    """The appointment that cannot be kept."""
    new_due_at: datetime
    reason: str
    signer_ref: UUID | None = None
    """Opaque reference of the head who signs it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopFacts(Facts):
    """Mẫu 05: the dossier is over without a result."""

    reason: str
    """At the applicant's request, or because the supplement did not come in time, or for a legal reason."""
    legal_basis: str | None
    returned: tuple[str, ...]
    """Papers that are given back."""
    fee: str
    """What happens to fees already paid, in words."""


AnyFacts = ReceiptFacts | SupplementFacts | RefusalFacts | ApologyFacts | StopFacts

FACTS: dict[Form, type[AnyFacts]] = {
    Form.RECEIPT: ReceiptFacts,
    Form.SUPPLEMENT: SupplementFacts,
    Form.REFUSAL: RefusalFacts,
    Form.APOLOGY: ApologyFacts,
    Form.STOP: StopFacts,
}
"""What each form is made from."""


def name(form: Form, key: str | int = "") -> str:
    """Names one form of a dossier: `mau-02-1`. `key` tells several of one kind apart, such as the round."""
    return f"{form}-{key}" if key != "" else form.value


def ref(dossier_code: str, form: Form, key: str | int = "") -> str:
    """The opaque reference that events carry; `GET /dossiers/{code}/forms/{name}` under the same two parts."""
    return f"{dossier_code}/{name(form, key)}"


@dataclass(frozen=True, slots=True)
class Ordered:
    """A form of a dossier, made already or about to be."""

    dossier_code: str
    name: str
    form: Form
    facts: AnyFacts
    number: int | None
    """Running number of its kind at the unit in the year; None for the receipt."""
    head: str | None = None
    """How far the dossier's history was: its head, as printed; None for one that was ordered before there was any."""
    sha256: str | None = None
    """Of the signed file; None until it is made."""

    @property
    def full_number(self) -> str:
        """Number and symbol as they are printed: `15/HDHS`."""
        return f"{self.number}/{SYMBOLS[self.form]}" if self.number else ""
