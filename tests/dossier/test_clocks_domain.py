"""How deadlines are computed and explained: pauses, alarms, profiles, calendars that are not decided yet."""

import shutil
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.dossier import SubmissionChannel
from services.dossier import tenant
from services.dossier.clocks import domain, words
from services.dossier.clocks.calendar import HANOI, Cutoff, Limit, Unit, What
from services.dossier.clocks.domain import Kind, Rules, Start
from services.dossier.clocks.policy import NoPolicy, in_force

FOLDER = "deploy/tenants/an-binh"
TENANT = tenant.load(FOLDER)
CALENDAR = TENANT.calendar
RULES = Rules(TENANT.profiles[0], CALENDAR)


def at(text: str) -> datetime:
    """`20/11/2026 09:00`, local time."""
    return datetime.strptime(text, "%d/%m/%Y %H:%M").replace(tzinfo=HANOI)


def new_id() -> UUID:
    return UUID(int=1)


def start(moment: str, rules: Rules = RULES) -> Start:
    return Start("H99.02.01-261120-0001", "H99.02.01", at(moment), rules)


def promise(moment: str, days: int, rules: Rules = RULES) -> domain.Clock:
    limit = Limit(days, Unit.WORKING_DAY, Cutoff.AFTER_15)
    return domain.clock(new_id(), Kind.PROCESSING_DEADLINE, start(moment, rules), limit)


# ── explanations ──


def test_the_explanation_of_an_appointment_tells_each_day() -> None:
    assert words.explain(promise("20/11/2026 16:00", 3)) == [
        "Bắt đầu tính từ 16:00 ngày 20/11/2026; thời hạn: 3 ngày làm việc.",
        "Nhận sau 15 giờ (16:00 ngày 20/11/2026) nên tính sang ngày làm việc tiếp theo.",
        "Bỏ qua Thứ Bảy 21/11/2026, ngày nghỉ.",
        "Bỏ qua Chủ nhật 22/11/2026, ngày nghỉ.",
        "Ngày nhận đủ hồ sơ: Thứ Hai 23/11/2026 (ngày này không tính).",
        "Bỏ qua Thứ Ba 24/11/2026, ngày nghỉ: Ngày Văn hóa Việt Nam.",
        "Ngày làm việc thứ 1: Thứ Tư 25/11/2026.",
        "Ngày làm việc thứ 2: Thứ Năm 26/11/2026.",
        "Ngày làm việc thứ 3: Thứ Sáu 27/11/2026.",
        "Hết thời hạn: 17:00 ngày 27/11/2026.",
    ]


def test_a_make_up_day_is_named() -> None:
    said = words.explain(promise("21/08/2026 10:00", 1))
    assert "Thứ Bảy 22/08/2026 là ngày làm việc bù (Làm bù ngày 31/08/2026)." in said
    assert said[-1] == "Hết thời hạn: 17:00 ngày 22/08/2026."


def test_hours_are_explained_by_the_intervals_they_took() -> None:
    clock = domain.clock(new_id(), Kind.RECEPTION_SLA, start("20/11/2026 16:30"), Limit(8, Unit.WORKING_HOUR))
    assert [step.amount for step in clock.steps if step.what is What.OPEN] == [0.5, 4, 3.5]
    assert "Tính 0,5 giờ làm việc, từ 16:30 đến 17:00 Thứ Sáu 20/11/2026." in words.explain(clock)


moments = st.integers(0, 364 * 24 * 60).map(lambda minutes: at("01/01/2026 00:00") + timedelta(minutes=minutes))
limits = st.builds(
    Limit,
    st.integers(0, 30),
    st.sampled_from([Unit.WORKING_DAY, Unit.CALENDAR_DAY, Unit.SAME_DAY, Unit.WORKING_HOUR, Unit.MINUTE]),
    st.sampled_from(Cutoff),
    st.booleans(),
)


@given(moments, limits)
def test_every_step_of_every_computation_can_be_said(moment: datetime, limit: Limit) -> None:
    computed = CALENDAR.after(moment, limit)
    assert computed.due_at >= moment
    assert computed.steps[-1].until == computed.due_at
    assert all(words.sentence(step, limit).endswith(".") for step in computed.steps)


@given(moments, limits, st.integers(1, 60 * 24 * 20))
def test_a_later_start_is_never_due_earlier(moment: datetime, limit: Limit, minutes: int) -> None:
    later = moment + timedelta(minutes=minutes)
    assert CALENDAR.after(later, limit).due_at >= CALENDAR.after(moment, limit).due_at


