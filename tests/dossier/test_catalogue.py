"""The catalogue: what a procedure must be, how it is found, and which version counts."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from contracts.dossier import ServiceLevel, SubmissionChannel
from services.dossier.catalogue import domain, store
from services.dossier.catalogue.checks import check
from services.dossier.catalogue.domain import Procedure, ProcedureInvalid, TimeLimit, TimeUnit
from services.dossier.catalogue.expressions import ExpressionInvalid
from tests.dossier.office import ANSWERS, PROCEDURE, Office, pdf, procedure

EXTRACT = procedure()
CASE = EXTRACT.cases[0]
TODAY = date(2026, 11, 23)


def with_case(**changes: Any) -> Procedure:
    return replace(EXTRACT, cases=(replace(CASE, **changes),))


@pytest.mark.parametrize(
    ("procedure", "says"),
    [
        (with_case(time=TimeLimit(TimeUnit.WORKING_DAY, 3)), "sum to 8 hours"),
        (with_case(eform="NONE"), "no e-form NONE"),
        (with_case(components=(CASE.components[0], CASE.components[0])), "the same code"),
        (
            with_case(components=(replace(CASE.components[1], condition="stranger"),)),
            "not asked: stranger",
        ),
        (with_case(components=(replace(CASE.components[1], condition=None),)), "conditional without a condition"),
        (with_case(components=(replace(CASE.components[0], max_size=10**9),)), "files that nobody may send"),
        (
            with_case(fee=replace(CASE.fee, lines=(replace(CASE.fee.lines[0], quantity="x"),))),
            "not asked: x",
        ),
        (replace(EXTRACT, service_level=ServiceLevel.PARTIAL), "partial_reason"),
        (replace(EXTRACT, code="2.63"), "not a procedure code"),
        (replace(EXTRACT, cases=()), "no case"),
    ],
)
def test_a_procedure_with_a_hole_is_not_published(procedure: Procedure, says: str) -> None:
    with pytest.raises(ProcedureInvalid, match=says):
        check(procedure)


@pytest.mark.parametrize(
    ("condition", "answers", "holds"),
    [
        ("a", {"a": True}, True),
        ("a", {}, False),
        ("not a", {}, True),
        ("a and not b", {"a": True, "b": True}, False),
        ("a or b", {"b": True}, True),
        ("(a or b) and c", {"b": True}, False),
    ],
)
def test_conditions(condition: str, answers: dict[str, bool], holds: bool) -> None:
    assert domain.holds(condition, answers) is holds


@pytest.mark.parametrize(
    "condition", ["__import__('os')", "a.b", "a[0]", "open(a)", "lambda: 1", "a ** a", "min()", "a if", "f'{a}'"]
)
def test_a_condition_cannot_do_anything_else(condition: str) -> None:
    with pytest.raises(ExpressionInvalid):
        domain.holds(condition, {})


@pytest.mark.parametrize(("copies", "amount"), [(1, 8_000), (2, 16_000), (20, 160_000)])
def test_the_fee_is_eight_thousand_a_copy(copies: int, amount: int) -> None:
    (line,) = domain.fee_lines(CASE, {"copies": copies}, SubmissionChannel.PROVINCIAL_PORTAL, TODAY)
    assert (line.amount, line.quantity, line.kind) == (amount, copies, "le_phi")


def test_a_line_without_a_price_is_left_out() -> None:
    free = replace(CASE.fee.lines[0], unit_price={"online": 0, "desk": 8_000, "post": 8_000})
    case = replace(CASE, fee=replace(CASE.fee, lines=(free,)))
    assert domain.fee_lines(case, ANSWERS, SubmissionChannel.PROVINCIAL_PORTAL, TODAY) == ()
    assert domain.fee_lines(case, ANSWERS, SubmissionChannel.DESK, TODAY)[0].amount == 16_000


@pytest.mark.parametrize("words", ["trich luc", "TRÍCH LỤC", "ho tich ban sao", "2.000635", "đất khai sinh"])
async def test_a_procedure_is_found_with_or_without_diacritics(office: Office, words: str) -> None:
    found = await office.call("GET", "/procedures", {}, params={"q": words})
    codes = [item["code"] for item in found["items"]]
    assert codes == [] if words.startswith("đất") else PROCEDURE in codes


async def test_a_percent_sign_is_a_percent_sign(office: Office) -> None:
    assert (await office.call("GET", "/procedures", {}, params={"q": "%"}))["items"] == []


async def test_a_procedure_is_shown_whole(office: Office) -> None:
    shown = await office.call("GET", f"/procedures/{PROCEDURE}", {})

    assert shown["cases"][0]["components"][0]["code"] == "TP-TL-01"
    assert shown["eforms"]["TL_TOKHAI"]["schema"]["required"] == ["event_type", "person_name", "copies"]
    await office.call("GET", "/procedures/9.999999", {}, 404)


async def test_loading_the_same_again_changes_nothing(office: Office) -> None:
    async with office.db.transaction() as tx:
        assert await store.publish(tx, [EXTRACT]) == 0


async def test_a_draft_of_a_replaced_version_cannot_be_sent_and_a_dossier_keeps_its_own(office: Office) -> None:
    code = await office.submitted()
    draft = await office.draft()
    await office.upload(draft, pdf())
    dearer = replace(CASE.fee.lines[0], unit_price={"online": 9_000, "desk": 9_000, "post": 9_000})
    async with office.db.transaction() as tx:
        assert await store.publish(tx, [with_case(fee=replace(CASE.fee, lines=(dearer,)))]) == 1

    problem = await office.submission(draft, 409)

    assert problem["type"] == "urn:motcua:problem:procedure-replaced"
    assert problem["replaced_by"] == [PROCEDURE]
    await office.act(code, "acceptance")
    assert (await office.bodies(code))["DossierAccepted"]["fee_lines"][0]["amount"] == 16_000
    async with office.db.transaction() as tx:
        assert await store.publish(tx, [EXTRACT]) == 0, "an old replica takes nothing back"
    fresh = await office.submitted()
    await office.act(fresh, "acceptance")
    assert (await office.bodies(fresh))["DossierAccepted"]["fee_lines"][0]["amount"] == 18_000
