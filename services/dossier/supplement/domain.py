"""The supplement: what the applicant is asked to put right, at once, in full, through the one-stop desk, and once.

A second request is lawful only where the applicant did not do what the first one told them, and says so. Others are
not silently impossible: whoever answers for the desk may issue them, and each is recorded as a violation.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from contracts.dossier import (
    Component,
    DossierAccepted,
    DossierClosed,
    OriginalNeeded,
    Stage,
    SupplementItem,
    SupplementRequested,
    SupplementSubmitted,
)
from contracts.refusal import Refusal
from services.dossier.catalogue.domain import Case
from services.dossier.clocks.policy import ApprovalHop
from services.dossier.faults import Fault
from services.dossier.processing.domain import (
    SUPPLEMENT_REQUESTED,
    SYSTEM,
    Act,
    ActNotPossible,
    Actor,
    Dossier,
    NotYourRole,
    NotYourUnit,
    State,
    allowed,
    envelope,
    move,
    person,
)

WORKED_ON = frozenset({State.ASSIGNED, State.IN_PROCESS})
"""A specialist has the dossier: they say what is missing, and the desk issues it."""
SUPERVISOR = "supervisor"
"""The role that answers for the desk (phụ trách Một cửa)."""


class SupplementWithoutComponent(Refusal):
    """A request names the components and says of each what is wrong; free text alone is not a request."""

    status = 422
    title = "Phải chọn cụ thể thành phần cần bổ sung và nêu rõ lý do của từng thành phần"
    title_en = "Name each component that has to be put right, and what is wrong with it"


class ComponentUnknown(Refusal):
    """The dossier's case has no such component."""

    status = 422
    title = "Thủ tục không có thành phần này"
    title_en = "The procedure has no such component"


class PaperForSignedComponent(Refusal):
    """Paper is not asked for to verify what was signed and recorded by law (NĐ 45/2020/NĐ-CP, Art. 6(2)(b))."""

    status = 422
    title = "Không được yêu cầu bản giấy của thành phần đã ký số hợp lệ"
    title_en = "Paper must not be demanded for a component with a valid digital signature"


class SupplementAlreadyOpen(Refusal):
    """The applicant has yet to answer the request before."""

    title = "Đang có một yêu cầu bổ sung chưa được trả lời"
    title_en = "A supplement request is open already"


class SecondSupplementUnfounded(Refusal):
    """A further request needs what the applicant did not do, or the word of whoever answers for the desk."""

    title = "Yêu cầu bổ sung lần sau phải nêu người nộp chưa thực hiện nội dung nào của lần trước"
    title_en = "A further request must state what of the previous one the applicant left undone"


class SpecialistDrafts(Refusal):
    """While the dossier is worked on, its specialist says what is missing; the desk issues it."""

    title = "Khi hồ sơ đang xử lý, công chức chuyên môn dự thảo yêu cầu và Bộ phận Một cửa phát hành"
    title_en = "While a dossier is processed, its specialist drafts the request and the desk issues it"


class DraftWaitsAlready(Refusal):
    """A specialist's draft waits for the desk: take it back before drafting another."""

    title = "Đang có một dự thảo yêu cầu bổ sung chờ phát hành"
    title_en = "A drafted request waits to be issued"


class ApprovalMissing(Refusal):
    """The province lets somebody look at a specialist's request before it goes out."""

    title = "Dự thảo yêu cầu bổ sung chưa được phê duyệt"
    title_en = "The drafted request has not been approved"


class NoSupplementOpen(Refusal):
    """Nothing is asked of the applicant now."""

    title = "Hồ sơ không có yêu cầu bổ sung nào đang chờ"
    title_en = "No supplement is being asked for"


class SupplementChanged(Refusal):
    """Something was changed elsewhere between the check and the sending."""

    title = "Nội dung bổ sung vừa được thay đổi ở nơi khác, xin xem lại rồi gửi"
    title_en = "The supplement was changed elsewhere meanwhile; look at it and send it again"


