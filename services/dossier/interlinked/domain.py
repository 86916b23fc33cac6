"""A parent and its members: what follows for the one from the states of the others.

Everything about a parent follows from its members, so the rules are functions of their states, whatever the order in
which these were reached.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from graphlib import TopologicalSorter
from uuid import UUID

from contracts.dossier import (
    DeliveryMethod,
    DossierAcknowledged,
    GroupState,
    InterlinkedMember,
    InterlinkedProgressed,
    InterlinkedSubmitted,
    MemberState,
    QuestionOutcome,
    ResultQuestionAnswered,
    ResultQuestioned,
)
from contracts.refusal import Refusal
from services.dossier.catalogue.domain import Case, Procedure
from services.dossier.clocks import domain as clocks
from services.dossier.clocks.domain import Rules
from services.dossier.interlinked.groups.domain import Group, Member
from services.dossier.processing.domain import (
    SYSTEM,
    TERMINAL,
    Act,
    ActNotPossible,
    Actor,
    Dossier,
    NotYourUnit,
    State,
    envelope,
    filing_fields,
    move,
    permitted,
)


class GroupNotServed(Refusal):
    """An agency that the group needs is not known for the receiving unit."""

    title = "Cơ quan này chưa tiếp nhận hồ sơ liên thông đã chọn"
    title_en = "This unit does not take in the chosen interlinked dossier"


class LoginTooOld(Refusal):
    """An interlinked dossier is sent with a fresh login (RFC 9470): `max_age` says how fresh, in seconds."""

    status = 401
    title = "Xin xác nhận lại tài khoản VNeID trước khi gửi hồ sơ liên thông"
    title_en = "Log in again before sending an interlinked dossier"


# ── a parent and its members ──────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Branch:
    """One member of one parent: what it is to be, and where it is."""

    plan: Member
    procedure_id: UUID
    """The version of the procedure that was current when the parent was sent; the member keeps it."""
    procedure_name: str
    unit: str
    """Agency that settles it."""
    dossier_code: str | None = None
    dossier_state: State | None = None
    result_at: datetime | None = None
    accepted_at: datetime | None = None
    not_started: str | None = None
    """Why it will never become a dossier, in Vietnamese."""
    acknowledged_at: datetime | None = None
    """When the agency confirmed that it has it."""
    said: MemberState = MemberState.WAITING
    """Where it was when the parent last spoke of it."""

    @property
    def code(self) -> str:
        return self.plan.code

    @property
    def state(self) -> MemberState:
        """Where it is. A result stays a result, whatever becomes of its delivery."""
        if self.not_started is not None:
            return MemberState.NOT_STARTED
        if self.dossier_state is None:
            return MemberState.WAITING
        if self.result_at is not None:
            return MemberState.HAS_RESULT
        return MemberState.ENDED if self.dossier_state in TERMINAL else MemberState.IN_PROGRESS

    @property
    def is_over(self) -> bool:
        """Nothing is to come of it any more."""
        return self.not_started is not None or self.dossier_state in TERMINAL


FAILED = frozenset({MemberState.ENDED, MemberState.NOT_STARTED})


def startable(branches: Iterable[Branch]) -> list[Branch]:
    """The members whose turn it is: not dossiers yet, and everything they wait for has its result."""
    states = {branch.code: branch.state for branch in branches}
    return [
        branch
        for branch in branches
        if branch.state is MemberState.WAITING and all(states[c] is MemberState.HAS_RESULT for c in branch.plan.after)
    ]


def given_up(branches: Sequence[Branch]) -> list[Branch]:
    """The members with those that can never start marked so, with the reason; one after another down the line."""
    done: dict[str, Branch] = {}
    by_code = {branch.code: branch for branch in branches}
    for code in TopologicalSorter({branch.code: branch.plan.after for branch in branches}).static_order():
        branch = by_code[code]
        failed = [done[c].plan.name for c in branch.plan.after if done[c].state in FAILED]
        if failed and branch.state is MemberState.WAITING:
            names = ", ".join(f"“{name}”" for name in failed)
            branch = replace(branch, not_started=f"Không thực hiện vì {names} không có kết quả")
        done[code] = branch
    return [done[branch.code] for branch in branches]


def group_state(branches: Iterable[Branch]) -> GroupState:
    """The parent's state, from those of its members (§4.6)."""
    members = list(branches)
    some = any(branch.state is MemberState.HAS_RESULT for branch in members)
    if all(branch.is_over for branch in members):
        return GroupState.RETURNED if some else GroupState.WITHOUT_RESULT
    return GroupState.PARTIALLY_DONE if some else GroupState.PROCESSING