@given(moments, limits.filter(lambda limit: limit.unit is not Unit.MINUTE))
def test_nothing_in_working_time_is_due_on_a_day_off(moment: datetime, limit: Limit) -> None:
    if limit.unit is Unit.WORKING_HOUR and limit.value == 0:
        return
    assert CALENDAR.is_working(CALENDAR.after(moment, limit).due_at.date())


@given(moments, st.integers(1, 80))
def test_counted_hours_are_the_hours_the_office_was_open(moment: datetime, hours: int) -> None:
    computed = CALENDAR.after(moment, Limit(hours, Unit.WORKING_HOUR))
    assert CALENDAR.open_hours(moment, computed.due_at) == pytest.approx(hours)
    assert sum(step.amount or 0 for step in computed.steps if step.what is What.OPEN) == pytest.approx(hours)


# ── calendars that are not decided ──


def test_a_deadline_in_a_year_that_is_not_decided_is_provisional_and_says_so() -> None:
    decided, undecided = promise("01/12/2026 09:00", 5), promise("28/12/2026 09:00", 10)
    assert (decided.provisional, undecided.provisional) == (False, True)
    said = words.explain(undecided)
    assert said[-2] == "Tạm tính: lịch nghỉ, làm bù năm 2027 chưa được quyết định hoặc chưa nhập đủ."


def test_a_deadline_before_the_imported_years_is_provisional_too() -> None:
    assert promise("10/12/2025 09:00", 3).provisional


# ── pauses ──


def test_a_paused_clock_goes_on_with_the_days_that_were_left() -> None:
    running = promise("05/10/2026 09:00", 10)  # due 19/10
    paused = domain.pause(running, at("07/10/2026 10:00"), "chờ bổ sung")  # two days used, eight left
    assert domain.pause(paused, at("08/10/2026 10:00"), "again") == paused

    resumed = domain.resume(paused, at("12/10/2026 09:00"), CALENDAR)

    assert resumed.due_at == at("22/10/2026 17:00")
    assert resumed.pauses == (domain.Pause(at("07/10/2026 10:00"), at("12/10/2026 09:00"), "chờ bổ sung"),)
    (said,) = [line for line in words.explain(resumed) if line.startswith("Tạm dừng")]
    assert said.endswith("thời hạn còn lại: 8 ngày làm việc.")


@given(moments, limits.filter(lambda limit: limit.cutoff is Cutoff.NONE), st.integers(0, 5000), st.integers(0, 20000))
def test_a_pause_never_makes_a_deadline_earlier(moment: datetime, limit: Limit, used: int, stood: int) -> None:
    due = CALENDAR.after(moment, limit).due_at
    since = min(moment + timedelta(minutes=used), due)
    until = since + timedelta(minutes=stood)
    assert CALENDAR.resume(due, since, until, limit).due_at >= due


@given(moments, st.integers(1, 40), st.integers(0, 3000))
def test_a_pause_of_no_time_changes_no_deadline_in_hours(moment: datetime, hours: int, used: int) -> None:
    limit = Limit(hours, Unit.WORKING_HOUR)
    due = CALENDAR.after(moment, limit).due_at
    since = min(moment + timedelta(minutes=used), due)
    assert abs(CALENDAR.resume(due, since, since, limit).due_at - due) < timedelta(seconds=1)


# ── alarms ──


def test_alarms_ring_a_working_day_before_the_appointment() -> None:
    soon, sorry = domain.alarms(promise("20/11/2026 09:00", 3), RULES, new_id)
    assert (soon.kind, sorry.kind) == (Kind.DUE_SOON, Kind.APOLOGY_ALARM)
    assert soon.due_at == sorry.due_at == at("25/11/2026 17:00")
    assert words.explain(sorry)[0] == "Nhắc trước hạn 17:00 ngày 26/11/2026 1 ngày làm việc: 17:00 ngày 25/11/2026."


def test_a_same_day_dossier_is_due_soon_at_once_and_asks_for_no_apology_beforehand() -> None:
    (soon,) = domain.alarms(promise("20/11/2026 09:00", 0), RULES, new_id)
    assert soon.kind is Kind.DUE_SOON
    assert soon.passed_at == at("20/11/2026 09:00")


