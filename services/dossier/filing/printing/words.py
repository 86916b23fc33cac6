"""What a filled form says in print ("In biểu mẫu đơn"): the e-form with readable answers, and who files for whom."""

from datetime import date
from pathlib import Path
from typing import Any

from services.dossier.catalogue.domain import EForm, FormField, Procedure
from services.dossier.filing.domain import Draft
from services.dossier.parties.domain import Particulars, Person
from services.dossier.processing.domain import Dossier
from services.dossier.tenant import Tenant

TEMPLATE = Path(__file__).parent / "forms/filled-form.typ"

Row = dict[str, str]


UNSENT = "Bản in từ hồ sơ chưa gửi, chưa có giá trị nộp hồ sơ"


def of_draft(draft: Draft, procedure: Procedure, tenant: Tenant) -> dict[str, Any]:
    """The facts of a form that is not sent yet."""
    form = procedure.eform_of(procedure.case(draft.case))
    facts = _facts(form, procedure, draft.circumstances, draft.particulars)
    return {**facts, "agency": _name(draft.receiving_unit, tenant), "code": "", "note": UNSENT}


def of_dossier(dossier: Dossier, people: Particulars, procedure: Procedure, tenant: Tenant) -> dict[str, Any]:
    """The facts of a form as it was sent."""
    form = procedure.eform_of(procedure.case(dossier.facts.case))
    facts = _facts(form, procedure, dossier.facts.circumstances, people)
    return {**facts, "agency": _name(dossier.facts.receiving_unit, tenant), "code": dossier.code, "note": ""}


def _name(unit: str, tenant: Tenant) -> str:
    return tenant.units[unit].name if unit in tenant.units else unit


def _facts(form: EForm | None, procedure: Procedure, answers: dict[str, Any], people: Particulars) -> dict[str, Any]:
    return {
        "title": form.title if form else procedure.name,
        "procedure": procedure.name,
        "sections": [*_people(people), *(_sections(form, answers) if form else ())],
        "signer": people.submitter.name or "",
    }


def _people(people: Particulars) -> list[dict[str, Any]]:
    if people.owner is people.submitter or people.owner == people.submitter:
        return [{"title": "Người nộp hồ sơ", "rows": _person(people.submitter)}]
    return [
        {"title": "Chủ hồ sơ", "rows": _person(people.owner)},
        {"title": "Người nộp hồ sơ", "rows": _person(people.submitter)},
    ]


def _person(person: Person) -> list[Row]:
    address = person.address.text or person.address.street
    rows = {
        "Họ, chữ đệm, tên": person.name,
        "Số định danh": person.identity_number,
        "Ngày sinh": person.birth_date and _day(person.birth_date),
        "Điện thoại": person.phone,
        "Thư điện tử": person.email,
        "Địa chỉ": address,
    }
    return [{"label": label, "value": value} for label, value in rows.items() if value]


def _sections(form: EForm, answers: dict[str, Any]) -> list[dict[str, Any]]:
    """The questions that are asked, under their headings; a form without headings is one section."""
    asked = form.visible(answers)
    fields = {field.name: field for field in form.fields if field.name in asked}
    headed = [(section.title, section.fields) for section in form.sections] or [("Nội dung khai", tuple(fields))]
    return [
        {"title": title, "rows": rows}
        for title, names in headed
        if (rows := [_row(fields[name], answers.get(name)) for name in names if name in fields])
    ]


def _row(field: FormField, value: object) -> Row:
    return {"label": field.label, "value": readable(field, value)}


def readable(field: FormField, value: object) -> str:
    """The answer as people write it; dots for what was not answered."""
    if value is None or value == "":
        return "…"
    if field.input == "yes_no":
        return "Có" if value is True else "Không"
    if field.options and str(value) in field.options:
        return field.options[str(value)]
    if field.input == "date":
        return _written_day(str(value))
    return str(value)


def _written_day(text: str) -> str:
    try:
        return _day(date.fromisoformat(text))
    except ValueError:
        return text  # a draft may hold anything


def _day(day: date) -> str:
    return f"{day:%d/%m/%Y}"
