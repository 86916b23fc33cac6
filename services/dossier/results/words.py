"""What a result says: for each kind of result, its type, symbol and typst form, and the facts printed on it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from services.dossier.catalogue.domain import Procedure
from services.dossier.processing.domain import Dossier
from services.dossier.tenant import Tenant

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
    facts: Callable[[Dossier, Procedure, Tenant, Mapping[str, str]], dict[str, Any]]


def _extract(dossier: Dossier, procedure: Procedure, tenant: Tenant, found: Mapping[str, str]) -> dict[str, Any]:
    """Bản sao trích lục hộ tịch: what was asked for, and what the register says."""
    answers = {**dossier.facts.answers, **found}
    rows = {
        "Họ, chữ đệm, tên": str(answers["person_name"]).upper(),
        "Số đăng ký": answers.get("register_no"),
        "Ngày đăng ký": _day(answers.get("register_date")),
        "Nơi đăng ký": agency(dossier, tenant),
    }
    return {
        "dossier_code": dossier.code,
        "agency": agency(dossier, tenant),
        "event": EVENTS.get(answers["event_type"], answers["event_type"]),
        "rows": [{"label": label, "value": value} for label, value in rows.items() if value],
        "statement": "Nội dung trên được sao từ Cơ sở dữ liệu hộ tịch điện tử.",
        "copies": str(answers["copies"]),
        "signer_title": "TM. Ủy ban nhân dân",
        "title": procedure.result.name,
    }


FORMS: Mapping[str, Form] = {
    "KQ.TP.TL": Form("trich-luc-ho-tich", "TLHT-BS", FORMS_FOLDER / "trich-luc.typ", _extract),
}
"""By the code of the result in the catalogue."""


def agency(dossier: Dossier, tenant: Tenant) -> str:
    """The name of the deciding unit."""
    unit = tenant.units.get(dossier.facts.competent_unit)
    return unit.name if unit else dossier.facts.competent_unit


def _day(value: object) -> str | None:
    return f"{date.fromisoformat(str(value)):%d/%m/%Y}" if value else None
