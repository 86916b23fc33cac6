"""Filing a dossier in four plain steps: the unit, the form, the papers, the way to get the result."""

import asyncio
import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import httpx2
from fastapi import Request, Response
from fastapi.responses import JSONResponse
from starlette.datastructures import FormData, UploadFile

from contracts.refusal import Refusal
from kit.clients import Answered
from kit.problems import Unavailable
from services.gateway import clients, words
from services.gateway.clients import ANYBODY
from services.gateway.pages import Citizen, Form, go, page, pages, tenant, text, units
from services.gateway.sessions import Visitor

router = pages()

CHUNK = 1 << 20


class NoFileChosen(Refusal):
    """The form came without a file."""

    status = 422
    title = "Bạn chưa chọn tệp"
    title_en = "No file was chosen"


class StorageRefused(Refusal):
    """Object storage did not take the file under the policy that was given for it."""

    status = 422
    title = "Kho tệp không nhận tệp này. Vui lòng chọn lại tệp rồi gửi lại."
    title_en = "Object storage refused the file; choose it again."


# ── 1. which unit ─────────────────────────────────────────────────────────────────────────────────


@router.get("/nop-ho-so/thu-tuc/{code}")
async def choose_unit(request: Request, me: Citizen, code: str) -> Response:
    """Confirm the procedure and the unit that takes it."""
    receiving = [units()[unit] for unit in tenant()["receiving_units"]]
    return page(request, "file_unit.html", procedure=await _procedure(code), receiving=receiving)


@router.post("/nop-ho-so/thu-tuc/{code}")
async def start(me: Citizen, form: Form, code: str) -> Response:
    """ "Đồng ý và tiếp tục": the draft exists from here on."""
    draft = await clients.dossier.post(
        "/api/v1/drafts",
        {"procedure_code": code, "receiving_unit": text(form, "co_quan")},
        token=await me.token("dossier"),
        idempotency_key=text(form, "lan_gui"),
    )
    return go(f"/nop-ho-so/{draft['id']}/thong-tin")


# ── 2. the form ───────────────────────────────────────────────────────────────────────────────────


@router.get("/nop-ho-so/{draft_id}/thong-tin")
async def information(request: Request, me: Citizen, draft_id: UUID) -> Response:
    """The e-form as the catalogue describes it, with what was saved."""
    draft, procedure, case = await _draft(me, draft_id)
    return page(
        request,
        "file_info.html",
        draft=draft,
        eform=procedure["eforms"].get(case["eform"]),
        saved="da-luu" in request.query_params,
    )


@router.post("/nop-ho-so/{draft_id}/thong-tin")
async def save_information(me: Citizen, form: Form, draft_id: UUID) -> Response:
    """Whatever was filled in is kept, however incomplete."""
    _, procedure, case = await _draft(me, draft_id)
    fields = procedure["eforms"].get(case["eform"], {}).get("fields", [])
    await _save(me, draft_id, form, answers={field["name"]: _answer(field, form) for field in fields})
    return _onward(form, draft_id, here="thong-tin", then="thanh-phan")


def _answer(field: Mapping[str, Any], form: FormData) -> Any:
    """One answer in its JSON type; None takes it away. What does not fit is kept: sending says what is wrong."""
    typed = text(form, field["name"])
    if field["input"] == "yes_no":
        return {"co": True, "khong": False}.get(typed)
    if field["input"] == "date":
        return words.day_typed(typed) or None
    if field["input"] == "number" and typed.isascii() and typed.isdecimal():
        return int(typed)
    return typed or None


# ── 3. the papers ─────────────────────────────────────────────────────────────────────────────────


@router.get("/nop-ho-so/{draft_id}/thanh-phan")
async def papers(request: Request, me: Citizen, draft_id: UUID) -> Response:
    """Each component with its files, and a way to send another."""
    draft, _, case = await _draft(me, draft_id)
    return page(request, "file_papers.html", draft=draft, components=case["components"], problem="")


