"""The procedures that can be filed here (thủ tục hành chính): what they ask for, how long they take, what they cost.

One file of the tenant's `procedures/` folder is one version of one procedure; a dossier keeps the version it was filed
under. The dataclasses mirror those files.
"""

import ast
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from contracts.dossier import DeliveryMethod, ServiceLevel, Step, SubmissionChannel
from contracts.money import FeeKind, FeeLine, FeeTiming
from services.dossier.clocks.calendar import Cutoff

CODE = re.compile(r"^[1-3]\.\d{6}(\.(?:\d{3}\.\d{2}\.\d{2}\.)?[A-Y]\d{2})?$")
HOURS_A_DAY = 8
MAX_FILE = 20 * 1024 * 1024
"""Bytes: no component may allow more for one file."""
FILE_TYPES = frozenset({"application/pdf", "image/jpeg", "image/png"})

Answers = Mapping[str, Any]


class TimeUnit(StrEnum):
    SAME_DAY = "same_day"
    WORKING_DAY = "working_day"
    CALENDAR_DAY = "calendar_day"
    WORKING_HOUR = "working_hour"


class Requirement(StrEnum):
    MANDATORY = "mandatory"
    CONDITIONAL = "conditional"
    """Mandatory while its condition holds."""
    OPTIONAL = "optional"


class Mode(StrEnum):
    SUBMIT = "submit"
    PRESENT = "present"
    """Shown to an officer; never uploaded nor kept."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of administration (lĩnh vực)."""

    code: str
    name: str


@dataclass(frozen=True, slots=True)
class TimeLimit:
    """How long the case takes, from the acceptance of a complete dossier."""

    unit: TimeUnit
    value: int
    cutoff: Cutoff | None = None


@dataclass(frozen=True, slots=True)
class Component:
    """One paper of the dossier (thành phần hồ sơ)."""

    code: str
    name: str
    requirement: Requirement
    mode: Mode
    condition: str | None = None
    eform: str | None = None
    signature_required: bool = False
    replaced_by_database: str | None = None
    from_results: tuple[str, ...] = ()
    """Codes of earlier results that serve as this component, taken from the owner's document store."""
    accepted_types: tuple[str, ...] = tuple(sorted(FILE_TYPES))
    max_size: int = MAX_FILE
    max_files: int = 1


@dataclass(frozen=True, slots=True)
class FeeRule:
    """One line of the fee: unit price by channel, times the answer that `quantity` names."""

    kind: FeeKind
    code: str
    name: str
    unit_price: dict[str, int]
    quantity: str | None = None
    unit: str = ""
    legal_basis: str | None = None


