"""Time in: a parent follows its members, and what happens when that, or an acknowledgement, takes too long.

Whatever changes a member orders `progress` for its parent in the same transaction. The job looks at all members anew,
so it does not matter which change ordered it, how often it runs, or where it stopped the last time: members that are
dossiers already are not started again, because it holds the parent's row while it looks and while it starts.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from contracts.dossier import Deadline, DeadlineMissed
from kit import files as storage
from kit.clock import now
from kit.db import Connection, Database
from kit.settings import load
from kit.timers import Timer
from services.dossier import tenant
from services.dossier.catalogue import store as catalogue
from services.dossier.interlinked import domain, members, store
from services.dossier.interlinked.members import Start
from services.dossier.processing import store as dossiers
from services.dossier.processing.domain import TERMINAL, Dossier, envelope
from services.dossier.settings import Settings
from services.dossier.tenant import Tenant

log = structlog.get_logger()


async def progress(db: Database, job: Timer) -> None:
    """The job: start the members whose turn it is, give up those that can never start, and say how the whole stands."""
    parent = await dossiers.read(db, job.key)
    if parent.state in TERMINAL:
        return
    settings = load(Settings)
    province, moment = tenant.load(settings.tenant), now()
    branches = await store.branches(db, parent.code)
    files = storage.connect(settings)
    starts = [
        await members.prepared(db, files, parent, branch, branches, province, moment)
        for branch in domain.startable(branches)
    ]
    async with db.transaction() as tx:
        await _follow(tx, await dossiers.lock(tx, parent.code), starts, province, moment)


async def _follow(tx: Connection, parent: Dossier, starts: Sequence[Start], province: Tenant, moment: datetime) -> None:
    """In one transaction, holding the parent: whoever else follows it at the same time comes before or after."""
    if parent.state in TERMINAL:
        return
    due = {branch.code for branch in domain.startable(await store.branches(tx, parent.code))}
    for start in starts:
        if start.branch.code in due:
            await members.start(tx, parent, start, province, moment)
    branches = domain.given_up(await store.branches(tx, parent.code))
    if not domain.is_news(parent, branches):
        return
    procedure, _ = await catalogue.version(tx, parent.facts.procedure_id)
    due_at = parent.due_at or domain.promise(branches, procedure.case(parent.facts.case), province.rules(moment))
    moved, said = domain.progress(parent, branches, due_at, moment)
    await store.said(tx, parent.code, branches)
    await dossiers.save(tx, moved, said)


# ── what takes too long ───────────────────────────────────────────────────────────────────────────────────────


async def synchronisation_missed(tx: Connection, timer: Timer) -> None:
    """Ten minutes after a member's result what follows from it has still not started: said of the parent."""
    member = await dossiers.read(tx, timer.key)
    if member.facts.parent_code is None:
        return
    parent = await dossiers.lock(tx, member.facts.parent_code)
    waiting = domain.startable(await store.branches(tx, parent.code))
    if not waiting or parent.state in TERMINAL:
        return
    log.error("interlinked.sync_missed", code=parent.code)
    late = replace(parent, version=parent.version + 1)
    said = DeadlineMissed(
        **envelope(late, now()), deadline=Deadline.SYNCHRONISATION, due_at=timer.due_at, unit=waiting[0].unit
    )
    await dossiers.save(tx, late, said)
