"""What the slip of receipt and appointment (Mẫu 01) says of one acceptance."""

from contracts.dossier import ComponentSource, DeliveryMethod, DossierRejected, DossierStopped, DossierWithdrawn, Stage
from services.dossier.attachments.domain import ComponentFile
from services.dossier.catalogue.domain import Procedure, TimeLimit, TimeUnit
from services.dossier.forms.domain import Charge, Paper, ReceiptFacts, RefusalFacts, StopFacts
from services.dossier.processing.domain import Dossier, PaymentState
from services.dossier.tenant import Tenant, Unit

DELIVERY = {
    DeliveryMethod.ONLINE: "Trực tuyến, qua kho tài liệu điện tử và thư điện tử",
    DeliveryMethod.DESK: "Nhận tại {place}",
    DeliveryMethod.POST: "Qua dịch vụ bưu chính công ích",
}
UNITS = {
    TimeUnit.WORKING_DAY: "{n} ngày làm việc",
    TimeUnit.CALENDAR_DAY: "{n} ngày",
    TimeUnit.WORKING_HOUR: "{n} giờ làm việc",
}


KINDS = {ComponentSource.PAPER: "Bản giấy", ComponentSource.DATABASE: "Dữ liệu điện tử"}
"""Everything else came as an electronic file."""


def receipt(
    dossier: Dossier, procedure: Procedure, files: list[ComponentFile], tenant: Tenant, officer: str
) -> ReceiptFacts:
    """The facts of Mẫu 01 for a dossier that was accepted this moment."""
    if dossier.accepted_at is None:
        raise ValueError("the receipt follows the acceptance")
    receiving = dossier.facts.receiving_unit
    unit = tenant.units.get(receiving, Unit(receiving, receiving))
    case = procedure.case(dossier.facts.case).through(dossier.facts.channel)
    names = {component.code: component.name for component in case.components}
    delivery = DELIVERY[dossier.facts.delivery].format(place=unit.result_place or unit.name)
    return ReceiptFacts(
        unit=receiving, at=dossier.accepted_at, officer=officer,
        papers=tuple(_paper(file, names.get(file.component_code, file.component_code)) for file in files),
        time_limit=time_limit(case.time), received_at=dossier.submitted_at or dossier.accepted_at,
        appointment_at=dossier.due_at, delivery=delivery,
        fees=tuple(Charge(name=line.name, amount=line.amount) for line in dossier.fee_lines),
    )  # fmt: skip


def _paper(file: ComponentFile, name: str) -> Paper:
    return Paper(name=name, kind=KINDS.get(file.source, "Bản điện tử"), pages=file.pages)


def time_limit(limit: TimeLimit) -> str:
    """`Trong ngày`, `3 ngày làm việc`, …"""
    if limit.unit is TimeUnit.SAME_DAY:
        late = f"; nhận sau {limit.cutoff} thì trả trong ngày làm việc tiếp theo" if limit.cutoff else ""
        return "Trong ngày làm việc" + late
    return UNITS[limit.unit].format(n=limit.value)


def refusal(said: DossierRejected, officer: str) -> RefusalFacts:
    """The facts of Mẫu 03."""
    return RefusalFacts(
        unit=said.unit, at=said.occurred_at, officer=officer, accepted=said.stage == Stage.PROCESSING,
        reason=said.reason, legal_basis=said.legal_basis, competent_unit=said.competent_unit,
    )  # fmt: skip


WITHDRAWAL_LAW = "Điều 21 Nghị định số 118/2025/NĐ-CP"


def withdrawal(dossier: Dossier, said: DossierWithdrawn) -> StopFacts:
    """The facts of Mẫu 05 for a dossier that its owner took back."""
    why = f": {said.reason.lower()}" if said.reason else ""
    return StopFacts(
        unit=dossier.facts.receiving_unit, at=said.occurred_at, reason=f"Người nộp hồ sơ đề nghị rút hồ sơ{why}",
        legal_basis=WITHDRAWAL_LAW, returned=(), fee=fee_treatment(dossier),
    )  # fmt: skip


def stop(dossier: Dossier, said: DossierStopped, officer: str) -> StopFacts:
    """The facts of Mẫu 05 for a dossier that the leader stopped."""
    return StopFacts(
        unit=dossier.current_unit, at=said.occurred_at, officer=officer, reason=said.reason,
        legal_basis=said.legal_basis, returned=(), fee=fee_treatment(dossier),
    )  # fmt: skip


FEES = {
    PaymentState.NONE: "Hồ sơ không phát sinh phí, lệ phí",
    PaymentState.REQUESTED: "Phí, lệ phí chưa nộp thì không phải nộp nữa",
    PaymentState.PAID: "Phí, lệ phí đã nộp được xử lý theo quy định của thủ tục",
    PaymentState.WAIVED: "Hồ sơ được miễn phí, lệ phí",
}


def fee_treatment(dossier: Dossier) -> str:
    """What becomes of the fees of a dossier that is over without a result, in words."""
    return FEES[dossier.payment_state]
