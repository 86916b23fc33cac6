"""The procedures that can be filed here (thủ tục hành chính): what they ask for, how long they take, what they cost.

One file of the tenant's `procedures/` folder is one version of one procedure; a dossier keeps the version it was filed
under. The dataclasses mirror those files. Texts called *expression* are in the language of `expressions.py`.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Any

from contracts.dossier import DeliveryMethod, ServiceLevel, Step, SubmissionChannel
from contracts.money import FeeKind, FeeLine, FeeTiming
from contracts.refusal import Refusal
from services.dossier.catalogue import expressions
from services.dossier.clocks.calendar import Cutoff

HOURS_A_DAY = 8
MAX_FILE = 20 * 1024 * 1024
"""Bytes: no component may allow more for one file."""
FILE_TYPES = frozenset({"application/pdf", "image/jpeg", "image/png"})
CHANNELS = ("online", "desk", "post")
"""The ways to file that a fee may depend on; all portals and applications are `online`."""
CIRCUMSTANCES = frozenset({"channel", "submitted_on", "authorised", "owner_type"})
"""What expressions may read besides answers: a way of CHANNELS, the local date of submission, whether somebody else
submits for the owner, and `citizen`, `organisation` or `business`."""

Answers = Mapping[str, Any]
"""Of an e-form, by name, together with what is known of CIRCUMSTANCES."""


class TimeUnit(StrEnum):
    SAME_DAY = "same_day"
    WORKING_DAY = "working_day"
    CALENDAR_DAY = "calendar_day"
    WORKING_HOUR = "working_hour"


class Requirement(StrEnum):
    MANDATORY = "mandatory"
    CONDITIONAL = "conditional"
    """Mandatory while its condition holds; not part of the dossier otherwise."""
    OPTIONAL = "optional"


class Mode(StrEnum):
    SUBMIT = "submit"
    PRESENT = "present"
    """Shown to an officer (xuất trình); never uploaded nor kept."""


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
class Copies:
    """How many of a component there are: bản chính, bản sao chứng thực, bản sao, bản điện tử."""

    original: int = 0
    certified_copy: int = 0
    copy: int = 0
    electronic: int = 0


@dataclass(frozen=True, slots=True)
class Component:
    """One paper of the dossier (thành phần hồ sơ)."""

    code: str
    name: str
    requirement: Requirement
    mode: Mode
    condition: str | None = None
    """Expression: when a conditional component is mandatory."""
    eform: str | None = None
    filled_by_eform: bool = False
    """The filled e-form is this component: no file has to be sent (NQ 66.7/2025/NQ-CP: nor signed by a citizen who is
    logged in)."""
    form_code: str | None = None
    """The official form it is written on (mẫu đơn, tờ khai)."""
    guidance: str | None = None
    """What the applicant should mind, as a sentence."""
    copies: Copies = Copies()
    signature_required: bool = False
    replaced_by_database: str | None = None
    """The database that knows this (thay thế bằng dữ liệu): it is looked up, and only asked for when that fails."""
    lookup_by: tuple[str, ...] = ()
    """Answers under which the database is asked; empty: the owner's identity number."""
    from_results: tuple[str, ...] = ()
    """Codes of earlier results that serve as this component, taken from the owner's document store."""
    valid_months: int | None = None
    """How long after its issue the paper may be used; null: for ever."""
    accepted_types: tuple[str, ...] = tuple(sorted(FILE_TYPES))
    max_size: int = MAX_FILE
    """Bytes of one file."""
    max_files: int = 1


@dataclass(frozen=True, slots=True)
class FeeRule:
    """One line of the fee: a price of one unit by channel or formula, times a quantity.

    Two rules with one code and following dates are one line whose rate changes: the date of submission decides.
    """

    kind: FeeKind
    code: str
    name: str
    unit_price: dict[str, int] | None = None
    """Whole đồng, by channel."""
    formula: str | None = None
    """Expression for the price of one unit, instead of `unit_price`."""
    explained: str | None = None
    """What a formula or condition means, in Vietnamese, for those who read the procedure."""
    quantity: str | None = None
    """Expression for the number of units; one unit without it."""
    unit: str = ""
    condition: str | None = None
    """Expression: when the line is owed at all."""
    effective_from: date | None = None
    """First day of submission that the rule is for."""
    effective_to: date | None = None
    """Last day of submission that the rule is for."""
    legal_basis: str | None = None

    def is_in_force(self, on: date) -> bool:
        return (self.effective_from or date.min) <= on <= (self.effective_to or date.max)


