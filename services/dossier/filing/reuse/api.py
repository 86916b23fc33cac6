"""What need not be typed or sent again: documents of the store, details of the account and of earlier dossiers."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Response
from pydantic import BaseModel

from contracts.refusal import Refusal
from kit import ids
from kit.auth import Citizen
from kit.clock import now
from kit.files import FilesDep
from kit.http import Db, Later, Router, Tx
from kit.problems import NotFound, Unavailable
from services.dossier import clients
from services.dossier.attachments import examination
from services.dossier.catalogue import store as catalogue
from services.dossier.documents import domain as papers
from services.dossier.documents import store as documents
from services.dossier.filing import domain, store
from services.dossier.filing.api import Body, DraftView, Keeper, KeeperDep, locked, show
from services.dossier.filing.store import Link
from services.dossier.parties import domain as people
from services.dossier.tenant import TenantDep

router = Router(prefix="/api/v1/drafts", tags=["filing"])

MAX_DOCUMENT = 50 * 1024 * 1024
"""Bytes of the largest document that is looked into."""


class ConsentMissing(Refusal):
    """Forms are filled from the account only for who agreed to that, in their profile."""

    title = "Bạn chưa đồng ý để điền sẵn thông tin cá nhân vào biểu mẫu"
    title_en = "You have not agreed that forms are filled from your profile"


# ── documents of the store ────────────────────────────────────────────────────────────────────────────────────


class Chosen(Body):
    document_id: UUID


@router.post("/{draft_id}/components/{component_code}/documents", status_code=201)
async def link_document(
    draft_id: UUID,
    component_code: Annotated[str, Path(max_length=60)],
    body: Chosen,
    citizen: Citizen,
    db: Db,
    later: Later,
    files: FilesDep,
    tenant: TenantDep,
    response: Response,
) -> DraftView:
    """Use a document of the citizen's own store as the component, instead of sending a file (EDOC-1)."""
    draft = await store.read(db, draft_id, citizen.ref)
    procedure, _ = await catalogue.version(db, draft.procedure_id)
    component = procedure.case(draft.case).component(component_code)
    if component is None:
        raise NotFound("Thủ tục không có thành phần này")
    document = await documents.read(db, body.document_id, citizen.ref)
    papers.usable(document, component, tenant.calendar.local_date(now()))
    data = await files.read(f"clean/{document.sha256}", limit=MAX_DOCUMENT)
    pages = await examination.pages_of(data, document.content_type)
    link = Link(
        ids.new(), draft_id, component.code, document.id, document.name, document.content_type, len(data),
        document.sha256, pages,
    )  # fmt: skip
    tx = await later.begin()
    draft = domain.change(await locked(tx, draft_id, Keeper(citizen.ref, citizen.name, None), None), now())
    await documents.read(tx, document.id, citizen.ref)  # it may have left the store meanwhile
    await store.add_links(tx, [link])
    await store.save(tx, draft)
    return await show(tx, draft, response)


@router.delete("/{draft_id}/links/{link_id}", status_code=204)
async def drop_link(draft_id: UUID, link_id: UUID, who: KeeperDep, tx: Tx) -> None:
    """Take a linked document, or a file of the copied dossier, out of the draft."""
    draft = domain.change(await locked(tx, draft_id, who, None), now())
    await store.drop_link(tx, link_id, draft_id)
    await store.save(tx, draft)


# ── details of the submitter ──────────────────────────────────────────────────────────────────────────────────


class Prefilled(BaseModel):
    """The draft with what could be filled in. What was there already is never replaced."""

    draft: DraftView
    filled: list[str]
    """What was filled in: `submitter.phone`, `answers.owner_name`, …"""
    available: bool
    """False while identity is away: go on by hand, or try again later."""


@router.post("/{draft_id}/prefill")
async def prefill_draft(draft_id: UUID, citizen: Citizen, db: Db, later: Later, response: Response) -> Prefilled:
    """Fill in what the account knows of the submitter: at their own wish, and with their consent (EDOC-2)."""
    await store.read(db, draft_id, citizen.ref)
    try:
        known = await clients.profile_of(citizen.ref)
        available = True
    except Unavailable:
        known, available = people.NOBODY, False
    if known is None:
        raise ConsentMissing
    tx = await later.begin()
    draft = await locked(tx, draft_id, Keeper(citizen.ref, citizen.name, None), None)
    submitter = people.filled(draft.submitter, known)
    procedure, _ = await catalogue.version(tx, draft.procedure_id)
    form = procedure.eform_of(procedure.case(draft.case))
    answers = domain.from_account(form, draft.answers, known) if form and not draft.on_behalf else {}
    names = [f"submitter.{name}" for name in people.differing(draft.submitter, submitter)]
    names += [f"answers.{name}" for name in answers]
    if names:
        draft = domain.change(draft, now(), answers=answers, submitter=submitter)
        await store.save(tx, draft)
    return Prefilled(draft=await show(tx, draft, response), filled=names, available=available)
