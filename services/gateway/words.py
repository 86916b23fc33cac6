"""How things are written for people: Vietnamese words for states, dates of An Bình's clock, money with its unit."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")

STATES = {
    "draft": "Chưa gửi",
    "awaiting_prepayment": "Chờ thanh toán",
    "submitted": "Mới đăng ký",
    "supplement_requested_intake": "Yêu cầu bổ sung",
    "supplement_submitted": "Đã gửi bổ sung",
    "accepted": "Được tiếp nhận",
    "assigned": "Đang xử lý",
    "in_process": "Đang xử lý",
    "consulting": "Đang lấy ý kiến",
    "supplement_requested_processing": "Yêu cầu bổ sung",
    "awaiting_financial_obligation": "Yêu cầu thực hiện nghĩa vụ tài chính",
    "pending_approval": "Trình ký",
    "result_signed": "Đã ký số",
    "result_ready": "Đã xử lý xong, chờ trả kết quả",
    "returned": "Đã trả kết quả",
    "rejected": "Không được tiếp nhận",
    "withdrawn": "Công dân rút hồ sơ",
    "stopped": "Dừng xử lý",
    "closed_incomplete": "Đóng hồ sơ do không bổ sung",
}

FEE_KINDS = {"phi": "Phí", "le_phi": "Lệ phí", "dich_vu": "Dịch vụ", "khac": "Khác"}
DELIVERIES = {
    "online": "Nhận bản điện tử trên Cổng",
    "desk": "Nhận tại bộ phận một cửa",
    "post": "Nhận qua bưu chính",
}
STEPS = {
    "desk": "bộ phận một cửa",
    "specialist": "công chức chuyên môn",
    "division_head": "lãnh đạo phòng",
    "leader": "lãnh đạo",
    "clerk": "văn thư",
    "desk_return": "trả kết quả",
}
LEVELS = {"full": "Toàn trình", "partial": "Một phần", "information_only": "Cung cấp thông tin"}


def moment(value: str | datetime | None) -> datetime | None:
    """A time from an answer (RFC 3339) on An Bình's clock."""
    if not value:
        return None
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return found.astimezone(LOCAL)


def clock(value: str | datetime | None) -> str:
    """`15:04 22/11/2026`; empty for nothing."""
    at = moment(value)
    return at.strftime("%H:%M %d/%m/%Y") if at else ""


def day(value: str | datetime | None) -> str:
    """`22/11/2026`; empty for nothing."""
    at = moment(value)
    return at.strftime("%d/%m/%Y") if at else ""


def dong(amount: int | None) -> str:
    """`16.000 đ`."""
    return f"{amount or 0:,}".replace(",", ".") + " đ"


def number(value: float) -> str:
    """`0,5`; whole numbers without decimals."""
    return f"{value:g}".replace(".", ",")


_TIME_UNITS = {"working_day": "ngày làm việc", "calendar_day": "ngày", "working_hour": "giờ làm việc"}


def time_limit(limit: Mapping[str, Any]) -> str:
    """How long a case takes, in words."""
    after = f"; nhận sau {limit['cutoff'][:5]} thì trả trong ngày làm việc tiếp theo" if limit.get("cutoff") else ""
    if limit["unit"] == "same_day":
        return f"Ngay trong ngày làm việc{after}"
    return f"{number(limit['value'])} {_TIME_UNITS.get(limit['unit'], limit['unit'])}{after}"


_REQUIREMENTS = {
    "mandatory": "Bắt buộc",
    "conditional": "Bắt buộc trong vài trường hợp",
    "optional": "Không bắt buộc",
}
_MODES = {"submit": "tải tệp lên", "present": "chỉ xuất trình khi đến, không cần tải lên"}


def headings(eform: Mapping[str, Any], asked: Sequence[str]) -> dict[str, str]:
    """By the name of the first question that is asked of each section: the section's heading."""
    firsts = [
        (next((name for name in section["fields"] if name in asked), None), section["title"])
        for section in eform.get("sections", ())
    ]
    return {name: title for name, title in firsts if name}


def requirement(component: Mapping[str, Any]) -> str:
    """Whether and how a component is given."""
    if component.get("filled_by_eform"):
        return "Đã có trong tờ khai điện tử, không cần tải lên"
    if component.get("replaced_by_database"):
        return "Cơ quan tự tra cứu trong cơ sở dữ liệu; chỉ bổ sung khi được yêu cầu"
    needed = _REQUIREMENTS.get(component["requirement"], component["requirement"])
    return f"{needed} · {_MODES.get(component['mode'], component['mode'])}"


def price(line: Mapping[str, Any]) -> str:
    """What a fee line costs online before anything is filled in: `8.000 đ/bản`, and when or how it is reckoned."""
    prices = line.get("unit_price")
    amount = f"{dong(prices['online'])}{'/' + line['unit'] if line.get('unit') else ''}" if prices else ""
    return ". ".join(filter(None, [amount, line.get("explained")]))


