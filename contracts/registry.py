"""The one list of channels. Topics, access rights, the AsyncAPI document and the README's map are read from
it."""

from contracts.dossier import DOSSIERS
from contracts.identity import ACCOUNTS
from contracts.notification import MESSAGES
from contracts.payment import PAYMENTS

CHANNELS = (DOSSIERS, PAYMENTS, MESSAGES, ACCOUNTS)
