"""What the portal has, against what was heard; and sending again what it lacks."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from contracts.dossier import DOSSIERS, DossierEvent
from kit.db import Database
from services.notification.systems.delivery import store as delivery
from services.notification.systems.journal.domain import Entry
from services.notification.systems.national import store
from services.notification.systems.national.clients import Portal
from services.notification.systems.national.destination import event_of
from services.notification.systems.national.domain import Difference, difference


async def differences(db: Database, portal: Portal, since: datetime) -> AsyncIterator[Difference]:
    """Every dossier of which something was heard since then, and of which the portal has not all. NotTaken and httpx2's
    errors when the portal does not answer."""
    for code in await store.heard(db, DOSSIERS.name, since):
        heard = _events(await store.life(db, DOSSIERS.name, code))
        if found := difference(code, heard, await portal.look_up(code)):
            yield found


def _events(entries: Sequence[Entry]) -> list[DossierEvent]:
    events = (event_of(one.kept.ce_type, one.kept.body) for one in entries)
    return [event for event in events if isinstance(event, DossierEvent)]


async def send_again(db: Database, lacking: Difference) -> int:
    """From the first event that the portal lacks on, in order; how many. What it has already, it does not get twice."""
    async with db.transaction() as tx:
        kept = await delivery.history(
            tx, store.SUBSCRIPTION, DOSSIERS.name, lacking.dossier_code, min(lacking.missing, default=1)
        )
        await delivery.ask_again(tx, store.SUBSCRIPTION, kept)
    return len(kept)
