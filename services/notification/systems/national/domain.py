"""Our public events in the words of the National Public Service Portal (domain vocabulary of DVCQG, codes 1 to 10).

`NEWS` says of every event whether the portal hears of it, what the progress line reads, and which status follows. The
record of a dossier is made of what the dossier service says at the moment of sending; nothing of it is kept here.
Moments are written as yyyyMMddHHmmss of Viet Nam, and every value is a string, as the portal takes them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from contracts import dossier as d
from contracts import payment as p
from contracts.dossier import DossierEvent
from contracts.national import status_of
from contracts.payment import PaymentEvent

# Viet Nam has had no summer time since 1975; a fixed offset needs no time zone database.
VIET_NAM = timezone(timedelta(hours=7))
ENDED = frozenset({3, 7, 8, 10})
"""Statuses after which the portal takes no other."""
LONGEST = 2000
"""Characters of a text; the portal refuses what is longer."""
WITHIN = timedelta(minutes=10)
"""How soon after it happened the portal has to know (Nghị định 63/2024/NĐ-CP)."""

Json = dict[str, Any]
Said = Mapping[str, Any]
"""The dossier service's record of a dossier, as JSON."""


@dataclass(frozen=True, slots=True)
class News:
    """What one event is to the portal."""

    text: str = ""
    """The progress line (NoiDungXuLy); empty: the record changes, and no line is added."""
    status: int | None = None
    """The national status from now on; None: as before."""
    by: str = "Hệ thống"
    """Who acted, by office: officers stay unnamed outside their unit."""
    unit: str | None = None
    """Agency id of the unit that acted; None: the one that has the dossier."""
    due_at: datetime | None = None
    """Until when what begins now has to be done."""
    fees: str | None = None
    """What became of the fees (TrangThai of DanhSachLePhi), where the event says so."""


RECORD_ONLY = News()

CITIZEN, DESK, OFFICER, LEADER, CLERK = (
    "Người nộp hồ sơ", "Cán bộ một cửa", "Công chức chuyên môn", "Lãnh đạo", "Văn thư",
)  # fmt: skip
OFFICES: Mapping[d.Step, str] = {
    d.Step.DESK: DESK,
    d.Step.SPECIALIST: OFFICER,
    d.Step.DIVISION_HEAD: "Lãnh đạo phòng",
    d.Step.LEADER: LEADER,
    d.Step.CLERK: CLERK,
    d.Step.DESK_RETURN: DESK,
}


def _accepted(event: d.DossierAccepted) -> News:
    text, status = ("Tiếp nhận lại sau khi bổ sung", 4) if event.again else ("Tiếp nhận hồ sơ", 2)
    return News(text, status, DESK, event.unit, event.appointment_at)


def _rejected(event: d.DossierRejected) -> News:
    if event.stage == d.Stage.INTAKE:
        return News(f"Từ chối tiếp nhận hồ sơ: {event.reason}", 3, DESK, event.unit)
    return News(f"Từ chối giải quyết hồ sơ: {event.reason}", 8, LEADER, event.unit)


def _asked(event: d.SupplementRequested) -> News:
    wrong = "; ".join(item.problem for item in event.items)
    return News(f"Yêu cầu bổ sung lần {event.round}: {wrong}", 5, DESK, event.issued_by_unit, event.due_at)


def _supplemented(event: d.SupplementSubmitted) -> News:
    return News(f"Đã gửi bổ sung lần {event.round}", 1 if event.stage == d.Stage.INTAKE else 4, CITIZEN)


def _forwarded(event: d.DossierForwarded) -> News:
    """Given to an officer it is worked on; handed to another unit it is what it was."""
    by = OFFICES.get(event.step, OFFICER)
    return News("Chuyển xử lý", 4 if event.assignee_ref else None, by, event.to_unit, event.step_due_at)


_DONE: Mapping[d.StepOutcome, tuple[str, int | None]] = {
    d.StepOutcome.APPROVAL_PROPOSED: ("Trình duyệt kết quả", 4),
    d.StepOutcome.REFUSAL_PROPOSED: ("Trình duyệt việc từ chối", 4),
}


def _step(event: d.StepCompleted) -> News:
    text, status = _DONE.get(event.outcome, ("Hoàn thành bước xử lý", None))
    return News(text, status, OFFICES.get(event.step, OFFICER), event.unit)


def _extended(event: d.DeadlineExtended) -> News:
    text = (
        "Xin lỗi và hẹn lại ngày trả kết quả" if event.kind == d.ExtensionKind.APOLOGY else "Gia hạn ngày trả kết quả"
    )
    return News(f"{text}: {event.reason}", None, DESK, None, event.new_due_at)