def test_whoever_has_apologised_is_not_asked_to_again() -> None:
    (soon,) = domain.alarms(promise("20/11/2026 09:00", 3), RULES, new_id, apologised=True)
    assert soon.kind is Kind.DUE_SOON


@given(moments, st.integers(1, 30))
def test_so_many_hours_before_a_deadline_is_so_many_hours_of_work(moment: datetime, hours: int) -> None:
    due = CALENDAR.after(moment, Limit(40, Unit.WORKING_HOUR)).due_at
    before = CALENDAR.before(due, Limit(hours, Unit.WORKING_HOUR))
    assert CALENDAR.open_hours(before, due) == pytest.approx(hours)


# ── profiles ──


def copy_of(folder: Path) -> Path:
    """A province that differs in what the test changes."""
    return Path(shutil.copytree(FOLDER, folder / "province"))


def test_hue_looks_at_a_dossier_within_an_hour(tmp_path: Path) -> None:
    province = copy_of(tmp_path)
    policy = province / "policy.yaml"
    text = policy.read_text("utf-8")
    for key, hours in (("reception_sla_online: {value: 8", 1), ("officer_alert: {value: 2", 0.25)):
        text = text.replace(key, f"{key.rpartition(' ')[0]} {hours}")
    policy.write_text(text, "utf-8")
    hue = tenant.load(str(province))

    moment = at("20/11/2026 16:30")
    sla, alert = domain.reception(
        replace(start("20/11/2026 16:30"), rules=hue.rules(moment)), SubmissionChannel.PROVINCIAL_PORTAL, new_id
    )

    assert (sla.due_at, alert.due_at) == (at("23/11/2026 08:30"), at("20/11/2026 16:45"))
    assert sla.policy_version != TENANT.profiles[0].version


def test_paper_by_post_has_a_time_of_its_own() -> None:
    sla, _ = domain.reception(start("20/11/2026 09:00"), SubmissionChannel.POST, new_id)
    assert sla.limit.unit is Unit.WORKING_DAY
    assert sla.due_at == at("23/11/2026 17:00")


def test_the_profile_of_the_day_counts() -> None:
    (now,) = TENANT.profiles
    later = replace(now, version="2027-03", effective_from=date(2027, 3, 1))
    ended = replace(now, effective_to=date(2027, 2, 28))
    assert in_force((ended, later), date(2027, 2, 28)) is ended
    assert in_force((ended, later), date(2027, 3, 1)) is later
    assert in_force((now, later), date(2028, 1, 1)) is later, "of two the one that began last"
    with pytest.raises(NoPolicy):
        in_force((later,), date(2026, 1, 1))


def test_several_profiles_stand_beside_each_other(tmp_path: Path) -> None:
    province = copy_of(tmp_path)
    text = (province / "policy.yaml").read_text("utf-8").replace("2026-01-01", "2027-03-01")
    (province / "policy.2027-03.yaml").write_text(text.replace('"2026-07"', '"2027-03"'), "utf-8")
    two = tenant.load(str(province))
    assert two.rules(at("28/02/2027 09:00")).policy.version.startswith("2026-07.")
    assert two.rules(at("01/03/2027 09:00")).policy.version.startswith("2027-03.")


def test_a_profile_that_forgets_a_limit_is_refused(tmp_path: Path) -> None:
    province = copy_of(tmp_path)
    policy = province / "policy.yaml"
    policy.write_text(policy.read_text("utf-8").replace("officer_alert:", "oficer_alert:"), "utf-8")
    with pytest.raises(ValueError, match="lacks officer_alert"):
        tenant.load(str(province))


@pytest.mark.parametrize(
    ("cutoff", "moment", "due"),
    [
        (None, "20/11/2026 15:01", "23/11/2026 17:00"),
        (Cutoff.NONE, "20/11/2026 15:01", "20/11/2026 17:00"),
        (Cutoff.AFTER_17, "20/11/2026 16:59", "20/11/2026 17:00"),
        (Cutoff.LAST_HOUR, "20/11/2026 16:01", "23/11/2026 17:00"),
    ],
)
def test_a_case_has_its_own_cutoff_or_the_provinces(cutoff: Cutoff | None, moment: str, due: str) -> None:
    procedure = next(each for each in tenant.procedures(FOLDER) if each.code == "2.000635")
    case = replace(procedure.cases[0], time=replace(procedure.cases[0].time, cutoff=cutoff), online_time=None)
    assert domain.promised(case, at(moment), RULES) == at(due)
