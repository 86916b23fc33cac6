"""The dossier service."""

from kit.service import service
from services.dossier import subscribers, timers
from services.dossier.attachments import api as attachments
from services.dossier.catalogue import api as catalogue
from services.dossier.catalogue.search import api as search
from services.dossier.clocks import api as clocks
from services.dossier.databases import api as databases
from services.dossier.documents import api as documents
from services.dossier.extension import api as extension
from services.dossier.filing import api as filing
from services.dossier.filing.completeness import api as completeness
from services.dossier.filing.copies import api as copies
from services.dossier.filing.printing import api as printing
from services.dossier.filing.reuse import api as reuse
from services.dossier.filing.sending import api as sending
from services.dossier.forms import api as forms
from services.dossier.history import api as history
from services.dossier.interlinked import api as interlinked
from services.dossier.interlinked.groups import api as groups
from services.dossier.parties import api as parties
from services.dossier.processing import api as processing
from services.dossier.processing.consultation import api as consultation
from services.dossier.processing.endings import api as endings
from services.dossier.processing.exceptions import api as exceptions
from services.dossier.processing.obligation import api as obligation
from services.dossier.processing.queues import api as queues
from services.dossier.processing.reading import api as reading
from services.dossier.processing.reception import api as reception
from services.dossier.processing.work import api as work
from services.dossier.registers import api as registers
from services.dossier.results import api as results
from services.dossier.results import uploads
from services.dossier.results.correction import api as correction
from services.dossier.results.handover import api as handover
from services.dossier.results.revocation import api as revocation
from services.dossier.settings import Settings
from services.dossier.supplement import api as supplement
from services.dossier.synchronisation import api as synchronisation

app = service(
    "dossier",
    api=[
        search.router,
        catalogue.router,
        clocks.router,
        filing.router,
        completeness.router,
        reuse.router,
        sending.router,
        copies.router,
        printing.router,
        parties.router,
        synchronisation.router,
        attachments.router,
        documents.router,
        databases.router,
        processing.router,
        queues.router,
        reading.router,
        reception.router,
        work.router,
        consultation.router,
        obligation.router,
        endings.router,
        exceptions.router,
        supplement.router,
        extension.router,
        results.router,
        uploads.router,
        handover.router,
        revocation.router,
        correction.router,
        forms.router,
        registers.router,
        groups.router,
        interlinked.router,
        history.router,
    ],
    inbox=subscribers.inbox,
    timers=timers.timers,
    settings=Settings,
    startup=catalogue.publish_folder,
)
