"""What a group must be before it is used: every fault of it, each with its place, at once."""

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from graphlib import CycleError, TopologicalSorter
from itertools import combinations, product

from services.dossier.catalogue import expressions
from services.dossier.catalogue.domain import Case, EForm, Procedure, Requirement, TimeLimit, TimeUnit
from services.dossier.catalogue.expressions import ExpressionInvalid
from services.dossier.interlinked.groups.domain import APPLICANT, RECEIVING, RESULT_FACTS, Group, GroupInvalid, Member

CODE = re.compile(r"[a-z][a-z0-9_]*")
MOST_QUESTIONS = 12
"""Questions that `at_most_one` is tried out with: 2¹² sets of answers."""


def check(groups: Sequence[Group], procedures: Mapping[str, Procedure], agencies: Set[str]) -> None:
    """Raise GroupInvalid, which lists every fault, unless all groups can be used."""
    twice = [group.code for group in groups if [other.code for other in groups].count(group.code) > 1]
    wrong = [f"{code}: there are two of that code" for code in sorted({*twice})]
    wrong += [f"{group.code}: {fault}" for group in groups for fault in faults(group, procedures, agencies)]
    if wrong:
        raise GroupInvalid("\n".join(wrong))


def faults(group: Group, procedures: Mapping[str, Procedure], agencies: Set[str]) -> Iterator[str]:
    """Everything that keeps the group from being used, as `place: what is wrong`."""
    codes = [member.code for member in group.members]
    if not codes:
        yield "members: there is none"
    for code in sorted({code for code in codes if codes.count(code) > 1}):
        yield f"members.{code}: there are two of that code"
    parent = procedures.get(group.procedure)
    if parent is None:
        yield f"procedure: there is no {group.procedure}"
        return
    yield from _order_faults(group)
    yield from _question_faults(group, parent)
    yield from _case_faults(group, parent)
    for member in group.members:
        yield from (
            f"members.{member.code}.{fault}" for fault in _member_faults(member, group, parent, procedures, agencies)
        )
    yield from _choice_faults(group)
    yield from _time_faults(group, parent, procedures)


# ── order ──


def _order_faults(group: Group) -> Iterator[str]:
    codes = {member.code for member in group.members}
    for member in group.members:
        for code in member.after:
            if code not in codes:
                yield f"members.{member.code}.after: there is no {code}"
    try:
        TopologicalSorter({member.code: member.after for member in group.members}).prepare()
    except CycleError as exc:
        yield f"members: each waits for the other: {' → '.join(exc.args[1])}"


# ── questions ──


def _questions(procedure: Procedure, case: Case | None = None) -> set[str]:
    """What the e-form of the case asks; of all cases without one."""
    forms = [procedure.eform_of(each) for each in ([case] if case else procedure.cases)]
    return {name for form in forms if form for name in form.schema.get("properties", {})}


def _expression_faults(place: str, text: str, known: Set[str]) -> Iterator[str]:
    try:
        unknown = expressions.names(text) - known
    except ExpressionInvalid as exc:
        yield f"{place}: {exc}"
        return
    for name in sorted(unknown):
        yield f"{place}: nobody asks {name}"


def _question_faults(group: Group, parent: Procedure) -> Iterator[str]:
    known = _questions(parent)
    before: set[str] = set()
    for question in group.questions:
        if question.name not in known:
            yield f"questions.{question.name}: the e-form of {parent.code} does not ask it"
        if question.when:
            yield from _expression_faults(f"questions.{question.name}.when", question.when, known)
            late = {q.name for q in group.questions} - before
            yield from (
                f"questions.{question.name}.when: {name} is asked later"
                for name in sorted(late & _names(question.when))
            )
        before.add(question.name)


def _names(text: str) -> set[str]:
    try:
        return expressions.names(text)
    except ExpressionInvalid:
        return set()


def _case_faults(group: Group, parent: Procedure) -> Iterator[str]:
    codes = {case.code for case in parent.cases}
    for code, when in group.cases.items():
        if code not in codes:
            yield f"cases.{code}: {parent.code} has no such case"
        yield from _expression_faults(f"cases.{code}", when, _questions(parent))


# ── members ──


def _member_faults(
    member: Member, group: Group, parent: Procedure, procedures: Mapping[str, Procedure], agencies: Set[str]
) -> Iterator[str]:
    if not CODE.fullmatch(member.code):
        yield "code: lower-case letters, digits and _ only, because expressions use it"
    if member.agency != RECEIVING and member.agency not in agencies:
        yield f"agency: there is no {member.agency}"
    if member.include:
        yield from _expression_faults("include", member.include, _questions(parent))
    procedure = procedures.get(member.procedure)
    if procedure is None:
        yield f"procedure: there is no {member.procedure}"
        return
    try:
        case = procedure.case(member.case)
    except (KeyError, IndexError):
        yield f"case: {member.procedure} has no case {member.case}"
        return
    yield from _answer_faults(member, parent, procedure, case)
    yield from _component_faults(member, group, parent, case)


