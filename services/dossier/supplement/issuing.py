"""Issuing a supplement request, confirming what came, and closing what did not: each in one transaction."""

from dataclasses import dataclass, replace
from datetime import datetime

from contracts.dossier import Step
from kit import ids
from kit.db import Connection
from services.dossier.attachments import store as attachments
from services.dossier.attachments.domain import validly_signed
from services.dossier.catalogue import store as catalogue
from services.dossier.catalogue.domain import Case
from services.dossier.clocks import acts
from services.dossier.clocks import domain as clocks
from services.dossier.clocks import store as clock_store
from services.dossier.clocks.domain import Clock, Kind, Rules
from services.dossier.clocks.policy import AfterSupplement, ApprovalHop
from services.dossier.forms import domain as forms
from services.dossier.forms import store as form_store
from services.dossier.forms.domain import Form
from services.dossier.processing import store as dossiers
from services.dossier.processing import words
from services.dossier.processing.api import flow_of
from services.dossier.processing.domain import Actor, Dossier, NotYourUnit
from services.dossier.processing.workflow.domain import begin
from services.dossier.supplement import domain, store
from services.dossier.supplement.domain import WORKED_ON, Promise, Request, RequestState, Violation
from services.dossier.tenant import Tenant


@dataclass(frozen=True, slots=True)
class Order:
    """A request that the desk is about to issue."""

    request: Request
    by: Actor
    officer: str
    """Name of the desk officer, as printed on the form."""
    at: datetime
    override: bool = False
    override_reason: str | None = None


async def signed_components(tx: Connection, code: str) -> set[str]:
    """Codes of the components whose files carry valid signatures: no paper may be asked for those."""
    return validly_signed(await attachments.files_of(tx, code))


def demand_unit(dossier: Dossier, by: Actor) -> None:
    """Refuse officers of units that neither took the dossier in nor have it."""
    if by.unit not in (dossier.current_unit, dossier.facts.receiving_unit):
        raise NotYourUnit


async def issue(tx: Connection, dossier: Dossier, order: Order, tenant: Tenant) -> tuple[Dossier, Request]:
    """The desk asks the applicant. The caller holds the dossier's row."""
    rules = await acts.rules_of(tx, dossier, tenant, order.at)
    _demand_approval(order.request, rules.policy.supplement_approval, dossier)
    start = clocks.start_of(dossier, order.at, rules)
    completion = clocks.completion(start, ids.new)
    facts = await _facts(tx, dossier, order, completion)
    asked, issued, event = domain.issue(dossier, order.request, order.by, order.at, facts)
    told = await _mau02(tx, dossier, issued, order)
    mau02 = await form_store.order(tx, dossier.code, Form.SUPPLEMENT, facts.round, told)
    issued = replace(issued, mau02_ref=mau02)
    await store.save(tx, issued)
    if issued.violations:
        await store.record(tx, Violation(issued, issued.violations, order.override_reason))
    if dossier.accepted_at and rules.policy.after_supplement_clock is AfterSupplement.PAUSE:
        await acts.hold(tx, dossier.code, order.at, f"Yêu cầu bổ sung lần {facts.round}")
    await dossiers.save(tx, asked, event.model_copy(update={"mau02_ref": mau02}))
    await clock_store.start(tx, completion)
    return asked, issued


def _demand_approval(request: Request, hop: ApprovalHop, dossier: Dossier) -> None:
    if hop is not ApprovalHop.NONE and dossier.state in WORKED_ON and request.state is not RequestState.APPROVED:
        raise domain.ApprovalMissing


async def _facts(tx: Connection, dossier: Dossier, order: Order, completion: Clock) -> domain.Issue:
    before = await store.last_issued(tx, dossier.code)
    by_specialist = dossier.state in WORKED_ON
    window = await clock_store.latest_of(tx, dossier.code, Kind.SUPPLEMENT_WINDOW) if by_specialist else None
    return domain.Issue(
        round=(before.round or 0) + 1 if before else 1, due_at=completion.due_at, before=before,
        window_ends=window.due_at if window else None, override=order.override,
    )  # fmt: skip


