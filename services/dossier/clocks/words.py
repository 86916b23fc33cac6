"""How a deadline was computed, in Vietnamese: one sentence for each step of the computation."""

from collections.abc import Mapping
from datetime import date, datetime

from services.dossier.clocks.calendar import HANOI, WEEKEND, Cutoff, Limit, Step, Unit, What
from services.dossier.clocks.domain import Clock, Kind

KINDS: Mapping[Kind, str] = {
    Kind.RECEPTION_SLA: "Thời hạn tiếp nhận hồ sơ",
    Kind.OFFICER_ALERT: "Nhắc cán bộ một cửa xem hồ sơ",
    Kind.PROCESSING_DEADLINE: "Ngày hẹn trả kết quả",
    Kind.DUE_SOON: "Nhắc hồ sơ sắp đến hạn",
    Kind.APOLOGY_ALARM: "Nhắc xin lỗi và hẹn lại nếu không kịp hạn",
    Kind.STEP_DEADLINE: "Thời hạn của bước xử lý",
    Kind.SUPPLEMENT_WINDOW: "Thời hạn được yêu cầu bổ sung khi xử lý",
    Kind.SUPPLEMENT_COMPLETION: "Thời hạn người nộp bổ sung, hoàn thiện hồ sơ",
    Kind.CONSULTATION: "Thời hạn cơ quan phối hợp trả lời",
    Kind.PAYMENT_EXPIRY: "Thời hạn nộp khoản phải nộp trước",
    Kind.ACKNOWLEDGEMENT: "Thời hạn cơ quan giải quyết xác nhận đã nhận hồ sơ liên thông",
}

UNITS: Mapping[Unit, str] = {
    Unit.SAME_DAY: "trong ngày làm việc",
    Unit.WORKING_DAY: "{n} ngày làm việc",
    Unit.CALENDAR_DAY: "{n} ngày",
    Unit.WORKING_HOUR: "{n} giờ làm việc",
    Unit.MINUTE: "{n} phút",
}

CUTOFFS: Mapping[str, str] = {
    Cutoff.AFTER_15: "sau 15 giờ",
    Cutoff.AFTER_17: "sau 17 giờ",
    Cutoff.LAST_HOUR: "trong giờ làm việc cuối cùng của ngày",
    Cutoff.NONE: "",
}


def length(limit: Limit) -> str:
    """`3 ngày làm việc`, `0,5 giờ làm việc`, `trong ngày làm việc`."""
    return UNITS[limit.unit].format(n=number(limit.value))


def number(value: float) -> str:
    """`3`, `0,5`."""
    return f"{value:g}".replace(".", ",")


def moment(at: datetime) -> str:
    """`15:04 ngày 22/11/2026`, local time."""
    return f"{at.astimezone(HANOI):%H:%M ngày %d/%m/%Y}"


def day(of: date) -> str:
    """`Thứ Sáu 20/11/2026`."""
    return f"{WEEKEND[of.isoweekday()]} {of:%d/%m/%Y}"


def explain(clock: Clock) -> list[str]:
    """The computation in sentences, from the start to the date."""
    return [sentence(step, clock.limit) for step in clock.steps]


def sentence(step: Step, limit: Limit) -> str:
    """What one step of the computation did."""
    match step.what:
        case What.START:
            return f"Bắt đầu tính từ {_at(step.since)}; thời hạn: {length(limit)}."
        case What.CUTOFF:
            return f"Nhận {CUTOFFS[step.name]} ({_at(step.since)}) nên tính sang ngày làm việc tiếp theo."
        case What.EFFECTIVE:
            counted = "ngày này được tính là ngày thứ nhất" if limit.count_effective_day else "ngày này không tính"
            return f"Ngày nhận đủ hồ sơ: {day(step.day)} ({counted})."
        case What.DAY_OFF | What.MAKEUP | What.COUNTED:
            return _day(step, limit)
        case What.UNDECIDED:
            return f"Tạm tính: lịch nghỉ, làm bù năm {step.name} chưa được quyết định hoặc chưa nhập đủ."
        case What.DUE:
            return f"{'Thời hạn được ấn định' if step.name else 'Hết thời hạn'}: {_at(step.until)}."
        case _:
            return _interval(step, limit)


def _day(step: Step, limit: Limit) -> str:
    match step.what:
        case What.DAY_OFF:
            named = "" if step.name in WEEKEND else f": {step.name}"
            return f"Bỏ qua {day(step.day)}, ngày nghỉ{named}."
        case What.MAKEUP:
            return f"{day(step.day)} là ngày làm việc bù ({step.name})."
        case _:
            unit = "ngày làm việc" if limit.unit is Unit.WORKING_DAY else "ngày"
            return f"{unit.capitalize()} thứ {number(step.amount or 0)}: {day(step.day)}."


def _interval(step: Step, limit: Limit) -> str:
    amount = number(step.amount or 0)
    match step.what:
        case What.OPEN:
            return f"Tính {amount} giờ làm việc, từ {_time(step.since)} đến {_time(step.until)} {day(step.day)}."
        case What.PAUSED:
            left = UNITS[Unit.WORKING_DAY if limit.unit is Unit.SAME_DAY else limit.unit].format(n=amount)
            return f"Tạm dừng từ {_at(step.since)} đến {_at(step.until)}; thời hạn còn lại: {left}."
        case What.EXTENDED:
            return f"Hẹn lại từ {_at(step.since)} sang {_at(step.until)}: {step.name}."
        case _:
            before = UNITS[Unit(step.name)].format(n=amount)
            return f"Nhắc trước hạn {_at(step.since)} {before}: {_at(step.until)}."


def _at(at: datetime | None) -> str:
    return moment(at) if at else ""


def _time(at: datetime | None) -> str:
    return f"{at.astimezone(HANOI):%H:%M}" if at else ""
