"""What procedures cost: by channel, day of submission, payer and quantity (scenario 16), and the language of it."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from contracts.dossier import ServiceLevel, SubmissionChannel
from services.dossier.catalogue import domain, expressions
from services.dossier.catalogue.domain import Case, FeeNotComputable
from services.dossier.catalogue.expressions import ExpressionInvalid
from services.dossier.tenant import parse
from tests.dossier.office import UNIT, Office, pdf, procedure

TODAY = date(2026, 11, 23)
ONLINE, DESK = SubmissionChannel.PROVINCIAL_PORTAL, SubmissionChannel.DESK
RESIDENCE = procedure("1.004222").cases[0]
ADULT = {"person_dob": "1990-03-08"}


def owed(case: Case, answers: dict[str, Any], channel: SubmissionChannel = ONLINE, on: date = TODAY) -> int:
    return domain.amount_owed(domain.fee_lines(case, answers, channel, on))


# ── scenario 16 ──


def test_permanent_residence_costs_half_online() -> None:
    assert owed(RESIDENCE, ADULT, ONLINE) == 10_000
    assert owed(RESIDENCE, ADULT, SubmissionChannel.NATIONAL_PORTAL) == 10_000
    assert owed(RESIDENCE, ADULT, DESK) == 20_000


@pytest.mark.parametrize("channel", [ONLINE, DESK])
def test_a_child_is_exempt_and_the_line_says_why(channel: SubmissionChannel) -> None:
    (line,) = domain.fee_lines(RESIDENCE, {"person_dob": "2010-11-24"}, channel, TODAY)
    assert (line.amount, line.exempt_reason) == (0, "Trẻ em dưới 16 tuổi")
    assert line.unit_price == (10_000 if channel is ONLINE else 20_000)
    assert owed(RESIDENCE, {"person_dob": "2010-11-23"}, channel) > 0, "sixteen today"


@pytest.mark.parametrize(("category", "reason"), [("poor", "Người thuộc hộ nghèo"), ("elderly", "Người cao tuổi")])
def test_exempt_groups_pay_nothing(category: str, reason: str) -> None:
    (line,) = domain.fee_lines(RESIDENCE, {**ADULT, "payer_category": category}, DESK, TODAY)
    assert (line.amount, line.exempt_reason) == (0, reason)


def test_a_rate_that_changes_tomorrow_leaves_what_was_submitted_today() -> None:
    (rule,) = RESIDENCE.fee.lines
    tomorrow = TODAY + timedelta(days=1)
    dearer = {"online": 15_000, "desk": 30_000, "post": 30_000}
    lines = (replace(rule, effective_to=TODAY), replace(rule, effective_from=tomorrow, unit_price=dearer))
    case = replace(RESIDENCE, fee=replace(RESIDENCE.fee, lines=lines))
    assert owed(case, ADULT, on=TODAY) == 10_000
    assert owed(case, ADULT, on=tomorrow) == 15_000


# ── quantities and formulae ──


@pytest.mark.parametrize(
    ("pages", "copies", "amount"),
    [
        (1, 1, 2_000),
        (2, 1, 4_000),
        (5, 1, 7_000),
        (5, 3, 21_000),
        (198, 1, 200_000),
        (300, 1, 200_000),
        (300, 2, 400_000),
    ],
)
def test_certified_copies_are_charged_by_the_pages_of_the_original(pages: int, copies: int, amount: int) -> None:
    case = procedure("2.000815").cases[0]
    assert owed(case, {"pages": pages, "copies": copies}) == amount


def test_certified_signatures_are_charged_by_paper() -> None:
    assert owed(procedure("2.000884").cases[0], {"papers": 3}) == 30_000


@pytest.mark.parametrize(("born", "amount"), [("2026-09-24", 0), ("2026-09-23", 4_000)])
def test_a_birth_is_free_for_sixty_days(born: str, amount: int) -> None:
    assert owed(procedure("1.001193").cases[0], {"child_dob": born}) == amount


@pytest.mark.parametrize(("died", "amount"), [("2026-11-08", 0), ("2026-11-07", 8_000)])
def test_a_death_is_free_for_fifteen_days(died: str, amount: int) -> None:
    assert owed(procedure("1.000656").cases[0], {"died_on": died}, DESK) == amount


def test_a_list_of_persons_pays_by_person() -> None:
    case = procedure("1.004194").case("list")
    assert owed(case, {"persons": 12}) == 60_000
    assert owed(case, {"persons": 12}, DESK) == 120_000


def test_a_fee_that_hangs_on_a_missing_answer_is_not_guessed() -> None:
    with pytest.raises(FeeNotComputable) as refused:
        owed(procedure("2.000815").cases[0], {"copies": 2})
    assert refused.value.extra == {"line": "P-CT", "missing": ["pages"]}


# ── the language ──


@pytest.mark.parametrize(
    ("text", "values", "worth"),
    [
        ("1 + 2 * 3", {}, 7),
        ("min(a, 3) if b else max(a, 9)", {"a": 5, "b": True}, 3),
        ("-a // 2", {"a": 5}, -3),
        ("kind in ('x', 'y')", {"kind": "y"}, True),
        ("kind not in ('x', 'y')", {}, True),
        ("1 < a <= 3", {"a": 3}, True),
        ("years(born, '2026-11-23')", {"born": "2010-11-24"}, 15),
        ("days('2026-11-01', on)", {"on": date(2026, 11, 23)}, 22),
        ("date('2026-11-01') + 30 < on", {"on": "2026-12-02"}, True),
        ("given(a)", {"a": ""}, False),
    ],
)
def test_an_expression_is_worth_what_it_says(text: str, values: dict[str, Any], worth: Any) -> None:
    assert expressions.evaluate(text, values) == worth


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a + 1", {}),
        ("a + 1", {"a": "one"}),
        ("a * 9", {"a": "long" * 9}),
        ("a // 0", {"a": 1}),
        ("a * a * a", {"a": 10**15}),
        ("days(a, a)", {"a": "yesterday"}),
        ("date('2026-01-01') + a", {"a": 10**9}),
    ],
)
def test_what_cannot_be_reckoned_is_nothing_and_no_error(text: str, values: dict[str, Any]) -> None:
    assert expressions.evaluate(text, values) is None


@pytest.mark.parametrize("text", ["a > 1", "a < 1", "a == True", "a in (1, 2)", "years(a, a) > 3"])
@pytest.mark.parametrize("answer", [None, "text", [1], {"b": 2}])
def test_a_comparison_with_something_else_is_false(text: str, answer: Any) -> None:
    assert expressions.holds(text, {"a": answer}) is False


@pytest.mark.parametrize("text", ["1" * 501, "(" * 300 + "1" + ")" * 300, "", "a b", "x := 1", "a @ b", "days(a)"])
def test_what_is_not_of_the_language_is_refused(text: str) -> None:
    with pytest.raises(ExpressionInvalid):
        expressions.parse(text)


# ── levels ──


def test_the_level_is_that_of_the_agency() -> None:
    birth = procedure("1.001193")
    assert birth.at("H99.02.01").service_level == ServiceLevel.FULL
    assert birth.at("H99.02.02").service_level == ServiceLevel.PARTIAL
    assert "giấy chứng sinh" in (birth.at("H99.02.02").partial_reason or "")


@pytest.mark.parametrize(
    ("level", "delivery", "presence", "today"),
    [
        (1, ["desk"], False, "information_only"),
        (2, ["desk"], False, "information_only"),
        (3, ["desk", "online"], False, "partial"),
        (4, ["desk"], False, "partial"),
        (4, ["desk", "post"], True, "partial"),
        (4, ["desk", "post"], False, "full"),
    ],
)
def test_an_old_record_gets_the_level_of_today(level: int, delivery: list[str], presence: bool, today: str) -> None:
    old = {
        "code": "2.000635", "version": 1, "name": "Cũ", "field": {"code": "F", "name": "Hộ tịch"}, "cases": [],
        "eforms": {}, "result": {"code": "R", "name": "Bản sao"}, "legacy_level": level, "delivery": delivery,
        "presence_required": presence,
    }  # fmt: skip
    assert parse(old).service_level == today


# ── scenario 16, filed ──

FORM = {
    "person_name": "Nguyễn Thị An", "person_id": "000190000001", "person_dob": "1990-03-08",
    "new_address": "Thôn Đông, xã Bình Minh", "housing": "family", "head_name": "Nguyễn Văn Ông",
    "head_id": "000155000009",
}  # fmt: skip


async def accepted(office: Office, who: dict[str, str], answers: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """What the acceptance of a residence dossier says, sent online by a citizen or registered by the desk."""
    body = {"procedure_code": "1.004222", "receiving_unit": UNIT}
    draft = (await office.call("POST", "/drafts", who, 201, json=body))["id"]
    given = {"answers": answers, "delivery": "desk", **fields}
    await office.call("PATCH", f"/drafts/{draft}", who, json=given)
    await office.upload(draft, pdf(), who=who, component="TP-TT-03")
    if who is office.an:
        code = (await office.submission(draft))["code"]
        await office.act(code, "acceptance")
    else:
        body = {"channel": "desk"}
        code = (await office.call("POST", f"/drafts/{draft}/registration", who, 201, json=body))["code"]
    event: dict[str, Any] = (await office.bodies(code))["DossierAccepted"]
    return event


async def test_the_same_registration_costs_ten_thousand_online_and_twenty_at_the_desk(office: Office) -> None:
    owner = {"name": "Lê Thị Mẹ", "identity_number": "000155000009", "phone": "0900000009"}

    online = await accepted(office, office.an, FORM)
    desk = await accepted(office, office.officers["desk"], FORM, owner=owner)

    assert [line["amount"] for line in online["fee_lines"]] == [10_000]
    assert [line["amount"] for line in desk["fee_lines"]] == [20_000]
    assert online["fee_timing"] == desk["fee_timing"] == "at_acceptance"


async def test_a_childs_registration_is_accepted_with_nothing_to_pay_and_the_reason(office: Office) -> None:
    event = await accepted(office, office.an, {**FORM, "person_dob": "2020-05-01"})

    (line,) = event["fee_lines"]
    assert (line["amount"], line["exempt_reason"]) == (0, "Trẻ em dưới 16 tuổi")
    assert event["fee_timing"] == "none"
    assert await office.db.fetchval("SELECT payment_state FROM dossier") == "none"