@dataclass(frozen=True, slots=True)
class Fee:
    timing: FeeTiming
    lines: tuple[FeeRule, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkflowStep:
    """One step of the work, in working hours. Handing over is not counted."""

    code: str
    name: str
    role: Step | str
    hours: float
    counted: bool = True


@dataclass(frozen=True, slots=True)
class Case:
    """A case of a procedure (trường hợp): it decides time, components, fee and workflow."""

    code: str
    name: str
    time: TimeLimit
    eform: str | None
    components: tuple[Component, ...]
    fee: Fee
    steps: tuple[WorkflowStep, ...]
    result_signature_required: bool = True
    online_prepayment_required: bool = False
    no_appointment: bool = False
    authorised_submission_allowed: bool = False
    online_disabled: bool = False
    obligation_pauses_clock: bool = False
    """Whether the appointment's clock stands while the applicant meets a financial obligation."""

    def component(self, code: str) -> Component | None:
        return next((component for component in self.components if component.code == code), None)


@dataclass(frozen=True, slots=True)
class FormField:
    """How one answer is asked for."""

    name: str
    label: str
    input: str
    hint: str | None = None
    options: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class EForm:
    """An interactive form: what the answers must be, and how they are asked for."""

    title: str
    schema: dict[str, Any]
    fields: tuple[FormField, ...] = ()


@dataclass(frozen=True, slots=True)
class ResultKind:
    """What the applicant gets in the end."""

    code: str
    name: str
    signature: str = "officer_and_seal"
    keep_forever: bool = False
    valid_months: int | None = None


@dataclass(frozen=True, slots=True)
class Procedure:
    """One version of one administrative procedure."""

    code: str
    version: int
    name: str
    field: Field
    service_level: ServiceLevel
    delivery: tuple[DeliveryMethod, ...]
    result: ResultKind
    cases: tuple[Case, ...]
    eforms: dict[str, EForm]
    partial_reason: str | None = None
    effective_from: date | None = None
    effective_to: date | None = None
    replaced_by: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    summary: str = ""
    audience: tuple[str, ...] = ()
    competent_level: str = ""
    non_territorial: bool = False
    decided_by: str = ""
    legal_basis: tuple[str, ...] = ()

    def case(self, code: str | None = None) -> Case:
        """The case with that code; the usual one (the first) without a code. KeyError if there is none."""
        if code is None:
            return self.cases[0]
        return {case.code: case for case in self.cases}[code]

    def eform_of(self, case: Case) -> EForm | None:
        return self.eforms[case.eform] if case.eform else None


class ProcedureInvalid(Exception):
    """A file of the catalogue cannot be published; the message lists why."""


def check(procedure: Procedure) -> None:
    """Raise ProcedureInvalid unless the procedure can be published."""
    if faults := [*_faults(procedure)]:
        raise ProcedureInvalid(f"{procedure.code}: " + "; ".join(faults))


def _faults(procedure: Procedure) -> Iterator[str]:
    if not CODE.match(procedure.code):
        yield "the code is not a procedure code"
    if procedure.service_level == ServiceLevel.PARTIAL and not procedure.partial_reason:
        yield "a partial service must say why (partial_reason)"
    if not procedure.cases:
        yield "there is no case"
    if not procedure.delivery:
        yield "there is no way to deliver the result"
    for case in procedure.cases:
        for fault in (
            *_step_faults(case),
            *_component_faults(procedure, case),
            *_fee_faults(procedure, case),
        ):
            yield f"case {case.code}: {fault}"


def _step_faults(case: Case) -> Iterator[str]:
    """CAT-SUM: the counted steps take as long as the case."""
    total = sum(step.hours for step in case.steps if step.counted)
    match case.time.unit:
        case TimeUnit.SAME_DAY:
            fits = total <= HOURS_A_DAY
        case TimeUnit.WORKING_DAY:
            fits = total == case.time.value * HOURS_A_DAY
        case TimeUnit.WORKING_HOUR:
            fits = total == case.time.value
        case TimeUnit.CALENDAR_DAY:
            fits = total <= case.time.value * HOURS_A_DAY
    if not fits:
        yield f"the counted steps sum to {total:g} hours, which is not the time of the case"


def _component_faults(procedure: Procedure, case: Case) -> Iterator[str]:
    questions = _questions(procedure, case)
    if len({component.code for component in case.components}) < len(case.components):
        yield "two components have the same code"
    if case.eform and case.eform not in procedure.eforms:
        yield f"there is no e-form {case.eform}"
    for component in case.components:
        if component.requirement is Requirement.CONDITIONAL and not component.condition:
            yield f"{component.code} is conditional without a condition"
        if component.condition and not _names(component.condition) <= questions:
            yield f"the condition of {component.code} asks what the e-form does not"
        if component.max_size > MAX_FILE or not FILE_TYPES.issuperset(component.accepted_types):
            yield f"{component.code} accepts files that nobody may send"


def _fee_faults(procedure: Procedure, case: Case) -> Iterator[str]:
    for line in case.fee.lines:
        if line.quantity and line.quantity not in _questions(procedure, case):
            yield f"the quantity of {line.code} is not asked for"
        if missing := {"online", "desk", "post"} - line.unit_price.keys():
            yield f"{line.code} has no price for {', '.join(sorted(missing))}"


def _questions(procedure: Procedure, case: Case) -> set[str]:
    form = procedure.eforms.get(case.eform or "")
    return set(form.schema.get("properties", {})) if form else set()


# ── conditions: answers joined by and, or, not ────────────────────────────────────────────────────────────────


def holds(condition: str, answers: Answers) -> bool:
    """Whether the condition is true for these answers; what was not answered is false."""
    return _holds(ast.parse(condition, mode="eval").body, answers)


def _holds(node: ast.expr, answers: Answers) -> bool:
    match node:
        case ast.Name(id=name):
            return bool(answers.get(name))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _holds(operand, answers)
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_holds(value, answers) for value in values)
        case ast.BoolOp(op=ast.Or(), values=values):
            return any(_holds(value, answers) for value in values)
        case _:
            raise ProcedureInvalid(f"a condition knows only names, and, or, not: {ast.unparse(node)}")


def _names(condition: str) -> set[str]:
    try:
        tree = ast.parse(condition, mode="eval")
    except SyntaxError as exc:
        raise ProcedureInvalid(f"not a condition: {condition}") from exc
    _holds(tree.body, {})
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


# ── what one dossier needs and costs ──────────────────────────────────────────────────────────────────────────


def is_mandatory(component: Component, answers: Answers) -> bool:
    """Whether the component must be uploaded with these answers."""
    if component.mode is Mode.PRESENT or component.replaced_by_database:
        return False
    if component.requirement is Requirement.CONDITIONAL:
        return holds(component.condition or "", answers)
    return component.requirement is Requirement.MANDATORY


def fee_lines(case: Case, answers: Answers, channel: SubmissionChannel) -> tuple[FeeLine, ...]:
    """What the case costs with these answers, in whole đồng. A line without a price is left out."""
    way = channel.value if channel in (SubmissionChannel.DESK, SubmissionChannel.POST) else "online"
    return tuple(
        FeeLine(
            kind=rule.kind,
            code=rule.code,
            name=rule.name,
            unit_price=price,
            quantity=(quantity := int(answers.get(rule.quantity, 1)) if rule.quantity else 1),
            amount=price * quantity,
            legal_basis=rule.legal_basis,
        )
        for rule in case.fee.lines
        if (price := rule.unit_price[way])
    )


# ── search ────────────────────────────────────────────────────────────────────────────────────────────────────


def fold(text: str) -> str:
    """Lower case without diacritics: how people type when they search."""
    decomposed = unicodedata.normalize("NFD", text.lower().replace("đ", "d"))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def search_text(procedure: Procedure) -> str:
    """All that a keyword may hit."""
    parts = (procedure.code, procedure.name, procedure.field.name, procedure.summary, *procedure.keywords)
    return fold(" ".join(parts))