def told(branches: Iterable[Branch]) -> tuple[InterlinkedMember, ...]:
    """The members as others are told of them."""
    return tuple(
        InterlinkedMember(
            code=branch.code, procedure_code=branch.plan.procedure, procedure_name=branch.procedure_name,
            unit=branch.unit, after=branch.plan.after, state=branch.state, dossier_code=branch.dossier_code,
            reason=branch.not_started,
        )
        for branch in branches
    )  # fmt: skip


def submit(
    dossier: Dossier, group: Group, branches: Sequence[Branch], now: datetime
) -> tuple[Dossier, InterlinkedSubmitted]:
    """What was sent as one dossier is the parent of a group (L1). `dossier` is fresh from filing."""
    (line,) = dossier.unsaved
    row = permitted(State.DRAFT, Act.SUBMIT_INTERLINKED, Actor(line.actor_ref, frozenset({"owner"})))
    target = row.target or State.INTERLINKED
    line = replace(line, act=row.act, label=row.label, to_state=target)
    parent = replace(dossier, state=target, submitted_at=now, unsaved=(line,))
    said = InterlinkedSubmitted(
        **envelope(parent, now), **filing_fields(parent.facts), group=group.code, members=told(branches),
        submitted_at=now,
    )  # fmt: skip
    return parent, said


ACTS: Mapping[GroupState, Act] = {
    GroupState.PARTIALLY_DONE: Act.MEMBER_DONE,
    GroupState.RETURNED: Act.ALL_MEMBERS_OVER,
    GroupState.WITHOUT_RESULT: Act.ALL_MEMBERS_FAILED,
}
STATES: Mapping[GroupState, State] = {
    GroupState.PROCESSING: State.INTERLINKED,
    GroupState.PARTIALLY_DONE: State.PARTIALLY_DONE,
    GroupState.RETURNED: State.RETURNED,
    GroupState.WITHOUT_RESULT: State.REJECTED,
}
"""How the parent shows it. Without any result it is not "returned" to people: nothing was (status 3 or 8, not 10)."""


def progress(
    parent: Dossier, branches: Sequence[Branch], due_at: datetime | None, now: datetime
) -> tuple[Dossier, InterlinkedProgressed]:
    """The parent follows its members (L2 to L5). The caller found that something about them is new."""
    state = group_state(branches)
    act = Act.MEMBERS_MOVED if STATES[state] is parent.state else ACTS[state]
    accepted = min((branch.accepted_at for branch in branches if branch.accepted_at), default=None)
    over = state in (GroupState.RETURNED, GroupState.WITHOUT_RESULT)
    moved = replace(
        move(parent, act, SYSTEM, now), accepted_at=accepted, due_at=due_at, original_due_at=due_at,
        returned_at=now if state is GroupState.RETURNED else None,
        result_at=max((b.result_at for b in branches if b.result_at), default=None) if over else None,
    )  # fmt: skip
    said = InterlinkedProgressed(
        **envelope(moved, now), state=state, members=told(branches), accepted_at=accepted, due_at=due_at,
        returned_at=now if over else None,
    )  # fmt: skip
    return moved, said


def promise(branches: Iterable[Branch], case: Case, rules: Rules) -> datetime | None:
    """When the last result is due: the time of the whole, from the first acceptance on; None before it."""
    accepted = min((branch.accepted_at for branch in branches if branch.accepted_at), default=None)
    return clocks.promised(case, accepted, rules) if accepted else None


def delivery(wish: DeliveryMethod, procedure: Procedure) -> DeliveryMethod:
    """The way the citizen chose, where the member's procedure has it; else the first that it has."""
    return wish if wish in procedure.delivery else procedure.delivery[0]


def is_news(parent: Dossier, branches: Iterable[Branch]) -> bool:
    """Whether the parent has something to say that it did not say before."""
    members = list(branches)
    accepted = any(branch.accepted_at for branch in members)
    return (
        any(b.state is not b.said for b in members)
        or (accepted and parent.accepted_at is None)
        or (STATES[group_state(members)] is not parent.state)
    )


