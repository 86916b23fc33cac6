"""The identity service."""

from kit.service import service
from services.identity import api
from services.identity.settings import IdentitySettings

app = service("identity", api=[api.router, api.public], settings=IdentitySettings)
