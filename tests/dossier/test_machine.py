"""The machine as data, and what holds whatever people do with it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from contracts import dossier as contract
from contracts.dossier import DeliveryMethod, OwnerType, Punctuality, ServiceLevel, SignatureStatus, SubmissionChannel
from contracts.envelope import Event
from contracts.money import FeeTiming
from contracts.refusal import Refusal
from services.dossier import tenant
from services.dossier.clocks import calendar
from services.dossier.clocks import domain as clocks
from services.dossier.filing.domain import Draft, Parties, submit
from services.dossier.parties.domain import Person
from services.dossier.processing.domain import (
    LABELS,
    TERMINAL,
    TRANSITIONS,
    Act,
    Actor,
    Dossier,
    PaymentState,
    State,
)
from services.dossier.processing.reception import domain as reception
from services.dossier.processing.work import domain as work
from services.dossier.processing.workflow.domain import Flow
from services.dossier.results import domain as results
from services.dossier.results.domain import Result, ResultState

TENANT = tenant.load("deploy/tenants/an-binh")
PROCEDURE = next(each for each in tenant.procedures("deploy/tenants/an-binh") if each.code == "2.000635")
UNIT, OTHER = "H99.02.01", "H99.02.02"
MORNING = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
FLOW = Flow(PROCEDURE.cases[0].steps, TENANT.rules(MORNING))


# ── the table ──


def test_every_state_is_reached_labelled_and_all_but_the_last_are_left() -> None:
    reached = {row.target for row in TRANSITIONS} | {source for row in TRANSITIONS for source in row.sources}
    left = {source for row in TRANSITIONS for source in row.sources if row.target != source}
    assert set(LABELS) == set(State)
    # Money asked for in the middle of processing has no act yet that leads there.
    assert set(State) - reached <= {State.AWAITING_FINANCIAL_OBLIGATION}
    assert set(State) - left == TERMINAL


def test_nothing_leaves_a_terminal_state() -> None:
    assert [row.label for row in TRANSITIONS if row.sources & TERMINAL] == []


def test_an_act_leads_from_one_state_to_one_state() -> None:
    pairs = [(row.act, source) for row in TRANSITIONS for source in row.sources]
    assert len(pairs) == len(set(pairs))


def test_labels_are_unique_and_events_exist() -> None:
    labels = [row.label for row in TRANSITIONS]
    assert len(labels) == len(set(labels))
    assert [row.label for row in TRANSITIONS if row.event and not hasattr(contract, row.event)] == []


def test_every_act_has_a_row() -> None:
    assert {row.act for row in TRANSITIONS} == set(Act)


# ── whatever people do ──


def draft(**changes: Any) -> Draft:
    fields: dict[str, Any] = {
        "id": UUID(int=1), "keeper_ref": UUID(int=2), "procedure_id": UUID(int=3), "case": "normal",
        "receiving_unit": UNIT, "answers": {"event_type": "birth", "person_name": "An", "copies": 2},
        "delivery": DeliveryMethod.ONLINE, "sms_opt_in": False, "version": 1, "dossier_code": None,
        "updated_at": MORNING, "submitter": Person(name="Nguyễn Thị An"), **changes,
    }  # fmt: skip
    return Draft(**fields)


def filed(now: datetime = MORNING, **changes: Any) -> tuple[Dossier, Event]:
    return submit(draft(**changes), Parties(UUID(int=2), UUID(int=2)), PROCEDURE, "H99.02.01-261120-0001", (), now)


actors = st.builds(
    Actor,
    st.sampled_from([UUID(int=10), UUID(int=11)]),
    st.frozensets(st.sampled_from(["desk", "specialist", "leader", "clerk", "cashier"])),
    st.sampled_from([UNIT, UNIT, UNIT, OTHER]),
)


class Life(RuleBasedStateMachine):
    """Officers of any role and unit try anything at any time; the invariants of §4.8 hold after each try."""

    def __init__(self) -> None:
        super().__init__()
        self.now = MORNING
        self.dossier, first = filed(self.now)
        self.result: Result | None = None
        self.events: list[Event] = [first]
        self.seen_states = [self.dossier.state]

    def took(self, dossier: Dossier, *events: Event) -> None:
        self.dossier = dossier
        self.events += events
        self.seen_states.append(dossier.state)

    @rule(minutes=st.integers(0, 3000))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(by=actors)
    def accept(self, by: Actor) -> None:
        try:
            self.took(*reception.accept(self.dossier, by, self.now, PROCEDURE.cases[0], TENANT.rules(self.now)))
        except Refusal:
            return
        assert "desk" in by.roles

    @rule(by=actors)
    def propose(self, by: Actor) -> None:
        try:
            self.took(*work.propose(self.dossier, by, self.now, FLOW))
        except Refusal:
            return
        assert "specialist" in by.roles
        self.result = Result("x", ResultState.DRAFT, "t", "TLHT-BS", "0" * 64, self.now)

    @rule(by=actors)
    @precondition(lambda self: self.result is not None)
    def sign(self, by: Actor) -> None:
        assert self.result
        try:
            signed = results.sign(self.result, by, "1" * 64, self.now)
            self.took(*work.approve(self.dossier, by, self.now, FLOW))
        except Refusal:
            return
        self.result = signed
        assert "leader" in by.roles
        assert by.ref != self.dossier.proposer_ref
        assert self.dossier.payment_state is PaymentState.PAID

    @rule(by=actors, valid=st.booleans())
    @precondition(lambda self: self.result is not None)
    def issue(self, by: Actor, valid: bool) -> None:
        assert self.result
        check = SignatureStatus.VALID if valid else SignatureStatus.INVALID
        try:
            results.may_issue(self.dossier, self.result, by)
            numbered = results.number(self.result, 15, self.now)
            dossier, result, *events = results.issue(
                self.dossier, numbered, PROCEDURE.result, by, "2" * 64, check, self.now
            )
        except Refusal:
            return
        self.result = result
        self.took(dossier, *events)
        assert valid
        assert "clerk" in by.roles
        assert dossier.state is State.RETURNED, "online delivery follows at once"

    @rule()
    def pay(self) -> None:
        if self.dossier.payment_state is PaymentState.REQUESTED:
            self.dossier = reception.settle(self.dossier, PaymentState.PAID)

    @rule(kind=st.sampled_from(clocks.Kind))
    def run_out(self, kind: clocks.Kind) -> None:
        """The timer fires only for clocks that run in the dossier's state."""
        if not clocks.runs(kind, self.dossier):
            return
        before = self.dossier.state
        start = clocks.start_of(self.dossier, self.now, TENANT.rules(self.now))
        passed = clocks.clock(UUID(int=99), kind, start, calendar.Limit(1, calendar.Unit.MINUTE), key="leader:sign")
        self.took(*clocks.ran_out(passed, self.dossier, self.now))
        assert self.dossier.state is before

    @invariant()
    def versions_are_one_to_n(self) -> None:
        assert [event.version for event in self.events] == list(range(1, len(self.events) + 1))
        assert self.dossier.version == len(self.events)

    @invariant()
    def times_follow_each_other(self) -> None:
        d = self.dossier
        times = [t for t in (d.submitted_at, d.accepted_at, d.result_at, d.returned_at) if t]
        assert times == sorted(times)

    @invariant()
    def history_is_a_chain(self) -> None:
        lines = self.dossier.unsaved
        assert all(before.to_state == after.from_state for before, after in pairwise(lines))
        assert lines[-1].to_state == self.dossier.state

    @invariant()
    def the_first_appointment_is_kept(self) -> None:
        assert self.dossier.due_at == self.dossier.original_due_at

    @invariant()
    def nothing_goes_on_after_the_end(self) -> None:
        ends = [n for n, state in enumerate(self.seen_states) if state in TERMINAL]
        assert not ends or set(self.seen_states[ends[0] :]) == {self.seen_states[ends[0]]}


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)


