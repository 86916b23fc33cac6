from deploy.standins import clamav
from deploy.standins.clamav.app import create
from deploy.standins.common import arguments, listen, serve

options = arguments(clamav.__doc__, ["port", "http-port"])
serve(create(listen(options.host, options.port)), options.host, options.http_port)
