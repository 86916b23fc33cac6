"""Time in: what goes out of the house does so by jobs."""

from kit.timers import Timers
from services.notification.people import timers as people
from services.notification.people.domain import DELIVER

timers = Timers(jobs_at_once=16)
"""A message mostly waits: for identity, and for a provider."""
timers.job(DELIVER, attempts=people.ATTEMPTS + 1, lease=people.LEASE)(people.deliver)
