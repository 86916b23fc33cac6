"""A member becomes a dossier of its own, with what it gets of the parent and of earlier members' results."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from io import BytesIO
from typing import Any

from pypdf import PdfReader

from contracts.dossier import ComponentSource, DossierSubmitted
from kit import ids
from kit.db import Connection, Database
from kit.files import Files
from services.dossier.attachments import store as files_store
from services.dossier.attachments.domain import ComponentFile
from services.dossier.catalogue import store as catalogue
from services.dossier.catalogue.domain import Procedure
from services.dossier.clocks import acts
from services.dossier.filing import domain as filing
from services.dossier.filing import store as codes
from services.dossier.interlinked import domain, store
from services.dossier.interlinked.domain import Branch
from services.dossier.interlinked.groups import domain as groups
from services.dossier.interlinked.groups.domain import APPLICANT
from services.dossier.parties import store as parties
from services.dossier.processing import store as dossiers
from services.dossier.processing.domain import Dossier
from services.dossier.results import store as results
from services.dossier.results.domain import Result
from services.dossier.tenant import Tenant


@dataclass(frozen=True, slots=True)
class Start:
    """A member that is about to become a dossier."""

    branch: Branch
    code: str
    procedure: Procedure
    answers: dict[str, Any]
    files: tuple[ComponentFile, ...]


async def prepared(
    db: Database, files: Files, parent: Dossier, branch: Branch, branches: Sequence[Branch], province: Tenant,
    moment: datetime,
) -> Start:  # fmt: skip
    """Everything that is needed to start, so that the transaction has nothing to wait for."""
    procedure, _ = await catalogue.version(db, branch.procedure_id)
    before = {each.code: each.dossier_code for each in branches if each.code in branch.plan.after and each.dossier_code}
    issued = {code: await results.read(db, dossier_code) for code, dossier_code in before.items()}
    values = {**parent.facts.answers, APPLICANT: parent.facts.owner_name, **_facts_of(issued, province)}
    passed_on = _passed_on(branch, await files_store.files_of(db, parent.code))
    brought = [
        await as_component(files, component, issued[source]) for component, source in branch.plan.results.items()
    ]
    day = province.calendar.local_date(moment)
    number = await codes.next_number(db, branch.unit, day)
    return Start(
        branch, filing.code_for(province.code_template, branch.unit, day, number), procedure,
        groups.answers_for(branch.plan, values), (*passed_on, *brought),
    )  # fmt: skip


def _facts_of(issued: dict[str, Result], province: Tenant) -> dict[str, Any]:
    """RESULT_FACTS of earlier members."""
    facts: dict[str, Any] = {}
    for code, result in issued.items():
        facts[f"{code}_number"] = result.full_number
        facts[f"{code}_issued_on"] = province.calendar.local_date(result.issued_at) if result.issued_at else None
    return facts


def _passed_on(branch: Branch, files: Sequence[ComponentFile]) -> list[ComponentFile]:
    """The parent's files that the member gets, as its own components; the bytes are the same."""
    return [
        replace(file, id=ids.new(), component_code=component)
        for component, source in branch.plan.components.items()
        for file in files
        if file.component_code == source
    ]


async def as_component(files: Files, component: str, result: Result) -> ComponentFile:
    """An earlier member's result as a component of this one: taken from the store, never asked of the citizen."""
    data = await files.read(f"clean/{result.sha256}")
    pages = await asyncio.to_thread(lambda: len(PdfReader(BytesIO(data)).pages))
    return ComponentFile(
        id=ids.new(), component_code=component, file_name=file_name(result),
        content_type="application/pdf", size=len(data), sha256=result.sha256, pages=pages,
        source=ComponentSource.EDOC_STORE,
    )  # fmt: skip


def file_name(result: Result) -> str:
    """How an earlier member's result is called among a later member's files."""
    return f"ket-qua-{result.dossier_code}.pdf"


async def start(tx: Connection, parent: Dossier, planned: Start, province: Tenant, moment: datetime) -> None:
    """The member becomes a dossier of its own, at the desk of its agency, or first at the till."""
    case = planned.procedure.case(planned.branch.plan.case)
    facts = replace(
        parent.facts, procedure_id=planned.branch.procedure_id, procedure_code=planned.procedure.code,
        procedure_version=planned.procedure.version, procedure_name=planned.procedure.name, case=case.code,
        level=planned.procedure.service_level, receiving_unit=planned.branch.unit, competent_unit=planned.branch.unit,
        answers=planned.answers, parent_code=parent.code,
        delivery=domain.delivery(parent.facts.delivery, planned.procedure),
    )  # fmt: skip
    dossier, said = filing.sent(facts, case, planned.code, planned.files, parent.facts.submitter_ref, moment)
    dossier = replace(dossier, reader_units=(parent.facts.receiving_unit,))
    await dossiers.create(tx, dossier, said)
    await parties.keep(tx, dossier.code, await parties.particulars_of(tx, parent.code))
    await files_store.add_files(tx, dossier.code, dossier.version, planned.files)
    await store.started(tx, parent.code, planned.branch.code, dossier.code)
    if isinstance(said, DossierSubmitted):
        await acts.start_reception(tx, dossier, province)