@router.post("/nop-ho-so/{draft_id}/thanh-phan/{component}/phieu")
async def ticket(request: Request, me: Citizen, draft_id: UUID, component: str) -> Response:
    """For the page's script: leave to send one file straight to object storage."""
    try:
        found = await _ticket(me, draft_id, component, await request.json())
    except Answered as refused:
        return JSONResponse(refused.problem, refused.status, media_type="application/problem+json")
    return JSONResponse(found)


@router.post("/nop-ho-so/{draft_id}/thanh-phan/{component}")
async def send_file(request: Request, me: Citizen, form: Form, draft_id: UUID, component: str) -> Response:
    """Without script the file comes here, and is passed on under the same policy."""
    try:
        await _pass_on(me, draft_id, component, form.get("tep"))
    except Answered as refused:
        problem = str(refused.problem.get("detail") or refused.problem.get("title"))
    except (NoFileChosen, StorageRefused) as refused:
        problem = refused.title
    else:
        return go(f"/nop-ho-so/{draft_id}/thanh-phan")
    draft, _, case = await _draft(me, draft_id)
    return page(request, "file_papers.html", status=422, draft=draft, components=case["components"], problem=problem)


async def _pass_on(me: Visitor, draft_id: UUID, component: str, file: object) -> None:
    if not isinstance(file, UploadFile) or not file.filename or not file.size:
        raise NoFileChosen()
    about = {
        "file_name": file.filename[-255:],
        "content_type": file.content_type or "application/octet-stream",
        "size": file.size,
        "sha256": await _digest(file),
    }
    leave = await _ticket(me, draft_id, component, about)
    try:
        await _send(leave, file)
    except (StorageRefused, Unavailable):
        await _drop(me, draft_id, leave["upload_id"])
        raise
    await _examined(me, draft_id, leave["upload_id"])


async def _digest(file: UploadFile) -> str:
    """SHA-256 of what the browser sent, which stands on disk when it is large."""
    digest = hashlib.sha256()
    while chunk := await file.read(CHUNK):
        await asyncio.to_thread(digest.update, chunk)
    await file.seek(0)
    return digest.hexdigest()


async def _send(leave: Mapping[str, Any], file: UploadFile) -> None:
    """Stream the file to object storage, as the browser would have done."""
    try:
        async with httpx2.AsyncClient(timeout=httpx2.Timeout(60, connect=3)) as http:
            answer = await http.post(
                leave["url"], data=leave["fields"], files={"file": (file.filename, file.file, file.content_type)}
            )
    except httpx2.TransportError as away:
        raise Unavailable("Kho tệp tạm thời gián đoạn, xin thử lại sau ít phút") from away
    if answer.status_code >= 400:
        raise StorageRefused()


async def _ticket(me: Visitor, draft_id: UUID, component: str, about: Any) -> dict[str, Any]:
    found: dict[str, Any] = await clients.dossier.post(
        f"/api/v1/drafts/{draft_id}/components/{component}/uploads", about, token=await me.token("dossier")
    )
    return found


@router.post("/nop-ho-so/{draft_id}/tep/{upload_id}/kiem-tra")
async def examine(me: Citizen, draft_id: UUID, upload_id: UUID) -> Response:
    """For the page's script: the file was sent, and what examining it found."""
    try:
        found = await _examined(me, draft_id, upload_id)
    except Answered as refused:
        return JSONResponse(refused.problem, refused.status, media_type="application/problem+json")
    return JSONResponse(found)


async def _examined(me: Visitor, draft_id: UUID, upload_id: UUID | str) -> dict[str, Any]:
    found: dict[str, Any] = await clients.dossier.post(
        f"/api/v1/drafts/{draft_id}/uploads/{upload_id}/completion", token=await me.token("dossier")
    )
    return found


@router.post("/nop-ho-so/{draft_id}/tep/{upload_id}/xoa")
async def drop_file(me: Citizen, draft_id: UUID, upload_id: UUID) -> Response:
    await _drop(me, draft_id, upload_id)
    return go(f"/nop-ho-so/{draft_id}/thanh-phan")