_GROUP: Mapping[d.GroupState, tuple[str, str]] = {
    d.GroupState.RETURNED: ("returned", "mọi thủ tục đã xong"),
    d.GroupState.WITHOUT_RESULT: ("rejected", "kết thúc, không có kết quả"),
}


def _progressed(event: d.InterlinkedProgressed) -> News:
    """Of an interlinked dossier as a whole; its members are dossiers of their own."""
    state, words = _GROUP.get(event.state, ("interlinked", "đang giải quyết"))
    having = sum(member.state == d.MemberState.HAS_RESULT for member in event.members)
    begun = sum(member.dossier_code is not None for member in event.members)
    text = f"Thủ tục liên thông {words}: {begun} đã bắt đầu, {having}/{len(event.members)} có kết quả"
    return News(text, status_of(state, accepted=event.accepted_at is not None), due_at=event.due_at)


NEWS: Mapping[type[DossierEvent] | type[PaymentEvent], Callable[[Any], News] | None] = {
    d.DossierAwaitingPayment: lambda e: News("Đã gửi, chờ thanh toán trước", 6, CITIZEN, e.receiving_unit, e.due_at),
    d.DossierSubmitted: lambda e: News("Nộp hồ sơ", 1, CITIZEN, e.receiving_unit),
    d.DossierAccepted: _accepted,
    d.DossierRejected: _rejected,
    d.SupplementRequested: _asked,
    d.SupplementSubmitted: _supplemented,
    d.DossierForwarded: _forwarded,
    d.StepCompleted: _step,
    d.StepReturned: lambda e: News("Chuyển lại bước trước", 4, OFFICES.get(e.step, OFFICER), e.unit),
    d.ConsultationRequested: lambda e: News("Lấy ý kiến cơ quan phối hợp", 4, OFFICER, e.asking_unit, e.due_at),
    d.ConsultationAnswered: lambda e: News("Kết thúc lấy ý kiến cơ quan phối hợp", 4, OFFICER, e.consulted_unit),
    d.FinancialObligationRequested: lambda e: News(
        f"Yêu cầu thực hiện nghĩa vụ tài chính: {e.purpose}", 6, OFFICER, e.unit
    ),
    d.FinancialObligationMet: lambda e: News("Đã thực hiện nghĩa vụ tài chính", 4, OFFICER, e.unit),
    # Status 4 since it was laid before the leader; of a file that was signed later, whatever it is by now.
    d.ResultSigned: lambda _: News("Ký số kết quả", None, LEADER),
    d.ResultIssued: lambda _: News("Đã có kết quả", 9, CLERK),
    d.ResultDelivered: lambda _: News("Trả kết quả", 10, DESK),
    d.ResultRevoked: lambda e: News(f"Kết quả bị thu hồi hoặc thay thế: {e.reason}", None, LEADER, e.unit),
    d.DeadlineExtended: _extended,
    d.DeadlineMissed: None,
    d.DossierWithdrawn: lambda _: News("Công dân rút hồ sơ", 7, CITIZEN),
    d.DossierStopped: lambda e: News(f"Dừng xử lý: {e.reason}", 8, LEADER),
    d.DossierClosed: lambda e: News(f"Đóng hồ sơ: {e.reason}", 8),
    d.InterlinkedSubmitted: lambda e: News("Nộp hồ sơ liên thông", 4, CITIZEN, e.receiving_unit),
    d.InterlinkedProgressed: _progressed,
    d.DossierAcknowledged: None,
    d.ResultQuestioned: None,
    d.ResultQuestionAnswered: None,
    d.OwnerLinked: lambda _: RECORD_ONLY,
    p.FeeRequested: lambda _: News(fees="0"),
    p.FeePaid: lambda e: News(fees="0" if e.outstanding else "1"),
    p.FeeWaived: lambda _: News(fees="2"),
    p.FeeRefunded: lambda _: News(fees="3"),
    p.ReceiptIssued: None,
}
"""Every public event: what it is to the portal. None: it does not hear of it."""


def news_of(event: DossierEvent | PaymentEvent) -> News | None:
    """What the event is to the portal; None when it is none of its concern."""
    told = NEWS.get(type(event))
    return told(event) if told else None


# ── what the portal has ───────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Line:
    """A progress line as the portal tells it back; without an id of its own, these three name it."""

    moment: str
    text: str
    status: str