@dataclass(frozen=True, slots=True)
class Exemption:
    """Who pays nothing (miễn phí, lệ phí): the first whose condition holds is the reason on the fee line."""

    when: str
    """Expression."""
    reason: str
    """In Vietnamese, as it is printed."""
    lines: tuple[str, ...] = ()
    """Codes of the lines it is for; empty: all."""
    legal_basis: str | None = None


@dataclass(frozen=True, slots=True)
class Fee:
    timing: FeeTiming
    lines: tuple[FeeRule, ...] = ()
    exemptions: tuple[Exemption, ...] = ()


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
    online_time: TimeLimit | None = None
    """Where an online dossier has another time limit than one filed at the desk."""
    chosen_by: str = "applicant"
    """`applicant` picks it when filing; `officer`: it comes up during the work, such as a verification elsewhere."""
    extension: TimeLimit | None = None
    """The law lets the time be extended by this once, such as two working days for long certifications."""
    note: str | None = None
    """What the applicant should know about this case."""
    result_signature_required: bool = True
    online_prepayment_required: bool = False
    pauses_for_fee: bool = False
    """The clock stands while a financial obligation is open (status 6)."""
    no_appointment: bool = False
    authorised_submission_allowed: bool = False
    online_disabled: bool = False
    obligation_pauses_clock: bool = False
    """Whether the appointment's clock stands while the applicant meets a financial obligation."""

    def component(self, code: str) -> Component | None:
        return next((component for component in self.components if component.code == code), None)

    def through(self, channel: SubmissionChannel) -> "Case":
        """The case for a dossier that came this way: online it may have another time limit."""
        return replace(self, time=self.online_time) if self.online_time and way(channel) == "online" else self


@dataclass(frozen=True, slots=True)
class FormField:
    """How one answer is asked for."""

    name: str
    label: str
    input: str
    """choice, text, long_text, date, number, yes_no."""
    hint: str | None = None
    options: dict[str, str] | None = None
    visible_if: str | None = None
    """Expression over answers that stand above: when the question is asked."""
    prefill: str | None = None
    """Whose data fill it in first: `account.name`, `account.identity_number`, `database.<field>`, …"""


@dataclass(frozen=True, slots=True)
class Section:
    """Questions that belong together, under one heading."""

    title: str
    fields: tuple[str, ...]
    """Names of the questions."""
    visible_if: str | None = None
    """Expression: when any of them is asked."""


@dataclass(frozen=True, slots=True)
class CrossCheck:
    """What answers must satisfy together, such as a death not before the birth."""

    rule: str
    """Expression that is true for good answers; checked once all of its answers are given."""
    field: str
    """The question that the message stands at."""
    message: str


@dataclass(frozen=True, slots=True)
class EForm:
    """An interactive form: what the answers must be, and how they are asked for."""

    title: str
    schema: dict[str, Any]
    fields: tuple[FormField, ...] = ()
    sections: tuple[Section, ...] = ()
    checks: tuple[CrossCheck, ...] = ()

    def visible(self, answers: Answers) -> set[str]:
        """The questions that these answers lead to. A question that is not asked counts as not answered."""
        asked: set[str] = set()
        seen = {name: value for name, value in answers.items() if name in CIRCUMSTANCES}
        sections = {name: section for section in self.sections for name in section.fields}
        for field in self.fields:
            section = sections.get(field.name)
            conditions = (field.visible_if, section.visible_if if section else None)
            if all(expressions.holds(condition, seen) for condition in conditions if condition):
                asked.add(field.name)
                seen[field.name] = answers.get(field.name)
        return asked

    def heard(self, answers: Answers) -> dict[str, Any]:
        """The answers that count: those to questions that are asked, and the circumstances."""
        asked = self.visible(answers) | (CIRCUMSTANCES - {field.name for field in self.fields})
        return {name: value for name, value in answers.items() if name in asked}


