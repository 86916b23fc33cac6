from deploy.standins import mail
from deploy.standins.common import arguments, listen, serve
from deploy.standins.mail.app import create

options = arguments(mail.__doc__, ["port", "http-port"])
serve(create(listen(options.host, options.port)), options.host, options.http_port)
