"""E-forms: questions that depend on others, answers that contradict each other, what the applicant is told."""

from datetime import date
from typing import Any

import pytest

from services.dossier.filing import answers
from tests.dossier.office import procedure

TODAY = {"submitted_on": date(2026, 11, 23), "channel": "online"}
BIRTH: dict[str, Any] = {
    "child_name": "Nguyễn Gia Hân", "child_dob": "2026-11-01", "child_gender": "female", "child_birth_place": "Nhà",
    "ethnicity": "Kinh", "nationality": "Việt Nam", "hometown": "An Bình", "abandoned": False, "no_birth_cert": False,
    "mother_name": "Nguyễn Thị An", "mother_residence": "Xã Bình Minh", "father_known": False,
    "declarant_name": "Nguyễn Thị An", "declarant_id": "000190000001", "declarant_relation": "parent",
    "declarant_residence": "Xã Bình Minh",
}  # fmt: skip
FORM = procedure("1.001193").eforms["KS_TOKHAI"]


def wrong(**changes: Any) -> list[tuple[str, str]]:
    given = {name: value for name, value in {**BIRTH, **changes}.items() if value is not None}
    return [(fault.field.removeprefix("answers."), fault.rule) for fault in answers.check(FORM, given, TODAY)]


def test_a_form_that_is_filled_in_is_good() -> None:
    assert wrong() == []


def test_a_question_is_required_once_another_answer_leads_to_it() -> None:
    assert wrong(father_known=True) == [("father_name", "required")]
    assert wrong(father_known=True, father_name="Trần Văn Bình") == []


def test_an_answer_to_a_hidden_question_is_refused_and_named() -> None:
    assert wrong(father_name="Trần Văn Bình") == [("father_name", "hidden")]


def test_a_whole_section_is_hidden_with_what_hangs_on_it() -> None:
    found = {
        "abandoned": True, "no_birth_cert": None, "mother_name": None, "mother_residence": None, "father_known": None,
    }  # fmt: skip
    assert wrong(**found) == []
    assert wrong(**found | {"father_known": True, "father_name": "Trần Văn Bình"}) == [
        ("father_known", "hidden"),
        ("father_name", "hidden"),
    ]


def test_a_question_that_is_not_on_the_form_is_refused() -> None:
    assert wrong(favourite_colour="đỏ") == [("favourite_colour", "additionalProperties")]


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"child_dob": "2026-11-24"}, "child_dob"), ({"mother_dob": "2020-01-01"}, "mother_dob")],
)
def test_answers_that_contradict_each_other_are_named_with_the_reason(changes: dict[str, Any], field: str) -> None:
    (fault,) = answers.check(FORM, {**BIRTH, **changes}, TODAY)
    assert (fault.field, fault.rule) == (f"answers.{field}", "contradiction")
    assert "ngày" in fault.message.lower()


def test_a_cross_check_waits_for_what_it_reads() -> None:
    assert answers.check(FORM, {**BIRTH, "child_dob": "2026-11-24"}) == []


def test_guided_questions_follow_the_answers() -> None:
    form = procedure("2.002913").eforms["LTKT_TOKHAI"]
    asked = form.visible(
        {"insured": False, "merit_person": False, "deceased_dob": "1940-02-01", "died_on": "2026-11-20"}
    )
    assert {"merit_person", "social_assistance", "pensioner_80"} <= asked
    assert not {"merit_person", "social_assistance", "pensioner_80"} & form.visible({"insured": True})
    assert "bank_account" in form.visible({"insured": True})