@dataclass(frozen=True, slots=True)
class ResultKind:
    """What the applicant gets in the end. Its code names it when another procedure reuses it as a component."""

    code: str
    name: str
    signature: str = "officer_and_seal"
    keep_forever: bool = False
    valid_months: int | None = None
    """How long after its issue it may be used; null: for ever."""
    purpose_bound: bool = False
    """Good only for the purpose it was issued for, so it is never reused for another."""
    symbol: str = ""
    """Stands behind the number: `15/GXN-UBND`."""


@dataclass(frozen=True, slots=True)
class Offer:
    """How one agency offers the procedure, where that differs from the rest (LVL-6)."""

    unit: str
    service_level: ServiceLevel
    partial_reason: str | None = None


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
    presence_required: bool = False
    """The law wants the applicant present."""
    onsite_verification_required: bool = False
    """The agency must look at the place."""
    offers: tuple[Offer, ...] = ()
    units: tuple[str, ...] = ()
    """The agencies that take it; empty: all receiving units."""
    required_contact: tuple[str, ...] = ()
    """`phone`, `email`: what the applicant must leave."""
    effective_from: date | None = None
    effective_to: date | None = None
    """Last day on which it can be filed."""
    member_only: bool = False
    """Filed only as a member of an interlinked group, so it is not listed for people to choose."""
    retired: bool = False
    """No longer offered; `replaced_by` may name what is."""
    replaced_by: tuple[str, ...] = ()
    further_results: tuple[ResultKind, ...] = ()
    life_events: tuple[str, ...] = ()
    """Codes of the tenant's `life_events.yaml`."""
    keywords: tuple[str, ...] = ()
    summary: str = ""
    audience: tuple[str, ...] = ()
    competent_level: str = ""
    competent_unit: str | None = None
    """The one agency that decides, such as a department; null: the receiving commune."""
    legacy_level: int | None = None
    """1–4 as in old records, kept to be shown."""
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

    def heard(self, case: Case, answers: Answers) -> Answers:
        """The answers of the case's e-form that count; all of them without a form."""
        form = self.eform_of(case)
        return form.heard(answers) if form else answers

    @property
    def results(self) -> tuple[ResultKind, ...]:
        return (self.result, *self.further_results)

    def is_offered_at(self, unit: str) -> bool:
        return not self.units or unit in self.units

    def offer_at(self, unit: str) -> Offer:
        """The level at that agency, and why it is partial if it is."""
        ours = Offer(unit, self.service_level, self.partial_reason)
        return next((offer for offer in self.offers if offer.unit == unit), ours)

    def at(self, unit: str) -> "Procedure":
        """The procedure as that agency offers it."""
        offer = self.offer_at(unit)
        return replace(self, service_level=offer.service_level, partial_reason=offer.partial_reason)

    def is_open(self, on: date) -> bool:
        """Whether it can be filed on that day."""
        return not self.retired and (self.effective_from or date.min) <= on <= (self.effective_to or date.max)


class ProcedureInvalid(Exception):
    """A file of the catalogue cannot be published; the message lists why."""


class FeeNotComputable(Refusal):
    """The fee hangs on answers that are not there yet."""

    status = 422
    title = "Chưa tính được phí, lệ phí vì tờ khai còn thiếu thông tin"
    title_en = "The fee cannot be computed: answers are missing"


def level_from_legacy(level: int, delivery: tuple[DeliveryMethod, ...], presence_required: bool) -> ServiceLevel:
    """What an old record's level (1–4, NĐ 43/2011) means today (LVL-5). Level 4 is full only if nobody has to come."""
    if level <= 2:
        return ServiceLevel.INFORMATION_ONLY
    remote = {DeliveryMethod.ONLINE, DeliveryMethod.POST} & {*delivery}
    return ServiceLevel.FULL if level == 4 and remote and not presence_required else ServiceLevel.PARTIAL


