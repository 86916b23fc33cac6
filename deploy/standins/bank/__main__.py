from deploy.standins import bank
from deploy.standins.bank import others
from deploy.standins.bank.app import create
from deploy.standins.bank.vnpay import from_environment
from deploy.standins.common import arguments, serve

options = arguments(bank.__doc__, ["port"])
address = f"http://{options.host}:{options.port}"
serve(create(from_environment(), others.from_environment(address)), options.host, options.port)