def _answer_faults(member: Member, parent: Procedure, procedure: Procedure, case: Case) -> Iterator[str]:
    known = _questions(parent) | {APPLICANT} | {f"{code}_{fact}" for code in member.after for fact in RESULT_FACTS}
    asked = _questions(procedure, case)
    for question, text in member.answers.items():
        if question not in asked:
            yield f"answers.{question}: {procedure.code} does not ask it"
        yield from _expression_faults(f"answers.{question}", text, known)
    form = procedure.eform_of(case)
    for question in sorted(_always_asked(form) - member.answers.keys() if form else ()):
        yield f"answers.{question}: {procedure.code} always asks it, and nothing answers"


def _always_asked(form: EForm) -> set[str]:
    """Required questions that no condition hides."""
    hidden = {field.name for field in form.fields if field.visible_if}
    hidden |= {name for section in form.sections if section.visible_if for name in section.fields}
    return {*form.schema.get("required", ())} - hidden


def _component_faults(member: Member, group: Group, parent: Procedure, case: Case) -> Iterator[str]:
    theirs = {component.code for each in parent.cases for component in each.components}
    for code, source in member.components.items():
        if case.component(code) is None:
            yield f"components.{code}: {member.procedure} has no such component"
        if source not in theirs:
            yield f"components.{code}: {parent.code} has no component {source}"
    for code, source in member.results.items():
        if case.component(code) is None:
            yield f"results.{code}: {member.procedure} has no such component"
        if source not in member.after:
            yield f"results.{code}: it does not wait for {source}"
    fed = member.components.keys() | member.results.keys()
    for component in case.components:
        needed = component.requirement is Requirement.MANDATORY and component.mode == "submit"
        if needed and not component.filled_by_eform and component.code not in fed:
            yield f"components.{component.code}: {member.procedure} always needs it, and nothing feeds it"


# ── the whole ──


def _choice_faults(group: Group) -> Iterator[str]:
    """Whether some answers include two members of which at most one may be."""
    codes = {member.code for member in group.members}
    for one_of in group.at_most_one:
        yield from (f"at_most_one: there is no {code}" for code in one_of if code not in codes)
    names = sorted({name for member in group.members if member.include for name in _names(member.include)})
    if not group.at_most_one or len(names) > MOST_QUESTIONS:
        return
    both = {pair for answers in product((True, False), repeat=len(names)) for pair in _both(group, names, answers)}
    yield from (f"at_most_one: some answers include {one} and {other}" for one, other in sorted(both))


def _both(group: Group, names: list[str], answers: tuple[bool, ...]) -> Iterator[tuple[str, str]]:
    values = dict(zip(names, answers, strict=True))
    included = {m.code for m in group.members if m.include and _holds(m.include, values)}
    for one_of in group.at_most_one:
        yield from combinations([code for code in one_of if code in included], 2)


def _holds(text: str, values: Mapping[str, bool]) -> bool:
    try:
        return expressions.holds(text, values)
    except ExpressionInvalid:
        return False


def _time_faults(group: Group, parent: Procedure, procedures: Mapping[str, Procedure]) -> Iterator[str]:
    """The members, one after the other, fit into the time of the whole."""
    limits = [case.time for case in parent.cases if case.time.unit in (TimeUnit.WORKING_DAY, TimeUnit.SAME_DAY)]
    try:
        needed = longest(group, procedures)
    except (CycleError, KeyError, IndexError):
        return  # said above
    if limits and needed > (most := max(map(days, limits))):
        yield f"members: one after the other they take {needed:g} working days, the whole may take {most:g}"


def longest(group: Group, procedures: Mapping[str, Procedure]) -> float:
    """Working days of the slowest line of members that wait for each other."""
    taken: dict[str, float] = {}
    for code in TopologicalSorter({member.code: member.after for member in group.members}).static_order():
        member = group.member(code)
        own = days(procedures[member.procedure].case(member.case).time)
        taken[code] = own + max((taken[before] for before in member.after), default=0)
    return max(taken.values())


def days(limit: TimeLimit) -> float:
    """A time limit in working days."""
    match limit.unit:
        case TimeUnit.SAME_DAY:
            return 0
        case TimeUnit.WORKING_HOUR:
            return limit.value / 8
        case _:
            return limit.value
