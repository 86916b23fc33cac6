"""Interlinked procedures (thủ tục hành chính liên thông): several procedures that are filed as one.

A group says, as data, which procedures belong together, which waits for whose result, which agency settles each, and
what each gets of what was filed. The dossier that was filed is the *parent*: its code is the citizen's. Its *members*
become dossiers of their own when their turn comes. Everything about the parent follows from its members, so the rules
here are functions of their states, whatever the order in which these were reached.

Legal texts: Nghị định 63/2024/NĐ-CP (birth, death), Nghị định 297/2025/NĐ-CP (karaoke).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter
from typing import Any

from services.dossier.catalogue import expressions
from services.dossier.catalogue.domain import Answers

RECEIVING = "receiving"
"""The agency that took the parent in; every other kind of agency is looked up for that one."""
APPLICANT = "applicant_name"
"""What a mapping may use besides the parent's answers: the name of whose matter it is."""
RESULT_FACTS = ("number", "issued_on")
"""What a mapping may use of an earlier member's result, as `<member>_number` and `<member>_issued_on`."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question of the guided interview. Its words are those of the e-form; the answer goes into the draft."""

    name: str
    """Question of the group's e-form."""
    hint: str | None = None
    """What the officer who interviews asks for and looks at, in Vietnamese."""
    when: str | None = None
    """Expression over earlier answers: when it is asked at all."""


@dataclass(frozen=True, slots=True)
class Member:
    """One procedure of a group."""

    code: str
    name: str
    """Short name, in Vietnamese."""
    procedure: str
    case: str | None = None
    """Case of that procedure; its usual one without it."""
    agency: str = RECEIVING
    """Kind of agency that settles it."""
    after: tuple[str, ...] = ()
    """Members whose results must exist first."""
    include: str | None = None
    """Expression over the answers: when it is part of the matter; always without it."""
    why: str | None = None
    """Told to people when it is part of the matter, in Vietnamese."""
    answers: dict[str, str] = field(default_factory=dict)
    """Its e-form: question → expression over the parent's answers, APPLICANT and RESULT_FACTS of `after`."""
    components: dict[str, str] = field(default_factory=dict)
    """Its component ← component of the parent whose files it gets."""
    results: dict[str, str] = field(default_factory=dict)
    """Its component ← member of `after` whose result it is."""


@dataclass(frozen=True, slots=True)
class Group:
    """Procedures that belong together, as one file of the tenant's `groups/`."""

    code: str
    name: str
    procedure: str
    """Catalogue entry that people fill in: its e-form and components feed the members."""
    summary: str
    members: tuple[Member, ...]
    questions: tuple[Question, ...] = ()
    at_most_one: tuple[tuple[str, ...], ...] = ()
    """Members of which no answers may include two."""
    cases: dict[str, str] = field(default_factory=dict)
    """Case of the catalogue entry → expression that makes it the one that applies."""
    legal_basis: tuple[str, ...] = ()

    def member(self, code: str) -> Member:
        """The member with that code; KeyError if there is none."""
        return {member.code: member for member in self.members}[code]


class GroupInvalid(Exception):
    """Files of `groups/` cannot be used; the message lists everything that is wrong."""


# ── what the group means for these answers ────────────────────────────────────────────────────────────────────


def chosen(group: Group, answers: Answers) -> list[Member]:
    """The members that are part of the matter, each after those that it waits for."""
    included = {
        each.code: each for each in group.members if not each.include or expressions.holds(each.include, answers)
    }
    kept = {code: replace(each, after=tuple(c for c in each.after if c in included)) for code, each in included.items()}
    order = TopologicalSorter({code: each.after for code, each in kept.items()}).static_order()
    return [kept[code] for code in order]


def asked(group: Group, answers: Answers) -> list[Question]:
    """The questions that these answers leave to be asked or have answered, in order."""
    return [question for question in group.questions if not question.when or expressions.holds(question.when, answers)]


def next_question(group: Group, answers: Answers) -> Question | None:
    """The first that is to be asked and has no answer; None when the interview is over."""
    return next((question for question in asked(group, answers) if answers.get(question.name) is None), None)


def case_of(group: Group, answers: Answers, otherwise: str) -> str:
    """The case of the catalogue entry that applies to the whole."""
    return next((case for case, when in group.cases.items() if expressions.holds(when, answers)), otherwise)


def answers_for(member: Member, values: Mapping[str, Any]) -> dict[str, Any]:
    """What the member's e-form says; what has no value yet is left out."""
    found = {question: expressions.evaluate(text, values) for question, text in member.answers.items()}
    return {question: _plain(value) for question, value in found.items() if value is not None}


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value
