"""The desk: taking a dossier in."""

from fastapi import Response

from kit.clock import now
from kit.http import IfMatch, Router, Tx
from services.dossier.attachments import store as attachments
from services.dossier.catalogue import store as catalogue
from services.dossier.clocks.acts import start_processing
from services.dossier.forms import store as forms
from services.dossier.forms.domain import Form
from services.dossier.processing import store, words
from services.dossier.processing.api import Code, Desk, Moved, actor, expect, moved
from services.dossier.processing.reception import domain
from services.dossier.tenant import TenantDep

router = Router(prefix="/api/v1", tags=["processing"])


@router.post("/dossiers/{code}/acceptance")
async def accept_dossier(
    code: Code, who: Desk, tx: Tx, if_match: IfMatch, tenant: TenantDep, response: Response
) -> Moved:
    """The desk accepts: the appointment is made, the fee asked for."""
    dossier = await store.lock(tx, code)
    expect(dossier, if_match)
    procedure, _ = await catalogue.version(tx, dossier.facts.procedure_id)
    moment = now()
    case = procedure.case(dossier.facts.case)
    rules = tenant.rules(moment)
    accepted, event = domain.accept(dossier, actor(who), moment, case, rules)
    await store.save(tx, accepted, event)
    receipt = words.receipt(accepted, procedure, await attachments.files_of(tx, code), tenant, who.name)
    await forms.order(tx, code, Form.RECEIPT, "", receipt)
    await start_processing(tx, accepted, case, rules, moment)
    return moved(accepted, response)