# ── single rules ──


@pytest.mark.parametrize(
    ("now", "outcome"),
    [
        (datetime(2026, 11, 19, 12, 0, tzinfo=UTC), Punctuality.EARLY),
        (datetime(2026, 11, 20, 10, 0, tzinfo=UTC), Punctuality.ON_TIME),
        (datetime(2026, 11, 20, 10, 0, 1, tzinfo=UTC), Punctuality.LATE),
    ],
)
def test_a_result_is_measured_against_the_promise(now: datetime, outcome: Punctuality) -> None:
    assert results.punctuality(now, datetime(2026, 11, 20, 10, 0, tzinfo=UTC)) == outcome


def test_a_fee_that_comes_first_keeps_the_dossier_from_the_desk() -> None:
    case = PROCEDURE.cases[0]
    before = replace(case, fee=replace(case.fee, timing=FeeTiming.BEFORE_ACCEPTANCE))
    procedure = replace(PROCEDURE, cases=(before,))
    waiting, said = submit(draft(), Parties(UUID(int=2), UUID(int=2)), procedure, "H99.02.01-261120-0001", (), MORNING)

    assert waiting.state is State.AWAITING_PREPAYMENT
    assert isinstance(said, contract.DossierAwaitingPayment)
    assert said.amount == 16_000
    later = MORNING + timedelta(hours=3)
    there, submitted = reception.prepaid(waiting, (), PaymentState.PAID, later)
    assert (there.state, there.submitted_at, submitted.version) == (State.SUBMITTED, later, 2)
    desk = Actor(UUID(int=9), frozenset({"desk"}), UNIT)
    accepted, event = reception.accept(there, desk, later, before, TENANT.rules(later))
    assert event.fee_lines == ()
    assert accepted.payment_state is PaymentState.PAID


def test_a_same_day_dossier_after_three_is_promised_for_the_next_day() -> None:
    dossier, _ = filed()
    desk = Actor(UUID(int=9), frozenset({"desk"}), UNIT)
    late = datetime(2026, 11, 20, 8, 1, tzinfo=UTC)  # 15:01 in Viet Nam, a Friday

    accepted, event = reception.accept(dossier, desk, late, PROCEDURE.cases[0], TENANT.rules(late))

    assert event.appointment_at == datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
    assert accepted.policy_version == TENANT.rules(late).policy.version


def test_what_is_filed_says_what_others_may_know() -> None:
    dossier, said = filed()

    assert isinstance(said, contract.DossierSubmitted)
    assert (said.level, said.owner_type, said.channel) == (
        ServiceLevel.FULL,
        OwnerType.CITIZEN,
        SubmissionChannel.PROVINCIAL_PORTAL,
    )
    assert dossier.facts.owner_name not in said.model_dump_json()