# ── what one dossier needs ────────────────────────────────────────────────────────────────────────────────────


def holds(condition: str, answers: Answers) -> bool:
    """Whether the condition is true for these answers; what was not answered is false."""
    return expressions.holds(condition, answers)


def is_needed(component: Component, answers: Answers) -> bool:
    """Whether the component belongs to a dossier with these answers, however it is provided."""
    if component.requirement is Requirement.CONDITIONAL:
        return holds(component.condition or "", answers)
    return component.requirement is Requirement.MANDATORY


def is_mandatory(component: Component, answers: Answers) -> bool:
    """Whether a file must be sent with these answers."""
    if component.mode is Mode.PRESENT or component.replaced_by_database or component.filled_by_eform:
        return False
    return is_needed(component, answers)


def to_look_up(case: Case, answers: Answers) -> list[Component]:
    """The components that a database has to be asked for before the applicant is."""
    return [each for each in case.components if each.replaced_by_database and applies(each, answers)]


def applies(component: Component, answers: Answers) -> bool:
    """Whether the component may be part of a dossier with these answers: needed, or optional."""
    return component.requirement is Requirement.OPTIONAL or is_needed(component, answers)


# ── what it costs ─────────────────────────────────────────────────────────────────────────────────────────────


def way(channel: SubmissionChannel) -> str:
    """The channel as fees know it."""
    return channel.value if channel in (SubmissionChannel.DESK, SubmissionChannel.POST) else "online"


def fee_lines(case: Case, answers: Answers, channel: SubmissionChannel, on: date) -> tuple[FeeLine, ...]:
    """What the case costs a dossier that was submitted on that local date, in whole đồng.

    Lines that do not apply or have no price are left out; exempt ones are there with amount 0 and the reason.
    FeeNotComputable while an answer is missing that a price hangs on.
    """
    known = {**answers, "channel": way(channel), "submitted_on": on}
    rules = [rule for rule in case.fee.lines if _is_owed(rule, known)]
    return tuple(line for rule in rules if (line := _line(case.fee, rule, known)))


def amount_owed(lines: tuple[FeeLine, ...]) -> int:
    """The sum in whole đồng."""
    return sum(line.amount for line in lines)


def _is_owed(rule: FeeRule, known: Answers) -> bool:
    return rule.is_in_force(known["submitted_on"]) and (not rule.condition or holds(rule.condition, known))


def _line(fee: Fee, rule: FeeRule, known: Answers) -> FeeLine | None:
    price = _number(rule, rule.formula, known) if rule.formula else (rule.unit_price or {})[known["channel"]]
    quantity = _number(rule, rule.quantity, known) if rule.quantity else 1
    if not price or not quantity:
        return None
    exempt = _exemption(fee, rule, known)
    return FeeLine(
        kind=rule.kind, code=rule.code, name=rule.name, unit_price=price, quantity=quantity,
        amount=0 if exempt else price * quantity,
        legal_basis=exempt.legal_basis or rule.legal_basis if exempt else rule.legal_basis,
        exempt_reason=exempt.reason if exempt else None,
    )  # fmt: skip


def _number(rule: FeeRule, expression: str, known: Answers) -> int:
    value = expressions.evaluate(expression, known)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        missing = sorted(name for name in expressions.names(expression) if known.get(name) is None)
        raise FeeNotComputable(line=rule.code, missing=missing)
    return value


def _exemption(fee: Fee, rule: FeeRule, known: Answers) -> Exemption | None:
    fitting = (each for each in fee.exemptions if not each.lines or rule.code in each.lines)
    return next((each for each in fitting if holds(each.when, known)), None)


# ── search ────────────────────────────────────────────────────────────────────────────────────────────────────


def fold(text: str) -> str:
    """Lower case without diacritics: how people type when they search."""
    decomposed = unicodedata.normalize("NFD", text.lower().replace("đ", "d"))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def search_text(procedure: Procedure) -> str:
    """All that a keyword may hit."""
    parts = (procedure.code, procedure.name, procedure.field.name, procedure.summary, *procedure.keywords)
    return fold(" ".join(parts))
