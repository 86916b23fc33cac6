"""Tracking: what everybody may look up, a projection of what the owners say."""

from kit.service import service
from services.tracking import subscribers
from services.tracking.access import api as access
from services.tracking.live import api as live
from services.tracking.lookup import api as lookup
from services.tracking.mine import api as mine
from services.tracking.registers import api as registers
from services.tracking.registers.export import api as export
from services.tracking.registers.opened import api as opened
from services.tracking.settings import Settings
from services.tracking.statistics import api as statistics

app = service(
    "tracking",
    api=[part.router for part in (lookup, live, mine, registers, export, opened, access, statistics)],
    inbox=subscribers.inbox,
    settings=Settings,
)
