"""What happens to a member is heard by its parent: ordered in the member's own transaction, done in the parent's."""

from collections.abc import Sequence
from datetime import timedelta

from contracts.dossier import DossierEvent, ResultIssued
from kit import timers
from kit.db import Connection
from kit.settings import load
from services.dossier import tenant
from services.dossier.processing.domain import Dossier
from services.dossier.settings import Settings

PROGRESS = "interlinked_progress"
"""The job that brings a parent up to date with its members, keyed by the parent's code."""
SYNC = "interlinked_sync"
"""The deadline by which what follows from a member's result has started, keyed by that member's code."""


async def member_moved(tx: Connection, member: Dossier, events: Sequence[DossierEvent]) -> None:
    """Order that the parent is looked at; and after a result, that somebody notices if nothing comes of it in time."""
    if member.facts.parent_code is None or not events:
        return
    moment = events[-1].occurred_at
    await timers.schedule(tx, PROGRESS, member.facts.parent_code, moment)
    if any(isinstance(event, ResultIssued) for event in events):
        policy = tenant.load(load(Settings).tenant).rules(moment).policy
        limit = timedelta(minutes=policy.interlinked_sync.value)
        await timers.schedule(tx, SYNC, member.code, moment + limit)