async def _drop(me: Visitor, draft_id: UUID, upload_id: UUID | str) -> None:
    await clients.dossier.post(
        f"/api/v1/drafts/{draft_id}/uploads/{upload_id}", token=await me.token("dossier"), method="DELETE"
    )


# ── 4. the result, and sending ────────────────────────────────────────────────────────────────────


@router.get("/nop-ho-so/{draft_id}/nhan-ket-qua")
async def delivery(request: Request, me: Citizen, draft_id: UUID) -> Response:
    """How the result shall come, and all of it at a glance before it is sent."""
    return await _last_step(request, me, draft_id, saved="da-luu" in request.query_params)


@router.post("/nop-ho-so/{draft_id}/nhan-ket-qua")
async def send(request: Request, me: Citizen, form: Form, draft_id: UUID) -> Response:
    """ "Lưu hồ sơ" keeps it, "Gửi hồ sơ" sends it: then it has a code, and everything wrong is said at once if not."""
    wish = {"delivery": text(form, "cach_nhan") or None, "sms_opt_in": text(form, "nhan_tin") == "co"}
    await _save(me, draft_id, form, **wish)
    if text(form, "hanh_dong") != "gui":
        return go(f"/nop-ho-so/{draft_id}/nhan-ket-qua?da-luu")
    try:
        sent = await clients.dossier.post(
            f"/api/v1/drafts/{draft_id}/submission",
            token=await me.token("dossier"),
            idempotency_key=text(form, "lan_gui"),
        )
    except Answered as refused:
        if refused.status != 422:
            raise
        return await _last_step(request, me, draft_id, errors=refused.problem.get("errors", []), status=422)
    return go(f"/ho-so-cua-toi/{sent['code']}?{urlencode({'phien-ban': sent['version']})}&da-gui")


async def _last_step(
    request: Request,
    me: Visitor,
    draft_id: UUID,
    *,
    saved: bool = False,
    errors: list[dict[str, Any]] | None = None,
    status: int = 200,
) -> Response:
    draft, procedure, case = await _draft(me, draft_id)
    if draft["dossier_code"]:
        return go(f"/ho-so-cua-toi/{draft['dossier_code']}")
    shown = {"draft": draft, "procedure": procedure, "case": case, "eform": procedure["eforms"].get(case["eform"])}
    return page(request, "file_delivery.html", status=status, saved=saved, errors=errors or [], **shown)


@router.post("/nop-ho-so/{draft_id}/xoa")
async def delete(me: Citizen, draft_id: UUID) -> Response:
    await clients.dossier.post(f"/api/v1/drafts/{draft_id}", token=await me.token("dossier"), method="DELETE")
    return go("/ho-so-cua-toi?thu-muc=not_sent")


# ── shared ────────────────────────────────────────────────────────────────────────────────────────


async def _procedure(code: str) -> dict[str, Any]:
    found: dict[str, Any] = await clients.dossier.get(f"/api/v1/procedures/{code}", token=ANYBODY)
    return found


async def _draft(me: Visitor, draft_id: UUID) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The draft, its procedure, and the case of it that the draft is for."""
    draft = await clients.dossier.get(f"/api/v1/drafts/{draft_id}", token=await me.token("dossier"))
    procedure = await _procedure(draft["procedure_code"])
    case = next((case for case in procedure["cases"] if case["code"] == draft["case"]), procedure["cases"][0])
    return draft, procedure, case


async def _save(me: Visitor, draft_id: UUID, form: FormData, **change: Any) -> None:
    await clients.dossier.post(
        f"/api/v1/drafts/{draft_id}",
        change,
        token=await me.token("dossier"),
        idempotency_key=f"{text(form, 'lan_gui')}:luu",
        method="PATCH",
    )


def _onward(form: FormData, draft_id: UUID, *, here: str, then: str) -> Response:
    """ "Lưu hồ sơ" stays, "Tiếp tục" goes on."""
    stay = text(form, "hanh_dong") == "luu"
    return go(f"/nop-ho-so/{draft_id}/{here}?da-luu" if stay else f"/nop-ho-so/{draft_id}/{then}")