# ── acknowledgement ───────────────────────────────────────────────────────────────────────────────────────────


class NotSentToYou(Refusal):
    """Only the agency that a member was sent to confirms that it has it."""

    status = 403
    title = "Hồ sơ liên thông này không được chuyển đến cơ quan của bạn"
    title_en = "This member was not sent to your agency"


class NothingToAcknowledge(Refusal):
    title = "Hồ sơ này không được chuyển từ cơ quan khác đến nên không cần xác nhận"
    title_en = "This dossier did not come from another agency: there is nothing to acknowledge"


def acknowledge(dossier: Dossier, by: Actor, due_at: datetime, now: datetime) -> tuple[Dossier, DossierAcknowledged]:
    """The agency confirms that it has the member (L6), in time or too late."""
    if by.unit not in (None, dossier.facts.competent_unit):
        raise NotSentToYou
    moved = move(dossier, Act.ACKNOWLEDGE, by, now)
    unit = dossier.facts.competent_unit
    return moved, DossierAcknowledged(**envelope(moved, now), unit=unit, at=now, due_at=due_at, late=now > due_at)


# ── an error in an earlier result ─────────────────────────────────────────────────────────────────────────────


class NotBeforeYou(Refusal):
    """Only results of members that this one waited for can be questioned."""

    status = 422
    title = "Thủ tục này không sử dụng kết quả của thủ tục đó"
    title_en = "This member does not build on that member's result"


class AlreadyAsked(Refusal):
    title = "Đề nghị kiểm tra trước chưa được trả lời"
    title_en = "An earlier question about this result is still open"


class AlreadyAnswered(Refusal):
    title = "Đề nghị kiểm tra này đã được trả lời"
    title_en = "The question was answered"


class NothingCorrected(Refusal):
    """`corrected` is said when the corrected result is there."""

    title = "Kết quả chưa được thay bằng bản đính chính"
    title_en = "The result has not been replaced by a corrected one"


@dataclass(frozen=True, slots=True)
class Doubt:
    """A question about a result, from the agency of a later member to the one that issued it."""

    id: UUID
    parent_code: str
    asking_dossier: str
    about_dossier: str
    asking_unit: str
    unit: str
    """Who issued the result, and answers."""
    reason: str
    asked_at: datetime
    answered_at: datetime | None = None
    outcome: QuestionOutcome | None = None


def doubt(
    asking: Dossier, about: Dossier, by: Actor, reason: str, new_id: UUID, now: datetime
) -> tuple[Dossier, ResultQuestioned, Doubt]:
    """The member's agency returns an error in an earlier result upstream; both dossiers go on as they are."""
    if by.unit != asking.current_unit:
        raise NotYourUnit
    if asking.state in TERMINAL:
        raise ActNotPossible
    told = replace(about, version=about.version + 1)
    said = ResultQuestioned(
        **envelope(told, now), question_id=new_id, asking_unit=asking.current_unit, asking_dossier=asking.code,
        reason=reason,
    )  # fmt: skip
    asked = Doubt(
        new_id,
        asking.facts.parent_code or "",
        asking.code,
        about.code,
        asking.current_unit,
        about.current_unit,
        reason,
        now,
    )
    return told, said, asked


def hear(
    asking: Dossier, question: Doubt, outcome: QuestionOutcome, now: datetime
) -> tuple[Dossier, ResultQuestionAnswered]:
    """The answer reaches the dossier that waited for it."""
    told = replace(asking, version=asking.version + 1)
    return told, ResultQuestionAnswered(
        **envelope(told, now), question_id=question.id, unit=question.unit, outcome=outcome
    )


def resolve(
    about: Dossier, question: Doubt, by: Actor, outcome: QuestionOutcome, now: datetime
) -> tuple[Dossier, ResultQuestionAnswered, Doubt]:
    """Whoever issued the result answers."""
    if by.unit != question.unit:
        raise NotYourUnit
    if question.answered_at:
        raise AlreadyAnswered
    told = replace(about, version=about.version + 1)
    said = ResultQuestionAnswered(**envelope(told, now), question_id=question.id, unit=question.unit, outcome=outcome)
    return told, said, replace(question, answered_at=now, outcome=outcome)
