"""What became of a message: written down, said, and counted, in the caller's transaction."""

import structlog
from prometheus_client import Counter

from contracts.notification import FailureReason
from kit.clock import now
from kit.db import Connection
from services.notification.people import domain, store
from services.notification.people.domain import Message, State

GIVEN_UP = Counter("motcua_messages_given_up_total", "Messages that reached nobody", ["channel", "reason"])
OURS_TO_MEND = (FailureReason.UNAVAILABLE, FailureReason.TEMPLATE)
"""An operator should look, mend the cause, and send again; the others are wrong or missing addresses."""

log = structlog.get_logger()


async def sent(tx: Connection, message: Message, template_version: int, attempts: int) -> None:
    """The provider took it, or it is in the portal's inbox."""
    await store.settle(tx, domain.sent(message, template_version, attempts, now()), State.SENT)


async def given_up(
    tx: Connection, message: Message, template_version: int, attempts: int, reason: FailureReason
) -> None:
    """It reached nobody; the dossier goes on. Counted and logged, without a word of it."""
    event = domain.failed(message, template_version, attempts, reason, now())
    await store.settle(tx, event, State.FAILED, reason.value)
    GIVEN_UP.labels(message.channel.value, reason.value).inc()
    say = log.error if reason in OURS_TO_MEND else log.info
    say("message.given_up", channel=message.channel.value, reason=reason.value, name=message.template)
