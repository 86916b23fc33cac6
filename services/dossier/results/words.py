"""What a result says: for each kind of result its type, symbol and typst form, and the facts printed on it."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from services.dossier.catalogue.domain import EForm, FormField, Procedure, ResultKind
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
    facts: Callable[[Dossier, Procedure, Mapping[str, Any]], dict[str, Any]]
    """From the answers, with what the specialist found in their place."""


def _extract(dossier: Dossier, procedure: Procedure, told: Mapping[str, Any]) -> dict[str, Any]:
    """Bản sao trích lục hộ tịch: what was asked for, and what the register says."""
    rows = {
        "Họ, chữ đệm, tên": str(told["person_name"]).upper(),
        "Số đăng ký": told.get("register_no"),
        "Ngày đăng ký": _day(told.get("register_date")),
    }
    return {
        "event": EVENTS.get(told["event_type"], told["event_type"]),
        "rows": [{"label": label, "value": value} for label, value in rows.items() if value],
        "statement": "Nội dung trên được sao từ Cơ sở dữ liệu hộ tịch điện tử.",
        "copies": str(told["copies"]),
        "title": procedure.result.name,
    }


FORMS: Mapping[str, Form] = {
    "KQ.TP.TL": Form("trich-luc-ho-tich", "TLHT-BS", FORMS_FOLDER / "trich-luc.typ", _extract),
}
"""Results with a form of their own, by code; every other is written by the general one."""


def form_of(kind: ResultKind) -> Form:
    """How this kind of result is written."""
    general = Form(slug(title_of(kind)), kind.symbol or _initials(kind), FORMS_FOLDER / "ket-qua.typ", _general)
    return FORMS.get(kind.code, general)


def title_of(kind: ResultKind) -> str:
    """Its name without remarks: `Giấy chứng nhận kết hôn (02 bản chính)` is one document of that name."""
    return re.sub(r"\s*\(.*?\)", "", kind.name)


def slug(name: str) -> str:
    """`Giấy xác nhận` → `giay-xac-nhan`."""
    plain = unicodedata.normalize("NFD", name.lower().replace("đ", "d"))
    return "-".join(re.findall(r"[a-z0-9]+", plain.encode("ascii", "ignore").decode()))


def _initials(kind: ResultKind) -> str:
    """Abbreviation of the type of document, as NĐ 30/2020/NĐ-CP forms it: Giấy xác nhận → `GXN`."""
    return "".join(word[0] for word in slug(title_of(kind)).split("-")[:6]).upper()


# ── the general form ──────────────────────────────────────────────────────────────────────────────────────────

STATEMENTS = {
    "giay-phep": "cấp phép với các nội dung sau:",
    "thong-bao": "thông báo kết quả giải quyết như sau:",
    "trich-luc": "trích lục từ sổ đăng ký các nội dung sau:",
    "ban-sao": "sao từ bản gốc các nội dung sau:",
}
CERTIFIES = "chứng nhận, xác nhận các nội dung sau:"


def _general(dossier: Dossier, procedure: Procedure, told: Mapping[str, Any]) -> dict[str, Any]:
    kind = procedure.result
    eform = procedure.eform_of(procedure.case(dossier.facts.case))
    name = slug(kind.name)
    return {
        "title": title_of(kind),
        "statement": next((text for start, text in STATEMENTS.items() if name.startswith(start)), CERTIFIES),
        "legal_basis": list(procedure.legal_basis[:3]),
        "rows": list(_rows(eform, told)) if eform else [],
        "validity": _validity(kind),
    }


def _rows(eform: EForm, told: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Every answer under its question's label. Yes and no only steer what a dossier needs; they certify nothing."""
    kinds = eform.schema.get("properties", {})
    for asked in eform.fields:
        value = told.get(asked.name)
        if asked.name != PAYER and value not in (None, "", [], {}) and not isinstance(value, bool):
            yield {"label": asked.label, "value": _shown(asked, kinds.get(asked.name, {}), value)}


PAYER = "payer_category"
"""The answer by which fees are remitted."""


def _shown(asked: FormField, kind: Mapping[str, Any], value: Any) -> str:
    """An answer as people read it."""
    if kind.get("format") == "date":
        return _day(value) or ""
    if isinstance(value, list):
        return "; ".join(_shown(asked, kind.get("items", {}), each) for each in value)
    if isinstance(value, dict):
        return ", ".join(str(each) for each in value.values() if each not in (None, ""))
    return (asked.options or {}).get(str(value), str(value))


def _validity(kind: ResultKind) -> str:
    bound = " và chỉ dùng cho mục đích đã nêu" if kind.purpose_bound else ""
    if kind.valid_months and not kind.keep_forever:
        return f"Văn bản này có giá trị trong {kind.valid_months} tháng kể từ ngày cấp{bound}."
    return f"Văn bản này có giá trị từ ngày cấp{bound}." if bound else ""


# ── what all have in common ───────────────────────────────────────────────────────────────────────────────────


def facts(
    form: Form, dossier: Dossier, procedure: Procedure, tenant: Tenant, found: Mapping[str, str], lookup_url: str
) -> dict[str, Any]:
    """Everything that the template of this result shows; number and date come when it is issued."""
    told = {**dossier.facts.answers, **found}
    return {**_common(dossier, tenant, lookup_url), **form.facts(dossier, procedure, told)}


def sheet(
    dossier: Dossier, procedure: Procedure, tenant: Tenant, lookup_url: str, *, pages: int, sha256: str
) -> dict[str, Any]:
    """What the page for signatures says that follows a result written elsewhere."""
    about = {"title": title_of(procedure.result), "pages": str(pages), "sha256": sha256}
    return {**_common(dossier, tenant, lookup_url), **about}


SHEET = FORMS_FOLDER / "trang-ky.typ"


def _common(dossier: Dossier, tenant: Tenant, lookup_url: str) -> dict[str, Any]:
    unit = unit_of(dossier, tenant)
    people = unit.name.startswith("Ủy ban nhân dân")
    return {
        **letterhead(unit, lookup_url, ["TM. Ủy ban nhân dân", "Chủ tịch"] if people else ["Thủ trưởng cơ quan"]),
        "recipients": [dossier.facts.owner_name, "Lưu: VT, hồ sơ"],
        "code": dossier.code,
        "owner": dossier.facts.owner_name,
        "procedure": dossier.facts.procedure_name,
    }


def unit_of(dossier: Dossier, tenant: Tenant) -> Unit:
    """The deciding unit."""
    unit = dossier.facts.competent_unit
    return tenant.units.get(unit, Unit(unit, unit))


def _day(value: object) -> str | None:
    return f"{date.fromisoformat(str(value)):%d/%m/%Y}" if value else None
