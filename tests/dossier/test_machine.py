"""The machine as data, and what holds whatever people do with it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts import dossier as contract
from contracts.dossier import (
    ConsultationOutcome,
    DeliveryMethod,
    ExtensionKind,
    OwnerType,
    Punctuality,
    ServiceLevel,
    SignatureStatus,
    Step,
    SubmissionChannel,
)
from contracts.envelope import Event
from contracts.money import FeeTiming
from contracts.refusal import Refusal
from services.dossier import tenant
from services.dossier.catalogue.domain import WorkflowStep
from services.dossier.clocks import calendar
from services.dossier.clocks import domain as clocks
from services.dossier.extension import domain as extension
from services.dossier.filing.domain import Draft, Parties, submit
from services.dossier.parties.domain import Person
from services.dossier.processing.acts.domain import acts_of
from services.dossier.processing.consultation import domain as consultations
from services.dossier.processing.consultation.domain import Consultation, Question
from services.dossier.processing.domain import (
    LABELS,
    SUPPLEMENT_REQUESTED,
    SYSTEM,
    TERMINAL,
    TRANSITIONS,
    WORKED_ON,
    Act,
    Actor,
    Dossier,
    PaymentState,
    State,
)
from services.dossier.processing.endings import domain as endings
from services.dossier.processing.obligation import domain as obligation
from services.dossier.processing.reading.domain import units_of
from services.dossier.processing.reception import domain as reception
from services.dossier.processing.reception.domain import Reasons
from services.dossier.processing.work import domain as work
from services.dossier.processing.work.domain import Level
from services.dossier.processing.workflow.domain import Flow, begin
from services.dossier.results import domain as results
from services.dossier.results.domain import Result, ResultState
from services.dossier.supplement import domain as supplement

TENANT = tenant.load("deploy/tenants/an-binh")
PROCEDURE = next(each for each in tenant.procedures("deploy/tenants/an-binh") if each.code == "2.000635")
UNIT, OTHER = "H99.02.01", "H99.02.02"
MORNING = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
FLOW = Flow(PROCEDURE.cases[0].steps, TENANT.rules(MORNING))


# ── the table ──


def test_every_state_is_reached_labelled_and_all_but_the_last_are_left() -> None:
    reached = {row.target for row in TRANSITIONS} | {source for row in TRANSITIONS for source in row.sources}
    left = {source for row in TRANSITIONS for source in row.sources if row.target not in (None, source)}
    assert set(LABELS) == set(State)
    assert set(State) <= reached
    assert set(State) - left == TERMINAL


def test_nothing_leaves_a_terminal_state() -> None:
    assert [row.label for row in TRANSITIONS if row.target and row.sources & TERMINAL] == []


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


ROLES = ("desk", "specialist", "division_head", "leader", "clerk", "supervisor", "cashier", "system_admin")
OWNER = UUID(int=2)
PEOPLE = [UUID(int=n) for n in range(10, 12)]
UNITS = {code: Level(unit.level, unit.parent) for code, unit in TENANT.units.items()}
CENTRE = "H99.01"
CASE = PROCEDURE.cases[0]
HEADED = replace(
    CASE,
    steps=(
        WorkflowStep("receive", "Tiếp nhận", Step.DESK, 0.5),
        WorkflowStep("assign", "Phân công", Step.DIVISION_HEAD, 0.5),
        WorkflowStep("prepare", "Dự thảo", Step.SPECIALIST, 4),
        WorkflowStep("review", "Thẩm tra", Step.DIVISION_HEAD, 1),
        WorkflowStep("sign", "Ký duyệt", Step.LEADER, 1.5),
        WorkflowStep("issue", "Vào số", Step.CLERK, 0.5),
    ),
)

HERE, ASKED = "here", "asked"
"""Stand for the unit that has the dossier, and for the one whose opinion is awaited."""
roles = st.one_of(
    st.just(frozenset(ROLES)),
    st.just(frozenset(ROLES)),
    st.just(frozenset({"desk", "specialist", "division_head", "leader", "clerk"})),
    st.frozensets(st.sampled_from(ROLES), max_size=3),
)
actors = st.builds(
    Actor, st.sampled_from(PEOPLE), roles, st.sampled_from([HERE, HERE, HERE, HERE, ASKED, UNIT, OTHER, CENTRE])
)
seldom = st.sampled_from([False] * 14 + [True])
"""Otherwise most lives are short."""
rather_not = st.sampled_from([False] * 4 + [True])
targets = st.sampled_from([UNIT, OTHER, OTHER, CENTRE, "H99.99"])
whys = st.sampled_from(
    [
        Reasons("Không đủ điều kiện", "Luật Hộ tịch"),
        Reasons("Không đủ điều kiện"),
        Reasons("Ngoài thẩm quyền", out_of_competence=True, competent_unit=OTHER),
        Reasons("Ngoài thẩm quyền", out_of_competence=True, competent_unit=UNIT),
    ]
)
COMPONENTS = tuple(component.code for component in CASE.components)
GOOD_ASK = supplement.Ask((supplement.Item(COMPONENTS[0], "Mờ, không đọc được"),))
asks = st.just(GOOD_ASK) | st.builds(
    supplement.Ask,
    st.lists(
        st.builds(supplement.Item, st.sampled_from([*COMPONENTS, "TP-XX-99"]), st.sampled_from(["", "Mờ"])), max_size=2
    ).map(tuple),
    st.just(()),
    st.sampled_from([None, supplement.CitizenFault("Chưa làm", (supplement.StillWrong(COMPONENTS[0], "vẫn mờ"),))]),
)


TRIES: dict[str, tuple[frozenset[State | None], dict[str, st.SearchStrategy[Any]]]] = {}
"""What people try: in which states the table knows a row for it, and with what. One rule of hypothesis draws from
it; as rules of their own, most lives would be without most of them."""


def tried(*acts: Act, **given: st.SearchStrategy[Any]) -> Callable[[Any], Any]:
    sources = frozenset(source for row in TRANSITIONS if row.act in acts for source in row.sources)

    def register(do: Any) -> Any:
        TRIES[do.__name__] = (sources, given)
        return do

    return register


class Life(RuleBasedStateMachine):
    """Officers of any role and unit, the owner and the clocks try anything at any time: §4.8 holds after each try."""

    def __init__(self) -> None:
        super().__init__()
        self.now = MORNING
        self.result: Result | None = None
        self.consultation: Consultation | None = None
        self.requests: list[supplement.Request] = []
        self.extensions: list[extension.Extension] = []
        self.case = CASE
        self.number = 0

    @initialize(
        headed=st.booleans(), competent=st.sampled_from([UNIT, UNIT, OTHER]), prepaid=st.booleans(),
        far=st.integers(0, 7), turn=st.sampled_from(["", "", "consult", "money", "supplement", "refusal"]),
    )  # fmt: skip
    def file(self, headed: bool, competent: str, prepaid: bool, far: int, turn: str) -> None:
        """With or without a division head, at the unit that decides or at another, the fee first or later."""
        case = HEADED if headed else CASE
        self.case = replace(case, fee=replace(case.fee, timing=FeeTiming.BEFORE_ACCEPTANCE)) if prepaid else case
        procedure = replace(PROCEDURE, cases=(self.case,))
        dossier, first = submit(draft(), Parties(OWNER, OWNER), procedure, "H99.02.01-261120-0001", (), self.now)
        self.dossier = replace(dossier, facts=replace(dossier.facts, competent_unit=competent))
        self.events: list[Event] = [first]
        self.before = self.dossier
        self.news: tuple[Event, ...] = (first,)
        self._begin_anywhere(far, turn)

    def _begin_anywhere(self, far: int, turn: str) -> None:
        """Lives begin so far down the road, or just off it: chance alone seldom gets there."""
        one, two = (Actor(person, frozenset(ROLES), HERE) for person in PEOPLE[:2])
        road: list[Callable[[], None]] = [
            lambda: self.pay(), lambda: self.accept(one), lambda: self.assign(one, one.ref),
            lambda: self.propose(one, "Không có" if turn == "refusal" else None), lambda: self.review(two),
            lambda: self.pay(), lambda: self.sign(two),
        ]  # fmt: skip
        turns: dict[str, Callable[[], None]] = {
            "consult": lambda: self.consult(one, CENTRE), "money": lambda: self.ask_for_money(one, True),
            "supplement": lambda: self.ask_for_supplement(one, GOOD_ASK, False),
        }  # fmt: skip
        for step in road[: 3 if turn in turns else far]:
            step()
        turns.get(turn, lambda: None)()

    @property
    def law(self) -> clocks.Rules:
        return TENANT.rules(self.now)

    @property
    def flow(self) -> Flow:
        return Flow(self.case.steps, self.law)

    def new_id(self) -> UUID:
        self.number += 1
        return UUID(int=1000 + self.number)

    def attempt(
        self, act: Act, by: Actor, do: Callable[[Actor], tuple[Any, ...]], *, foretold: bool = True
    ) -> tuple[Any, ...] | None:
        """What it gives, or None when it was refused; checked against what was told to be possible."""
        self.by = by = self.somewhere(by)
        told = {one.act: one.refusal for one in acts_of(self.dossier, by, self.now)}
        try:
            moved, *rest = do(by)
        except Refusal:
            return None
        assert not foretold or act not in told or told[act] is None, f"{act} was told to be impossible: {told[act]}"
        self._by_right(self.dossier, act, by)
        news = tuple(each for each in rest if isinstance(each, Event))
        self.before, self.dossier, self.news = self.dossier, moved, news
        self.events += news
        return tuple(each for each in rest if not isinstance(each, Event))

    def somewhere(self, by: Actor) -> Actor:
        places = {HERE: self.dossier.current_unit, ASKED: self.dossier.consulted_unit or OTHER}
        return replace(by, unit=places.get(by.unit or "", by.unit))

    def _by_right(self, before: Dossier, act: Act, by: Actor) -> None:
        """I-7, told apart from the code under test: only the unit that has it, but for four exceptions."""
        if by.unit is None:
            return
        at_desk = "desk" in by.roles and (by.unit == before.facts.receiving_unit or act is Act.DELIVER)
        asked = act is Act.ANSWER_CONSULTATION and by.unit == before.consulted_unit
        holder = act is not Act.ANSWER_CONSULTATION and by.unit == before.current_unit
        assert holder or at_desk or asked
        assert by.roles & {"desk", "specialist", "division_head", "leader", "clerk"}

    @rule(data=st.data())
    def somebody_does_something(self, data: st.DataObject) -> None:
        open_to = sorted(name for name, (sources, _) in TRIES.items() if self.dossier.state in sources)
        if open_to:
            name = data.draw(st.sampled_from(open_to))
            drawn = {what: data.draw(strategy) for what, strategy in TRIES[name][1].items()}
            getattr(self, name)(**drawn)

    # ── time and money ──

    @tried(*Act, minutes=st.one_of(st.integers(0, 90), st.integers(0, 6000)))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @tried(*Act)
    def pay(self) -> None:
        if self.dossier.state is State.AWAITING_PREPAYMENT:
            self.attempt(
                Act.PREPAY, SYSTEM, lambda by: reception.prepaid(self.dossier, (), PaymentState.PAID, self.now)
            )
        elif self.dossier.payment_state is PaymentState.REQUESTED:
            self.dossier = reception.settle(self.dossier, PaymentState.PAID)

    @tried(*Act, kind=st.sampled_from([clocks.Kind.RECEPTION_SLA, clocks.Kind.PROCESSING_DEADLINE]))
    def miss(self, kind: clocks.Kind) -> None:
        before = self.dossier
        ran = clocks.clock(
            UUID(int=3),
            kind,
            clocks.Start("x", UNIT, self.now, self.law),
            calendar.Limit(1, calendar.Unit.WORKING_HOUR),
        )
        dossier, *news = clocks.ran_out(ran, before, self.now)
        self.dossier = dossier
        self.events += news
        assert dossier.state is before.state

    # ── the desk ──

    @tried(Act.ACCEPT, by=actors)
    def accept(self, by: Actor) -> None:
        self.attempt(Act.ACCEPT, by, lambda by: reception.accept(self.dossier, by, self.now, self.case, self.law))

    @tried(Act.REJECT, by=actors, why=whys, really=rather_not)
    def reject(self, by: Actor, why: Reasons, really: bool) -> None:
        if (
            really
            and self.attempt(Act.REJECT, by, lambda by: reception.reject(self.dossier, by, self.now, why, UNITS))
            is not None
        ):
            assert why.legal_basis or why.competent_unit == OTHER

    # ── the work ──

    @tried(Act.ASSIGN, by=actors, to=st.sampled_from([None, *PEOPLE]))
    def assign(self, by: Actor, to: UUID | None) -> None:
        before = self.dossier
        if self.attempt(Act.ASSIGN, by, lambda by: work.assign(before, by, self.now, self.flow, to)) is not None:
            assert before.assignee_ref is None or by.roles & {"division_head", "leader"}

    @tried(Act.FORWARD, by=actors, to=targets, hours=st.sampled_from([None, 2.0]))
    def forward(self, by: Actor, to: str, hours: float | None) -> None:
        before, order = self.dossier, work.Order(to, "Chuyển", hours)
        done = self.attempt(
            Act.FORWARD, by, lambda by: work.forward(before, by, self.now, order, self.flow, UNITS, "commune")
        )
        if done is not None:
            assert before.current_unit in units_of(self.dossier), "who had it reads on"
            assert before.current_unit != self.dossier.current_unit in UNITS

    @tried(Act.CONSULT, by=actors, unit=targets)
    def consult(self, by: Actor, unit: str) -> None:
        question = Question(self.new_id(), unit, "Ý kiến?", 4)
        done = self.attempt(
            Act.CONSULT, by,
            lambda by: consultations.consult(self.dossier, by, self.now, question, self.law.calendar, UNITS),
        )  # fmt: skip
        if done:
            (self.consultation,) = done

    @tried(Act.ANSWER_CONSULTATION, by=actors, silence=st.booleans())
    def end_consultation(self, by: Actor, silence: bool) -> None:
        asked = self.consultation
        if asked is None:
            return
        act = Act.CONTINUE_UNANSWERED if silence else Act.ANSWER_CONSULTATION
        done = self.attempt(act, by, lambda by: self._end_consultation(asked, by, silence))
        if done:
            (self.consultation,) = done
            assert silence or self.by.unit == asked.consulted_unit
            assert not silence or self.now > asked.due_at

    def _end_consultation(self, asked: Consultation, by: Actor, silence: bool) -> tuple[Any, ...]:
        if silence:
            return consultations.continue_unanswered(self.dossier, asked, by, self.now)
        return consultations.answer(self.dossier, asked, by, self.now, ConsultationOutcome.AGREED, "Đồng ý")

    @tried(Act.REQUEST_OBLIGATION, by=actors, pauses=st.booleans())
    def ask_for_money(self, by: Actor, pauses: bool) -> None:
        owed = obligation.Obligation("Lệ phí trước bạ", "Thông báo")
        self.attempt(
            Act.REQUEST_OBLIGATION, by,
            lambda by: obligation.request_obligation(self.dossier, by, self.now, owed, pauses=pauses),
        )  # fmt: skip

    @tried(Act.CONFIRM_OBLIGATION, by=actors, days=st.sampled_from([None, 1, 3]))
    def see_the_proof(self, by: Actor, days: int | None) -> None:
        due_at = self.dossier.due_at + timedelta(days=days) if days and self.dossier.due_at else None
        self.attempt(
            Act.CONFIRM_OBLIGATION, by,
            lambda by: obligation.confirm_obligation(self.dossier, by, self.now, "Giấy nộp tiền", self.flow, due_at),
        )  # fmt: skip

    @tried(Act.ASSIGN, Act.PROPOSE, by=actors, refusal=st.sampled_from([None, None, "Không có trong sổ"]))
    def propose(self, by: Actor, refusal: str | None) -> None:
        before = self.dossier
        done = self.attempt(
            Act.ASSIGN if before.state is State.ACCEPTED else Act.PROPOSE, by,
            lambda by: work.propose(before, by, self.now, self.flow, refusal=refusal),
        )  # fmt: skip
        if done is not None:
            assert before.assignee_ref in (None, by.ref)
            if refusal is None:
                self.result = Result("x", ResultState.DRAFT, "t", "TLHT-BS", "0" * 64, self.now)

    @tried(Act.REVIEW, by=actors)
    def review(self, by: Actor) -> None:
        self.attempt(Act.REVIEW, by, lambda by: work.review(self.dossier, by, self.now, self.flow))

    @tried(Act.RETURN_STEP, by=actors)
    def send_back(self, by: Actor) -> None:
        self.attempt(Act.RETURN_STEP, by, lambda by: work.return_step(self.dossier, by, self.now, self.flow, "Xem lại"))

    # ── the decision ──

    @tried(Act.APPROVE, by=actors)
    def sign(self, by: Actor) -> None:
        result, before = self.result, self.dossier
        if result is None or result.state is not ResultState.DRAFT:
            return
        if self.attempt(Act.APPROVE, by, lambda by: work.approve(before, by, self.now, self.flow)) is not None:
            self.result = results.sign(result, by, "1" * 64, self.now)
            assert by.ref != before.proposer_ref
            assert before.step_role != Step.DIVISION_HEAD
            assert not before.refusal_proposed
            assert before.payment_state is not PaymentState.REQUESTED

    @tried(Act.SIGN, by=actors, valid=st.booleans())
    def issue(self, by: Actor, valid: bool) -> None:
        was = self.result
        if was is None:
            return
        check = SignatureStatus.VALID if valid else SignatureStatus.INVALID
        done = self.attempt(Act.SIGN, by, lambda by: self._issue(was, by, check))
        if done:
            (self.result,) = done
            assert valid
            assert self.dossier.state is State.RETURNED, "online delivery follows at once"

    def _issue(self, was: Result, by: Actor, check: SignatureStatus) -> tuple[Any, ...]:
        results.may_issue(self.dossier, was, by)
        numbered = results.number(was, 15, self.now)
        return results.issue(self.dossier, numbered, PROCEDURE.result, by, "2" * 64, check, self.now)

    @tried(Act.REFUSE, by=actors, why=whys, excused=st.booleans(), really=rather_not)
    def refuse(self, by: Actor, why: Reasons, excused: bool, really: bool) -> None:
        before = self.dossier
        if not really:
            return
        done = self.attempt(
            Act.REFUSE, by, lambda by: endings.refuse(before, by, self.now, why, UNITS, late_allowed=excused),
            foretold=not excused,
        )  # fmt: skip
        if done is not None:
            assert by.ref != before.proposer_ref
            assert excused or before.due_at is None or self.now <= before.due_at

    @tried(
        Act.WITHDRAW, reason=st.sampled_from([None, *endings.WithdrawalReason]), stranger=st.booleans(), really=seldom
    )
    def withdraw(self, reason: endings.WithdrawalReason | None, stranger: bool, really: bool) -> None:
        by = Actor(OWNER, frozenset({"citizen" if stranger else "owner"}))
        if not really:
            return
        done = self.attempt(Act.WITHDRAW, by, lambda by: endings.withdraw(self.dossier, by, self.now, reason))
        assert done is None or not (stranger or self.before.approved_at)

    @tried(Act.STOP, by=actors, really=seldom)
    def stop(self, by: Actor, really: bool) -> None:
        if really:
            self.attempt(Act.STOP, by, lambda by: endings.stop(self.dossier, by, self.now, "Theo quyết định", "Luật"))

    # ── the supplement ──

    @tried(
        Act.REQUEST_SUPPLEMENT,
        Act.REQUEST_AGAIN,
        Act.REQUEST_AGAIN_PROCESSING,
        by=actors,
        ask=asks,
        override=st.booleans(),
    )
    def ask_for_supplement(self, by: Actor, ask: supplement.Ask, override: bool) -> None:
        drafted = self.dossier.state in supplement.WORKED_ON
        again = Act.REQUEST_AGAIN_PROCESSING if self.dossier.accepted_at else Act.REQUEST_AGAIN
        act = Act.REQUEST_SUPPLEMENT if self.dossier.state is not State.SUPPLEMENT_SUBMITTED else again
        done = self.attempt(act, by, lambda by: self._ask(by, ask, override, drafted))
        if done:
            (issued,) = done
            self.requests.append(issued)
            assert ask.items
            if len(self.requests) > 1 and not supplement.is_founded(ask, self.requests[-2]):
                assert issued.violations
                assert override
                assert "supervisor" in by.roles

    def _ask(self, by: Actor, ask: supplement.Ask, override: bool, drafted: bool) -> tuple[Any, ...]:
        supplement.check(ask, self.case, ())
        make = supplement.draft if drafted else supplement.of_the_desk
        request = make(self.dossier, by, self.now, self.new_id(), ask)
        before = self.requests[-1] if self.requests else None
        start = clocks.Start("x", UNIT, self.now, self.law)
        due_at = clocks.completion(start, self.new_id).due_at
        facts = supplement.Issue(len(self.requests) + 1, due_at, before, self.now if drafted else None, override)
        return supplement.issue(self.dossier, request, by, self.now, facts)

    @tried(Act.SUPPLEMENT)
    def answer_supplement(self) -> None:
        by, request = Actor(OWNER, frozenset({"owner"})), self.requests[-1]
        done = self.attempt(Act.SUPPLEMENT, by, lambda by: supplement.answer(self.dossier, request, by, self.now, ()))
        if done:
            self.requests[-1:] = done

    @tried(Act.ACCEPT_AGAIN, by=actors)
    def confirm_supplement(self, by: Actor) -> None:
        due_at = clocks.promised(self.case, self.now, self.law)
        promise = supplement.Promise(due_at, due_at)
        self.attempt(Act.ACCEPT_AGAIN, by, lambda by: self._confirm(by, promise))

    def _confirm(self, by: Actor, promise: supplement.Promise) -> tuple[Any, ...]:
        again, event = supplement.accept_again(self.dossier, by, self.now, promise)
        return begin(again, Step.SPECIALIST, self.flow, self.now, anew=True), event

    @tried(Act.CLOSE)
    def give_up_waiting(self) -> None:
        due_at = self.requests[-1].due_at if self.requests else None
        if due_at and self.now > due_at:
            self.attempt(
                Act.CLOSE, SYSTEM, lambda by: supplement.close(self.dossier, due_at, self.now, "Hết hạn", None)
            )

    # ── the apology ──

    @tried(Act.EXTEND, by=actors, days=st.integers(0, 9))
    def decide_extension(self, by: Actor, days: int) -> None:
        wish = extension.Wish(ExtensionKind.APOLOGY, self.now.date() + timedelta(days=days), "Chờ tra cứu sổ gốc")
        try:
            decided = extension.decide(
                self.dossier, by, self.now, self.new_id(), wish, self.case, self.law, self.extensions
            )
        except Refusal:
            return
        self.extensions.append(decided)

    @tried(Act.EXTEND, by=actors)
    def publish_extension(self, by: Actor) -> None:
        waiting = self.extensions[-1] if self.extensions else None
        if waiting is None or waiting.published_at:
            return
        done = self.attempt(Act.EXTEND, by, lambda by: extension.publish(self.dossier, waiting, by, self.now, None))
        if done:
            self.extensions[-1:] = done

    # ── what holds ──

    @invariant()
    def versions_are_one_to_n(self) -> None:
        assert [event.version for event in self.events] == list(range(1, len(self.events) + 1))
        assert self.dossier.version == len(self.events)

    @invariant()
    def the_code_never_changes(self) -> None:
        assert {event.dossier_code for event in self.events} == {self.dossier.code}  # type: ignore[attr-defined]

    @invariant()
    def at_most_one_supplement_is_open(self) -> None:
        opened = sum(isinstance(event, contract.SupplementRequested) for event in self.events)
        answered = sum(isinstance(event, contract.SupplementSubmitted) for event in self.events)
        assert opened - answered == (self.dossier.state in SUPPLEMENT_REQUESTED) or self.dossier.state in TERMINAL
        assert opened - answered in (0, 1)

    @invariant()
    def times_follow_each_other(self) -> None:
        d = self.dossier
        times = [t for t in (d.submitted_at, d.accepted_at, d.result_at, d.returned_at) if t]
        assert times == sorted(times)

    @invariant()
    def the_appointment_changes_only_with_a_record(self) -> None:
        if self.before.due_at != self.dossier.due_at:
            assert any(isinstance(e, contract.DossierAccepted | contract.DeadlineExtended) for e in self.news)
        apologies = [
            e for e in self.events
            if isinstance(e, contract.DeadlineExtended) and e.kind == ExtensionKind.APOLOGY
        ]  # fmt: skip
        assert len(apologies) <= 1

    @invariant()
    def history_is_a_chain_that_names_who_and_where(self) -> None:
        lines = self.dossier.unsaved
        assert all(before.to_state == after.from_state for before, after in pairwise(lines))
        assert lines[-1].to_state == self.dossier.state
        assert all(line.unit and (line.actor_ref or line.act in (Act.PREPAY, Act.CLOSE, Act.DELIVER)) for line in lines)
        assert [line.at for line in lines] == sorted(line.at for line in lines)

    @invariant()
    def nothing_goes_on_after_the_end(self) -> None:
        states = [line.to_state for line in self.dossier.unsaved]
        ends = [n for n, state in enumerate(states) if state in TERMINAL]
        assert ends in ([], [len(states) - 1])

    @invariant()
    def a_step_runs_while_somebody_works(self) -> None:
        assert (self.dossier.step_role is not None) == (self.dossier.state in WORKED_ON)

    @invariant()
    def whose_opinion_is_awaited_is_known(self) -> None:
        assert (self.dossier.consulted_unit is not None) == (self.dossier.state is State.CONSULTING)

    @invariant()
    def what_is_signed_is_with_the_clerk_or_over(self) -> None:
        if self.dossier.approved_at:
            later = {State.PENDING_APPROVAL, State.RESULT_SIGNED, State.RESULT_READY, State.RETURNED, State.STOPPED}
            assert self.dossier.state in later


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=120, stateful_step_count=50, deadline=None)


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
    accepted, *(event,) = reception.accept(there, desk, later, before, TENANT.rules(later))
    assert isinstance(event, contract.DossierAccepted)
    assert event.fee_lines == ()
    assert accepted.payment_state is PaymentState.PAID


def test_a_same_day_dossier_after_three_is_promised_for_the_next_day() -> None:
    dossier, _ = filed()
    desk = Actor(UUID(int=9), frozenset({"desk"}), UNIT)
    late = datetime(2026, 11, 20, 8, 1, tzinfo=UTC)  # 15:01 in Viet Nam, a Friday

    accepted, *(event,) = reception.accept(dossier, desk, late, PROCEDURE.cases[0], TENANT.rules(late))

    assert isinstance(event, contract.DossierAccepted)
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
