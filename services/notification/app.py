"""Notification: people are told what happens to their dossiers."""

from kit.service import service
from services.notification import subscribers, timers
from services.notification.people import api as people
from services.notification.people import words
from services.notification.people.preview import api as preview
from services.notification.settings import Settings

app = service(
    "notification",
    api=[people.router, preview.router],
    inbox=subscribers.inbox,
    timers=timers.timers,
    settings=Settings,
    startup=words.check,
)