def size(length: int) -> str:
    """Bytes for people: `120 KB`, `9,5 MB`."""
    return f"{number(round(length / 1024**2, 1))} MB" if length >= 1024**2 else f"{max(1, length // 1024)} KB"


def types(kinds: Sequence[str]) -> str:
    """`PDF, JPEG hoặc PNG`."""
    names = [kind.rsplit("/", 1)[-1].upper() for kind in kinds]
    return " hoặc ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def answer(field: Mapping[str, Any], value: Any) -> str:
    """An answer of the e-form as it is read back."""
    if value is None:
        return "Chưa điền"
    match field["input"]:
        case "choice":
            return str(field["options"].get(value, value))
        case "yes_no":
            return "Có" if value else "Không"
    return typed(field, value)


def typed(field: Mapping[str, Any], value: Any) -> str:
    """An answer as it stands in its input: dates as `20/03/1990`, nothing as nothing."""
    if field["input"] == "date" and _ISO_DAY.fullmatch(str(value)):
        return "/".join(reversed(value.split("-")))
    return "" if value is None else str(value)


def day_typed(text: str) -> str:
    """`20/3/1990` as `1990-03-20`; anything else as it is, because sending says what is wrong with it."""
    match = _TYPED_DAY.fullmatch(text)
    return f"{match[3]}-{int(match[2]):02d}-{int(match[1]):02d}" if match else text


_ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TYPED_DAY = re.compile(r"([0-9]{1,2})[/.-]([0-9]{1,2})[/.-]([0-9]{4})")


def state(name: str | None) -> str:
    """The label of a dossier's state; the name itself when it is a new one."""
    return STATES.get(name or "", name or "")


def remaining(due: str | datetime | None, now: datetime) -> str:
    """How long until then, in words: `còn 1 giờ 20 phút`, `quá hạn 2 ngày`; empty for nothing."""
    at = moment(due)
    if at is None:
        return ""
    left = at - now
    return f"còn {_span(left)}" if left > timedelta() else f"quá hạn {_span(-left)}"


def _span(length: timedelta) -> str:
    minutes = int(length.total_seconds()) // 60
    if minutes >= 2 * 24 * 60:
        return f"{minutes // (24 * 60)} ngày"
    hours, rest = divmod(minutes, 60)
    return f"{hours} giờ {rest} phút" if hours else f"{rest} phút"


def span(seconds: float) -> str:
    """A duration by its two largest units: `2 ngày 3 giờ`, `1 giờ 20 phút`, `dưới 1 phút`."""
    minutes = int(seconds) // 60
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    named = [(days, "ngày"), (hours, "giờ"), (rest, "phút")]
    first = next((place for place, (count, _) in enumerate(named) if count), None)
    if first is None:
        return "dưới 1 phút"
    return " ".join(f"{count} {name}" for count, name in named[first : first + 2] if count)


# ── statistics ────────────────────────────────────────────────────────────────────────────────────────────────

GROUPS = {
    "Tiếp nhận": (
        "carried_over", "received", "received_online", "received_direct", "received_post", "accepted",
        "received_offered",
    ),
    "Kết quả giải quyết": (
        "settled", "settled_early", "settled_on_time", "settled_late", "refused_intake", "refused", "withdrawn",
        "stopped", "closed",
    ),
    "Đang giải quyết": (
        "pending", "pending_reception", "pending_within", "pending_over", "paused_supplement", "paused_obligation",
    ),
    "Kỷ luật, kỷ cương": ("reception_missed", "apologies", "supplements", "supplemented_again", "violations"),
    "Thanh toán": ("paid", "paid_online"),
    "Số hóa và tái sử dụng": (
        "components", "components_store", "components_database", "reusing", "papers", "papers_digitised",
        "results_digital",
    ),
}  # fmt: skip
"""Heading → the figures under it."""

_OUTCOMES = {
    "early": "Trước hạn",
    "on_time": "Đúng hạn",
    "late": "Quá hạn",
    "refused_intake": "Không được tiếp nhận",
    "refused": "Từ chối giải quyết",
    "withdrawn": "Người nộp rút",
    "stopped": "Dừng xử lý",
    "closed": "Đóng do không bổ sung",
}


def outcome(name: str | None) -> str:
    """How a dossier ended."""
    return _OUTCOMES.get(name or "", name or "")


def month(value: str) -> str:
    """`2026-11` as `tháng 11/2026`."""
    return f"tháng {value[5:]}/{value[:4]}"


def count(value: int | None) -> str:
    """`12.345`; empty for nothing."""
    return "" if value is None else f"{value:,}".replace(",", ".")


def percent(share: float | None) -> str:
    """`96,5%`; a dash where there is nothing to have a share in. Only all of it is 100%."""
    if share is None:
        return "–"
    return f"{min(share * 100, 100.0 if share == 1 else 99.9):.1f}%".replace(".", ",").replace(",0%", "%")
