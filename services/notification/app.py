"""Notification: people are told what happens to their dossiers."""

from kit.service import service
from services.notification import api, subscribers, timers, words
from services.notification.settings import Settings

app = service(
    "notification",
    api=api.router,
    inbox=subscribers.inbox,
    timers=timers.timers,
    settings=Settings,
    startup=words.check,
)
