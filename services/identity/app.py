"""The identity service."""

from kit.service import service
from services.identity import api, timers
from services.identity.accounts import api as accounts
from services.identity.consents import api as consents
from services.identity.logins import api as logins
from services.identity.officers import api as officers
from services.identity.sessions import api as sessions
from services.identity.settings import IdentitySettings

app = service(
    "identity",
    api=[part.router for part in (api, logins, sessions, accounts, consents, officers)],
    timers=timers.timers,
    settings=IdentitySettings,
)
