"""What statistics say: every figure with its meaning, periods in months of Viet Nam's calendar, and rates."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum

from contracts.refusal import Refusal
from services.tracking.access.domain import INSPECTOR, WORKS_WITH_CONTENT, below
from services.tracking.words import HANOI

LONGEST = 120
"""Months that one question may span."""
FEWEST = 5
"""Fewer settled dossiers than this are not shown to everybody: somebody could be recognised in them."""


class PeriodInvalid(Refusal):
    status = 422
    title = "Kỳ thống kê không hợp lệ: tháng bắt đầu phải trước hoặc bằng tháng kết thúc"
    title_en = "The period is not valid: its first month must not come after its last"


class PeriodTooLong(Refusal):
    status = 422
    title = f"Kỳ thống kê quá dài: tối đa {LONGEST} tháng cho một lần xem"
    title_en = f"The period is too long: {LONGEST} months at most"


class UnitUnknown(Refusal):
    status = 404
    title = "Không có cơ quan này trong hệ thống"
    title_en = "There is no such unit"


class UnitNotInYourScope(Refusal):
    """Officers see figures of their own unit and of the units below it."""

    status = 403
    title = "Bạn chỉ được xem thống kê của cơ quan mình và cơ quan trực thuộc"
    title_en = "You see the figures of your unit and of those below it only"


class ProcedureUnknown(Refusal):
    """No dossier of this procedure was ever received."""

    status = 404
    title = "Chưa có hồ sơ nào của thủ tục này"
    title_en = "There is no dossier of this procedure"


# ── periods ───────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Period:
    """Months of Viet Nam's calendar, both included."""

    first: date
    """The first day of the first month."""
    last: date
    """The first day of the last month."""

    @property
    def begins(self) -> datetime:
        return _midnight(self.first)

    @property
    def ends(self) -> datetime:
        """The moment it is over; nothing of that moment belongs to it."""
        return _midnight(following(self.last))

    def as_of(self, now: datetime) -> datetime:
        """When the stocks of this period are counted: at its end, or now while it lasts."""
        return min(now, self.ends)

    @property
    def months(self) -> Sequence[date]:
        found = [self.first]
        while found[-1] < self.last:
            found.append(following(found[-1]))
        return found


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), HANOI).astimezone(UTC)


def following(month: date) -> date:
    """The first day of the next month."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def month_of(moment: datetime) -> date:
    """The first day of the month, in Viet Nam, that the moment lies in."""
    return moment.astimezone(HANOI).date().replace(day=1)


def period(first: str | None, last: str | None, now: datetime) -> Period:
    """From `YYYY-MM` to `YYYY-MM`; the current month where nothing is said, one month where only one is."""
    current = month_of(now)
    begin = _month(first) if first else None
    end = _month(last) if last else begin or current
    if (begin or end) > end:
        raise PeriodInvalid
    if (begin or end) > current:
        raise PeriodInvalid("Kỳ thống kê chưa bắt đầu")
    end = min(end, current)
    found = Period(begin or end, end)
    if (end.year - found.first.year) * 12 + end.month - found.first.month >= LONGEST:
        raise PeriodTooLong
    return found


def _month(text: str) -> date:
    try:
        return date(int(text[:4]), int(text[5:]), 1)
    except ValueError:
        raise PeriodInvalid("Tháng có dạng YYYY-MM, ví dụ 2026-11") from None


# ── figures ───────────────────────────────────────────────────────────────────────────────────────────────────


class Unit(StrEnum):
    """What a figure counts."""

    DOSSIERS = "dossiers"
    REQUESTS = "requests"
    COMPONENTS = "components"


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of the statistics."""

    label: str
    """Vietnamese."""
    meaning: str
    """What is counted, when and for whom, in Vietnamese."""
    counts: Unit = Unit.DOSSIERS
    stock: bool = False
    """Counted at one moment (the end of the period, or now), not over the period."""


_AT_END = "tại thời điểm cuối kỳ (kỳ chưa hết: tại thời điểm xem)"