class SupplementIncomplete(Refusal):
    """Each listed component is changed or answered before the supplement is sent; `errors` lists what is missing."""

    status = 422
    title = "Chưa thể gửi bổ sung: còn thành phần chưa được thay đổi hoặc trả lời"
    title_en = "The supplement cannot be sent yet: something is missing or wrong"

    def __init__(self, faults: Sequence[Fault]) -> None:
        errors = [{"field": fault.field, "rule": fault.rule, "message": fault.message} for fault in faults]
        super().__init__(errors=errors)


class RequestState(StrEnum):
    """How far a request is."""

    DRAFTED = "drafted"
    """By a specialist; nobody outside has seen it."""
    APPROVED = "approved"
    OPEN = "open"
    """Issued; the applicant completes the dossier."""
    ANSWERED = "answered"
    EXPIRED = "expired"
    """Not answered in time."""
    DISCARDED = "discarded"
    """A draft that was taken back, or an open request whose dossier ended otherwise."""


class Why(StrEnum):
    """What makes a request a violation."""

    NO_CITIZEN_FAULT = "no_citizen_fault"
    """A further request that does not say what the applicant left undone."""
    NEW_COMPONENTS = "new_components"
    """It names components that the request before did not: they were not found the first time."""
    OUTSIDE_WINDOW = "outside_window"
    """A specialist's, later than the law lets them ask."""


LEGAL: Mapping[Why, str] = {
    Why.NO_CITIZEN_FAULT: "Yêu cầu bổ sung lần sau mà không nêu lỗi của người nộp",
    Why.NEW_COMPONENTS: "Yêu cầu thành phần chưa nêu ở lần trước",
    Why.OUTSIDE_WINDOW: "Yêu cầu bổ sung khi đã quá thời hạn kể từ ngày tiếp nhận",
}


@dataclass(frozen=True, slots=True)
class Item:
    """One component that has to be put right: what is wrong, and how to fix it."""

    component_code: str
    problem: str
    guidance: str = ""
    on_paper: bool = False
    """Whether it is to be handed in on paper."""


@dataclass(frozen=True, slots=True)
class Original:
    """A paper original to bring, and why the law needs it."""

    component_code: str
    why: str


@dataclass(frozen=True, slots=True)
class StillWrong:
    """A component of the request before, and what of its guidance the applicant did not do."""

    component_code: str
    what: str


