"""What the official forms say: their stored facts, in Vietnamese and as people write dates and money."""

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from services.dossier import typesetting
from services.dossier.clocks.calendar import HANOI
from services.dossier.forms.domain import (
    ApologyFacts,
    Facts,
    Form,
    Ordered,
    ReceiptFacts,
    RefusalFacts,
    StopFacts,
    SupplementFacts,
)
from services.dossier.parties.domain import Particulars
from services.dossier.processing.domain import Dossier
from services.dossier.tenant import Tenant, Unit

TEMPLATES = Path(__file__).parent / "templates"
DESK = "Bộ phận Tiếp nhận và Trả kết quả"
PLACE = re.compile(r"\b(?:xã|phường|đặc khu|tỉnh|thành phố) (.+)$")
"""An agency's seat is the end of its name: Ủy ban nhân dân xã *Bình Minh*."""


def template(form: Form) -> Path:
    return TEMPLATES / f"{form}.typ"


def told(form: Ordered, dossier: Dossier, people: Particulars, tenant: Tenant, lookup_url: str) -> dict[str, Any]:
    """Everything that the template of this form shows."""
    facts = form.facts
    unit = tenant.units.get(facts.unit, Unit(facts.unit, facts.unit))
    signer_lines = ["TM. " + unit.name] if form.form is Form.APOLOGY else ["Bộ phận Tiếp nhận", "và Trả kết quả"]
    return {
        **letterhead(unit, lookup_url, signer_lines),
        "number_line": f"Số: {form.full_number}" if form.number else "",
        "place_and_date": place_and_date(unit, facts.at),
        "code": dossier.code,
        "owner": dossier.facts.owner_name,
        "procedure": dossier.facts.procedure_name,
        "about": about(people),
        "desk": DESK,
        "phone": unit.phone,
        "contact": _contact(facts, unit),
        "signer_name": facts.officer,
        "recipients": [dossier.facts.owner_name, "Lưu: Hệ thống một cửa điện tử"],
        **_own(facts, tenant),
    }


def about(people: Particulars) -> dict[str, str]:
    """Who is behind the dossier, as far as they said: label and value."""
    owner, submitter = people.owner, people.submitter
    facts = {
        "Người nộp hồ sơ": submitter.name if submitter.name != owner.name else None,
        "Số định danh": owner.identity_number,
        "Địa chỉ": owner.address.text,
        "Số điện thoại": submitter.phone or owner.phone,
        "Thư điện tử": submitter.email or owner.email,
    }
    return {label: value for label, value in facts.items() if value}


def letterhead(unit: Unit, lookup_url: str, signer_lines: list[str]) -> dict[str, Any]:
    """What `letterhead.typ` needs of every document."""
    return {
        "parent": "",
        "agency": unit.name,
        "signer_lines": signer_lines,
        "signer_name": "",
        "lookup_url": lookup_url,
        "lookup_shown": lookup_url.partition("//")[2].partition("#")[0],
        "qr": typesetting.qr(lookup_url),
    }


def _contact(facts: Facts, unit: Unit) -> str:
    who = f"{facts.officer} - {DESK}" if facts.officer else DESK
    return f"{who} {unit.name}" + (f", điện thoại {unit.phone}" if unit.phone else "")


def _own(facts: Facts, tenant: Tenant) -> dict[str, Any]:
    """What only this form says."""
    match facts:
        case ReceiptFacts():
            return _receipt(facts)
        case SupplementFacts():
            return _supplement(facts)
        case RefusalFacts():
            return _refusal(facts, tenant)
        case ApologyFacts():
            return _apology(facts)
        case StopFacts():
            return _stop(facts)
    raise TypeError(type(facts).__name__)


def _receipt(facts: ReceiptFacts) -> dict[str, Any]:
    return {
        "papers": [
            {"name": paper.name, "kind": paper.kind, "pages": str(paper.pages), "copies": str(paper.copies)}
            for paper in facts.papers
        ],
        "sets": f"{facts.sets:02d}",
        "time_limit": facts.time_limit,
        "received_at": moment(facts.received_at),
        "appointment": moment(facts.appointment_at) if facts.appointment_at else "Không hẹn ngày trả",
        "delivery": facts.delivery,
        "fees": [{"name": fee.name, "amount": dong(fee.amount)} for fee in facts.fees],
    }


def _supplement(facts: SupplementFacts) -> dict[str, Any]:
    return {
        "round": facts.round,
        "items": [
            {"component": item.component, "problem": item.problem, "guidance": item.guidance} for item in facts.items
        ],
        "originals": [{"component": original.component, "why": original.why} for original in facts.originals],
        "citizen_fault": facts.citizen_fault,
        "due": moment(facts.due_at),
    }


def _refusal(facts: RefusalFacts, tenant: Tenant) -> dict[str, Any]:
    where = tenant.units.get(facts.competent_unit or "")
    return {
        "accepted": facts.accepted,
        "reason": facts.reason,
        "legal_basis": facts.legal_basis,
        "competent": where.name if where else facts.competent_unit,
        "competent_where": f" (địa chỉ: {where.address})" if where and where.address else "",
    }


def _apology(facts: ApologyFacts) -> dict[str, Any]:
    return {
        "received_on": f"Ngày {facts.accepted_at.astimezone(HANOI):%d/%m/%Y}",
        "due": moment(facts.due_at),
        "new_due": moment(facts.new_due_at),
        "reason": facts.reason,
    }


def _stop(facts: StopFacts) -> dict[str, Any]:
    return {
        "reason": facts.reason,
        "legal_basis": facts.legal_basis,
        "returned": list(facts.returned),
        "fee": facts.fee,
        "stopped_at": moment(facts.at),
    }


def place_and_date(unit: Unit, at: datetime) -> str:
    """`Bình Minh, ngày 05 tháng 02 năm 2026`: one-digit days and the months 1 and 2 get a zero (NĐ 30/2020)."""
    local = at.astimezone(HANOI)
    month = f"{local.month:02d}" if local.month < 3 else str(local.month)
    found = PLACE.search(unit.name)
    return f"{found[1] if found else unit.name}, ngày {local:%d} tháng {month} năm {local.year}"


def moment(at: datetime) -> str:
    """`15:04 ngày 22/11/2026`, local time."""
    return f"{at.astimezone(HANOI):%H:%M ngày %d/%m/%Y}"


def dong(amount: int) -> str:
    """`16.000 đ`."""
    return f"{amount:,}".replace(",", ".") + " đ"


FILE_NAMES: Mapping[Form, str] = {
    Form.RECEIPT: "giay-tiep-nhan",
    Form.SUPPLEMENT: "phieu-yeu-cau-bo-sung",
    Form.REFUSAL: "phieu-tu-choi",
    Form.APOLOGY: "phieu-xin-loi",
    Form.STOP: "thong-bao-dung-giai-quyet",
}
"""How the downloaded file is called, before the dossier's code."""
