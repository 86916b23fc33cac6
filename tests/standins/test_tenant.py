"""The fictional province's data agree with themselves and with the law's numbers."""

import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from tests.standins.conftest import ROOT

TENANT = ROOT / "deploy/tenants/an-binh"
PROCEDURES = sorted((TENANT / "procedures").glob("*.yaml"))
TEMPLATES = sorted((TENANT / "templates").glob("*.yaml"))
ROLES = {"desk", "specialist", "division_head", "leader", "clerk", "cashier"}
OTHER_ROLES = {"inspector", "supervisor", "catalogue_editor", "catalogue_publisher", "system_admin"}
VALUES = {
    "code": "H99.02.01-261122-0001",
    "procedure_name": "Cấp bản sao Trích lục hộ tịch, bản sao Giấy khai sinh",
    "unit_name": "Ủy ban nhân dân xã Bình Minh",
    "time": "15:04 22/11/2026",
    "date": "22/11/2026",
    "due": "17:00 23/11/2026",
    "old_due": "17:00 20/11/2026",
    "round": "1",
    "apology": "yes",
    "reason": "Sổ gốc đang được tu bổ.",
    "guidance": " Nộp tại: Sở Xây dựng tỉnh An Bình.",
    "law": "Luật Hộ tịch số 60/2014/QH13, Điều 64",
    "legal_basis": "Luật Hộ tịch số 60/2014/QH13, Điều 64",
    "replaced": "16/TLHT-BS",
    "number": "17/TLHT-BS",
    "amount": "1.600.000",
    "receipt": "0000001",
    "place": "Trung tam Phuc vu hanh chinh cong tinh An Binh",
    "otp": "204816",
    "m": "3",
    "host": "dichvucong.anbinh.example.vn",
    "lookup_url": "https://dichvucong.anbinh.example.vn/tra-cuu",
    "payment_url": "https://dichvucong.anbinh.example.vn/thanh-toan",
    "result_url": "https://dichvucong.anbinh.example.vn/ho-so-cua-toi",
}


def read(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loaded


def name_of(path: Path) -> str:
    return path.stem


def units() -> dict[str, dict[str, Any]]:
    return {unit["id"]: unit for unit in read(TENANT / "units.yaml")["units"]}


def test_every_unit_has_an_agency_id_and_a_known_parent() -> None:
    for code, unit in units().items():
        assert re.fullmatch(r"[A-Y]\d{2}(\.[A-Z0-9]{2,3}){0,4}", code)
        assert unit["parent"] is None or unit["parent"] in units()


def test_officers_work_in_units_of_the_province_with_known_roles() -> None:
    for officer in read(TENANT / "officers.yaml")["officers"]:
        assert officer["unit"] in units()
        assert set(officer["roles"]) <= ROLES | OTHER_ROLES
        assert "password" not in officer


def test_who_drafts_a_result_does_not_sign_it() -> None:
    for officer in read(TENANT / "officers.yaml")["officers"]:
        assert not {"specialist", "leader"} <= set(officer["roles"])


def test_the_people_cannot_be_taken_for_real_ones() -> None:
    for person in read(TENANT / "people.yaml")["people"]:
        number, born = person["identity_number"], person["date_of_birth"]
        century_and_gender = (born.year // 100 - 19) * 2 + (person["gender"] == "female")
        assert re.fullmatch(r"000\d{9}", number)
        assert number[3:6] == f"{century_and_gender}{born:%y}"
        assert re.fullmatch(r"09000000\d\d", person["phone"])
        assert person["email"] is None or person["email"].endswith("@example.vn")


def is_working_day(calendar: dict[str, Any], day: date) -> bool:
    if day in {made_up["date"] for made_up in calendar["makeup_workdays"]}:
        return True
    off = {holiday["date"] for holiday in calendar["holidays"]}
    return day.isoweekday() in calendar["working_weekdays"] and day not in off


@pytest.mark.parametrize(
    ("effective", "days", "due"),
    [
        (date(2026, 11, 20), 3, date(2026, 11, 26)),
        (date(2026, 11, 23), 3, date(2026, 11, 27)),
        (date(2026, 8, 21), 1, date(2026, 8, 22)),
        (date(2026, 8, 28), 1, date(2026, 9, 3)),
        (date(2026, 2, 13), 2, date(2026, 2, 24)),
        (date(2026, 4, 24), 1, date(2026, 4, 28)),
        (date(2026, 11, 23), 21, date(2026, 12, 23)),
    ],
)
def test_the_calendar_gives_the_due_days_of_the_law(effective: date, days: int, due: date) -> None:
    calendar = read(TENANT / "calendar.yaml")
    later = (effective + timedelta(days=n) for n in range(1, 60))

    working = [day for day in later if is_working_day(calendar, day)]

    assert working[days - 1] == due


def test_a_swap_names_the_day_off_that_it_pays_for() -> None:
    calendar = read(TENANT / "calendar.yaml")
    off = {holiday["date"] for holiday in calendar["holidays"]}

    assert all(swap["instead_of"] in off for swap in calendar["makeup_workdays"])


def test_every_policy_says_where_it_comes_from() -> None:
    for entry in read(TENANT / "policy.yaml").values():
        assert set(entry) <= {"value", "unit", "source"}
        assert entry["source"]


@pytest.mark.parametrize("path", PROCEDURES, ids=name_of)
def test_a_procedure_is_named_by_its_code(path: Path) -> None:
    procedure = read(path)

    assert procedure["code"] == path.stem
    assert re.fullmatch(r"[1-3]\.\d{6}", procedure["code"])
    assert procedure["name"][0].isupper()


@pytest.mark.parametrize("path", PROCEDURES, ids=name_of)
def test_every_step_is_somebodys(path: Path) -> None:
    for case in read(path)["cases"]:
        assert {step["role"] for step in case.get("steps", [])} <= ROLES | {"desk_return"}


def test_the_sixteen_procedures_of_the_province_are_there_and_two_that_were_replaced() -> None:
    current = {path.stem for path in PROCEDURES if not read(path).get("retired") and not read(path).get("member_only")}
    retired = {path.stem: read(path)["replaced_by"] for path in PROCEDURES if read(path).get("retired")}

    assert len(current - {"3.990010"}) == 16, "and the interlinked karaoke group"
    assert retired == {"2.002621": ["3.000722"], "2.002622": ["2.002913"]}


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_a_template_uses_only_the_variables_it_names(path: Path) -> None:
    template = read(path)
    values = {name: VALUES[name] for name in template["variables"]}
    jinja = SandboxedEnvironment(undefined=StrictUndefined)

    subject, body, sms = (jinja.from_string(template[part]).render(values) for part in ("subject", "body", "sms"))

    assert template["key"] == path.stem
    assert "code" not in values or VALUES["code"] in subject
    assert "{" not in subject + body + sms
    assert sms.isascii()
    assert len(sms) <= 160
