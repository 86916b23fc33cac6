"""Working time: every vector of the specification, and what must hold for any date."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dossier import tenant
from services.dossier.clocks.calendar import HANOI, Cutoff

CALENDAR = tenant.load("deploy/tenants/an-binh").calendar


def at(text: str) -> datetime:
    """`20/11/2026 09:00`, local time."""
    return datetime.strptime(text, "%d/%m/%Y %H:%M").replace(tzinfo=HANOI)


@pytest.mark.parametrize(
    ("accepted", "days", "due"),
    [
        ("20/11/2026 09:00", 0, "20/11/2026 17:00"),
        ("20/11/2026 15:00", 0, "20/11/2026 17:00"),
        ("20/11/2026 15:01", 0, "23/11/2026 17:00"),
        ("20/11/2026 09:00", 3, "26/11/2026 17:00"),
        ("20/11/2026 16:00", 3, "27/11/2026 17:00"),
        ("21/11/2026 10:00", 3, "27/11/2026 17:00"),
        ("21/08/2026 10:00", 1, "22/08/2026 17:00"),
        ("28/08/2026 10:00", 1, "03/09/2026 17:00"),
        ("13/02/2026 10:00", 2, "24/02/2026 17:00"),
        ("24/04/2026 10:00", 1, "28/04/2026 17:00"),
        ("23/11/2026 08:00", 21, "23/12/2026 17:00"),
    ],
)
def test_an_appointment_is_counted_in_working_days(accepted: str, days: int, due: str) -> None:
    assert CALENDAR.after_working_days(at(accepted), days, Cutoff.AFTER_15) == at(due)


@pytest.mark.parametrize(
    ("start", "hours", "end"),
    [
        ("20/11/2026 16:30", 1, "23/11/2026 08:30"),
        ("20/11/2026 11:30", 1, "20/11/2026 13:30"),
        ("20/11/2026 16:30", 8, "23/11/2026 16:30"),
        ("20/11/2026 20:00", 8, "23/11/2026 17:00"),
        ("23/11/2026 16:00", 8, "25/11/2026 16:00"),
        ("21/08/2026 16:00", 8, "22/08/2026 16:00"),
        ("20/11/2026 17:00", 1, "23/11/2026 09:00"),
        ("20/11/2026 08:00", 4, "20/11/2026 12:00"),
    ],
)
def test_a_service_level_consumes_only_open_hours(start: str, hours: float, end: str) -> None:
    assert CALENDAR.after_working_hours(at(start), hours) == at(end)


def test_calendar_days_roll_forward_over_a_day_off() -> None:
    assert CALENDAR.after_calendar_days(at("06/11/2026 09:00"), 15) == at("23/11/2026 17:00")


@pytest.mark.parametrize(
    ("cutoff", "moment", "day"),
    [
        (Cutoff.AFTER_17, "20/11/2026 17:00", date(2026, 11, 20)),
        (Cutoff.AFTER_17, "20/11/2026 17:01", date(2026, 11, 23)),
        (Cutoff.LAST_HOUR, "20/11/2026 16:00", date(2026, 11, 20)),
        (Cutoff.LAST_HOUR, "20/11/2026 16:01", date(2026, 11, 23)),
        (Cutoff.NONE, "20/11/2026 23:59", date(2026, 11, 20)),
    ],
)
def test_each_cutoff_rule_moves_the_effective_day(cutoff: Cutoff, moment: str, day: date) -> None:
    assert CALENDAR.effective_day(at(moment), cutoff) == day


def test_the_day_of_receipt_counts_where_the_policy_says_so() -> None:
    due = CALENDAR.after_working_days(at("20/11/2026 09:00"), 3, Cutoff.AFTER_15, count_effective_day=True)
    assert due == at("25/11/2026 17:00")


def test_times_in_utc_mean_the_same_moment() -> None:
    assert CALENDAR.after_working_days(datetime(2026, 11, 20, 8, 1, tzinfo=UTC), 0, Cutoff.AFTER_15) == at(
        "23/11/2026 17:00"
    )


moments = st.integers(0, 364 * 24 * 60).map(lambda minutes: at("01/01/2026 00:00") + timedelta(minutes=minutes))


@given(moments, st.integers(0, 40), st.sampled_from(Cutoff))
def test_a_deadline_is_at_closing_time_of_a_working_day_and_more_days_are_never_earlier(
    start: datetime, days: int, cutoff: Cutoff
) -> None:
    due = CALENDAR.after_working_days(start, days, cutoff)
    assert CALENDAR.is_working(due.date())
    assert due == CALENDAR.closing(due.date())
    assert due >= start
    assert CALENDAR.after_working_days(start, days + 1, cutoff) >= due
    assert CALENDAR.after_working_days(start, days + 2, cutoff) > due


@given(moments, st.floats(0.25, 100), st.floats(0.25, 100))
def test_hours_add_up_however_they_are_split(start: datetime, first: float, second: float) -> None:
    stepwise = CALENDAR.after_working_hours(CALENDAR.after_working_hours(start, first), second)
    assert abs(stepwise - CALENDAR.after_working_hours(start, first + second)) < timedelta(seconds=1)
