"""A dossier that is over as the start of a new one; it is never reopened (§4.1)."""

from collections.abc import Sequence
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel

from kit import ids
from kit.auth import Citizen
from kit.clock import now
from kit.http import Router, Tx
from kit.problems import NotFound
from services.dossier.attachments import store as files_store
from services.dossier.attachments.domain import ComponentFile
from services.dossier.catalogue import store as catalogue
from services.dossier.catalogue.domain import Procedure
from services.dossier.faults import Fault
from services.dossier.filing import answers as eform
from services.dossier.filing import store
from services.dossier.filing.api import DraftView, show
from services.dossier.filing.completeness.api import FaultView
from services.dossier.filing.copies.domain import Copied, copied, may_copy
from services.dossier.filing.domain import Draft, ProcedureReplaced
from services.dossier.filing.store import Link
from services.dossier.parties import store as parties
from services.dossier.processing.api import Code, readable

router = Router(prefix="/api/v1", tags=["filing"])


class Copy(BaseModel):
    """The new draft, and what of the old dossier did not come along."""

    draft: DraftView
    dropped: list[FaultView]


@router.post("/dossiers/{code}/copy", status_code=201)
async def copy_dossier(code: Code, citizen: Citizen, tx: Tx, response: Response) -> Copy:
    """A new draft with the answers, people, delivery and files of a dossier that is over.

    It is of the procedure's current version. The unit has to be confirmed anew, and the files are linked, not sent.
    """
    dossier = await readable(tx, code, citizen)
    may_copy(dossier)
    found = await catalogue.current(tx, dossier.facts.procedure_code)
    if found is None:
        raise NotFound("Không có thủ tục với mã này")
    procedure_id, procedure = found
    if procedure.retired:
        raise ProcedureReplaced(replaced_by=[*procedure.replaced_by])
    old = copied(dossier, await files_store.files_of(tx, code), procedure)
    facts, people = dossier.facts, await parties.particulars_of(tx, code)
    wrong, is_submitter = _wrong(procedure, old), citizen.ref == facts.submitter_ref
    draft = Draft(
        id=ids.new(), keeper_ref=citizen.ref, procedure_id=procedure_id, case=old.case.code,
        receiving_unit=facts.receiving_unit, unit_confirmed=False,
        answers={name: value for name, value in old.answers.items() if f"answers.{name}" not in wrong},
        delivery=facts.delivery if facts.delivery in procedure.delivery else None, sms_opt_in=facts.sms_opt_in,
        on_behalf=is_submitter and facts.owner_ref != facts.submitter_ref,
        submitter=people.submitter if is_submitter else people.owner, owner=people.owner, reach=people.reach,
        copied_from=code, version=1,
        dossier_code=None, updated_at=now(),
    )  # fmt: skip
    await store.create(tx, draft)
    await store.add_links(tx, _links(draft.id, old.files))
    dropped = [FaultView.model_validate(fault) for fault in (*old.dropped, *wrong.values())]
    return Copy(draft=await show(tx, draft, response), dropped=dropped)


def _wrong(procedure: Procedure, old: Copied) -> dict[str, Fault]:
    """Answers that the current e-form does not take any more, by field."""
    form = procedure.eform_of(old.case)
    faults = eform.check(form, old.answers) if form else []
    return {fault.field: fault for fault in faults if fault.rule != "required"}


def _links(draft_id: UUID, files: Sequence[ComponentFile]) -> list[Link]:
    return [
        Link(
            ids.new(), draft_id, file.component_code, None, file.file_name, file.content_type, file.size, file.sha256,
            file.pages,
        )
        for file in files
    ]  # fmt: skip
