"""Officers come in by password and a second factor, and look after both themselves."""

import json
from typing import Any

import segno
from fastapi import Request, Response
from markupsafe import Markup

from kit.auth import Public
from kit.clients import Answered
from services.gateway import clients, sessions
from services.gateway.officers.pages import first_queue
from services.gateway.pages import Form, Officer, go, page, pages, text
from services.gateway.sessions import Realm, Visitor

router = pages()

ACCOUNT = "/can-bo/tai-khoan"
WRONG = "Tên đăng nhập hoặc mật khẩu không đúng."
DONE = {
    "ma": "Đã bật mã xác thực. Từ lần đăng nhập sau, hệ thống sẽ hỏi mã.",
    "khoa": "Đã thêm khóa bảo mật. Từ lần đăng nhập sau, bạn có thể dùng khóa này.",
}


@router.get("/can-bo", dependencies=[Public])
async def entrance(request: Request) -> Response:
    """The login, or the first queue of who is logged in."""
    me = request.state.me
    return go(f"/can-bo/{first_queue(me.roles)}") if me else _login_page(request)


def _login_page(request: Request, *, status: int = 200, **facts: Any) -> Response:
    shown = {"problem": "", "username": "", "back": "", "again": False, "done": "", **facts}
    return page(request, "officer_login.html", status=status, **shown)


@router.get("/can-bo/xac-nhan-lai", dependencies=[Public])
async def confirm_again(request: Request) -> Response:
    """An act needs a fresh proof: log in again, and go on."""
    return _login_page(request, again=True, back=_back(request.query_params.get("quay-lai")))


def _back(path: str | None) -> str:
    back = sessions.own_path(path, "")
    return back if back.startswith("/can-bo") else ""


@router.post("/can-bo/dang-nhap", dependencies=[Public])
async def log_in(request: Request, form: Form) -> Response:
    """User name and password; what is wrong is said without saying which of the two."""
    given = {"username": text(form, "ten_dang_nhap"), "password": text(form, "mat_khau")}
    back = _back(text(form, "quay_lai"))
    try:
        headers = clients.on_behalf_of(request)
        made = await clients.identity.send("POST", "/api/v1/officer-sessions", json=given, headers=headers)
    except Answered as refused:
        problem = WRONG if refused.status in (401, 422) else str(refused.problem["title"])
        return _login_page(request, status=refused.status, problem=problem, username=given["username"], back=back)
    if "login" in made:
        return _factor_page(request, made, back)
    return _begun(request, made, back)


def _factor_page(request: Request, asked: dict[str, Any], back: str, problem: str = "", status: int = 200) -> Response:
    """The second factor: a code, or a key."""
    facts = {"methods": asked["methods"], "passkey": json.dumps(asked.get("passkey"))}
    return page(
        request, "officer_factor.html", status=status, login=asked["login"], back=back, problem=problem, **facts
    )


def _begun(request: Request, made: dict[str, Any], back: str) -> Response:
    sessions.browser(request).begin(Realm.OFFICER, made["session"])
    return go(back or f"/can-bo/{first_queue(tuple(made['roles']))}")


@router.post("/can-bo/dang-nhap/ma", dependencies=[Public])
async def give_code(request: Request, form: Form) -> Response:
    """The authenticator's six digits."""
    login, back = text(form, "luot"), _back(text(form, "quay_lai"))
    given = {"code": text(form, "ma").replace(" ", "")}
    try:
        made = await clients.identity.post(f"/api/v1/officer-logins/{login}/totp", given)
    except Answered as refused:
        if refused.status not in (401, 422):
            raise
        asked = {"login": login, "methods": ["totp"]}
        return _factor_page(request, asked, back, "Mã xác thực không đúng hoặc đã được dùng.", refused.status)
    return _begun(request, made, back)


@router.post("/can-bo/dang-nhap/khoa", dependencies=[Public])
async def give_key(request: Request, form: Form) -> Response:
    """What the security key signed, as the page's script wrote it into the form."""
    made = await clients.identity.post(
        f"/api/v1/officer-logins/{text(form, 'luot')}/passkey", {"credential": _credential(form)}
    )
    return _begun(request, made, _back(text(form, "quay_lai")))


