"""What a result says: for each kind of result, its type, symbol and typst form, and the facts printed on it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from services.dossier.catalogue.domain import Procedure
from services.dossier.forms.words import letterhead
from services.dossier.processing.domain import Dossier
from services.dossier.tenant import Tenant, Unit

FORMS_FOLDER = Path(__file__).parent / "forms"

EVENTS = {
    "birth": "Khai sinh",
    "marriage": "Kết hôn",
    "death": "Khai tử",
    "adoption": "Nhận nuôi con nuôi",
    "other": "Việc hộ tịch khác",
}


@dataclass(frozen=True, slots=True)
class Form:
    """How one kind of result is written."""

    document_type: str
    symbol: str
    """Stands behind the number: `15/TLHT-BS`."""
    template: Path
    facts: Callable[[Dossier, Procedure, Mapping[str, str]], dict[str, Any]]


def _extract(dossier: Dossier, procedure: Procedure, found: Mapping[str, str]) -> dict[str, Any]:
    """Bản sao trích lục hộ tịch: what was asked for, and what the register says."""
    answers = {**dossier.facts.answers, **found}
    rows = {
        "Họ, chữ đệm, tên": str(answers["person_name"]).upper(),
        "Số đăng ký": answers.get("register_no"),
        "Ngày đăng ký": _day(answers.get("register_date")),
    }
    return {
        "event": EVENTS.get(answers["event_type"], answers["event_type"]),
        "rows": [{"label": label, "value": value} for label, value in rows.items() if value],
        "statement": "Nội dung trên được sao từ Cơ sở dữ liệu hộ tịch điện tử.",
        "copies": str(answers["copies"]),
        "title": procedure.result.name,
    }


FORMS: Mapping[str, Form] = {
    "KQ.TP.TL": Form("trich-luc-ho-tich", "TLHT-BS", FORMS_FOLDER / "trich-luc.typ", _extract),
}
"""By the code of the result in the catalogue."""


def facts(
    form: Form, dossier: Dossier, procedure: Procedure, tenant: Tenant, found: Mapping[str, str], lookup_url: str
) -> dict[str, Any]:
    """Everything that the template of this result shows; number and date come when it is issued."""
    unit = unit_of(dossier, tenant)
    return {
        **letterhead(unit, lookup_url, signer_lines=["TM. Ủy ban nhân dân", "Chủ tịch"]),
        "recipients": [dossier.facts.owner_name, "Lưu: VT, hồ sơ"],
        "code": dossier.code,
        **form.facts(dossier, procedure, found),
    }


def unit_of(dossier: Dossier, tenant: Tenant) -> Unit:
    """The deciding unit."""
    unit = dossier.facts.competent_unit
    return tenant.units.get(unit, Unit(unit, unit))


def _day(value: object) -> str | None:
    return f"{date.fromisoformat(str(value)):%d/%m/%Y}" if value else None
