"""What the control sheet and the register say."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from contracts.dossier import DeliveryMethod, Punctuality
from services.dossier.clocks.calendar import HANOI
from services.dossier.forms.words import TEMPLATES, letterhead, moment, place_and_date
from services.dossier.processing.acts.domain import LABELS as ACTS
from services.dossier.processing.domain import LABELS as STATES
from services.dossier.processing.domain import Act, Dossier, State
from services.dossier.registers.domain import Entry, Hand, HandOver
from services.dossier.tenant import Tenant, Unit

CONTROL_SHEET = TEMPLATES / "mau-06.typ"
REGISTER = TEMPLATES / "mau-07.typ"

HANDS: Mapping[Hand, str] = {
    Hand.APPLICANT: "Người nộp hồ sơ",
    Hand.DESK: "Bộ phận Tiếp nhận và Trả kết quả",
    Hand.SPECIALIST: "Công chức chuyên môn",
    Hand.HEAD: "Người phụ trách, lãnh đạo",
    Hand.LEADER: "Lãnh đạo",
    Hand.CLERK: "Văn thư",
    Hand.UNIT: "",
}
KEPT: Mapping[Punctuality, str] = {
    Punctuality.EARLY: "Trước hạn",
    Punctuality.ON_TIME: "Đúng hạn",
    Punctuality.LATE: "Quá hạn",
}
SENDING: Mapping[Act, str] = {
    Act.SUBMIT: "Nộp hồ sơ trực tuyến",
    Act.PREPAY: "Đã nộp phí, lệ phí trước; hồ sơ đến Bộ phận Một cửa",
    Act.REGISTER_PAPER: "Nhận hồ sơ giấy, tiếp nhận",
    Act.CLOSE: "Đóng hồ sơ do không bổ sung",
}
"""Acts that are no button of a dossier that was sent."""
METHODS: Mapping[str, str] = {
    DeliveryMethod.ONLINE: "Trực tuyến",
    DeliveryMethod.DESK: "Tại Bộ phận Một cửa",
    DeliveryMethod.POST: "Bưu chính công ích",
}


def control_sheet(
    dossier: Dossier, rows: Iterable[HandOver], tenant: Tenant, lookup_url: str, at: datetime
) -> dict[str, Any]:
    """Mẫu 06: every hand-over of the dossier until now."""
    unit = _unit(dossier.facts.receiving_unit, tenant)
    return {
        **_head(unit, lookup_url, at),
        "code": dossier.code,
        "owner": dossier.facts.owner_name,
        "procedure": dossier.facts.procedure_name,
        "received": moment(dossier.accepted_at) if dossier.accepted_at else "Chưa tiếp nhận",
        "appointment": moment(dossier.due_at) if dossier.due_at else "Không hẹn ngày trả",
        "status": STATES[dossier.state],
        "outcome": _kept(dossier.outcome),
        "rows": [_row(row, tenant) for row in rows],
    }


def _row(row: HandOver, tenant: Tenant) -> dict[str, str]:
    due = f"Hạn: {moment(row.due_at)}" if row.due_at else ""
    return {
        "what": SENDING.get(row.act) or ACTS[row.act],
        "giver": _hand(row.giver, row.giving_unit, tenant),
        "receiver": _hand(row.receiver, row.receiving_unit, tenant),
        "at": moment(row.at),
        "kept": _kept(row.kept),
        "note": "\n".join(filter(None, (due, row.reason))),
    }


def _hand(hand: Hand, unit: str | None, tenant: Tenant) -> str:
    return "\n".join(filter(None, (HANDS[hand], _unit(unit, tenant).name if unit else "")))


def _kept(outcome: str | None) -> str:
    return KEPT[Punctuality(outcome)] if outcome else ""


def _unit(unit: str, tenant: Tenant) -> Unit:
    return tenant.units.get(unit, Unit(unit, unit))


def _head(unit: Unit, lookup_url: str, at: datetime) -> dict[str, Any]:
    return {
        **letterhead(unit, lookup_url, []),
        "number_line": "",
        "place_and_date": place_and_date(unit, at),
        "printed_at": moment(at),
    }


def register(
    unit: str, first: date, last: date, entries: Sequence[Entry], tenant: Tenant, lookup_url: str, at: datetime
) -> dict[str, Any]:
    """Mẫu 07: what the unit took in from the first day to the last."""
    return {
        **_head(_unit(unit, tenant), lookup_url, at),
        "period": f"Từ ngày {first:%d/%m/%Y} đến ngày {last:%d/%m/%Y}",
        "rows": [_entry(entry, tenant) for entry in entries],
    }


def _entry(entry: Entry, tenant: Tenant) -> list[str]:
    """The thirteen columns of the form, without the running number."""
    return [
        entry.code,
        entry.procedure_name,
        "01",
        entry.owner_name,
        _reach(entry.details or {}),
        _unit(entry.competent_unit, tenant).name,
        _short(entry.accepted_at),
        _short(entry.due_at),
        _short(entry.returned_at),
        METHODS.get(entry.delivery, entry.delivery),
        _signed_for(entry),
        ", ".join(filter(None, (STATES[State(entry.state)], _kept(entry.outcome).lower()))),
    ]


def _reach(details: Mapping[str, Any]) -> str:
    owner, submitter = details.get("owner") or {}, details.get("submitter") or {}
    address = (owner.get("address") or {}).get("text")
    return "\n".join(filter(None, (address, owner.get("phone") or submitter.get("phone"))))


def _signed_for(entry: Entry) -> str:
    """Ký nhận: the system knows who received it; nothing is signed by hand."""
    if entry.returned_at is None or entry.state != State.RETURNED:
        return ""
    return entry.receiver_name or "Đã nhận"


def _short(at: datetime | None) -> str:
    return f"{at.astimezone(HANOI):%H:%M\n%d/%m/%Y}" if at else ""
