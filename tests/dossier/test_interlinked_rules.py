"""Groups as data, and a parent's state as a function of its members: no database, any order of events."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.dossier import GroupState, MemberState
from services.dossier import tenant
from services.dossier.interlinked import domain
from services.dossier.interlinked.domain import Branch
from services.dossier.interlinked.groups import domain as groups
from services.dossier.interlinked.groups.checks import check, faults, longest
from services.dossier.interlinked.groups.domain import Group, GroupInvalid, Member, Question
from services.dossier.processing.domain import TERMINAL, State

FOLDER = "deploy/tenants/an-binh"
TENANT = tenant.load(FOLDER)
PROCEDURES = {procedure.code: procedure for procedure in tenant.procedures(FOLDER)}
BIRTH, DEATH, KARAOKE = (
    next(group for group in TENANT.groups.values() if group.code == code) for code in ("birth", "death", "karaoke")
)
START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


# ── the data ──


def test_the_groups_of_the_province_fit_its_procedures_and_the_law() -> None:
    check(list(TENANT.groups.values()), PROCEDURES, TENANT.agencies.keys())
    assert longest(BIRTH, PROCEDURES) <= 3, "NĐ 63/2024"
    assert longest(KARAOKE, PROCEDURES) == 3 + 3 + 10, "NĐ 297/2025"


def test_everything_that_is_wrong_with_a_group_is_said_at_once() -> None:
    wrong = replace(
        BIRTH,
        questions=(Question("shoe_size"), Question("identity_card", when="no_birth_cert"), Question("no_birth_cert")),
        cases={"urgent": "identity_card"},
        at_most_one=(("identity_card", "twin"), ("cheap", "dear")),
        members=(
            replace(BIRTH.member("birth"), after=("residence",), answers={"child_name": "child_nme"}),
            replace(BIRTH.member("residence"), agency="ministry", components={"TP-TT-99": "TP-LTKS-99"}),
            replace(BIRTH.member("health_insurance"), after=(), case="urgent"),
            Member("identity_card", "Căn cước", "9.999999", include="identity_card and"),
            Member("cheap", "Rẻ", "3.990002", include="identity_card", results={"TP-CC-02": "birth"}),
            Member("dear", "Đắt", "3.990002", include="identity_card or no_birth_cert", after=("nobody",)),
        ),
    )

    with pytest.raises(GroupInvalid) as refused:
        check([wrong, replace(wrong, procedure="0")], PROCEDURES, TENANT.agencies.keys())

    said = str(refused.value)
    for fault in (
        "birth: there are two of that code",
        "procedure: there is no 0",
        "each waits for the other",
        "questions.shoe_size: the e-form of 3.000722 does not ask it",
        "questions.identity_card.when: no_birth_cert is asked later",
        "cases.urgent: 3.000722 has no such case",
        "members.birth.answers.child_name: nobody asks child_nme",
        "members.birth.answers.mother_name: 1.001193 always asks it, and nothing answers",
        "members.residence.agency: there is no ministry",
        "members.residence.components.TP-TT-99: 1.004222 has no such component",
        "members.residence.components.TP-TT-99: 3.000722 has no component TP-LTKS-99",
        "members.health_insurance.case: 3.990001 has no case urgent",
        "members.identity_card.procedure: there is no 9.999999",
        "members.identity_card.include: not an expression",
        "members.cheap.results.TP-CC-02: it does not wait for birth",
        "members.cheap.answers.child_name: 3.990002 always asks it, and nothing answers",
        "members.dear.after: there is no nobody",
        "members.dear.components.TP-CC-02: 3.990002 always needs it, and nothing feeds it",
        "at_most_one: there is no twin",
        "at_most_one: some answers include cheap and dear",
    ):
        assert fault in said, fault


def test_members_that_take_longer_than_the_whole_are_refused() -> None:
    slow = replace(
        KARAOKE, members=(*KARAOKE.members, replace(KARAOKE.member("licence"), code="again", after=("licence",)))
    )
    said = [*faults(slow, PROCEDURES, TENANT.agencies.keys())]
    assert "members: one after the other they take 26 working days, the whole may take 16" in said


NOT_INSURED = {"insured": False}
NO_MERIT = {**NOT_INSURED, "merit_person": False}
NO_AID = {**NO_MERIT, "social_assistance": False, "died_on": "2026-11-01"}


@pytest.mark.parametrize(
    ("answers", "asks", "benefit"),
    [
        ({}, "insured", None),
        ({"insured": True}, None, "survivor_benefit"),
        (NOT_INSURED, "merit_person", None),
        ({**NOT_INSURED, "merit_person": True}, None, "merit_funeral"),
        (NO_MERIT, "social_assistance", None),
        ({**NO_MERIT, "social_assistance": True}, None, "social_funeral"),
        ({**NO_AID, "deceased_dob": "1980-01-01"}, None, None),
        ({**NO_AID, "deceased_dob": "1940-01-01"}, "pensioner_80", None),
        ({**NO_AID, "deceased_dob": "1940-01-01", "pensioner_80": True}, None, "social_funeral"),
    ],
)  # fmt: skip
def test_the_interview_asks_what_matters_and_leads_to_one_benefit(
    answers: dict[str, Any], asks: str | None, benefit: str | None
) -> None:
    ahead = groups.next_question(DEATH, answers)
    codes = {member.code for member in groups.chosen(DEATH, answers)}

    assert (ahead.name if ahead else None) == asks
    assert codes == {"death", "residence"} | ({benefit} if benefit else set())
    assert groups.case_of(DEATH, answers, "normal") == ("benefit" if benefit else "normal")


# ── a parent and its members ──

STATES = [state for state in State if state not in (State.DRAFT, State.INTERLINKED, State.PARTIALLY_DONE)]


def branch(code: str, *after: str, state: State | None = None, result: bool = False) -> Branch:
    at = START if result else None
    plan = Member(code, code, "1.001193", after=after)
    return Branch(plan, UUID(int=1), code, "H99.02.01", code if state else None, state, result_at=at)


@st.composite
def graphs(draw: st.DrawFn) -> list[tuple[str, tuple[str, ...]]]:
    """Members that wait only for earlier ones, in any order of the list."""
    names = [f"m{n}" for n in range(draw(st.integers(1, 6)))]
    waits = [(name, tuple(draw(st.sets(st.sampled_from(names[:n]))) if n else ())) for n, name in enumerate(names)]
    return draw(st.permutations(waits))


@given(graphs(), st.data())
def test_whatever_the_order_of_the_ends_the_parent_comes_to_the_same(
    graph: list[tuple[str, tuple[str, ...]]], data: st.DataObject
) -> None:
    """Members start and end, with a result or without, in any order; the parent follows now and then, or at last."""
    succeeds = {code: data.draw(st.booleans(), label=code) for code, _ in graph}
    branches = [branch(code, *after) for code, after in graph]
    started: list[str] = []
    states: list[GroupState] = []
    while True:
        branches = domain.given_up(branches)
        ready = [each.code for each in domain.startable(branches)]
        assert not {*ready} & {*started}, "nothing starts twice"
        started += ready
        branches = [
            replace(b, dossier_code=b.code, dossier_state=State.SUBMITTED) if b.code in ready else b for b in branches
        ]
        states.append(domain.group_state(branches))
        going = [each.code for each in branches if each.state is MemberState.IN_PROGRESS]
        if not going:
            break
        ending = data.draw(st.sampled_from(going), label="ends")
        branches = [_ended(b, succeeds[b.code]) if b.code == ending else b for b in branches]
        if data.draw(st.booleans(), label="followed"):
            states.append(domain.group_state(domain.given_up(branches)))

    possible = _possible(graph, succeeds)
    assert {each.code for each in branches if each.state is MemberState.HAS_RESULT} == possible
    assert states[-1] is (GroupState.RETURNED if possible else GroupState.WITHOUT_RESULT)
    order = [GroupState.PROCESSING, GroupState.PARTIALLY_DONE, GroupState.RETURNED]
    seen = [order.index(state) for state in states if state is not GroupState.WITHOUT_RESULT]
    assert seen == sorted(seen), "the parent never falls back"
    assert all(b.not_started is None or set(b.plan.after) - possible for b in branches)
    assert not domain.startable(branches)


def _ended(one: Branch, succeeded: bool) -> Branch:
    return replace(
        one, dossier_state=State.RETURNED if succeeded else State.WITHDRAWN, result_at=START if succeeded else None
    )


def _possible(graph: list[tuple[str, tuple[str, ...]]], succeeds: dict[str, bool]) -> set[str]:
    """Members that get a result: they succeed, and so does everything before them."""
    waits, found = dict(graph), set[str]()
    while more := {code for code in waits if code not in found and succeeds[code] and set(waits[code]) <= found}:
        found |= more
    return found


@given(st.lists(st.sampled_from(STATES), min_size=1, max_size=6), st.data())
def test_the_parents_state_follows_from_any_states_of_its_members(states: list[State], data: st.DataObject) -> None:
    results = [state in (State.RESULT_READY, State.RETURNED) for state in states]
    branches = [branch(f"m{n}", state=state, result=results[n]) for n, state in enumerate(states)]
    found = domain.group_state(data.draw(st.permutations(branches)))

    if all(state in TERMINAL for state in states):
        assert found is (GroupState.RETURNED if any(results) else GroupState.WITHOUT_RESULT)
    else:
        assert found is (GroupState.PARTIALLY_DONE if any(results) else GroupState.PROCESSING)


def test_the_whole_is_due_since_the_first_acceptance_by_the_time_of_its_case() -> None:
    accepted = replace(branch("birth", state=State.ACCEPTED), accepted_at=START)
    case = PROCEDURES["3.000722"].case("normal")

    assert domain.promise([branch("birth")], case, TENANT.rules(START)) is None
    due = domain.promise([accepted, branch("residence", "birth")], case, TENANT.rules(START))

    # Monday the 23rd; the 24th is a holiday; three working days
    assert due == datetime(2026, 11, 27, 10, 0, tzinfo=UTC)


def test_the_agencies_confirm_within_two_working_hours_by_policy() -> None:
    policy = TENANT.rules(START).policy
    assert (policy.interlinked_acknowledgement.value, policy.interlinked_acknowledgement.unit) == (2, "working_hour")
    assert timedelta(minutes=policy.interlinked_sync.value) == timedelta(minutes=10)


def test_a_group_lists_members_after_those_that_they_wait_for() -> None:
    backwards = Group("x", "x", "3.000722", "", tuple(reversed(KARAOKE.members)))
    assert [member.code for member in groups.chosen(backwards, {})] == ["business", "security", "licence"]
