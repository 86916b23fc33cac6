"""What runs beside the worker: the engine that delivers, with every kind of destination that there is."""

import asyncio
from functools import partial

from kit.db import Database
from kit.service import patiently
from kit.settings import load
from services.notification.settings import Settings
from services.notification.systems.delivery.engine import Engine, Open
from services.notification.systems.delivery.forgetting import forget_for_ever
from services.notification.systems.national import watching
from services.notification.systems.national.clients import Portal
from services.notification.systems.national.destination import open_national
from services.notification.systems.subscriptions import clients
from services.notification.systems.subscriptions.registry import NATIONAL_PORTAL, subscribers


def agency_of(subscriber: str) -> str | None:
    """Of whose dossiers a subscriber hears; None if nothing is agreed with it."""
    found = subscribers().get(subscriber)
    return found.agency if found else None


async def deliver(db: Database) -> None:
    """Until cancelled."""
    await patiently("database", lambda: clients.renew_seals(db))
    async with clients.sender() as sender, Portal(load(Settings)) as portal:
        destinations: dict[str, Open] = {
            clients.WEBHOOK: partial(clients.open_webhook, sender),
            NATIONAL_PORTAL: partial(open_national, portal),
        }
        async with asyncio.TaskGroup() as together:
            together.create_task(watching.watch(db))
            together.create_task(forget_for_ever(db))
            together.create_task(Engine(destinations, agency_of).run(db))
