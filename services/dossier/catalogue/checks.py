"""What a procedure must be before it is published: every fault of it, each with its place, at once."""

import re
from collections.abc import Iterator, Set
from dataclasses import dataclass
from datetime import date
from itertools import combinations

import jsonschema_rs

from contracts.dossier import DeliveryMethod, ServiceLevel
from contracts.money import FeeTiming
from services.dossier.catalogue import expressions
from services.dossier.catalogue.domain import (
    CHANNELS,
    CIRCUMSTANCES,
    FILE_TYPES,
    HOURS_A_DAY,
    MAX_FILE,
    Case,
    Component,
    EForm,
    FeeRule,
    Mode,
    Procedure,
    ProcedureInvalid,
    Requirement,
    TimeLimit,
    TimeUnit,
)
from services.dossier.catalogue.expressions import ExpressionInvalid

CODE = re.compile(r"^[1-3]\.\d{6}(\.(?:\d{3}\.\d{2}\.\d{2}\.)?[A-Y]\d{2})?$")
"""A national procedure code, with or without the province's suffix."""
AUDIENCES = frozenset({"citizen", "organisation", "business"})
LEVELS = frozenset({"ministry", "province", "district", "commune"})
CONTACTS = frozenset({"phone", "email"})
INPUTS = frozenset({"choice", "text", "long_text", "date", "number", "yes_no"})


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a procedure may refer to outside its own file. None: not known here, so not checked."""

    units: Set[str] | None = None
    databases: Set[str] | None = None
    life_events: Set[str] | None = None
    procedures: Set[str] | None = None
    """Codes of all procedures, retired ones too."""
    results: Set[str] | None = None
    """Codes of the results of all procedures."""


def check(procedure: Procedure, around: Surroundings = Surroundings()) -> None:
    """Raise ProcedureInvalid, which lists every fault, unless the procedure can be published."""
    if found := [*faults(procedure, around)]:
        raise ProcedureInvalid("\n".join(f"{procedure.code}: {fault}" for fault in found))


def faults(procedure: Procedure, around: Surroundings = Surroundings()) -> Iterator[str]:
    """Everything that keeps the procedure from being published, as `place: what is wrong`."""
    yield from _head_faults(procedure)
    yield from _reference_faults(procedure, around)
    if procedure.retired:
        if procedure.cases:
            yield "cases: a retired procedure has none"
        return
    if not procedure.cases:
        yield "cases: there is no case"
    yield from _twice("cases", [case.code for case in procedure.cases])
    for name, form in procedure.eforms.items():
        yield from (f"eforms.{name}: {fault}" for fault in _form_faults(form))
    for case in procedure.cases:
        yield from (f"cases.{case.code}.{fault}" for fault in _case_faults(procedure, case, around))


def _twice(place: str, codes: list[str]) -> Iterator[str]:
    for code in sorted({code for code in codes if codes.count(code) > 1}):
        yield f"{place}: two have the same code {code}"


# ── the head ──


def _head_faults(procedure: Procedure) -> Iterator[str]:
    if not CODE.match(procedure.code):
        yield "code: this is not a procedure code"
    if procedure.effective_from and procedure.effective_to and procedure.effective_to < procedure.effective_from:
        yield "effective_to: it ends before it begins"
    if not procedure.delivery:
        yield "delivery: there is no way to deliver the result"
    if unknown := {*procedure.audience} - AUDIENCES:
        yield f"audience: nobody knows {', '.join(sorted(unknown))}"
    if procedure.competent_level and procedure.competent_level not in LEVELS:
        yield f"competent_level: there is no level {procedure.competent_level}"
    if unknown := {*procedure.required_contact} - CONTACTS:
        yield f"required_contact: nobody knows {', '.join(sorted(unknown))}"
    yield from _level_faults("service_level", procedure, procedure.service_level, procedure.partial_reason)
    for offer in procedure.offers:
        yield from _level_faults(f"offers.{offer.unit}", procedure, offer.service_level, offer.partial_reason)


def _level_faults(place: str, procedure: Procedure, level: ServiceLevel, reason: str | None) -> Iterator[str]:
    """NĐ 224/2026 Điều 14: a partial service says why; a full one lets nobody come (LVL-1, LVL-3, X6)."""
    if level == ServiceLevel.PARTIAL and not reason:
        yield f"{place}: a partial service must say why (partial_reason)"
    if level != ServiceLevel.FULL:
        return
    if procedure.presence_required or procedure.onsite_verification_required:
        yield f"{place}: a full service can require neither presence nor verification on site"
    if not {DeliveryMethod.ONLINE, DeliveryMethod.POST} & {*procedure.delivery}:
        yield f"{place}: a full service delivers online or by post"


def _reference_faults(procedure: Procedure, around: Surroundings) -> Iterator[str]:
    refer: tuple[tuple[str, Set[str], Set[str] | None], ...] = (
        ("units", {*procedure.units}, around.units),
        ("offers", {offer.unit for offer in procedure.offers}, around.units),
        ("competent_unit", {procedure.competent_unit} if procedure.competent_unit else set(), around.units),
        ("life_events", {*procedure.life_events}, around.life_events),
        ("replaced_by", {*procedure.replaced_by}, around.procedures),
    )
    for place, named, known in refer:
        if known is not None and (dead := named - known):
            yield f"{place}: there is no {', '.join(sorted(dead))}"
    if procedure.code in procedure.replaced_by:
        yield "replaced_by: it cannot replace itself"


# ── e-forms ──


def _form_faults(form: EForm) -> Iterator[str]:
    yield from _schema_faults(form)
    asked = [field.name for field in form.fields]
    properties = form.schema.get("properties", {})
    yield from _twice("fields", asked)
    for name in sorted({*asked} ^ {*properties}):
        where = "asked but not in the schema" if name in asked else "in the schema but not asked"
        yield f"fields.{name}: it is {where}"
    for name in sorted({*form.schema.get("required", [])} - {*properties}):
        yield f"schema.required: there is no question {name}"
    yield from _field_faults(form)
    yield from _section_faults(form, {*asked})
    for check_ in form.checks:
        yield from _expression_faults(f"checks.{check_.field}", check_.rule, {*asked}, form)
        if check_.field not in asked:
            yield f"checks.{check_.field}: there is no such question"


def _schema_faults(form: EForm) -> Iterator[str]:
    if not jsonschema_rs.meta.is_valid({"$schema": "https://json-schema.org/draft/2020-12/schema", **form.schema}):
        yield "schema: this is not a JSON Schema"
    if form.schema.get("type") != "object" or form.schema.get("additionalProperties") is not False:
        yield "schema: it must be of type object, with additionalProperties: false"


def _field_faults(form: EForm) -> Iterator[str]:
    above: set[str] = set()
    for field in form.fields:
        choices = form.schema.get("properties", {}).get(field.name, {}).get("enum")
        if field.input not in INPUTS:
            yield f"fields.{field.name}: nobody knows the input {field.input}"
        if field.input == "choice" and {*(field.options or {})} != {*(choices or ())}:
            yield f"fields.{field.name}: the options are not those of the schema"
        if field.visible_if:
            yield from _expression_faults(f"fields.{field.name}.visible_if", field.visible_if, above, form)
        above.add(field.name)


def _section_faults(form: EForm, asked: set[str]) -> Iterator[str]:
    listed = [name for section in form.sections for name in section.fields]
    if form.sections and listed != [field.name for field in form.fields]:
        yield "sections: they must list every question once, in the order of the fields"
    above: set[str] = set()
    for section in form.sections:
        if section.visible_if:
            yield from _expression_faults(f"sections.{section.title}.visible_if", section.visible_if, above, form)
        above |= {*section.fields}


# ── cases ──


def _case_faults(procedure: Procedure, case: Case, around: Surroundings) -> Iterator[str]:
    if case.eform and case.eform not in procedure.eforms:
        yield f"eform: there is no e-form {case.eform}"
    if case.chosen_by not in ("applicant", "officer"):
        yield f"chosen_by: {case.chosen_by} cannot choose"
    yield from _step_faults(case)
    yield from _twice("steps", [step.code for step in case.steps])
    yield from _twice("components", [component.code for component in case.components])
    for component in case.components:
        place = f"components.{component.code}"
        yield from (f"{place}{fault}" for fault in _component_faults(procedure, case, component, around))
    yield from _fee_faults(procedure, case)


def _step_faults(case: Case) -> Iterator[str]:
    """CAT-SUM: the counted steps take as long as the case."""
    total = sum(step.hours for step in case.steps if step.counted)
    if any(step.hours < 0 for step in case.steps):
        yield "steps: time does not run backwards"
    for limit in filter(None, (case.time, case.online_time)):
        if not _adds_up(total, limit, exactly=limit is case.time):
            yield f"steps: the counted ones sum to {total:g} hours, which is not the time of the case"


def _adds_up(total: float, limit: TimeLimit, *, exactly: bool) -> bool:
    """A shorter limit for online dossiers is the agency's promise; the steps need not sum to it exactly."""
    match limit.unit:
        case TimeUnit.SAME_DAY:
            return 0 < total <= HOURS_A_DAY
        case TimeUnit.WORKING_DAY:
            return total == limit.value * HOURS_A_DAY or not exactly
        case TimeUnit.WORKING_HOUR:
            return total == limit.value or not exactly
        case TimeUnit.CALENDAR_DAY:
            return 0 < total <= limit.value * HOURS_A_DAY