@dataclass(frozen=True, slots=True)
class Known:
    """What the portal has of a dossier."""

    status: int
    lines: Sequence[Line]
    """In the order in which they came."""
    files: Mapping[str, str]
    """SHA-256 → the portal's number of the file."""


def line_of(event: DossierEvent | PaymentEvent, news: News) -> tuple[str, str]:
    """Moment and text that name the event's progress line at the portal."""
    return local(event.occurred_at), news.text[:LONGEST]


def told_before(known: Known, moment: str, text: str) -> bool:
    """Whether the portal has this progress line already."""
    return any((line.moment, line.text) == (moment, text) for line in known.lines)


def status_is_due(known: Known, news: News, moment: str, text: str) -> bool:
    """Whether the portal has to be given the event's status: not when it is there, nor when the dossier went on.

    An event that is sent again, late or out of a replay never takes a dossier back. Two facts of one second (issued,
    and handed over online) are told apart by the order in which their lines came.
    """
    if news.status in (None, known.status) or known.status in ENDED:
        return False
    if any(line.moment > moment for line in known.lines):
        return False
    same = [line.text for line in known.lines if line.moment == moment]
    return text not in same or same[-1] == text


# ── what the portal is told ───────────────────────────────────────────────────────────────────────────────────


def local(moment: datetime | str | None) -> str:
    """yyyyMMddHHmmss in Viet Nam; nothing for nothing."""
    if not moment:
        return ""
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return at.astimezone(VIET_NAM).strftime("%Y%m%d%H%M%S")


def first_status(said: Said, news: News) -> int:
    """With which status a dossier is created: that of the event, or of the state it has by now."""
    return news.status or status_of(said["state"], accepted=bool(said["accepted_at"]))


_WAY_IN = {d.SubmissionChannel.DESK: "1", d.SubmissionChannel.POST: "3"}
"""KenhThucHien: 1 direct, 2 online, 3 public post."""
_OWNER = {d.OwnerType.CITIZEN: "1", d.OwnerType.BUSINESS: "2", d.OwnerType.ORGANISATION: "3"}
_COLLECTED = {"before_acceptance": "1", "at_acceptance": "1", "at_supplement": "2", "at_result": "4"}
"""HinhThucThu: 1 when received, 2 with a supplement, 4 with the result."""
_PAID = {"none": "0", "requested": "0", "paid": "1", "waived": "2"}


def record_of(said: Said, news: News, status: int, files: Mapping[str, str]) -> Json:
    """The record (DongBoHoSo). `files`: SHA-256 → the portal's number, for every file of the dossier."""
    owner = said["owner"]
    return {
        "MaHoSo": said["code"],
        "MaTTHC": said["procedure_code"],
        "TenTTHC": said["procedure_name"],
        "MaLinhVuc": said["field_code"],
        "TenLinhVuc": said["field_name"],
        "KenhThucHien": _WAY_IN.get(said["channel"], "2"),
        "ChuHoSo": owner["name"],
        "LoaiDoiTuong": _OWNER.get(owner["type"], "1"),
        "MaDoiTuong": owner["identity_number"] or "",
        "Email": owner["email"] or "",
        "SoDienThoai": owner["phone"] or "",
        "TrichYeuHoSo": said["procedure_name"],
        "NgayTiepNhan": local(said["accepted_at"]),
        "NgayHenTra": local(said["due_at"]),
        "TrangThaiHoSo": str(status),
        "NgayTra": local(said["returned_at"]),
        "HinhThuc": "1" if said["delivery"] == d.DeliveryMethod.POST else "0",
        "NgayKetThucXuLy": local(said["result_at"] or said["returned_at"]),
        "DonViXuLy": said["unit"],
        "GhiChu": _note(said),
        "TaiLieuNop": [_paper(one, files) for one in said["files"]],
        "DanhSachLePhi": [_fee(line, said, news) for line in said["fee_lines"]],
        "DanhSachHoSoBoSung": [_supplement(one, said["code"]) for one in said["supplements"]],
        "DanhSachGiayToKetQua": [_result(one, files) for one in said["results"]],
    }


def _note(said: Said) -> str:
    notes = [f"Thuộc hồ sơ liên thông {said['parent_code']}"] if said["parent_code"] else []
    return ". ".join([*notes, "Kết quả đã bị thu hồi"] if said["result_revoked"] else notes)


def _paper(file: Said, files: Mapping[str, str]) -> Json:
    return {
        "TepDinhKemId": files[file["sha256"]],
        "TenTepDinhKem": file["name"],
        "MaThanhPhanHoSo": file["component_code"],
        "HashTepTin": file["sha256"],
        "LoaiBan": copy_type(file["source"], file["signed"]),
        "DuocSoHoa": digitisation(file["source"], file["result_code"]),
    }


