from deploy.standins import vneid
from deploy.standins.common import arguments, serve
from deploy.standins.vneid.app import create
from deploy.standins.vneid.provider import from_environment

options = arguments(vneid.__doc__, ["port"])
serve(create(*from_environment()), options.host, options.port)
