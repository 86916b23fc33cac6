"""What our events are to the national portal: as tables, and as the projection sees the same lives."""

from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path
from typing import Any, get_args

import pytest

from contracts import dossier as d
from contracts.dossier import DossierEvent, GroupState, MemberState
from contracts.national import STATUSES, status_of
from contracts.payment import PaymentEvent
from services.notification.systems.national import domain
from services.notification.systems.national.domain import Known, Line, News
from services.tracking.projection.domain import dossier_change
from tests.tracking import story

EXAMPLES = Path(__file__).parents[2] / "contracts/examples"
EVENTS = {event.__name__: event for event in (*get_args(DossierEvent), *get_args(PaymentEvent))}
BIRTH = story.member("birth", MemberState.IN_PROGRESS, "H99.02.01-261122-0009")

TOLD: dict[str, tuple[str, int | None, str] | None] = {
    # example: the beginning of its line, the status that follows, who acted
    "ConsultationAnswered.v1": ("Kết thúc lấy ý kiến", 4, "Công chức chuyên môn"),
    "ConsultationAnswered.v1.unanswered": ("Kết thúc lấy ý kiến", 4, "Công chức chuyên môn"),
    "ConsultationRequested.v1": ("Lấy ý kiến", 4, "Công chức chuyên môn"),
    "DeadlineExtended.v1": ("Xin lỗi và hẹn lại", None, "Cán bộ một cửa"),
    "DeadlineMissed.v1": None,
    "DossierAccepted.v1": ("Tiếp nhận hồ sơ", 2, "Cán bộ một cửa"),
    "DossierAccepted.v1.again": ("Tiếp nhận lại", 4, "Cán bộ một cửa"),
    "DossierAcknowledged.v1": None,
    "DossierAwaitingPayment.v1": ("Đã gửi, chờ thanh toán", 6, "Người nộp hồ sơ"),
    "DossierClosed.v1": ("Đóng hồ sơ", 8, "Hệ thống"),
    "DossierForwarded.v1": ("Chuyển xử lý", 4, "Công chức chuyên môn"),
    "DossierRejected.v1": ("Từ chối tiếp nhận", 3, "Cán bộ một cửa"),
    "DossierStopped.v1": ("Dừng xử lý", 8, "Lãnh đạo"),
    "DossierSubmitted.v1": ("Nộp hồ sơ", 1, "Người nộp hồ sơ"),
    "DossierSubmitted.v1.of-a-group": ("Nộp hồ sơ", 1, "Người nộp hồ sơ"),
    "DossierSubmitted.v1.paid-first": ("Nộp hồ sơ", 1, "Người nộp hồ sơ"),
    "DossierWithdrawn.v1": ("Công dân rút", 7, "Người nộp hồ sơ"),
    "FeePaid.v1": ("", None, "Hệ thống"),
    "FeePaid.v1.in-part-by-cash": ("", None, "Hệ thống"),
    "FeeRefunded.v1": ("", None, "Hệ thống"),
    "FeeRequested.v1": ("", None, "Hệ thống"),
    "FeeWaived.v1": ("", None, "Hệ thống"),
    "FinancialObligationMet.v1": ("Đã thực hiện nghĩa vụ", 4, "Công chức chuyên môn"),
    "FinancialObligationRequested.v1": ("Yêu cầu thực hiện nghĩa vụ", 6, "Công chức chuyên môn"),
    "InterlinkedProgressed.v1": ("Thủ tục liên thông đang", 4, "Hệ thống"),
    "InterlinkedProgressed.v1.nothing-came-of-it": ("Thủ tục liên thông kết thúc", 3, "Hệ thống"),
    "InterlinkedSubmitted.v1": ("Nộp hồ sơ liên thông", 4, "Người nộp hồ sơ"),
    "OwnerLinked.v1": ("", None, "Hệ thống"),
    "ReceiptIssued.v1": None,
    "ResultDelivered.v1": ("Trả kết quả", 10, "Cán bộ một cửa"),
    "ResultIssued.v1": ("Đã có kết quả", 9, "Văn thư"),
    "ResultIssued.v1.late": ("Đã có kết quả", 9, "Văn thư"),
    "ResultQuestionAnswered.v1": None,
    "ResultQuestioned.v1": None,
    "ResultRevoked.v1": ("Kết quả bị thu hồi", None, "Lãnh đạo"),
    "ResultRevoked.v1.replaced": ("Kết quả bị thu hồi", None, "Lãnh đạo"),
    "ResultSigned.v1": ("Ký số kết quả", None, "Lãnh đạo"),
    "StepCompleted.v1": ("Trình duyệt kết quả", 4, "Công chức chuyên môn"),
    "StepReturned.v1": ("Chuyển lại bước trước", 4, "Lãnh đạo"),
    "SupplementRequested.v1": ("Yêu cầu bổ sung lần 1", 5, "Cán bộ một cửa"),
    "SupplementRequested.v1.round-2": ("Yêu cầu bổ sung lần 2", 5, "Cán bộ một cửa"),
    "SupplementSubmitted.v1": ("Đã gửi bổ sung lần 1", 4, "Người nộp hồ sơ"),
}


def example(name: str) -> Any:
    return EVENTS[name.partition(".")[0]].model_validate_json((EXAMPLES / f"{name}.json").read_text("utf-8"))


@pytest.mark.parametrize("name", sorted(TOLD))
def test_every_event_is_told_as_the_table_says(name: str) -> None:
    news, expected = domain.news_of(example(name)), TOLD[name]
    if news is None or expected is None:
        assert (news, expected) == (None, None)
        return
    assert news.text.startswith(expected[0])
    assert bool(news.text) == bool(expected[0])
    assert (news.status, news.by) == expected[1:]