async def _mau02(tx: Connection, dossier: Dossier, issued: Request, order: Order) -> forms.SupplementFacts:
    case = await _case(tx, dossier)
    ask = issued.ask
    return forms.SupplementFacts(
        unit=issued.issued_unit or dossier.facts.receiving_unit, at=order.at, officer=order.officer,
        round=issued.round or 1,
        items=tuple(
            forms.ToComplete(component=_name(case, i.component_code), problem=i.problem, guidance=i.guidance)
            for i in ask.items
        ),
        originals=tuple(forms.Original(component=_name(case, o.component_code), why=o.why) for o in ask.originals),
        citizen_fault=ask.fault.statement if ask.fault else None, due_at=issued.due_at or order.at,
    )  # fmt: skip


async def _case(tx: Connection, dossier: Dossier) -> Case:
    procedure, _ = await catalogue.version(tx, dossier.facts.procedure_id)
    return procedure.case(dossier.facts.case)


def _name(case: Case, code: str) -> str:
    component = case.component(code)
    return component.name if component else code


# ── what came ─────────────────────────────────────────────────────────────────────────────────────────────────


async def confirm(tx: Connection, dossier: Dossier, by: Actor, officer: str, at: datetime, tenant: Tenant) -> Dossier:
    """The desk finds the dossier complete now: the work goes on, with a new appointment and a new slip (D8)."""
    domain.may_confirm(dossier, by)
    procedure, flow = await flow_of(tx, dossier, tenant)
    case = procedure.case(dossier.facts.case).through(dossier.facts.channel)
    promise = await _promise_again(tx, dossier, case, flow.rules, at)
    again, event = domain.accept_again(dossier, by, at, promise)
    again = begin(again, Step.SPECIALIST, flow, at, anew=True)
    receipt = words.receipt(again, procedure, await attachments.files_of(tx, dossier.code), tenant, officer)
    last = await store.last_issued(tx, dossier.code)
    key = f"bs{last.round if last else 1}"
    mau01 = await form_store.order(tx, dossier.code, Form.RECEIPT, key, replace(receipt, at=at))
    await dossiers.save(tx, again, event.model_copy(update={"mau01_ref": mau01}))
    await acts.follow_step(tx, again, flow, at)
    return again


async def _promise_again(tx: Connection, dossier: Dossier, case: Case, rules: Rules, at: datetime) -> Promise:
    """The new appointment: counted from zero, or what was left of the old one (by the policy)."""
    if rules.policy.after_supplement_clock is AfterSupplement.RESTART:
        await acts.start_processing(tx, dossier, case, rules, at)
        due_at = clocks.promised(case, at, rules)
        return Promise(due_at, due_at)
    resumed = await acts.go_on(tx, dossier.code, rules, at)
    if resumed is None:
        return Promise(dossier.due_at, dossier.original_due_at)
    return Promise(resumed.due_at, _original(dossier, resumed, rules))


def _original(dossier: Dossier, resumed: Clock, rules: Rules) -> datetime:
    """The first appointment, moved by the same pause: an apology before it does not count as time given."""
    pause = resumed.pauses[-1]
    if dossier.original_due_at in (None, dossier.due_at) or pause.until is None:
        return resumed.due_at
    first = dossier.original_due_at or resumed.due_at
    return rules.calendar.resume(first, pause.since, pause.until, resumed.limit).due_at


# ── what did not come ─────────────────────────────────────────────────────────────────────────────────────────


async def close(tx: Connection, dossier: Dossier, passed: Clock, at: datetime) -> None:
    """The applicant did not complete the dossier in time (D23). The caller holds the dossier's row."""
    await store.expire(tx, dossier.code)
    reason = "Người nộp không bổ sung, hoàn thiện hồ sơ trong thời hạn"
    facts = forms.StopFacts(
        unit=dossier.facts.receiving_unit, at=at, reason=reason, legal_basis=passed.limit.source or None, returned=(),
        fee="Phí, lệ phí đã nộp được xử lý theo quy định của thủ tục.",
    )  # fmt: skip
    mau05 = await form_store.order(tx, dossier.code, Form.STOP, "", facts)
    closed, event = domain.close(dossier, passed.due_at, at, reason, mau05)
    await dossiers.save(tx, closed, event)
