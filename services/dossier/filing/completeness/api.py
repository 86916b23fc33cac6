"""What a draft still lacks, by step, field and component; asked at any time, and again when it is sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel

from kit.clock import now
from kit.db import Database
from kit.http import Db, Router, etag
from kit.settings import load
from services.dossier.attachments import domain as attachments
from services.dossier.attachments import store as files_store
from services.dossier.attachments.domain import Upload
from services.dossier.catalogue import domain as rules
from services.dossier.catalogue import store as catalogue
from services.dossier.catalogue.domain import Case, Component, Procedure
from services.dossier.documents import domain as papers
from services.dossier.documents import store as documents
from services.dossier.documents.api import DocumentView
from services.dossier.documents.api import view as document_view
from services.dossier.documents.domain import Document
from services.dossier.faults import Fault
from services.dossier.filing import answers, domain, store
from services.dossier.filing.api import Body, KeeperDep
from services.dossier.filing.domain import Draft
from services.dossier.filing.store import Link
from services.dossier.interlinked.opening import Plan, planned
from services.dossier.parties import domain as people
from services.dossier.parties import store as parties
from services.dossier.settings import Settings
from services.dossier.tenant import Tenant, TenantDep

router = Router(prefix="/api/v1/drafts", tags=["filing"])


class FaultView(Body):
    """One thing that is missing or wrong."""

    field: str
    """`answers.copies`, `owner.identity_number`, `components.TP-TL-01`, `delivery`, `reach.receiver.phone`, …"""
    rule: str
    """Stable name: `required`, `missing`, `format`, …"""
    message: str
    """What to do, in Vietnamese."""


class StepView(BaseModel):
    """One of the four steps."""

    number: int
    name: str
    complete: bool
    faults: list[FaultView]


class ComponentState(BaseModel):
    """One component of the dossier, what it has, and what the store could lend it."""

    code: str
    name: str
    mandatory: bool
    there: bool
    """Whether it has a file or a linked document, or needs none."""
    available: list[DocumentView]
    """Documents of the keeper's store that are in force and would do (còn giá trị sử dụng)."""


class DraftCheck(BaseModel):
    """How far the draft is. Nothing is sent and no file is looked into by asking."""

    version: int
    ready: bool
    steps: list[StepView]
    warnings: list[FaultView]
    """What looks like a slip, or was provided before; it keeps nothing from being sent."""
    components: list[ComponentState]


@router.get("/{draft_id}/check")
async def check_draft(draft_id: UUID, who: KeeperDep, db: Db, tenant: TenantDep, response: Response) -> DraftCheck:
    """What each of the four steps still lacks, by field and component, without sending anything."""
    draft = await store.read(db, draft_id, who.ref)
    filing = await gather(db, draft, tenant)
    faults = [*filing.faults, *attachments.faults(filing.case, _refused(filing.uploads))]
    etag(response, draft.version)
    return DraftCheck(
        version=draft.version,
        ready=not faults,
        steps=_steps(faults),
        warnings=_fault_views([*domain.warnings(draft), *filing.provided_before]),
        components=[_component_state(filing, component, tenant) for component in filing.case.components],
    )


def _refused(uploads: Sequence[Upload]) -> list[Upload]:
    """Those that were examined and will not do."""
    return [each for each in uploads if each.verdict not in (attachments.Verdict.PENDING, attachments.Verdict.CLEAN)]


def _steps(faults: Sequence[Fault]) -> list[StepView]:
    found: dict[int, list[Fault]] = {number: [] for number in range(1, len(domain.STEPS) + 1)}
    for fault in faults:
        found[domain.step_of(fault.field)].append(fault)
    return [
        StepView(number=number, name=name, complete=not found[number], faults=_fault_views(found[number]))
        for number, name in enumerate(domain.STEPS, 1)
    ]


def _fault_views(faults: Sequence[Fault]) -> list[FaultView]:
    return [FaultView.model_validate(fault) for fault in faults]


def _component_state(filing: "Gathered", component: Component, tenant: Tenant) -> ComponentState:
    mandatory = rules.is_mandatory(component, filing.draft.circumstances)
    return ComponentState(
        code=component.code,
        name=component.name,
        mandatory=mandatory,
        there=component.code in filing.there or not mandatory,
        available=[document_view(document, tenant) for document in filing.available(component)],
    )


