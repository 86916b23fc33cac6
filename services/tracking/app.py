"""Tracking: what everybody may look up, a projection of what the owners say."""

from kit.service import service
from services.tracking import api, subscribers
from services.tracking.settings import Settings

app = service("tracking", api=api.router, inbox=subscribers.inbox, settings=Settings)
