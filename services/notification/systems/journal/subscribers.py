"""Public events are kept for other systems, in the transaction in which they are heard."""

from collections.abc import Sequence

from contracts.dossier import Filing
from contracts.envelope import Audience
from kit.db import Connection
from kit.inbox import Letter
from services.notification.systems.journal import domain, store
from services.notification.systems.journal.domain import Kept, Whose


async def keep(tx: Connection, letters: Sequence[Letter]) -> None:
    """Append them to the journal; what came before its dossier's filing waits for that."""
    public = [letter for letter in letters if letter.channel.audience is Audience.PUBLIC]
    filed = {letter.key: domain.whose(letter.event) for letter in public if isinstance(letter.event, Filing)}
    await store.one_at_a_time(tx)
    await store.know(tx, filed.values())
    known = filed | await store.known(tx, {letter.key for letter in public} - set(filed))
    early = await store.take_early(tx, filed) if filed else []
    events = [_kept(letter) for letter in public]
    await store.keep_early(tx, [event for event in events if event.dossier_code not in known])
    await store.append(tx, _in_order(events, early, known), known)


def _kept(letter: Letter) -> Kept:
    return domain.keep(letter.channel.name, letter.key, letter.version, letter.event, letter.headers, letter.payload)


def _in_order(events: Sequence[Kept], early: Sequence[Kept], known: dict[str, Whose]) -> list[Kept]:
    """What waited comes before what came now of the same dossier and channel; others of the batch wait for neither."""
    waited = {(event.channel, event.dossier_code) for event in early}
    now = [event for event in events if event.dossier_code in known]
    first = [event for event in now if (event.channel, event.dossier_code) not in waited]
    return [*first, *early, *(event for event in now if (event.channel, event.dossier_code) in waited)]
