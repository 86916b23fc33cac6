from deploy.standins import sms
from deploy.standins.common import arguments, serve, setting
from deploy.standins.sms.app import Gateway, create
from deploy.standins.sms.soap import Contract

options = arguments(sms.__doc__, ["port"])
viettel = Contract(*(setting(f"MOTCUA_VIETTEL_{name}", "") for name in ("USER", "PASSWORD", "CP_CODE")))
gateway = Gateway(setting("MOTCUA_SMS_KEY"), setting("MOTCUA_SMS_SECRET"), viettel)
serve(create(gateway), options.host, options.port)
