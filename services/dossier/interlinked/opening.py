"""A draft that is an interlinked dossier: what it consists of, checked before anything is made, and its parent."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from contracts.dossier import InterlinkedSubmitted
from kit import timers
from kit.db import Connection, Database
from services.dossier.catalogue import domain as catalogue
from services.dossier.catalogue import expressions
from services.dossier.catalogue import store as procedures
from services.dossier.catalogue.domain import EForm, Procedure
from services.dossier.faults import Fault
from services.dossier.filing import answers
from services.dossier.interlinked import domain, store
from services.dossier.interlinked.domain import Branch, GroupNotServed, LoginTooOld
from services.dossier.interlinked.following import PROGRESS
from services.dossier.interlinked.groups import domain as groups
from services.dossier.interlinked.groups.domain import APPLICANT, RESULT_FACTS, Group, Member
from services.dossier.processing.domain import Dossier
from services.dossier.tenant import Tenant


@dataclass(frozen=True, slots=True)
class Plan:
    """What a dossier of a group consists of, and what is missing for it."""

    group: Group
    case: str
    """Case of the group's catalogue entry that applies."""
    branches: tuple[Branch, ...]
    faults: tuple[Fault, ...]
    """What a member would lack, in terms of what people fill in: questions and components of the parent."""


async def planned(
    db: Database, code: str, filed: Mapping[str, Any], case: str, unit: str, present: Set[str], tenant: Tenant
) -> Plan | None:
    """What the group with this catalogue entry means for these answers at that receiving unit; None for no group.

    `present`: components that have files. GroupNotServed when no agency is known there for one of the members.
    """
    group = tenant.groups.get(code)
    if group is None:
        return None
    branches: list[Branch] = []
    faults: list[Fault] = []
    for member in groups.chosen(group, filed):
        found, agency = await procedures.current(db, member.procedure), tenant.agency(member.agency, unit)
        if found is None or agency is None:
            raise GroupNotServed(f"“{member.name}”")
        branches.append(Branch(member, found[0], found[1].name, agency))
        faults += _lacks(member, found[1], filed, present)
    return Plan(group, groups.case_of(group, filed, case), tuple(branches), tuple(dict.fromkeys(faults)))


def fresh_login(proved_at: datetime, now: datetime, tenant: Tenant) -> None:
    """Refuse a login that is too old for an interlinked dossier, whose sender chooses the account anew (S1:140)."""
    age = timedelta(minutes=tenant.rules(now).policy.interlinked_login.value)
    if now - proved_at > age:
        raise LoginTooOld(max_age=int(age.total_seconds()))


def _lacks(member: Member, procedure: Procedure, filed: Mapping[str, Any], present: Set[str]) -> list[Fault]:
    """What the member would lack. What earlier members' results will bring is not missed now."""
    case = procedure.case(member.case)
    given = groups.answers_for(member, {**filed, APPLICANT: "…"})
    form = procedure.eform_of(case)
    asked = {f"answers.{name}" for name in form.visible(given)} if form else set()
    wrong = (
        [each for each in answers.check(form, given) if each.field in asked or each.rule != "required"] if form else []
    )
    facts = {f"{code}_{fact}" for code in member.after for fact in RESULT_FACTS}
    later = {f"answers.{question}" for question, text in member.answers.items() if expressions.names(text) & facts}
    fed = {code for code, source in member.components.items() if source in present} | member.results.keys()
    return [
        *(_asked_for(member, fault) for fault in wrong if fault.field not in later),
        *(
            Fault(f"components.{member.components.get(each.code, each.code)}", "missing",
                  f"“{member.name}” cần có “{each.name}”, xin tải tệp lên")
            for each in case.components
            if each.code not in fed and catalogue.is_mandatory(each, given)
        ),
    ]  # fmt: skip


def _wrong(form: EForm, given: Mapping[str, Any]) -> list[Fault]:
    """What is wrong with answers; nobody misses one that is not asked for."""
    asked = {f"answers.{name}" for name in form.visible(given)}
    return [fault for fault in answers.check(form, given) if fault.field in asked or fault.rule != "required"]


def _asked_for(member: Member, fault: Fault) -> Fault:
    """The fault where people can mend it: at the question of the group's e-form that the member's answer comes from."""
    text = member.answers.get(fault.field.removeprefix("answers."), "")
    source = text if text.isidentifier() else fault.field.removeprefix("answers.")
    return replace(fault, field=f"answers.{source}", message=f"{member.name}: {fault.message}")


def parent_of(dossier: Dossier, plan: Plan, now: datetime) -> tuple[Dossier, InterlinkedSubmitted]:
    """What filing made of the draft, as the parent that it is."""
    facts = replace(dossier.facts, case=plan.case)
    return domain.submit(replace(dossier, facts=facts), plan.group, plan.branches, now)


async def begin(tx: Connection, parent: Dossier, plan: Plan, now: datetime) -> None:
    """The parent was just created: its members are written down, and the first start as soon as it is there."""
    await store.open_members(tx, parent.code, plan.branches)
    await timers.schedule(tx, PROGRESS, parent.code, now)
