"""The payment service."""

from kit.service import service
from services.payment import api, subscribers
from services.payment.settings import PaymentSettings
from services.payment.timers import timers

app = service("payment", api=api.router, inbox=subscribers.inbox, timers=timers, settings=PaymentSettings)
