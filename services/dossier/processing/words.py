"""What the slip of receipt and appointment (Mẫu 01) says of one acceptance."""

from contracts.dossier import ComponentSource, DeliveryMethod
from services.dossier.attachments.domain import ComponentFile
from services.dossier.catalogue.domain import Procedure, TimeLimit, TimeUnit
from services.dossier.forms.domain import Charge, Paper, ReceiptFacts
from services.dossier.processing.domain import Dossier
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
    case = procedure.case(dossier.facts.case)
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