def _component_faults(procedure: Procedure, case: Case, component: Component, around: Surroundings) -> Iterator[str]:
    if (component.requirement is Requirement.CONDITIONAL) != bool(component.condition):
        yield ": conditional without a condition, or a condition without being conditional"
    if component.condition:
        form = procedure.eforms.get(case.eform or "")
        yield from _expression_faults(".condition", component.condition, questions(procedure, case), form)
    if dead := {*component.lookup_by} - questions(procedure, case):
        yield f".lookup_by: it reads what is not asked: {', '.join(sorted(dead))}"
    if component.max_size > MAX_FILE or not FILE_TYPES.issuperset(component.accepted_types):
        yield ": it accepts files that nobody may send"
    if component.max_files < 1 or component.max_size < 1 or not component.accepted_types:
        yield ": no file at all would fit"
    if component.eform and component.eform not in procedure.eforms:
        yield f".eform: there is no e-form {component.eform}"
    if component.filled_by_eform and component.eform != case.eform:
        yield ".filled_by_eform: the case asks another e-form"
    if component.signature_required and (component.mode is Mode.PRESENT or component.filled_by_eform):
        yield ".signature_required: there is no file to sign"
    yield from _dead_references(component, around)


def _dead_references(component: Component, around: Surroundings) -> Iterator[str]:
    database = component.replaced_by_database
    if around.databases is not None and database and database not in around.databases:
        yield f".replaced_by_database: there is no database {database}"
    if around.results is not None and (dead := {*component.from_results} - around.results):
        yield f".from_results: nothing gives {', '.join(sorted(dead))}"


