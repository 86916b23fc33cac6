"""What need not be typed or sent again: documents of the store, the profile, an old dossier; and the form in print."""

from uuid import UUID

from fastapi import Response

from kit.clients import Answered
from services.gateway import clients, sessions
from services.gateway.pages import Citizen, Form, go, pages, text

router = pages()


@router.post("/nop-ho-so/{draft_id}/thanh-phan/{component}/kho")
async def use_document(me: Citizen, form: Form, draft_id: UUID, component: str) -> Response:
    """A document of the store is used instead of a file."""
    await clients.dossier.post(
        f"/api/v1/drafts/{draft_id}/components/{component}/documents",
        {"document_id": text(form, "giay_to")},
        token=await me.token("dossier"),
        idempotency_key=text(form, "lan_gui"),
    )
    return go(f"/nop-ho-so/{draft_id}/thanh-phan")


@router.post("/nop-ho-so/{draft_id}/giay-to/{link_id}/xoa")
async def drop_link(me: Citizen, draft_id: UUID, link_id: UUID) -> Response:
    """The document is not used after all; it stays in the store."""
    path = f"/api/v1/drafts/{draft_id}/links/{link_id}"
    await clients.dossier.post(path, token=await me.token("dossier"), method="DELETE")
    return go(f"/nop-ho-so/{draft_id}/thanh-phan")


@router.post("/nop-ho-so/{draft_id}/dien-san")
async def prefill(me: Citizen, form: Form, draft_id: UUID) -> Response:
    """The profile is filled in, for who agreed to that; nothing happens otherwise."""
    try:
        await clients.dossier.post(f"/api/v1/drafts/{draft_id}/prefill", token=await me.token("dossier"))
    except Answered as refused:
        if refused.status != 409:
            raise
    return go(f"/nop-ho-so/{draft_id}/thong-tin")


@router.get("/nop-ho-so/{draft_id}/in")
async def print_form(me: Citizen, draft_id: UUID) -> Response:
    """ "In biểu mẫu đơn": the form as it is filled in now."""
    found = await clients.dossier.get(f"/api/v1/drafts/{draft_id}/form", token=await me.token("dossier"))
    return go(sessions.partner(found["url"]))


@router.post("/ho-so-cua-toi/{code}/sao-chep")
async def copy(me: Citizen, form: Form, code: str) -> Response:
    """A dossier that is over becomes a new draft; its unit is confirmed on the next page."""
    made = await clients.dossier.post(
        f"/api/v1/dossiers/{code}/copy", token=await me.token("dossier"), idempotency_key=text(form, "lan_gui")
    )
    return go(f"/nop-ho-so/{made['draft']['id']}/thong-tin")
