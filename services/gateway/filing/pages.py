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
from services.gateway.pages import Citizen, Form, go, page, pages, text, units
from services.gateway.sessions import Visitor

router = pages()

CHUNK = 1 << 20
EXAMINING = httpx2.Timeout(60, connect=2)
"""Seconds that the dossier service may take to scan and take apart a file: the first one starts a process for it."""


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
    procedure = await _procedure(code)
    receiving = [{**units()[offer["unit"]], **offer} for offer in procedure["offered_at"]]
    cases = [case for case in procedure["cases"] if case["chosen_by"] == "applicant" and not case["online_disabled"]]
    return page(request, "file_unit.html", procedure=procedure, receiving=receiving, cases=cases)


@router.post("/nop-ho-so/thu-tuc/{code}")
async def start(me: Citizen, form: Form, code: str) -> Response:
    """ "Đồng ý và tiếp tục": the draft exists from here on."""
    draft = await clients.dossier.post(
        "/api/v1/drafts",
        {"procedure_code": code, "receiving_unit": text(form, "co_quan"), "case": text(form, "truong_hop") or None},
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
        case=case,
        eform=procedure["eforms"].get(case["eform"]),
        saved="da-luu" in request.query_params,
        more="hoi-them" in request.query_params,
    )


@router.post("/nop-ho-so/{draft_id}/thong-tin")
async def save_information(me: Citizen, form: Form, draft_id: UUID) -> Response:
    """Whatever was filled in is kept, however incomplete. Where it leads to further questions they are asked first, and
    answers to questions that it leads away from are dropped."""
    draft, procedure, case = await _draft(me, draft_id)
    fields = procedure["eforms"].get(case["eform"], {}).get("fields", [])
    shown = [field for field in fields if field["name"] in draft["asked"]]
    answers = {field["name"]: _answer(field, form) for field in shown}
    saved = await _save(me, draft_id, form, answers=answers, **_owner(form))
    stale = saved["answers"].keys() & {field["name"] for field in fields} - {*saved["asked"]}
    if stale:
        await _save(me, draft_id, form, "bo", answers=dict.fromkeys(sorted(stale)))
    if {*saved["asked"]} - {*draft["asked"]} and text(form, "hanh_dong") != "luu":
        return go(f"/nop-ho-so/{draft_id}/thong-tin?hoi-them")
    return _onward(form, draft_id, here="thong-tin", then="thanh-phan")


def _owner(form: FormData) -> dict[str, Any]:
    """Whose matter it is, where the page asked; naming the unit confirms it."""
    said: dict[str, Any] = {"receiving_unit": text(form, "co_quan")} if text(form, "co_quan") else {}
    if "nop_thay" in form or "chu_ho_so" in form:
        owner = {"name": text(form, "chu_ho_so") or None, "identity_number": text(form, "so_dinh_danh") or None}
        said |= {"on_behalf": text(form, "nop_thay") == "co", "owner": owner}
    return said


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
    return await _papers(request, me, draft_id)


async def _papers(request: Request, me: Visitor, draft_id: UUID, problem: str = "", status: int = 200) -> Response:
    draft, _, case = await _draft(me, draft_id)
    about = {each["code"]: each["available"] for each in (await _check(me, draft))["components"]}
    return page(
        request,
        "file_papers.html",
        status=status,
        draft=draft,
        components=case["components"],
        available=about,
        problem=problem,
    )


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
    return await _papers(request, me, draft_id, problem, status=422)


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
    path = f"/api/v1/drafts/{draft_id}/uploads/{upload_id}/completion"
    token = await me.token("dossier")
    found: dict[str, Any] = await clients.dossier.send("POST", path, token=token, timeout=EXAMINING)
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
    await _save(me, draft_id, form, **_wishes(form))
    if text(form, "hanh_dong") != "gui":
        return go(f"/nop-ho-so/{draft_id}/nhan-ket-qua?da-luu")
    try:
        sent = await clients.dossier.post(
            f"/api/v1/drafts/{draft_id}/submission",
            {"keep_documents": True, "text_version": text(form, "luu_kho")} if text(form, "luu_kho") else None,
            token=await me.token("dossier"),
            idempotency_key=text(form, "lan_gui"),
        )
    except Answered as refused:
        if refused.status != 422:
            raise
        return await _last_step(request, me, draft_id, errors=refused.problem.get("errors", []), status=422)
    return go(f"/ho-so-cua-toi/{sent['code']}?{urlencode({'phien-ban': sent['version']})}&da-gui")