def _fee_faults(procedure: Procedure, case: Case) -> Iterator[str]:
    known = questions(procedure, case)
    form = procedure.eforms.get(case.eform or "")
    codes = {rule.code for rule in case.fee.lines}
    if case.online_prepayment_required and case.fee.timing != FeeTiming.BEFORE_ACCEPTANCE:
        yield "fee.timing: prepayment is required but not asked for"
    for rule in case.fee.lines:
        place = f"fee.{rule.code}"
        yield from (f"{place}{fault}" for fault in _price_faults(rule))
        for name, text in (("formula", rule.formula), ("quantity", rule.quantity), ("condition", rule.condition)):
            if text:
                yield from _expression_faults(f"{place}.{name}", text, known, form)
    for first, second in combinations(case.fee.lines, 2):
        if first.code == second.code and first.condition == second.condition and _overlap(first, second):
            yield f"fee.{first.code}: two rates are in force on the same day"
    for exemption in case.fee.exemptions:
        yield from _expression_faults("fee.exemptions", exemption.when, known, form)
        if dead := {*exemption.lines} - codes:
            yield f"fee.exemptions: there is no line {', '.join(sorted(dead))}"


def _price_faults(rule: FeeRule) -> Iterator[str]:
    if (rule.unit_price is None) == (rule.formula is None):
        yield ": it needs either unit_price or formula"
    if (rule.formula or rule.condition) and not rule.explained:
        yield ".explained: people must be told what the formula or condition means"
    if rule.unit_price is not None and {*rule.unit_price} != {*CHANNELS}:
        yield f".unit_price: it names {', '.join(sorted(rule.unit_price))} instead of {', '.join(CHANNELS)}"
    if rule.unit_price and min(rule.unit_price.values()) < 0:
        yield ".unit_price: a price is never negative"


def _overlap(first: FeeRule, second: FeeRule) -> bool:
    starts = max(first.effective_from or date.min, second.effective_from or date.min)
    return starts <= min(first.effective_to or date.max, second.effective_to or date.max)


# ── expressions ──


def questions(procedure: Procedure, case: Case) -> set[str]:
    """What the case's e-form asks."""
    form = procedure.eforms.get(case.eform or "")
    return {field.name for field in form.fields} if form else set()


def _expression_faults(place: str, text: str, known: Set[str], form: EForm | None) -> Iterator[str]:
    """It must be of the language, read what is asked (above), and compare choices with choices that exist."""
    try:
        names, choices = expressions.names(text), expressions.choices(text)
    except ExpressionInvalid as exc:
        yield f"{place}: {exc}"
        return
    if strange := names - known - CIRCUMSTANCES:
        yield f"{place}: it reads what is not asked: {', '.join(sorted(strange))}"
    properties = form.schema.get("properties", {}) if form else {}
    for name, value in sorted(choices):
        allowed = properties.get(name, {}).get("enum")
        if allowed is not None and value not in allowed:
            yield f"{place}: {name} is never {value!r}"