FIGURES: Mapping[str, Figure] = {
    "carried_over": Figure("Kỳ trước chuyển sang", "Hồ sơ đã nhận, chưa kết thúc khi kỳ bắt đầu.", stock=True),
    "received": Figure(
        "Nhận trong kỳ",
        "Hồ sơ đến Bộ phận Một cửa trong kỳ, cả ba hình thức. Hồ sơ phải nộp phí trước chỉ tính từ khi đã nộp phí. "
        "Hồ sơ liên thông tính theo từng thủ tục thành phần.",
    ),
    "received_online": Figure("Nhận trực tuyến", "Nộp qua Cổng Dịch vụ công quốc gia, cổng của tỉnh hoặc VNeID."),
    "received_direct": Figure("Nhận trực tiếp", "Nộp bản giấy tại Bộ phận Một cửa."),
    "received_post": Figure("Nhận qua bưu chính", "Nộp qua dịch vụ bưu chính công ích."),
    "accepted": Figure("Được tiếp nhận", "Lần đầu có Giấy tiếp nhận hồ sơ và hẹn trả kết quả (Mẫu 01) trong kỳ."),
    "settled": Figure("Đã giải quyết", "Kết quả đã ký và ban hành trong kỳ (trạng thái 9), dù chưa trao tay."),
    "settled_early": Figure("Giải quyết trước hạn", "Có kết quả trước ngày hẹn trả."),
    "settled_on_time": Figure("Giải quyết đúng hạn", "Có kết quả trong ngày hẹn trả, hoặc thủ tục không có ngày hẹn."),
    "settled_late": Figure(
        "Giải quyết quá hạn",
        "Có kết quả sau ngày hẹn trả ban đầu. Văn bản xin lỗi, hẹn lại ngày không làm hồ sơ thành đúng hạn.",
    ),
    "refused_intake": Figure("Không được tiếp nhận", "Từ chối trước khi tiếp nhận (Mẫu 03, trạng thái 3)."),
    "refused": Figure("Từ chối giải quyết", "Từ chối sau khi đã tiếp nhận (Mẫu 03)."),
    "withdrawn": Figure("Người nộp rút", "Người nộp rút hồ sơ khi chưa có quyết định (trạng thái 7)."),
    "stopped": Figure("Dừng xử lý", "Lãnh đạo dừng xử lý vì lý do pháp luật (trạng thái 8)."),
    "closed": Figure("Đóng do không bổ sung", "Quá thời hạn bổ sung mà không bổ sung (trạng thái 8)."),
    "pending": Figure("Đang giải quyết", f"Hồ sơ đã nhận, chưa kết thúc {_AT_END}.", stock=True),
    "pending_reception": Figure(
        "Chờ tiếp nhận", f"Chờ Bộ phận Một cửa xem hồ sơ hoặc phần bổ sung, {_AT_END}.", stock=True
    ),
    "pending_within": Figure(
        "Đang xử lý trong hạn", f"Đang xử lý, chưa qua ngày hẹn trả ban đầu {_AT_END}.", stock=True
    ),
    "pending_over": Figure("Đang xử lý quá hạn", f"Đang xử lý, đã qua ngày hẹn trả ban đầu {_AT_END}.", stock=True),
    "paused_supplement": Figure("Chờ bổ sung", f"Chờ người nộp bổ sung (trạng thái 5) {_AT_END}.", stock=True),
    "paused_obligation": Figure(
        "Chờ nghĩa vụ tài chính",
        f"Chờ nghĩa vụ tài chính, thời hạn tạm dừng theo luật (trạng thái 6) {_AT_END}.",
        stock=True,
    ),
    "reception_missed": Figure(
        "Quá hạn tiếp nhận", "Lần đầu quá thời hạn tiếp nhận xảy ra trong kỳ; tính cho cơ quan tiếp nhận."
    ),
    "apologies": Figure("Xin lỗi, hẹn lại", "Có văn bản xin lỗi và hẹn lại ngày trả (Mẫu 04) trong kỳ."),
    "supplements": Figure(
        "Yêu cầu bổ sung",
        "Số lần yêu cầu bổ sung (Mẫu 02) trong kỳ: trước tiếp nhận tính cho cơ quan tiếp nhận, khi xử lý tính cho cơ "
        "quan giải quyết.",
        Unit.REQUESTS,
    ),
    "supplemented_again": Figure("Bổ sung lần 2", "Hồ sơ bị yêu cầu bổ sung lần thứ hai trong kỳ."),
    "violations": Figure(
        "Bổ sung trái quy định",
        "Số yêu cầu bổ sung vi phạm: lần sau không nêu lỗi của người nộp, thêm thành phần mới, hoặc quá thời hạn "
        "cho phép.",
        Unit.REQUESTS,
    ),
    "received_offered": Figure(
        "Nhận của thủ tục có nộp trực tuyến",
        "Hồ sơ nhận của thủ tục toàn trình hoặc một phần: mẫu số của tỷ lệ trực tuyến.",
    ),
    "paid": Figure("Đã nộp đủ phí, lệ phí", "Lần đầu nộp đủ một khoản phí, lệ phí trong kỳ."),
    "paid_online": Figure(
        "Thanh toán trực tuyến",
        "Như trên, mọi lần nộp đều qua cổng thanh toán hoặc mã QR; không tính thu ngân ghi nhận.",
    ),
    "components": Figure("Thành phần hồ sơ", "Thành phần của hồ sơ nhận trong kỳ, như khi nộp.", Unit.COMPONENTS),
    "components_store": Figure("Lấy từ kho dữ liệu", "Lấy từ Kho quản lý dữ liệu điện tử.", Unit.COMPONENTS),
    "components_database": Figure("Thay bằng cơ sở dữ liệu", "Cơ quan tra cứu thay giấy tờ.", Unit.COMPONENTS),
    "reusing": Figure(
        "Hồ sơ có tái sử dụng", "Hồ sơ nhận trong kỳ có ít nhất một thành phần lấy từ kho hoặc cơ sở dữ liệu."
    ),
    "papers": Figure("Thành phần giấy", "Thành phần nộp bằng bản giấy của hồ sơ nhận trong kỳ.", Unit.COMPONENTS),
    "papers_digitised": Figure(
        "Thành phần giấy đã số hóa", "Thành phần giấy đã quét vào hồ sơ điện tử.", Unit.COMPONENTS
    ),
    "results_digital": Figure("Kết quả điện tử", "Kết quả ban hành trong kỳ có tệp mang chữ ký số hợp lệ."),
}
"""In the order they are shown in. `carried_over` + `received` = `settled` + `refused_intake` + `refused` +
`withdrawn` + `stopped` + `closed` + `pending`, and `pending` is the sum of the five after it."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of figures in others, 0 to 1."""

    label: str
    of: tuple[str, ...]
    among: tuple[str, ...]


