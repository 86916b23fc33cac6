"""The one list of channels: topics, access rights, the AsyncAPI document and the map are read from it."""

from contracts.dossier import DOSSIERS
from contracts.identity import ACCOUNTS
from contracts.notification import MESSAGES
from contracts.payment import PAYMENTS

CHANNELS = (DOSSIERS, PAYMENTS, MESSAGES, ACCOUNTS)
