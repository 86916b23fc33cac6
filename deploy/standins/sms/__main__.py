from deploy.standins import sms
from deploy.standins.common import arguments, serve, setting
from deploy.standins.sms.app import Gateway, create

options = arguments(sms.__doc__, ["port"])
gateway = Gateway(setting("MOTCUA_SMS_KEY"), setting("MOTCUA_SMS_SECRET"))
serve(create(gateway), options.host, options.port)