def copy_type(source: str, signed: str) -> str:
    """LoaiBan: 2 electronic (signed, or from a document store), 1 a copy (a scan or photograph)."""
    electronic = signed == d.SignatureStatus.VALID or source in (
        d.ComponentSource.EDOC_STORE, d.ComponentSource.DATABASE,
    )  # fmt: skip
    return "2" if electronic else "1"


def digitisation(source: str, result_code: str | None) -> str:
    """DuocSoHoa: 0 not, 1 digitised at the desk, 2 reused, 3 reused from another result."""
    if source == d.ComponentSource.PAPER:
        return "1"
    if source == d.ComponentSource.UPLOAD:
        return "0"
    return "3" if result_code else "2"


def _fee(line: Said, said: Said, news: News) -> Json:
    lifted = bool(line["exempt_reason"])
    return {
        "TenPhiLePhi": line["name"],
        "MaPhiLePhi": line["code"],
        "HinhThucThu": _COLLECTED.get(said["fee_timing"], "1"),
        "Gia": str(line["amount"]),
        "LoaiPhiLePhi": "2" if line["kind"] == "le_phi" else "1",
        "TrangThai": "2" if lifted else news.fees or _PAID.get(said["payment_state"], "0"),
    }


def _supplement(one: Said, code: str) -> Json:
    return {
        "HoSoBoSungId": f"{code}/{one['round']}",
        "NguoiYeuCauBoSung": one["unit"],
        "NoiDungBoSung": one["content"][:LONGEST],
        "NgayBoSung": local(one["requested_at"]),
        "NgayTiepNhanBoSung": local(one["answered_at"]),
        "TrangThaiBoSung": "1" if one["answered_at"] else "0",
        "DanhSachGiayToBoSung": [{"MaThanhPhanHoSo": component} for component in one["components"]],
        "NgayHenTraTruoc": local(one["due_before"]),
        "NgayHenTraMoi": local(one["due_after"]),
    }


def _result(one: Said, files: Mapping[str, str]) -> Json:
    """A link would have to live until somebody opens it: the file itself is uploaded instead."""
    return {
        "TenGiayTo": f"{one['name']} số {one['number']}",
        "MaThanhPhanHoSo": one["code"],
        "GiayToId": files[one["sha256"]],
        "DuongDanTepTinKetQua": "",
    }


def files_of(said: Said) -> dict[str, Said]:
    """Every file that the record names, by SHA-256."""
    return {one["sha256"]: one for one in (*said["files"], *said["results"])}


def progress_of(
    event: DossierEvent | PaymentEvent, news: News, status: int, said: Said, unit_names: Mapping[str, str]
) -> Json:
    """The progress line (CapNhatTienDoHoSo); `status`: the portal's, where the event changes none."""
    moment, text = line_of(event, news)
    where = unit_names.get(news.unit, news.unit) if news.unit else said["unit"]
    return {
        "MaHoSo": event.dossier_code,
        "NguoiXuLy": news.by,
        "ChucDanh": "" if news.by in (CITIZEN, "Hệ thống") else news.by,
        "ThoiDiemXuLy": moment,
        "PhongBanXuLy": where,
        "NoiDungXuLy": text,
        "TrangThai": str(news.status or status),
        "NgayBatDau": moment,
        "NgayKetThucTheoQuyDinh": local(news.due_at),
    }


# ── reconciling ───────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Difference:
    """What the portal lacks of a dossier, against the events that were heard."""

    dossier_code: str
    missing: tuple[int, ...]
    """Versions of the dossier's events whose progress line is not there."""
    status: int | None
    """The portal's; None: it does not know the dossier."""
    expected: int | None
    """The status of the last event that has one; None when none of those heard has."""


def difference(code: str, heard: Sequence[DossierEvent], known: Known | None) -> Difference | None:
    """Against the dossier's events that were heard, oldest first; None when the portal has all of it."""
    told = [(event, news) for event in heard if (news := news_of(event))]
    lines = [(event.version, *line_of(event, news)) for event, news in told if news.text]
    missing = tuple(version for version, *line in lines if known is None or not told_before(known, *line))
    statuses = [news.status for _, news in told if news.status]
    expected = statuses[-1] if statuses else None
    status = known.status if known else None
    if not missing and expected in (None, status):
        return None
    return Difference(code, missing, status, expected)
