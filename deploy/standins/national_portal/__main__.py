from deploy.standins import national_portal
from deploy.standins.common import arguments, serve, setting
from deploy.standins.national_portal.app import create
from deploy.standins.national_portal.portal import Portal

options = arguments(national_portal.__doc__, ["port"])
portal = Portal(
    setting("MOTCUA_NATIONAL_SYNC_CLIENT_ID"),
    setting("MOTCUA_NATIONAL_SYNC_CLIENT_SECRET"),
    token_seconds=float(setting("MOTCUA_NATIONAL_SYNC_TOKEN_SECONDS", "600")),
)
serve(create(portal), options.host, options.port)
