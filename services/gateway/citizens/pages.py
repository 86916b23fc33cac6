"""A citizen's own pages: the seven folders, one dossier with its history, and the documents."""

import asyncio
from typing import Any
from uuid import UUID

from fastapi import Request, Response

from kit.clients import Answered
from kit.problems import Unavailable
from services.gateway import clients, sessions
from services.gateway.pages import Citizen, go, number, page, pages
from services.gateway.sessions import Visitor

router = pages()

DRAFTS = "not_sent"


@router.get("/ho-so-cua-toi")
async def folders(request: Request, me: Citizen) -> Response:
    """ "Hồ sơ của tôi": the folders with their counts, and what is in the chosen one."""
    chosen = request.query_params.get("thu-muc", "")
    listed, drafts = await asyncio.gather(_folders(me), _drafts(me))
    for folder in listed["folders"]:
        if folder["key"] == DRAFTS:
            folder["count"] = len(drafts)
    keys = [folder["key"] for folder in listed["folders"]]
    chosen = chosen if chosen in keys else next((f["key"] for f in listed["folders"] if f["count"]), keys[0])
    found: dict[str, Any] = {"items": [], "next": None}
    if chosen != DRAFTS:
        found = await _dossiers(me, chosen, request.query_params.get("tiep"))
    return page(request, "folders.html", listed=listed, chosen=chosen, drafts=drafts, found=found)


async def _folders(me: Visitor) -> dict[str, Any]:
    found: dict[str, Any] = await clients.tracking.get("/api/v1/my/folders", token=await me.token("tracking"))
    return found


async def _drafts(me: Visitor) -> list[dict[str, Any]]:
    found = await clients.dossier.get("/api/v1/drafts", token=await me.token("dossier"))
    return list(found["items"])


async def _dossiers(me: Visitor, folder: str, cursor: str | None) -> dict[str, Any]:
    query = {"folder": folder, **({"cursor": cursor} if cursor else {})}
    found: dict[str, Any] = await clients.tracking.get("/api/v1/my/dossiers", token=await me.token("tracking"), **query)
    return found


@router.get("/ho-so-cua-toi/{code}")
async def dossier(request: Request, me: Citizen, code: str) -> Response:
    """One dossier: where it is, what happened, what can be done now.

    `phien-ban` is the version that a command just answered: the look-up waits for it, so that people see what they did.
    """
    found = await clients.tracking.get(
        f"/api/v1/my/dossiers/{code}",
        token=await me.token("tracking"),
        at_least=number(request.query_params.get("phien-ban")),
    )
    sent = "da-gui" in request.query_params
    return page(request, "dossier.html", dossier=found, receipts=await _receipts(me, found), sent=sent)


async def _receipts(me: Visitor, dossier: dict[str, Any]) -> list[dict[str, Any]]:
    """The receipts of what was paid; none while payment is away, because the rest of the page matters more."""
    if not dossier["fee"] or dossier["fee"]["state"] != "paid":
        return []
    try:
        found = await clients.payment.get(
            f"/api/v1/dossiers/{dossier['code']}/receipts", token=await me.token("payment")
        )
    except (Answered, Unavailable):
        return []
    return list(found)


@router.get("/ho-so-cua-toi/{code}/ket-qua")
async def result(me: Citizen, code: str) -> Response:
    """The signed result, from storage."""
    return await _download(me, f"/api/v1/dossiers/{code}/result")


@router.get("/ho-so-cua-toi/{code}/giay-hen")
async def slip(me: Citizen, code: str) -> Response:
    """The appointment slip (Mẫu 01), from storage."""
    return await _download(me, f"/api/v1/dossiers/{code}/slip")


@router.get("/kho-du-lieu")
async def documents(request: Request, me: Citizen) -> Response:
    """The citizen's store of electronic documents: results that were issued to them."""
    found = await clients.dossier.get("/api/v1/documents", token=await me.token("dossier"))
    return page(request, "documents.html", documents=found["items"])


@router.get("/kho-du-lieu/{document_id}")
async def document(me: Citizen, document_id: UUID) -> Response:
    """The file of one document, from storage."""
    return await _download(me, f"/api/v1/documents/{document_id}")


async def _download(me: Visitor, path: str) -> Response:
    found = await clients.dossier.get(path, token=await me.token("dossier"))
    return go(sessions.partner(found["url"]))
