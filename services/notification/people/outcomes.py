"""What became of a message: written down, said, and counted, in the caller's transaction."""

import structlog
from prometheus_client import Counter

from contracts.notification import FailureReason
from kit import timers
from kit.clock import now
from kit.db import Connection
from services.notification.people import domain, store
from services.notification.people.domain import DELIVER, Message, State
from services.notification.people.store import Stored

GIVEN_UP = Counter("motcua_messages_given_up_total", "Messages that reached nobody", ["channel", "reason"])
REPORTED = Counter("motcua_messages_reported_total", "Delivery receipts of providers", ["delivery"])
OURS_TO_MEND = (FailureReason.UNAVAILABLE, FailureReason.TEMPLATE)
"""An operator should look, mend the cause, and send again; the others are wrong or missing addresses."""

log = structlog.get_logger()


async def sent(tx: Connection, message: Message, template_version: int, attempts: int) -> None:
    """The provider took it, or it is in the portal's inbox."""
    await store.settle(tx, domain.sent(message, template_version, attempts, now()), State.SENT)


async def reported(tx: Connection, stored: Stored, *, arrived: bool) -> None:
    """The provider's delivery receipt, in whatever order and however often it comes.

    One that comes before our own note that the provider took the message, or after we had given up, is that note.
    """
    message, moment = stored.message, now()
    if stored.state is not State.SENT:
        if stored.state is State.FAILED and not arrived:
            return
        event = domain.sent(message, stored.template_version, max(stored.attempts, 1), moment)
        await store.settle(tx, event, State.SENT, of=(State.QUEUED, State.FAILED))
        await timers.cancel(tx, DELIVER, str(message.id))
    event = domain.reported(message, stored.template_version, max(stored.attempts, 1), arrived, moment)
    await store.report(tx, event, arrived=arrived)
    REPORTED.labels("delivered" if arrived else "undelivered").inc()


async def given_up(
    tx: Connection, message: Message, template_version: int, attempts: int, reason: FailureReason
) -> None:
    """It reached nobody; the dossier goes on. Counted and logged, without a word of it."""
    event = domain.failed(message, template_version, attempts, reason, now())
    await store.settle(tx, event, State.FAILED, reason.value)
    GIVEN_UP.labels(message.channel.value, reason.value).inc()
    say = log.error if reason in OURS_TO_MEND else log.info
    say("message.given_up", channel=message.channel.value, reason=reason.value, name=message.template)