RATES: Mapping[str, Rate] = {
    "on_time": Rate("Đúng và trước hạn", ("settled_early", "settled_on_time"), ("settled",)),
    "filed_online": Rate("Nộp trực tuyến", ("received_online",), ("received_offered",)),
    "paid_online": Rate("Thanh toán trực tuyến", ("paid_online",), ("paid",)),
    "digitised": Rate("Số hóa thành phần", ("papers_digitised",), ("papers",)),
    "results_digital": Rate("Kết quả điện tử", ("results_digital",), ("settled",)),
    "reused": Rate("Thành phần tái sử dụng", ("components_store", "components_database"), ("components",)),
    "reusing": Rate("Hồ sơ có tái sử dụng", ("reusing",), ("received",)),
}

ABSENT: Mapping[str, str] = {
    "satisfaction": "Mức độ hài lòng (18 điểm của Bộ chỉ số 766) không được thu thập trong hệ thống này.",
    "complaints_in_time": "Phản ánh, kiến nghị không được tiếp nhận trong hệ thống này.",
}
"""What QĐ 766 asks for and nobody tells this system: absent, not zero."""

Figures = dict[str, int]
_SUMS: Mapping[str, tuple[str, ...]] = {
    "received": ("received_online", "received_direct", "received_post"),
    "settled": ("settled_early", "settled_on_time", "settled_late"),
    "pending": ("pending_reception", "pending_within", "pending_over", "paused_supplement", "paused_obligation"),
}


_LEVELS = ("reception_net", "running_net", "supplement_net", "obligation_net", "over_net")
_COUNTED = tuple(name for name, figure in FIGURES.items() if not figure.stock and name not in _SUMS)


def figures(counted: Mapping[str, int], carried_over: int, later_due: int = 0) -> Figures:
    """A row of counters as figures. The `…_net` counters are summed up to the end of the period; `later_due`: how many
    of those that the month's end would find over time are not so yet."""
    over = counted["over_net"] - later_due
    found = {
        **{name: counted[name] for name in FIGURES if name in counted},
        "carried_over": carried_over,
        "pending_reception": counted["reception_net"],
        "pending_over": over,
        "pending_within": counted["running_net"] - over,
        "paused_supplement": counted["supplement_net"],
        "paused_obligation": counted["obligation_net"],
    }
    found |= {name: sum(found[part] for part in parts) for name, parts in _SUMS.items()}
    return {name: found[name] for name in FIGURES}