def _credential(form: Any) -> dict[str, Any]:
    try:
        found = json.loads(text(form, "khoa"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


@router.post("/can-bo/dang-xuat", dependencies=[Public])
async def log_out(request: Request) -> Response:
    await sessions.browser(request).leave(Realm.OFFICER)
    return go("/can-bo")


# ── a first or forgotten password ─────────────────────────────────────────────────────────────────


@router.get("/can-bo/quen-mat-khau", dependencies=[Public])
async def forgotten(request: Request) -> Response:
    """A code to the officer's own phone; no administrator sets a password."""
    return page(request, "forgotten.html", problem="", action="/can-bo/quen-mat-khau", officer=True)


@router.post("/can-bo/quen-mat-khau", dependencies=[Public])
async def begin_recovery(request: Request, form: Form) -> Response:
    wish = {"username": text(form, "ten_dang_nhap") or "-"}
    headers = clients.on_behalf_of(request)
    sent = await clients.identity.send("POST", "/api/v1/officer-recoveries", json=wish, headers=headers)
    return _code_page(request, sent["challenge"])


def _code_page(request: Request, challenge: str, problem: str = "", status: int = 200) -> Response:
    facts = {"action": "/can-bo/quen-mat-khau/xac-nhan", "button": "Đặt mật khẩu", "minutes": 3, "back": ""}
    return page(request, "code.html", status=status, challenge=challenge, password=True, problem=problem, **facts)


@router.post("/can-bo/quen-mat-khau/xac-nhan", dependencies=[Public])
async def recover(request: Request, form: Form) -> Response:
    given = {"code": text(form, "ma").replace(" ", ""), "password": text(form, "mat_khau")}
    challenge = text(form, "luot")
    try:
        await clients.identity.post(f"/api/v1/officer-recoveries/{challenge}/confirmation", given)
    except Answered as refused:
        if refused.status != 422:
            raise
        return _code_page(request, challenge, str(refused.problem["title"]), 422)
    return _login_page(request, done="Đã đặt mật khẩu. Mời bạn đăng nhập.")


# ── one's own second factor ───────────────────────────────────────────────────────────────────────


@router.get(ACCOUNT)
async def account(request: Request, me: Officer) -> Response:
    """What the officer is here, and how they prove it."""
    found = await _own(me, "GET", "/me")
    done = DONE.get(request.query_params.get("xong", ""), "")
    return page(request, "officer_account.html", officer=found, done=done, enrolling=None, problem="", making=None)


async def _own(me: Visitor, method: str, path: str, body: Any = None) -> Any:
    token = await me.token("identity")
    return await clients.identity.send(method, f"/api/v1/officers{path}", json=body, token=token)


@router.post("/can-bo/tai-khoan/ma")
async def begin_totp(request: Request, me: Officer) -> Response:
    """A QR code for the authenticator, and the field for its first code."""
    return await _enrolling(request, me, await _own(me, "POST", "/me/totp"))


async def _enrolling(request: Request, me: Officer, made: dict[str, Any], problem: str = "") -> Response:
    image = Markup(segno.make(made["address"], error="m").svg_inline(scale=5, border=2))  # noqa: S704 (of our making)
    found = await _own(me, "GET", "/me")
    facts = {"officer": found, "enrolling": {**made, "image": image}, "problem": problem, "done": "", "making": None}
    return page(request, "officer_account.html", status=422 if problem else 200, **facts)


@router.post("/can-bo/tai-khoan/ma/xac-nhan")
async def confirm_totp(request: Request, me: Officer, form: Form) -> Response:
    given = {"code": text(form, "ma").replace(" ", ""), "enrolment": text(form, "luot")}
    try:
        await _own(me, "POST", "/me/totp/confirmation", given)
    except Answered as refused:
        if "factor-wrong" not in str(refused.problem.get("type")) and refused.status != 422:
            raise
        made = {"enrolment": given["enrolment"], "address": text(form, "dia_chi"), "secret": text(form, "bi_mat")}
        return await _enrolling(request, me, made, "Mã không đúng. Hãy nhập mã mới nhất trên ứng dụng.")
    return go(f"{ACCOUNT}?xong=ma")


@router.post("/can-bo/tai-khoan/khoa")
async def begin_passkey(request: Request, me: Officer) -> Response:
    """The page whose script asks the browser for a key."""
    made, found = await _own(me, "POST", "/me/passkeys"), await _own(me, "GET", "/me")
    making = {"enrolment": made["enrolment"], "options": json.dumps(made["options"])}
    facts = {"officer": found, "done": "", "enrolling": None, "problem": "", "making": making}
    return page(request, "officer_account.html", **facts)


@router.post("/can-bo/tai-khoan/khoa/xac-nhan")
async def confirm_passkey(me: Officer, form: Form) -> Response:
    made = {"enrolment": text(form, "luot"), "credential": _credential(form)}
    await _own(me, "POST", "/me/passkeys/confirmation", {**made, "name": text(form, "ten") or "Khóa bảo mật"})
    return go(f"{ACCOUNT}?xong=khoa")