def _wishes(form: FormData) -> dict[str, Any]:
    """How the result comes, whether originals go by post, and where messages go."""
    reach = {
        "receiver": _mailing(form, "nhan"),
        "originals_by_post": text(form, "gui_ban_giay") == "co",
        "sender": _mailing(form, "gui"),
        "sms_number": text(form, "so_nhan_tin") or None,
    }
    delivery = text(form, "cach_nhan") or None
    return {"delivery": delivery, "sms_opt_in": text(form, "nhan_tin") == "co", "reach": reach}


def _mailing(form: FormData, whose: str) -> dict[str, Any]:
    name, phone, address = (text(form, f"{what}_{whose}") or None for what in ("ho_ten", "dien_thoai", "dia_chi"))
    return {"name": name, "phone": phone, "address": {"text": address}}


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
    missing = [] if errors else [f for step in (await _check(me, draft))["steps"] for f in step["faults"]]
    consent = (await clients.dossier.get("/api/v1/consents/texts", token=ANYBODY))["items"][0]
    shown |= {"saved": saved, "errors": errors or [], "missing": missing, "consent": consent}
    return page(request, "file_delivery.html", status=status, **shown)


async def _check(me: Visitor, draft: Mapping[str, Any]) -> dict[str, Any]:
    """What each step lacks; nothing is said of a procedure that changed meanwhile, because sending says it."""
    try:
        found: dict[str, Any] = await clients.dossier.get(
            f"/api/v1/drafts/{draft['id']}/check", token=await me.token("dossier")
        )
    except Answered as refused:
        if refused.status != 409:
            raise
        return {"steps": [], "components": []}
    return found


@router.post("/nop-ho-so/{draft_id}/xoa")
async def delete(me: Citizen, draft_id: UUID) -> Response:
    await clients.dossier.post(f"/api/v1/drafts/{draft_id}", token=await me.token("dossier"), method="DELETE")
    return go("/ho-so-cua-toi?thu-muc=not_sent")


# ── shared ────────────────────────────────────────────────────────────────────────────────────────


async def _procedure(code: str, **which: int) -> dict[str, Any]:
    found: dict[str, Any] = await clients.dossier.get(f"/api/v1/procedures/{code}", token=ANYBODY, **which)
    return found


async def _draft(me: Visitor, draft_id: UUID) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The draft, its procedure, and the case of it that the draft is for."""
    draft = await clients.dossier.get(f"/api/v1/drafts/{draft_id}", token=await me.token("dossier"))
    procedure = await _procedure(draft["procedure_code"], version=draft["procedure_version"])
    case = next((case for case in procedure["cases"] if case["code"] == draft["case"]), procedure["cases"][0])
    return draft, procedure, case


async def _save(me: Visitor, draft_id: UUID, form: FormData, step: str = "luu", /, **change: Any) -> dict[str, Any]:
    """The draft with the change; `step` tells several savings of one form apart."""
    saved: dict[str, Any] = await clients.dossier.post(
        f"/api/v1/drafts/{draft_id}",
        change,
        token=await me.token("dossier"),
        idempotency_key=f"{text(form, 'lan_gui')}:{step}",
        method="PATCH",
    )
    return saved


def _onward(form: FormData, draft_id: UUID, *, here: str, then: str) -> Response:
    """ "Lưu hồ sơ" stays, "Tiếp tục" goes on."""
    stay = text(form, "hanh_dong") == "luu"
    return go(f"/nop-ho-so/{draft_id}/{here}?da-luu" if stay else f"/nop-ho-so/{draft_id}/{then}")
