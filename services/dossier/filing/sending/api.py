"""Sending: online by the citizen, by an officer for somebody (nộp hộ), or from paper at the desk (hồ sơ giấy).

Everything that computes or talks to the object store comes first; one transaction then makes the dossier. Of two that
race with one draft the second finds the dossier made.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Response
from pydantic import BaseModel, Field

from contracts.dossier import (
    Component,
    ComponentSource,
    DossierAwaitingPayment,
    DossierEvent,
    DossierSubmitted,
    SubmissionChannel,
)
from contracts.refusal import Refusal
from kit import ids
from kit.auth import OfficerToken, officer
from kit.clock import now
from kit.db import Connection, Database
from kit.files import FilesDep
from kit.http import Db, IfMatch, Later, Router, etag
from kit.problems import VersionConflict
from kit.settings import load
from services.dossier.attachments import domain as attachments
from services.dossier.attachments import examination
from services.dossier.attachments import store as files_store
from services.dossier.attachments.domain import ComponentFile
from services.dossier.clocks import store as clocks
from services.dossier.clocks.acts import payment_expiry, start_reception
from services.dossier.databases import asking
from services.dossier.databases import store as lookups
from services.dossier.databases.domain import Looked
from services.dossier.documents import api as consents
from services.dossier.documents import store as documents
from services.dossier.documents.domain import Consent, Document, Purpose
from services.dossier.filing import domain, store
from services.dossier.filing.api import Body, Keeper, KeeperDep
from services.dossier.filing.completeness.api import Gathered, gather
from services.dossier.filing.domain import Draft, DraftIncomplete, Parties
from services.dossier.filing.store import Link
from services.dossier.interlinked import opening
from services.dossier.interlinked.opening import Plan
from services.dossier.parties import domain as people
from services.dossier.parties import store as parties
from services.dossier.parties.domain import Person
from services.dossier.processing import store as dossiers
from services.dossier.processing.api import actor
from services.dossier.processing.domain import Dossier
from services.dossier.processing.reception.api import take_in
from services.dossier.settings import Settings
from services.dossier.tenant import Tenant, TenantDep

router = Router(prefix="/api/v1/drafts", tags=["filing"])

Desk = Annotated[OfficerToken, Depends(officer("desk"))]


class ConsentNotYours(Refusal):
    """Only the owner of papers can agree that they are kept."""

    title = "Chỉ chủ hồ sơ mới được đồng ý lưu giấy tờ của mình vào kho"
    title_en = "Only the owner of papers can agree that they are kept"


class Sending(Body):
    """Sending needs nothing more; keeping the papers is asked for here because consent is given for each purpose."""

    keep_documents: bool = False
    """The owner agrees that the papers sent are kept in their document store for reuse."""
    text_version: str | None = Field(default=None, max_length=40)
    """Edition of the text that they agreed to (`GET /consents/texts`)."""


class Registration(Body):
    """How the paper came."""

    channel: SubmissionChannel
    """`desk` (handed in) or `post`."""


class Sent(BaseModel):
    code: str
    """Mã hồ sơ."""
    version: int
    status: str
    due_at: datetime | None = None
    """The appointment, for a dossier that was accepted at once."""


@router.post("/{draft_id}/submission", status_code=201)
async def submit_draft(
    draft_id: UUID, who: KeeperDep, db: Db, later: Later, files: FilesDep, tenant: TenantDep, if_match: IfMatch,
    response: Response, body: Sending | None = None,
) -> Sent:  # fmt: skip
    """Gửi hồ sơ: everything is checked, the code is given (D3). Sending again answers with the same code.

    A desk officer sends what they filled in for somebody (nộp hộ); the dossier then waits at the desk like any other.
    """
    draft = await _draft(db, draft_id, who, if_match)
    if draft.dossier_code:
        return _sent(await dossiers.read(db, draft.dossier_code), response)
    moment, wish = now(), body or Sending()
    _may_keep(draft, wish, moment)
    filing = await _examined(await gather(db, draft, tenant), db, files, ComponentSource.UPLOAD, moment, tenant)
    if filing.seen.plan and who.proved_at:
        opening.fresh_login(who.proved_at, moment, tenant)
    code = await _new_code(db, filing, tenant)
    return _sent(await _send(await later.begin(), filing, code, wish, tenant), response)


@router.post("/{draft_id}/registration", status_code=201)
async def register_paper(
    draft_id: UUID, body: Registration, desk: Desk, db: Db, later: Later, files: FilesDep, tenant: TenantDep,
    if_match: IfMatch, response: Response,
) -> Sent:  # fmt: skip
    """The desk enters a paper dossier from its scans: submitted and accepted in the same moment (D4).

    Where the fee comes first, it waits for that, and is accepted like any other once it is paid.
    """
    who = Keeper(desk.ref, desk.name, desk.unit)
    draft = await _draft(db, draft_id, who, if_match)
    if draft.dossier_code:
        return _sent(await dossiers.read(db, draft.dossier_code), response)
    filing = await _examined(await gather(db, draft, tenant), db, files, ComponentSource.PAPER, now(), tenant)
    code = await _new_code(db, filing, tenant)
    return _sent(await _register(await later.begin(), filing, code, body.channel, desk, tenant), response)


async def _draft(db: Database, draft_id: UUID, who: Keeper, if_match: int | None) -> Draft:
    draft = await store.read(db, draft_id, who.ref)
    if draft.dossier_code is None and if_match not in (None, draft.version):
        raise VersionConflict(version=draft.version)
    return draft


def _sent(dossier: Dossier, response: Response) -> Sent:
    etag(response, dossier.version)
    return Sent(code=dossier.code, version=dossier.version, status=dossier.state, due_at=dossier.due_at)


def _may_keep(draft: Draft, wish: Sending, moment: datetime) -> None:
    if wish.keep_documents:
        if draft.on_behalf or draft.keeper_unit:
            raise ConsentNotYours
        _consent(draft, wish, moment)


def _consent(draft: Draft, wish: Sending, moment: datetime) -> Consent:
    subject, channel = draft.keeper_ref, SubmissionChannel.PROVINCIAL_PORTAL
    return consents.consent(subject, Purpose.DOCUMENT_REUSE, wish.text_version or "", channel, moment)


# ── before the transaction ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Filing:
    """A draft that was checked and is about to become a dossier."""

    seen: Gathered
    files: Sequence[ComponentFile]
    links: dict[UUID, Link]
    """By the id of the file that each becomes."""
    looked: Sequence[Looked]
    """What databases said instead of the applicant."""
    moment: datetime

    @property
    def draft(self) -> Draft:
        return self.seen.draft


async def _examined(
    seen: Gathered, db: Database, files: FilesDep, source: ComponentSource, moment: datetime, tenant: Tenant
) -> Filing:
    """The draft with its files, examined and kept for good; DraftIncomplete says everything that is wrong. Databases
    are asked only for what is otherwise ready to be sent."""
    examined = await examination.examine(seen.uploads, db, files)
    faults = [*seen.faults, *attachments.faults(seen.case, examined)]
    if faults:
        raise DraftIncomplete(faults)
    links = {ids.new(): link for link in seen.links}
    linked = [_linked(file_id, link) for file_id, link in links.items()]
    looked = await _looked_up(seen, db, tenant)
    return Filing(seen, [*attachments.taken(examined, source), *linked], links, looked, moment)


async def _looked_up(seen: Gathered, db: Database, tenant: Tenant) -> list[Looked]:
    draft = seen.draft
    return await asking.replace_components(
        db, load(Settings), tenant, seen.case, seen.procedure.code, draft.circumstances,
        draft.particulars.owner.identity_number, draft.keeper_ref, draft.id,
    )  # fmt: skip


def _linked(file_id: UUID, link: Link) -> ComponentFile:
    return ComponentFile(
        id=file_id, component_code=link.component_code, file_name=link.file_name, content_type=link.content_type,
        size=link.size, sha256=link.sha256, pages=link.pages,
        source=ComponentSource.EDOC_STORE if link.document_id else ComponentSource.UPLOAD,
    )  # fmt: skip


async def _new_code(db: Database, filing: Filing, tenant: Tenant) -> str:
    """A code nobody else has. It is taken before the transaction, so that those of one unit do not queue for the
    number; should the transaction fail, the number is never used (gaps are allowed, using one twice is not)."""
    unit, day = filing.draft.receiving_unit, tenant.calendar.local_date(filing.moment)
    return domain.code_for(tenant.code_template, unit, day, await store.next_number(db, unit, day))


# ── the one transaction ───────────────────────────────────────────────────────────────────────────────────────


async def _send(tx: Connection, filing: Filing, code: str, wish: Sending, tenant: Tenant) -> Dossier:
    draft = await _lock(tx, filing)
    if draft.dossier_code:
        return await dossiers.read(tx, draft.dossier_code)
    whose = await _parties(tx, draft)
    dossier, event = domain.submit(draft, whose, filing.seen.procedure, code, filing.files, filing.moment)
    expiry = payment_expiry(dossier, tenant, filing.moment) if isinstance(event, DossierAwaitingPayment) else None
    if expiry:
        event = event.model_copy(update={"due_at": expiry.due_at})
    if filing.seen.plan:
        dossier = await _open(tx, filing, dossier, filing.seen.plan)
    else:
        await _keep(tx, filing, dossier, event)
    if wish.keep_documents:
        await _keep_papers(tx, filing, code, wish)
    if isinstance(event, DossierSubmitted) and not filing.seen.plan:
        await start_reception(tx, dossier, tenant)
    if expiry:
        await clocks.start(tx, expiry)
    return dossier


async def _open(tx: Connection, filing: Filing, dossier: Dossier, plan: Plan) -> Dossier:
    """An interlinked dossier: nobody works on it but on its members, which start as soon as it is there."""
    parent, event = opening.parent_of(dossier, plan, filing.moment)
    await _keep(tx, filing, parent, event)
    await opening.begin(tx, parent, plan, filing.moment)
    return parent


async def _register(
    tx: Connection, filing: Filing, code: str, channel: SubmissionChannel, desk: OfficerToken, tenant: Tenant
) -> Dossier:
    draft = await _lock(tx, filing)
    if draft.dossier_code:
        return await dossiers.read(tx, draft.dossier_code)
    whose, procedure, by = await _parties(tx, draft), filing.seen.procedure, actor(desk)
    dossier, event = domain.register(draft, whose, procedure, code, filing.files, filing.moment, channel, by)
    if filing.seen.plan:
        return await _open(tx, filing, dossier, filing.seen.plan)
    await _keep(tx, filing, dossier, event)
    if isinstance(event, DossierSubmitted):
        entered = await dossiers.lock(tx, code)
        return await take_in(tx, entered, by, desk.name, procedure, tenant, filing.moment)
    return dossier


async def _lock(tx: Connection, filing: Filing) -> Draft:
    draft = await store.lock(tx, filing.draft.id, filing.draft.keeper_ref)
    if draft.dossier_code is None and draft.version != filing.draft.version:
        raise VersionConflict("Hồ sơ vừa được sửa ở nơi khác, xin xem lại rồi gửi", version=draft.version)
    return draft


async def _parties(tx: Connection, draft: Draft) -> Parties:
    """Who they are: the account that is logged in, and everybody else by identity number."""
    behind = draft.particulars
    if draft.keeper_unit is None and not draft.on_behalf:
        return Parties(draft.keeper_ref, draft.keeper_ref)
    owner = await _reference(tx, behind.owner)
    if draft.keeper_unit is None:
        return Parties(owner, draft.keeper_ref)
    return Parties(owner, await _reference(tx, behind.submitter) if draft.on_behalf else owner)


async def _reference(tx: Connection, person: Person) -> UUID:
    return await parties.reference(tx, people.digest_of(people.number_of(person), load(Settings).digest()))


async def _keep(tx: Connection, filing: Filing, dossier: Dossier, *events: DossierEvent) -> None:
    """The dossier with everything that belongs to it."""
    await dossiers.create(tx, dossier, *(_with_data(event, filing.looked) for event in events))
    await lookups.belong(tx, [each for looked in filing.looked for each in looked.lookups], dossier.code)
    await parties.keep(tx, dossier.code, filing.draft.particulars)
    await files_store.add_files(tx, dossier.code, 1, filing.files)
    uses = {file_id: link.document_id for file_id, link in filing.links.items() if link.document_id}
    await documents.use(tx, dossier.code, uses)
    await store.mark_sent(tx, filing.draft.id, dossier.code, filing.moment)


def _with_data(event: DossierEvent, looked: Sequence[Looked]) -> DossierEvent:
    """The components that a database stands for are said too."""
    if not isinstance(event, DossierSubmitted):
        return event
    sent = {component.code for component in event.components}
    found = [each.component_code for each in looked if not each.may_be_requested and each.component_code not in sent]
    data = tuple(Component(code=code, source=ComponentSource.DATABASE) for code in found)
    return event.model_copy(update={"components": event.components + data})


async def _keep_papers(tx: Connection, filing: Filing, code: str, wish: Sending) -> None:
    """What was sent enters the owner's store, by their consent."""
    consent = await documents.give(tx, _consent(filing.draft, wish, filing.moment))
    names = {component.code: component.name for component in filing.seen.case.components}
    papers = [
        Document(
            id=ids.new(), owner_ref=filing.draft.keeper_ref, dossier_code=code, result_code=None,
            component_code=file.component_code, name=names[file.component_code], issuer_unit=None, number=None,
            sha256=file.sha256, content_type=file.content_type, issued_at=filing.moment, valid_to=None,
            revoked_at=None, consent_id=consent.id,
        )
        for file in filing.files
        if file.source == ComponentSource.UPLOAD
    ]  # fmt: skip
    await documents.keep_provided(tx, papers)
