"""Which clocks start and stop as a dossier moves. Everything here happens in the transaction of the act."""

from datetime import datetime

from kit import ids
from kit.db import Connection, Database
from services.dossier.catalogue.domain import Case
from services.dossier.clocks import domain, store
from services.dossier.clocks.domain import Clock, Kind, Rules
from services.dossier.interlinked import store as interlinked
from services.dossier.processing.domain import Dossier
from services.dossier.processing.workflow.domain import Flow
from services.dossier.tenant import Tenant

ALARMS = (Kind.DUE_SOON, Kind.APOLOGY_ALARM)
"""Those of an appointment."""


async def rules_of(tx: Connection | Database, dossier: Dossier, tenant: Tenant, now: datetime) -> Rules:
    """By what the dossier's deadlines are computed: the profile that it was accepted under, or today's before that."""
    kept = await store.profile(tx, dossier.policy_version) if dossier.policy_version else None
    return Rules(kept, tenant.calendar) if kept else tenant.rules(dossier.accepted_at or now)


async def start_reception(tx: Connection, dossier: Dossier, tenant: Tenant, at: datetime | None = None) -> None:
    """The dossier is at the desk since `at`: since its submission, where nothing else is said."""
    since = at or dossier.submitted_at
    if since is None:
        raise ValueError("the reception clock starts with the submission")
    start = domain.start_of(dossier, since, tenant.rules(since))
    await store.start(tx, *domain.reception(start, dossier.facts.channel, ids.new))
    if dossier.facts.parent_code and await interlinked.is_elsewhere(tx, dossier.code):
        await store.start(tx, domain.acknowledgement(start, ids.new))


def payment_expiry(dossier: Dossier, tenant: Tenant, at: datetime) -> Clock | None:
    """Until when the fee that comes first can be paid, where the policy ends that; it is not started yet."""
    return domain.payment_expiry(domain.start_of(dossier, at, tenant.rules(at)), ids.new)


async def start_processing(tx: Connection, dossier: Dossier, case: Case, rules: Rules, at: datetime) -> None:
    """The dossier is accepted: the appointment with its alarms, and the window for a specialist's request."""
    start = domain.start_of(dossier, at, rules)
    promise = domain.appointment(case, start, ids.new)
    await store.start(tx, domain.window(start, ids.new), *([promise] if promise else ()))
    if promise:
        await start_alarms(tx, promise, rules)


async def follow_step(tx: Connection, dossier: Dossier, flow: Flow, at: datetime) -> None:
    """The clock of the workflow's step follows the step that an act began or ended."""
    if not dossier.step_began:
        return
    await store.stop(tx, dossier.code, [Kind.STEP_DEADLINE], at)
    step = flow.running(dossier)
    if step and dossier.step_due_at:
        start = domain.start_of(dossier, at, flow.rules)
        await store.start(tx, domain.step(step, start, ids.new, dossier.step_due_at))


async def start_alarms(tx: Connection, promise: Clock, rules: Rules, *, apologised: bool = False) -> None:
    """The alarms before this appointment, in place of those before the former one."""
    await store.stop(tx, promise.dossier_code, ALARMS, promise.started_at)
    await store.start(tx, *domain.alarms(promise, rules, ids.new, apologised=apologised))


async def hold(tx: Connection, code: str, at: datetime, reason: str) -> None:
    """The appointment stands still, for a reason that the citizen is told: a supplement where the province lets the
    time go on afterwards, or a financial obligation where the case says so. Its alarms are off meanwhile."""
    for promise in await store.running_of(tx, code, Kind.PROCESSING_DEADLINE):
        await store.save(tx, domain.pause(promise, at, reason))
        await store.stop(tx, code, ALARMS, at)


async def go_on(tx: Connection, code: str, rules: Rules, at: datetime) -> Clock | None:
    """The appointment that was held goes on with what was left of it; None when none was. The caller writes its
    `due_at` into the dossier."""
    for promise in await store.running_of(tx, code, Kind.PROCESSING_DEADLINE):
        if promise.is_paused:
            resumed = domain.resume(promise, at, rules.calendar)
            await store.save(tx, resumed)
            await start_alarms(tx, resumed, rules)
            return resumed
    return None