@dataclass(frozen=True, slots=True)
class CitizenFault:
    """From the second request on: what the applicant left undone."""

    statement: str
    components: tuple[StillWrong, ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """The content of a request."""

    items: tuple[Item, ...]
    originals: tuple[Original, ...] = ()
    fault: CitizenFault | None = None

    @property
    def codes(self) -> frozenset[str]:
        return frozenset(item.component_code for item in self.items)

    @property
    def texts(self) -> tuple[str, ...]:
        """Everything in it that becomes public: none of it may name a person."""
        own = [text for item in self.items for text in (item.problem, item.guidance)]
        own += [original.why for original in self.originals]
        return (*own, self.fault.statement if self.fault else "")


@dataclass(frozen=True, slots=True)
class Reply:
    """What the applicant has prepared inside one open request; nothing of it counts before it is sent."""

    notes: Mapping[str, str]
    """Component → their answer, where they do not send a new file."""
    answers: Mapping[str, Any]
    """Questions of the e-form that they answer anew."""


NOTHING = Reply({}, {})


@dataclass(frozen=True, slots=True)
class Request:
    """One request for a supplement (yêu cầu bổ sung)."""

    id: UUID
    dossier_code: str
    stage: Stage
    state: RequestState
    ask: Ask
    requested_by: UUID
    """Who found what is wrong: the desk officer, or the specialist who drafted it."""
    requested_unit: str
    drafted_at: datetime
    round: int | None = None
    """1 for the first one issued, intake and processing counted together; None for a draft."""
    approved_by: UUID | None = None
    issued_by: UUID | None = None
    issued_unit: str | None = None
    issued_at: datetime | None = None
    due_at: datetime | None = None
    answered_at: datetime | None = None
    violations: tuple[Why, ...] = ()
    mau02_ref: str | None = None
    reply: Reply = NOTHING


@dataclass(frozen=True, slots=True)
class Violation:
    """A request that breaks the rule, as oversight sees it."""

    request: Request
    why: tuple[Why, ...]
    override_reason: str | None
    """What the supervisor gave as the reason, where they had to."""


# ── what may be asked ─────────────────────────────────────────────────────────────────────────────────────────


def check(ask: Ask, case: Case, signed: Collection[str]) -> None:
    """Refuse what is no request, and paper for components that are validly signed (`signed`: their codes)."""
    if not ask.items or not all(item.problem.strip() for item in ask.items):
        raise SupplementWithoutComponent
    named = (*ask.codes, *(original.component_code for original in ask.originals))
    if unknown := sorted(code for code in named if case.component(code) is None):
        raise ComponentUnknown(components=unknown)
    if not all(original.why.strip() for original in ask.originals):
        raise SupplementWithoutComponent("Phải nêu rõ vì sao cần bản gốc")
    excepted = {original.component_code for original in ask.originals}
    demanded = {item.component_code for item in ask.items if item.on_paper} - excepted
    if forbidden := sorted(demanded & set(signed)):
        raise PaperForSignedComponent(
            "Nghị định 45/2020/NĐ-CP, Điều 6 khoản 2 điểm b: không yêu cầu giấy tờ để đối chiếu với thành phần đã được "
            "ký số và ghi nhận hợp pháp. Nếu pháp luật buộc phải có bản gốc, hãy nêu ở mục bản gốc kèm lý do.",
            components=forbidden,
        )


def stage_of(dossier: Dossier) -> Stage:
    return Stage.PROCESSING if dossier.accepted_at else Stage.INTAKE


def is_founded(ask: Ask, before: Request) -> bool:
    """Whether a further request says what the applicant left undone of the one before (SUP-4)."""
    if ask.fault is None or not ask.fault.statement.strip():
        return False
    still = {wrong.component_code for wrong in ask.fault.components if wrong.what.strip()}
    return bool(still & before.ask.codes & ask.codes)


def violations(ask: Ask, before: Request | None, now: datetime, window_ends: datetime | None) -> tuple[Why, ...]:
    """What is wrong with issuing this request; `window_ends` for one that a specialist drafted."""
    found = []
    if before and not is_founded(ask, before):
        found.append(Why.NO_CITIZEN_FAULT)
    if before and ask.codes - before.ask.codes:
        found.append(Why.NEW_COMPONENTS)
    if window_ends and now > window_ends:
        found.append(Why.OUTSIDE_WINDOW)
    return tuple(found)


# ── a specialist's draft ──────────────────────────────────────────────────────────────────────────────────────


def draft(dossier: Dossier, by: Actor, now: datetime, new_id: UUID, ask: Ask) -> Request:
    """The specialist says what is missing; the desk will say it to the applicant."""
    if dossier.state not in WORKED_ON:
        raise ActNotPossible("Công chức chuyên môn chỉ dự thảo khi đang xử lý hồ sơ", state=dossier.state)
    if "specialist" not in by.roles:
        raise NotYourRole
    if by.unit != dossier.current_unit:
        raise NotYourUnit
    return Request(
        new_id, dossier.code, Stage.PROCESSING, RequestState.DRAFTED, ask, person(by), by.unit or dossier.current_unit,
        now,
    )  # fmt: skip


def approve(request: Request, by: Actor, hop: ApprovalHop) -> Request:
    """Whom the province has look at it first agrees."""
    if hop is ApprovalHop.NONE or request.state is not RequestState.DRAFTED:
        raise ActNotPossible("Yêu cầu này không chờ phê duyệt")
    if hop.value not in by.roles:
        raise NotYourRole
    return replace(request, state=RequestState.APPROVED, approved_by=by.ref)


def discard(request: Request) -> Request:
    """The draft is taken back; what was issued stays."""
    if request.state not in (RequestState.DRAFTED, RequestState.APPROVED):
        raise ActNotPossible("Yêu cầu bổ sung đã phát hành thì không thu hồi")
    return replace(request, state=RequestState.DISCARDED)


# ── issuing it ────────────────────────────────────────────────────────────────────────────────────────────────


def of_the_desk(dossier: Dossier, by: Actor, now: datetime, new_id: UUID, ask: Ask) -> Request:
    """What the desk itself finds missing: before acceptance, or in a supplement that came in."""
    if dossier.state in SUPPLEMENT_REQUESTED:
        raise SupplementAlreadyOpen
    if dossier.accepted_at and dossier.state is not State.SUPPLEMENT_SUBMITTED:
        raise SpecialistDrafts
    stage, unit = stage_of(dossier), by.unit or dossier.current_unit
    return Request(new_id, dossier.code, stage, RequestState.DRAFTED, ask, person(by), unit, now)


@dataclass(frozen=True, slots=True)
class Issue:
    """What the desk knows when it issues a request."""

    round: int
    due_at: datetime
    before: Request | None
    """The request issued before this one."""
    window_ends: datetime | None
    """Until when a specialist may ask; None for what the desk itself found."""
    override: bool = False
    """The supervisor answers for a request that the rule does not bear."""


def may_issue(dossier: Dossier, request: Request, by: Actor, issue: Issue, now: datetime) -> tuple[Why, ...]:
    """The violations that issuing it would record; a refusal where it may not be issued."""
    if dossier.state in SUPPLEMENT_REQUESTED:
        raise SupplementAlreadyOpen
    found = violations(request.ask, issue.before, now, issue.window_ends)
    if Why.NO_CITIZEN_FAULT in found and not (issue.override and SUPERVISOR in by.roles):
        raise SecondSupplementUnfounded(
            "Nêu rõ người nộp chưa thực hiện nội dung nào, ở thành phần nào của lần trước; hoặc phụ trách Một cửa "
            "quyết định phát hành, việc này được ghi nhận là vi phạm (NĐ 61/2018/NĐ-CP, Điều 11 khoản 2 điểm c)."
        )
    return found


def issue(
    dossier: Dossier, request: Request, by: Actor, now: datetime, facts: Issue
) -> tuple[Dossier, Request, SupplementRequested]:
    """The desk asks the applicant (D6, D12): the clock stops, the applicant's own begins."""
    found = may_issue(dossier, request, by, facts, now)
    moved = move(dossier, _act(dossier), by, now, reason=f"Yêu cầu bổ sung lần {facts.round}")
    issued = replace(
        request, state=RequestState.OPEN, round=facts.round, issued_by=person(by), issued_at=now, due_at=facts.due_at,
        issued_unit=by.unit or dossier.facts.receiving_unit, violations=found,
    )  # fmt: skip
    return moved, issued, _requested(moved, issued, now)


def _act(dossier: Dossier) -> Act:
    if dossier.state is not State.SUPPLEMENT_SUBMITTED:
        return Act.REQUEST_SUPPLEMENT
    return Act.REQUEST_AGAIN_PROCESSING if dossier.accepted_at else Act.REQUEST_AGAIN


def _requested(dossier: Dossier, request: Request, now: datetime) -> SupplementRequested:
    ask = request.ask
    return SupplementRequested(
        **envelope(dossier, now), round=request.round or 1, stage=request.stage, requested_by=request.requested_by,
        issued_by_unit=request.issued_unit or dossier.current_unit,
        items=tuple(
            SupplementItem(component_code=item.component_code, problem=item.problem, guidance=item.guidance)
            for item in ask.items
        ),
        citizen_fault=ask.fault.statement if ask.fault else None,
        needs_original=tuple(OriginalNeeded(component_code=o.component_code, why=o.why) for o in ask.originals),
        due_at=request.due_at or now, mau02_ref=request.mau02_ref, violation=bool(request.violations),
    )  # fmt: skip


# ── the applicant's answer ────────────────────────────────────────────────────────────────────────────────────


def prepare(request: Request, notes: Mapping[str, str | None], answers: Mapping[str, Any]) -> Request:
    """The applicant works on it, as often as they like; a null takes a note or an answer away."""
    _only_listed(request, notes)
    kept_notes = {code: text for code, text in {**request.reply.notes, **notes}.items() if text}
    kept = {name: value for name, value in {**request.reply.answers, **answers}.items() if value is not None}
    return replace(request, reply=Reply(kept_notes, kept))


def _only_listed(request: Request, notes: Mapping[str, str | None]) -> None:
    if others := sorted(set(notes) - request.ask.codes):
        raise ComponentUnknown("Yêu cầu bổ sung không nêu thành phần này", components=others)


def may_answer_form(request: Request, case: Case) -> bool:
    """Whether a listed component is the e-form itself: then its answers may change too."""
    listed = (case.component(code) for code in request.ask.codes)
    return any(component is not None and component.eform for component in listed)


def unanswered(request: Request, case: Case, sent: Collection[str], answers: Mapping[str, Any]) -> list[Fault]:
    """What keeps the supplement from being sent: listed components with neither file, nor note, nor new answers."""
    faults = []
    changed_form = bool(request.reply.answers) and dict(answers) != {**answers, **request.reply.answers}
    for code in sorted(request.ask.codes - set(sent) - set(request.reply.notes)):
        component = case.component(code)
        if component and component.eform and changed_form:
            continue
        name = component.name if component else code
        message = f"“{name}” cần bổ sung: xin tải tệp mới lên hoặc trả lời"
        faults.append(Fault(f"components.{code}", "not_answered", message))
    if request.reply.answers and not may_answer_form(request, case):
        faults.append(Fault("answers", "not_listed", "Yêu cầu bổ sung không nêu tờ khai, không sửa nội dung tờ khai"))
    return faults


def answer(
    dossier: Dossier, request: Request, by: Actor, now: datetime, components: tuple[Component, ...]
) -> tuple[Dossier, Request, SupplementSubmitted]:
    """“Gửi bổ sung”: everything at once (D7). The desk looks at it next."""
    if request.state is not RequestState.OPEN:
        raise NoSupplementOpen
    moved = move(dossier, Act.SUPPLEMENT, by, now, reason=f"Gửi bổ sung lần {request.round}")
    moved = replace(moved, facts=replace(moved.facts, answers={**moved.facts.answers, **request.reply.answers}))
    changed = {component.code for component in components} | (request.ask.codes & set(request.reply.notes))
    said = SupplementSubmitted(
        **envelope(moved, now), round=request.round or 1, stage=request.stage,
        changed_components=tuple(sorted(changed)), components=components, at=now,
    )  # fmt: skip
    return moved, replace(request, state=RequestState.ANSWERED, answered_at=now), said


# ── what comes of it ──────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Promise:
    """The new appointment after a supplement."""

    due_at: datetime | None
    original_due_at: datetime | None


def may_confirm(dossier: Dossier, by: Actor) -> None:
    """A supplement of an accepted dossier came in; one that came before acceptance is accepted, not confirmed."""
    allowed(dossier, Act.ACCEPT_AGAIN, by)
    if dossier.accepted_at is None:
        raise ActNotPossible("Hồ sơ chưa được tiếp nhận", state=dossier.state)


def accept_again(dossier: Dossier, by: Actor, now: datetime, promise: Promise) -> tuple[Dossier, DossierAccepted]:
    """The desk finds the dossier complete now (D8): the work goes on, with a new appointment."""
    may_confirm(dossier, by)
    moved = replace(
        move(dossier, Act.ACCEPT_AGAIN, by, now), due_at=promise.due_at, original_due_at=promise.original_due_at
    )
    measured = promise.original_due_at if promise.original_due_at != promise.due_at else None
    said = DossierAccepted(
        **envelope(moved, now), accepted_at=now, appointment_at=promise.due_at, measured_until=measured,
        unit=by.unit or dossier.current_unit, officer_ref=person(by), again=True,
        policy_version=dossier.policy_version,
    )  # fmt: skip
    return moved, said


def close(
    dossier: Dossier, due_at: datetime, now: datetime, reason: str, mau05_ref: str | None
) -> tuple[Dossier, DossierClosed]:
    """The supplement did not come in time (D23)."""
    moved = move(dossier, Act.CLOSE, SYSTEM, now, reason=reason)
    return moved, DossierClosed(**envelope(moved, now), due_at=due_at, reason=reason, mau05_ref=mau05_ref)
