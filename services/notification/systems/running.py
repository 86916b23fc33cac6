"""What runs beside the worker: the engine that delivers, with every kind of destination that there is."""

from functools import partial

from kit.db import Database
from services.notification.systems.delivery.engine import Engine, Open
from services.notification.systems.subscriptions import clients
from services.notification.systems.subscriptions.registry import subscribers


def agency_of(subscriber: str) -> str | None:
    """Of whose dossiers a subscriber hears; None if nothing is agreed with it."""
    found = subscribers().get(subscriber)
    return found.agency if found else None


async def deliver(db: Database) -> None:
    """Until cancelled."""
    async with clients.sender() as sender:
        destinations: dict[str, Open] = {clients.WEBHOOK: partial(clients.open_webhook, sender)}
        await Engine(destinations, agency_of).run(db)