def test_no_event_is_forgotten() -> None:
    assert {event.__name__ for event in domain.NEWS} == set(EVENTS)


LIVES: list[list[DossierEvent]] = [
    [story.submitted(), story.accepted(2), story.proposed(3), story.signed(4), story.issued(5), story.delivered(6)],
    [story.submitted(), story.supplement_requested(2), story.supplement_submitted(3), story.accepted(4)],
    [story.submitted(), story.rejected(2)],
    [story.submitted(), story.accepted(2), example("DossierForwarded.v1"), example("ConsultationRequested.v1")],
    [story.submitted(), story.withdrawn(2)],
    [story.submitted(), story.accepted(2), example("FinancialObligationRequested.v1")],
    [example("DossierAwaitingPayment.v1"), story.submitted(2), story.accepted(3), example("DossierStopped.v1")],
    [story.submitted(), story.accepted(2), example("DossierClosed.v1")],
    [story.submitted(), story.accepted(2), example("DossierAccepted.v1.again"), story.proposed(4)],
    [story.interlinked(BIRTH), story.progressed(2, GroupState.PARTIALLY_DONE, BIRTH)],
    [story.interlinked(BIRTH), story.progressed(2, GroupState.RETURNED, BIRTH)],
]


@pytest.mark.parametrize("life", LIVES, ids=lambda life: " ".join(type(event).__name__ for event in life))
def test_the_portal_is_told_the_status_that_tracking_shows(life: list[DossierEvent]) -> None:
    view: dict[str, Any] = {"accepted_at": None}
    told = 0
    for event in life:
        view |= dossier_change(event)
        news = domain.news_of(event)
        told = (news.status if news else None) or told
        assert told == status_of(view["state"], accepted=view["accepted_at"] is not None), type(event).__name__


def test_moments_are_written_in_viet_nam() -> None:
    assert domain.local(datetime(2026, 11, 22, 17, 30, 5, tzinfo=UTC)) == "20261123003005"
    assert domain.local("2026-11-22T17:30:05+00:00") == "20261123003005"
    assert domain.local(None) == ""


@pytest.mark.parametrize(
    ("source", "signed", "result", "copy", "digitised"),
    [
        ("upload", "not_signed", None, "1", "0"),
        ("upload", "valid", None, "2", "0"),
        ("paper", "not_signed", None, "1", "1"),
        ("edoc_store", "not_signed", None, "2", "2"),
        ("edoc_store", "valid", "KQ.G15.000031", "2", "3"),
        ("database", "not_signed", None, "2", "2"),
    ],
)
def test_how_a_paper_came_is_told_by_two_codes(
    source: str, signed: str, result: str | None, copy: str, digitised: str
) -> None:
    assert domain.copy_type(source, signed) == copy
    assert domain.digitisation(source, result) == digitised


# ── what has been told is not taken back ──

NINE, TEN = Line("20261123100000", "Đã có kết quả", "9"), Line("20261123100000", "Trả kết quả", "10")


@pytest.mark.parametrize(
    ("status", "lines", "is_due"),
    [
        (4, (), True),
        (9, (NINE,), False),
        (4, (NINE,), True),  # it broke between the line and the status
        (10, (NINE, TEN), False),  # of one second: the order tells
        (4, (NINE, Line("20261123100500", "Cập nhật", "9")), False),
        (4, (NINE, Line("20261123080000", "Tiếp nhận hồ sơ", "2")), True),  # an older line was lost, and came later
        (7, (), False),
        (8, (Line("20261123090000", "Dừng xử lý", "8"),), False),
    ],
)
def test_a_status_is_due_once_and_never_backwards(status: int, lines: tuple[Line, ...], is_due: bool) -> None:
    news = News("Đã có kết quả", 9)
    assert domain.status_is_due(Known(status, lines, {}), news, NINE.moment, NINE.text) is is_due


def test_replaying_a_life_in_any_order_of_its_last_events_never_leaves_the_end() -> None:
    """All lines are there, the dossier is returned: nothing is due any more, whatever comes again."""
    life = LIVES[0]
    lines = [Line(*domain.line_of(event, told), "") for event in life if (told := domain.news_of(event))]
    known = Known(10, lines, {})
    for order in permutations(life[2:]):
        for event in order:
            news = domain.news_of(event)
            assert news
            assert domain.told_before(known, *domain.line_of(event, news))
            assert not domain.status_is_due(known, news, *domain.line_of(event, news))


# ── reconciling ──


def test_differences_are_named_by_version_and_status() -> None:
    life = LIVES[0]
    lines = [Line(*domain.line_of(event, told), "") for event in life if (told := domain.news_of(event))]

    assert domain.difference(story.CODE, life, Known(10, lines, {})) is None
    found = domain.difference(story.CODE, life, Known(4, [*lines[:2], *lines[3:]], {}))
    assert found == domain.Difference(story.CODE, missing=(3,), status=4, expected=10)
    nothing = domain.difference(story.CODE, life, None)
    assert nothing == domain.Difference(story.CODE, missing=(1, 2, 3, 4, 5, 6), status=None, expected=10)


def test_only_statuses_of_the_vocabulary_are_told() -> None:
    told = {news.status for name in TOLD if (news := domain.news_of(example(name))) and news.status}
    assert told <= set(STATUSES)
    assert all(domain.news_of(example(name)) is None for name, expected in TOLD.items() if expected is None)
    assert d.DossierSubmitted in domain.NEWS
