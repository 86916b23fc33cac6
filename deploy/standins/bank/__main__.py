from deploy.standins import bank
from deploy.standins.bank.app import create
from deploy.standins.bank.vnpay import from_environment
from deploy.standins.common import arguments, serve

options = arguments(bank.__doc__, ["port"])
serve(create(from_environment()), options.host, options.port)
