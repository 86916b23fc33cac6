"""The payment service."""

from kit.service import service
from services.payment import api, subscribers
from services.payment.receipts import api as receipts
from services.payment.reconciliation import api as reconciliation
from services.payment.reconciliation import fetching
from services.payment.refunds import api as refunds
from services.payment.settings import PaymentSettings
from services.payment.timers import timers

app = service(
    "payment",
    api=[api.router, refunds.router, receipts.router, reconciliation.router],
    inbox=subscribers.inbox,
    timers=timers,
    settings=PaymentSettings,
    startup=fetching.plan_all,
)