@dataclass(frozen=True, slots=True)
class Gathered:
    """A draft with everything that decides whether it can be sent."""

    draft: Draft
    procedure: Procedure
    uploads: Sequence[Upload]
    """Those that count."""
    links: Sequence[Link]
    store: Sequence[Document]
    """The documents that the keeper could link."""
    impostor: bool
    """Whether the submitter's number is another than that of the account that is logged in."""
    today: date
    plan: Plan | None
    """What it consists of, when it is an interlinked dossier."""

    @property
    def case(self) -> Case:
        return self.procedure.case(self.draft.case)

    @property
    def there(self) -> set[str]:
        """Codes of the components that have something."""
        return {upload.component_code for upload in self.uploads} | {link.component_code for link in self.links}

    def available(self, component: Component) -> list[Document]:
        return papers.fitting(self.store, component, self.today)

    @property
    def faults(self) -> list[Fault]:
        """Everything but what examining the files finds."""
        form = self.procedure.eform_of(self.case)
        own = [
            *(answers.check(form, self.draft.answers, circumstances(self.draft, self.today)) if form else ()),
            *domain.shortcomings(self.draft, self.procedure, self.there),
            *self._impostor(),
            *self._expired(),
        ]
        said = {fault.field for fault in own}
        return own + [fault for fault in (self.plan.faults if self.plan else ()) if fault.field not in said]

    def _impostor(self) -> list[Fault]:
        """Who is logged in cannot say that they are somebody else."""
        if not self.impostor:
            return []
        message = "Số định danh của người nộp không phải là số của tài khoản đang đăng nhập"
        return [Fault("submitter.identity_number", "not_yours", message)]

    def _expired(self) -> list[Fault]:
        """Linked documents that are no longer in force, or left the store."""
        good = {document.id for document in self.store if document.in_force(self.today)}
        return [
            Fault(
                f"components.{link.component_code}",
                "not_in_force",
                f"“{link.file_name}” trong kho không còn giá trị sử dụng, xin chọn giấy tờ khác",
            )
            for link in self.links
            if link.document_id and link.document_id not in good
        ]

    @property
    def provided_before(self) -> list[Fault]:
        """Nobody need provide again what is in their store and in force (NĐ 45/2020/NĐ-CP)."""
        return [
            Fault(
                f"components.{component.code}",
                "already_provided",
                f"Kho của bạn đã có “{found[0].name}” còn giá trị sử dụng, có thể dùng lại cho “{component.name}”",
            )
            for component in self.case.components
            if (found := self.available(component)) and not self._linked(component)
        ]

    def _linked(self, component: Component) -> bool:
        return any(link.component_code == component.code and link.document_id for link in self.links)


def circumstances(draft: Draft, today: date) -> dict[str, Any]:
    """What questions and cross-checks may ask about besides the answers."""
    return {**draft.circumstances, "submitted_on": today, "channel": "desk" if draft.keeper_unit else "online"}


async def gather(db: Database, draft: Draft, tenant: Tenant) -> Gathered:
    """The draft and what it has. ProcedureReplaced when it is a version that cannot be sent any more."""
    procedure = await _current(db, draft)
    citizen = draft.keeper_unit is None
    uploads = attachments.chosen(procedure.case(draft.case), await files_store.uploads_of(db, draft.id))
    links = await store.links_of(db, draft.id)
    there = {each.component_code for each in uploads} | {each.component_code for each in links}
    today = tenant.calendar.local_date(now())
    filed = draft.answers | circumstances(draft, today)
    return Gathered(
        draft=draft,
        procedure=procedure,
        uploads=uploads,
        links=links,
        store=await documents.of_owner(db, draft.keeper_ref) if citizen else (),
        impostor=citizen and await _is_impostor(db, draft),
        today=today,
        plan=await planned(db, procedure.code, filed, draft.case, draft.receiving_unit, there, tenant),
    )


async def _is_impostor(db: Database, draft: Draft) -> bool:
    """What identity vouched for decides; an account that it vouched nothing for is believed."""
    vouched, me = await parties.digest_of(db, draft.keeper_ref), draft.submitter
    if not vouched or not me.identity_number or [*people.person_faults(me, "submitter", must_be_known=True)]:
        return False
    return people.digest_of(people.number_of(me), load(Settings).digest()) != vouched


async def _current(db: Database, draft: Draft) -> Procedure:
    procedure, is_current = await catalogue.version(db, draft.procedure_id)
    if not is_current:
        newer = await catalogue.current(db, procedure.code)
        codes = newer[1].replaced_by or (procedure.code,) if newer else procedure.replaced_by
        raise domain.ProcedureReplaced(replaced_by=list(codes))
    domain.may_be_filed(procedure, catalogue.today())
    return procedure
