"""The gateway: the citizens' site and the officers' console."""

from kit.service import service
from services.gateway import pages
from services.gateway.accounts import pages as accounts
from services.gateway.citizens import pages as citizens
from services.gateway.filing import pages as filing
from services.gateway.live import pages as live
from services.gateway.officer_accounts import pages as officer_accounts
from services.gateway.officers import pages as officers
from services.gateway.payments import pages as payments
from services.gateway.public import pages as public
from services.gateway.registers import pages as registers
from services.gateway.reuse import pages as reuse
from services.gateway.settings import GatewaySettings
from services.gateway.statistics import pages as statistics

app = pages.for_people(
    service(
        "gateway",
        api=[
            part.router
            for part in (
                pages,
                public,
                live,
                accounts,
                citizens,
                filing,
                reuse,
                payments,
                officer_accounts,
                statistics,
                registers,
                officers,
            )
        ],
        settings=GatewaySettings,
    )
)
