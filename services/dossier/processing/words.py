"""What the slip of receipt and appointment (Mẫu 01) says."""

from datetime import datetime
from pathlib import Path
from typing import Any

from contracts.dossier import DeliveryMethod
from services.dossier import typesetting
from services.dossier.attachments.domain import ComponentFile
from services.dossier.catalogue.domain import Procedure, TimeLimit, TimeUnit
from services.dossier.clocks.calendar import HANOI
from services.dossier.processing.domain import Dossier
from services.dossier.tenant import Tenant, Unit

SLIP = Path(__file__).parent / "forms/mau-01.typ"

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


def slip(
    dossier: Dossier, procedure: Procedure, files: list[ComponentFile], tenant: Tenant, lookup_url: str
) -> dict[str, Any]:
    """The facts of Mẫu 01 for one accepted dossier."""
    unit = tenant.units.get(dossier.facts.receiving_unit, Unit(dossier.facts.receiving_unit, "Bộ phận Một cửa"))
    case = procedure.case(dossier.facts.case)
    names = {component.code: component.name for component in case.components}
    return {
        "code": dossier.code,
        "agency": unit.name,
        "phone": unit.phone,
        "owner": dossier.facts.owner_name,
        "procedure": procedure.name,
        "components": [
            {"name": names.get(file.component_code, file.component_code), "pages": str(file.pages)} for file in files
        ],
        "time_limit": time_limit(case.time),
        "received_at": moment(dossier.accepted_at),
        "appointment": moment(dossier.due_at) if dossier.due_at else "Không hẹn ngày trả",
        "delivery": DELIVERY[dossier.facts.delivery].format(place=unit.result_place or unit.name),
        "fees": [{"name": line.name, "amount": dong(line.amount)} for line in dossier.fee_lines],
        "lookup_url": lookup_url,
        "qr": typesetting.qr(lookup_url),
    }


def time_limit(limit: TimeLimit) -> str:
    """`Trong ngày`, `3 ngày làm việc`, …"""
    if limit.unit is TimeUnit.SAME_DAY:
        late = f"; nhận sau {limit.cutoff} thì trả trong ngày làm việc tiếp theo" if limit.cutoff else ""
        return "Trong ngày làm việc" + late
    return UNITS[limit.unit].format(n=limit.value)


def moment(at: datetime | None) -> str:
    """`15:04 ngày 22/11/2026`, local time."""
    return f"{at.astimezone(HANOI):%H:%M ngày %d/%m/%Y}" if at else ""


def dong(amount: int) -> str:
    """`16.000 đ`."""
    return f"{amount:,}".replace(",", ".") + " đ"
