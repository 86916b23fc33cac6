from pathlib import Path

from deploy.standins import databases
from deploy.standins.common import arguments, serve, setting
from deploy.standins.databases.app import Platform, create, records

options = arguments(databases.__doc__, ["port"])
platform = Platform(setting("MOTCUA_DATABASES_KEY"), records(Path(setting("MOTCUA_TENANT"))))
serve(create(platform), options.host, options.port)
