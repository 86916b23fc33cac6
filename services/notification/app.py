"""Notification: people are told what happens to their dossiers, and other systems rely on it."""

from kit.service import service
from services.notification import subscribers, timers
from services.notification.people import api as people
from services.notification.people import words
from services.notification.people.failures import api as failures
from services.notification.people.preview import api as preview
from services.notification.people.receipts import api as receipts
from services.notification.settings import Settings
from services.notification.systems import running
from services.notification.systems.delivery import api as delivery
from services.notification.systems.subscriptions import api as subscriptions

app = service(
    "notification",
    api=[people.router, preview.router, receipts.router, failures.router, subscriptions.router, delivery.router],
    inbox=subscribers.inbox,
    timers=timers.timers,
    settings=Settings,
    startup=words.check,
    beside=running.deliver,
)