def total(rows: Iterable[Figures]) -> Figures:
    """The sum of what units or procedures show."""
    together = list(rows)
    return {name: sum(row[name] for row in together) for name in FIGURES}


def over_time(rows: Sequence[Figures]) -> Figures:
    """What months in their order show together: stocks are those of the ends, not a sum."""
    together = total(rows)
    stocks = {name: rows[-1][name] for name, figure in FIGURES.items() if figure.stock}
    return {**together, **stocks, "carried_over": rows[0]["carried_over"]}


def by_month(period: Period, changes: Mapping[date, Mapping[str, int]], later_due: int) -> dict[str, Figures]:
    """`YYYY-MM` → the figures of that month, from the changes of each; what was before the period is one change."""
    levels = {name: 0 for change in changes.values() for name in change if name.endswith("_net")}
    found: dict[str, Figures] = {}
    for month in (*(month for month in changes if month < period.first), *period.months):
        change = changes.get(month, {})
        carried = sum(levels[name] for name in levels if name != "over_net")
        levels = {name: level + change.get(name, 0) for name, level in levels.items()}
        if month >= period.first:
            counted = {**dict.fromkeys(_COUNTED, 0), **change, **dict.fromkeys(_LEVELS, 0), **levels}
            found[f"{month:%Y-%m}"] = figures(counted, carried, later_due if month == period.last else 0)
    return found


def rates(row: Figures) -> dict[str, float | None]:
    """The shares; None where there is nothing to have a share in."""
    return {name: _share(row, rate) for name, rate in RATES.items()}


def _share(row: Figures, rate: Rate) -> float | None:
    whole = sum(row[name] for name in rate.among)
    return round(sum(row[name] for name in rate.of) / whole, 4) if whole else None


# ── who may see them ──────────────────────────────────────────────────────────────────────────────────────────

OPENS_DOSSIERS = WORKS_WITH_CONTENT | {INSPECTOR}
"""Roles that see which dossiers are behind a figure."""
Parents = Mapping[str, str | None]
"""Agency id → the agency above it; None for the province."""


class DossiersNotForYourRole(Refusal):
    """Figures are for every officer; the dossiers behind them for those who work with dossiers and for inspectors."""

    status = 403
    title = "Vai trò của bạn không được xem danh sách hồ sơ của số liệu"
    title_en = "Your role does not see the dossiers behind a figure"


def may_open(roles: frozenset[str]) -> None:
    if not roles & OPENS_DOSSIERS:
        raise DossiersNotForYourRole


def top(unit: str, roles: frozenset[str], parents: Parents) -> str:
    """Where an officer begins to look: their unit; an inspector at the province."""
    while INSPECTOR in roles and (above := parents.get(unit)):
        unit = above
    return unit


def check_scope(wanted: str, highest: str, parents: Parents) -> None:
    """Figures are for a unit and those below it; whoever stands at the top of the province sees every unit's."""
    at_top = highest in parents and parents[highest] is None
    if not at_top and wanted not in below(highest, parents):
        raise UnitNotInYourScope


def together(unit: str, parents: Parents, counted: Iterable[str]) -> list[str]:
    """The unit and those below it; at the top of the province also units that are counted but known no more."""
    at_top = unit in parents and parents[unit] is None
    strangers = [other for other in counted if other not in parents] if at_top else []
    return sorted({*below(unit, parents), *strangers})


def hidden(settled: Mapping[str, int]) -> frozenset[str]:
    """Units that are not shown to everybody: those with few settled dossiers, and one more where a single one could be
    found by subtracting the others from the total."""
    few = {unit for unit, n in settled.items() if 0 < n < FEWEST}
    if len(few) == 1 and (others := [unit for unit, n in settled.items() if n >= FEWEST]):
        few.add(min(others, key=lambda unit: (settled[unit], unit)))
    return frozenset(few)


# ── as people read them ───────────────────────────────────────────────────────────────────────────────────────


def clock(moment: datetime) -> str:
    """`15:04 22/11/2026`, in Viet Nam."""
    return f"{moment.astimezone(HANOI):%H:%M %d/%m/%Y}"
