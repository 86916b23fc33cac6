"""The desk: taking a dossier in, or refusing to."""

from datetime import datetime
from typing import Annotated

from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field

from kit.clock import now
from kit.db import Connection
from kit.http import IfMatch, Router, Tx
from services.dossier.attachments import store as attachments
from services.dossier.attachments.domain import signatures_checked
from services.dossier.catalogue import store as catalogue
from services.dossier.catalogue.domain import Procedure
from services.dossier.clocks.acts import follow_step, start_processing
from services.dossier.documents import store as documents
from services.dossier.documents.domain import check_lapsed
from services.dossier.forms import domain as forms_domain
from services.dossier.forms import store as forms
from services.dossier.forms.domain import Form
from services.dossier.processing import store, words
from services.dossier.processing.api import Code, Desk, Moved, actor, expect, moved
from services.dossier.processing.disclosure.domain import check_words
from services.dossier.processing.domain import SYSTEM, Actor, Dossier
from services.dossier.processing.reception import domain
from services.dossier.processing.reception.domain import Reasons
from services.dossier.processing.work import domain as work
from services.dossier.processing.work import store as standing
from services.dossier.processing.workflow.domain import Flow
from services.dossier.tenant import Tenant, TenantDep

router = Router(prefix="/api/v1", tags=["processing"])

Text = Annotated[str, Field(max_length=2000)]


class Rejection(BaseModel):
    """Why the dossier is refused (Mẫu 03), in Vietnamese and without personal data.

    Either a legal basis, or `out_of_competence` with the unit to turn to.
    """

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    reason: Text
    legal_basis: Text = ""
    out_of_competence: bool = False
    competent_unit: str | None = Field(None, description="Agency id of the competent unit.", examples=["H99.02.02"])

    @property
    def reasons(self) -> Reasons:
        return Reasons(self.reason, self.legal_basis, self.out_of_competence, self.competent_unit)


@router.post("/dossiers/{code}/acceptance")
async def accept_dossier(
    code: Code, who: Desk, tx: Tx, if_match: IfMatch, tenant: TenantDep, response: Response
) -> Moved:
    """The desk accepts: the appointment is made, the fee asked for, the dossier sent to the unit that decides.

    Where that unit has a standing order, a specialist has it at once.
    """
    dossier = await store.lock(tx, code)
    expect(dossier, if_match)
    procedure, _ = await catalogue.version(tx, dossier.facts.procedure_id)
    accepted = await take_in(tx, dossier, actor(who), who.name, procedure, tenant, now())
    return moved(accepted, response)


async def take_in(
    tx: Connection, dossier: Dossier, by: Actor, officer: str, procedure: Procedure, tenant: Tenant, moment: datetime
) -> Dossier:
    """The dossier accepted and everything that this brings, whether it came online or on paper."""
    case = procedure.case(dossier.facts.case).through(dossier.facts.channel)
    rules = tenant.rules(moment)
    domain.may_accept(dossier, by)
    files = await attachments.files_of(tx, dossier.code)
    domain.check_components(case, dossier, files)
    signatures_checked(files)
    check_lapsed(await documents.lapsed(tx, dossier.code, tenant.calendar.local_date(moment)))
    accepted, *events = domain.accept(dossier, by, moment, case, rules)
    flow = Flow(case.steps, rules)
    specialist = await standing.whose_turn(tx, accepted)
    if specialist:
        accepted, given = work.assign(accepted, SYSTEM, moment, flow, specialist)
        events.append(given)
    await store.save(tx, accepted, *events)
    receipt = words.receipt(accepted, procedure, files, tenant, officer)
    await forms.order(tx, accepted.code, Form.RECEIPT, "", receipt)
    await start_processing(tx, accepted, case, rules, moment)
    await follow_step(tx, accepted, flow, moment)
    return accepted


@router.post("/dossiers/{code}/rejection")
async def reject_dossier(
    code: Code, body: Rejection, who: Desk, tx: Tx, if_match: IfMatch, tenant: TenantDep, response: Response
) -> Moved:
    """The desk refuses, with reason and law or the unit that is competent (Mẫu 03). The dossier is over."""
    dossier = await store.lock(tx, code)
    expect(dossier, if_match)
    check_words(dossier.facts, body.reason, body.legal_basis)
    ref = forms_domain.ref(code, Form.REFUSAL)
    rejected, event = domain.reject(dossier, actor(who), now(), body.reasons, tenant.units, ref)
    await store.save(tx, rejected, event)
    await forms.order(tx, code, Form.REFUSAL, "", words.refusal(event, who.name))
    return moved(rejected, response)
