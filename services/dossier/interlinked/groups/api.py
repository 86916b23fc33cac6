"""The groups of interlinked procedures and their guided interview, for anybody; officers use it with the citizen."""

from typing import Annotated, Any

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from contracts.refusal import Refusal
from kit.auth import Public
from kit.db import Connection, Database
from kit.http import Db, Router
from kit.problems import NotFound
from services.dossier.catalogue import store as catalogue
from services.dossier.catalogue.domain import EForm, FormField, Procedure, TimeUnit
from services.dossier.interlinked.groups import domain
from services.dossier.interlinked.groups.domain import Group, Member, Question
from services.dossier.tenant import Tenant, TenantDep

router = Router(prefix="/api/v1/groups", tags=["interlinked"])

Code = Annotated[str, Path(pattern="^[a-z][a-z0-9_]{0,39}$")]


class GroupSummary(BaseModel):
    """One line of the menu "Dịch vụ liên thông"."""

    code: str
    name: str
    procedure_code: str
    """The catalogue entry that a draft is started with."""
    summary: str


class Groups(BaseModel):
    items: list[GroupSummary]


class QuestionView(BaseModel):
    """A question of the guided interview. Its answer is saved in the draft, under the same name."""

    name: str
    label: str
    input: str
    options: dict[str, str] | None
    hint: str | None
    """What the officer who interviews asks for and looks at."""


class TimeView(BaseModel):
    unit: TimeUnit
    value: int


class MemberView(BaseModel):
    """One procedure of the group."""

    code: str
    name: str
    procedure_code: str
    procedure_name: str
    agency: str
    """Kind of the agency that settles it; `receiving` is the one that takes the dossier in."""
    unit: str | None = None
    """Agency id, when the receiving unit is known."""
    unit_name: str | None = None
    after: list[str]
    """Members whose results must exist first."""
    always: bool
    """Whether it is part of the matter whatever is answered."""
    why: str | None
    time: TimeView
    """From the acceptance of this member."""
    result: str
    """What comes of it, in Vietnamese."""


class GroupView(GroupSummary):
    """A group with its interview and its members, each after those that it waits for."""

    legal_basis: list[str]
    questions: list[QuestionView]
    members: list[MemberView]


class Interview(BaseModel):
    """What was answered so far; the other answers of the e-form may come along."""

    model_config = ConfigDict(extra="forbid")

    answers: dict[str, Any] = Field(max_length=300)
    receiving_unit: str | None = Field(default=None, pattern="^[A-Z0-9.]{1,35}$")


class Guidance(BaseModel):
    """Where the interview stands, and what the answers so far lead to."""

    next_question: QuestionView | None
    """Null when there is nothing left to ask."""
    members: list[MemberView]
    """What the dossier will consist of."""
    left_out: list[str]
    """Codes of members that the answers rule out."""
    case: str
    """Case of the catalogue entry that applies."""


class QuestionUnknown(Refusal):
    """The group's e-form does not ask that; `names` are the ones meant."""

    status = 422
    title = "Tờ khai không hỏi nội dung này"
    title_en = "The e-form does not ask this"


@router.get("", dependencies=[Public])
async def list_groups(tenant: TenantDep) -> Groups:
    """Groups of procedures that are filed as one (dịch vụ liên thông)."""
    return Groups(items=[_summary(group) for group in tenant.groups.values()])


@router.get("/{code}", dependencies=[Public])
async def get_group(code: Code, db: Db, tenant: TenantDep) -> GroupView:
    """One group: what it consists of, in which order, settled by whom, and what is asked to find out."""
    group = _group(tenant, code)
    form = await _form(db, group)
    return GroupView(
        **_summary(group).model_dump(),
        legal_basis=list(group.legal_basis),
        questions=[_question(question, form) for question in group.questions],
        members=[await _member(db, member, tenant, None) for member in group.members],
    )


@router.post("/{code}/questionnaire", dependencies=[Public])
async def interview(code: Code, body: Interview, db: Db, tenant: TenantDep) -> Guidance:
    """The guided interview: answer, and learn what to ask next and which procedures it comes to.

    Nothing is kept here. The citizen at home, or the officer who interviews them, saves the same answers in a draft of
    the group's catalogue entry; they decide there in the same way.
    """
    group = _group(tenant, code)
    form = await _form(db, group)
    if unknown := body.answers.keys() - form.schema.get("properties", {}).keys():
        raise QuestionUnknown(names=sorted(unknown))
    members = domain.chosen(group, body.answers)
    ahead = domain.next_question(group, body.answers)
    procedure = await _procedure(db, group.procedure)
    return Guidance(
        next_question=_question(ahead, form) if ahead else None,
        members=[await _member(db, member, tenant, body.receiving_unit) for member in members],
        left_out=[member.code for member in group.members if member.code not in {each.code for each in members}],
        case=domain.case_of(group, body.answers, procedure.cases[0].code),
    )


def _group(tenant: Tenant, code: str) -> Group:
    for group in tenant.groups.values():
        if group.code == code:
            return group
    raise NotFound("Không có nhóm thủ tục liên thông với mã này")


def _summary(group: Group) -> GroupSummary:
    return GroupSummary(code=group.code, name=group.name, procedure_code=group.procedure, summary=group.summary)


async def _procedure(db: Database | Connection, code: str) -> Procedure:
    found = await catalogue.current(db, code)
    if found is None:
        raise NotFound("Không có thủ tục với mã này")
    return found[1]


async def _form(db: Database, group: Group) -> EForm:
    procedure = await _procedure(db, group.procedure)
    form = procedure.eform_of(procedure.cases[0])
    if form is None:
        raise NotFound("Nhóm thủ tục liên thông chưa có tờ khai")
    return form


def _question(question: Question, form: EForm) -> QuestionView:
    field = next(
        (field for field in form.fields if field.name == question.name), FormField(question.name, question.name, "text")
    )
    return QuestionView(
        name=field.name, label=field.label, input=field.input, options=field.options, hint=question.hint or field.hint
    )


async def _member(db: Database, member: Member, tenant: Tenant, receiving_unit: str | None) -> MemberView:
    procedure = await _procedure(db, member.procedure)
    time = procedure.case(member.case).time
    unit = tenant.agency(member.agency, receiving_unit) if receiving_unit else None
    return MemberView(
        code=member.code,
        name=member.name,
        procedure_code=procedure.code,
        procedure_name=procedure.name,
        agency=member.agency,
        unit=unit,
        unit_name=tenant.units[unit].name if unit and unit in tenant.units else None,
        after=list(member.after),
        always=member.include is None,
        why=member.why,
        time=TimeView(unit=time.unit, value=time.value),
        result=procedure.result.name,
    )
