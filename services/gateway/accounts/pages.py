"""Accounts: every way in, registration, a forgotten password, and "Tài khoản của tôi"."""

from datetime import datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from contracts.refusal import Refusal
from kit.auth import Public
from kit.clients import Answered
from kit.problems import Unavailable
from kit.settings import load
from services.gateway import clients, sessions
from services.gateway.pages import Citizen, Form, go, page, pages, text, trouble
from services.gateway.sessions import Browser, Realm, Visitor
from services.gateway.settings import GatewaySettings

router = pages()

STATE, BACK = "dang-nhap", "quay-lai"
HOME = "/ho-so-cua-toi"
ACCOUNT = "/tai-khoan"
CITIZEN = "citizen"
AWAY = (
    "Hệ thống định danh điện tử tạm thời không phản hồi. Những gì bạn đã lưu vẫn còn. "
    "Vui lòng đăng nhập lại sau ít phút."
)


class DateUnreadable(Refusal):
    """A date is typed as on the card."""

    status = 422
    title = "Ngày chưa đúng. Hãy ghi ngày/tháng/năm, ví dụ 15/07/2024."
    title_en = "Type the date as day/month/year."


# ── logging in ────────────────────────────────────────────────────────────────────────────────────


@router.get("/dang-nhap", dependencies=[Public])
async def login(request: Request) -> Response:
    """The ways in that the province offers."""
    back = _back(request.query_params.get("quay-lai"))
    return go(back) if request.state.me else await _login_page(request, back)


async def _login_page(
    request: Request, back: str, *, problem: str = "", phone: str = "", again: bool = False, status: int = 200
) -> Response:
    done = "da-doi-mat-khau" in request.query_params
    facts = {"back": back, "ways": await _ways(), "problem": problem, "phone": phone, "again": again, "done": done}
    return page(request, "login.html", status=status, **facts)


async def _ways() -> list[str]:
    """What identity offers; VNeID alone while it does not answer: the next page will say so."""
    try:
        found = await clients.identity.send("GET", "/api/v1/login-methods")  # once: the page has a fallback
    except Unavailable:
        return ["vneid"]
    return list(found["citizens"])


def _back(path: str | None) -> str:
    return sessions.own_path(path, HOME)


@router.get("/xac-nhan-lai", dependencies=[Public])
async def confirm_again(request: Request) -> Response:
    """An act needs a fresh proof: the same ways in, and why."""
    return await _login_page(request, _back(request.query_params.get("quay-lai")), again=True)


@router.post("/dang-nhap", dependencies=[Public])
async def begin_login(request: Request, form: Form) -> Response:
    """Off to the provider; this browser keeps the state that it must come back with.

    With `xac_thuc` the account that is logged in wants to be verified; with `lai` the login is asked for again.
    """
    provider = text(form, "cach") or "vneid"
    callback = f"{load(GatewaySettings).gateway_url.rstrip('/')}/dang-nhap/{provider}"
    browser = sessions.browser(request)
    wish: dict[str, Any] = {"provider": provider, "callback_url": callback, "fresh": bool(text(form, "lai"))}
    if text(form, "xac_thuc"):
        wish["session"] = browser.session(Realm.CITIZEN)
    try:
        begun = await clients.identity.post("/api/v1/logins", wish)
    except Unavailable:
        return await _login_page(request, _back(text(form, "quay_lai")), problem=AWAY, status=503)
    browser.keep(STATE, begun["state"])
    browser.keep(BACK, _back(text(form, "quay_lai")))
    return go(sessions.partner(begun["authorization_url"]))


@router.get("/dang-nhap/{provider}", dependencies=[Public])
async def finish_login(request: Request, provider: str) -> Response:
    """Back from the provider. Only the browser that began the login may finish it."""
    browser, given = sessions.browser(request), request.query_params
    state, back = browser.kept(STATE), _back(browser.kept(BACK))
    browser.keep(STATE, None)
    browser.keep(BACK, None)
    if not state or state != given.get("state"):
        return trouble(
            request, 410, "Lượt đăng nhập đã hết hạn hoặc bắt đầu ở trình duyệt khác", "Vui lòng đăng nhập lại."
        )
    if "code" not in given:
        return trouble(request, 403, "Bạn chưa đồng ý đăng nhập", "Bạn có thể đăng nhập lại bất cứ lúc nào.")
    answer = {"code": given["code"], "issuer": given.get("iss")}
    try:
        made = await clients.identity.post(f"/api/v1/logins/{state}/completion", answer)
    except Unavailable:
        return await _login_page(request, back, problem=AWAY, status=503)
    await _begin(browser, made)
    return go(back)


async def _begin(browser: Browser, made: dict[str, Any]) -> None:
    """The new session takes the place of the old one, which ends."""
    before = browser.session(Realm.CITIZEN)
    if before:
        browser.end(Realm.CITIZEN)
        await clients.end_session(before)
    browser.begin(Realm.CITIZEN, made["session"])


@router.post("/dang-nhap-tai-khoan", dependencies=[Public])
async def local_login(request: Request, form: Form) -> Response:
    """Phone and password of a local account; then the code that went to the phone."""
    given = {"phone": text(form, "dien_thoai"), "password": text(form, "mat_khau")}
    back = _back(text(form, "quay_lai"))
    try:
        sent = await _ask(request, "/api/v1/local-logins", given)
    except Answered as refused:
        return await _login_page(request, back, problem=_said(refused), phone=given["phone"], status=refused.status)
    return _code_page(request, sent, "/dang-nhap-tai-khoan/ma", "Đăng nhập", back=back)


@router.post("/dang-nhap-tai-khoan/ma", dependencies=[Public])
async def local_login_code(request: Request, form: Form) -> Response:
    """The code from the phone: logged in."""
    path = f"/api/v1/local-logins/{text(form, 'luot')}/completion"
    try:
        made = await clients.identity.post(path, {"code": _code(form)})
    except Answered as refused:
        return _code_again(request, form, refused, "/dang-nhap-tai-khoan/ma", "Đăng nhập")
    await _begin(sessions.browser(request), made)
    return go(_back(text(form, "quay_lai")))


@router.post("/dang-xuat", dependencies=[Public])
async def log_out(request: Request) -> Response:
    await sessions.browser(request).leave(Realm.CITIZEN)
    return go("/")


# ── codes ─────────────────────────────────────────────────────────────────────────────────────────


async def _ask(request: Request, path: str, wish: dict[str, Any], token: str | None = None) -> dict[str, Any]:
    """A command that sends a code; identity counts codes by the visitor's address too."""
    headers = clients.on_behalf_of(request)
    sent: dict[str, Any] = await clients.identity.send("POST", path, json=wish, token=token, headers=headers)
    return sent


def _code(form: Any) -> str:
    return text(form, "ma").replace(" ", "")


def _code_page(request: Request, sent: dict[str, Any], action: str, button: str, **facts: Any) -> Response:
    """The page that asks for the code, and for a new password where `password` is set."""
    minutes = max(1, int(sent.get("expires_in", 60)) // 60)
    shown = {"back": "", "problem": "", "password": False, **facts}
    return page(
        request, "code.html", challenge=sent["challenge"], minutes=minutes, action=action, button=button, **shown
    )


def _code_again(request: Request, form: Any, refused: Answered, action: str, button: str, **facts: Any) -> Response:
    """A wrong code, or a password that is too weak: the same page once more, while the code may still be tried."""
    if refused.status != 422:
        raise refused
    left = refused.problem.get("tries_left")
    again = f" Bạn còn {left} lần thử." if left else ""
    sent = {"challenge": text(form, "luot")}
    return _code_page(
        request, sent, action, button, problem=_said(refused) + again, back=text(form, "quay_lai"), **facts
    )


def _said(refused: Answered) -> str:
    """Why the answer is no, in the service's own words."""
    if refused.status == 422 and refused.problem.get("errors"):
        return "Vui lòng kiểm tra lại thông tin đã nhập."
    return str(refused.problem.get("detail") or refused.problem.get("title") or Unavailable.title)


# ── registration and a forgotten password ─────────────────────────────────────────────────────────


@router.get("/dang-ky", dependencies=[Public])
async def registration(request: Request) -> Response:
    """ "Đăng ký": who registers, and the phone that the code goes to."""
    return page(request, "register.html", problem="", given={}, ways=await _ways())


@router.post("/dang-ky", dependencies=[Public])
async def register(request: Request, form: Form) -> Response:
    given = {name: text(form, name) for name in REGISTRATION}
    try:
        sent = await _ask(request, "/api/v1/registrations", _registration(given))
    except Answered as refused:
        problem = _said(refused)
        facts = {"problem": problem, "given": given, "ways": await _ways()}
        return page(request, "register.html", status=refused.status, **facts)
    return _code_page(request, sent, "/dang-ky/xac-nhan", "Kích hoạt tài khoản", password=True)


REGISTRATION = {
    "doi_tuong": "subject",
    "ho_ten": "full_name",
    "dien_thoai": "phone",
    "so_dinh_danh": "identity_number",
    "thu_dien_tu": "email",
    "ten_to_chuc": "organisation_name",
    "ma_so_thue": "tax_code",
}


def _registration(given: dict[str, str]) -> dict[str, Any]:
    """What identity is asked; empty fields are left out, and a citizen has no organisation."""
    of_organisations = ("ten_to_chuc", "ma_so_thue")
    asked = given["doi_tuong"] != CITIZEN
    return {REGISTRATION[n]: v for n, v in given.items() if v and (asked or n not in of_organisations)}


@router.post("/dang-ky/xac-nhan", dependencies=[Public])
async def activate(request: Request, form: Form) -> Response:
    """The code and the password that the owner chose: the account is active."""
    try:
        made = await _with_password(form, "/api/v1/registrations")
    except Answered as refused:
        return _code_again(request, form, refused, "/dang-ky/xac-nhan", "Kích hoạt tài khoản", password=True)
    await _begin(sessions.browser(request), made)
    return go(ACCOUNT)


async def _with_password(form: Any, path: str) -> dict[str, Any]:
    given = {"code": _code(form), "password": text(form, "mat_khau")}
    made: dict[str, Any] = await clients.identity.post(f"{path}/{text(form, 'luot')}/confirmation", given)
    return made


@router.get("/quen-mat-khau", dependencies=[Public])
async def forgotten(request: Request) -> Response:
    """Only a code to the owner's own phone opens the way back."""
    return page(request, "forgotten.html", problem="", action="/quen-mat-khau", officer=False)


@router.post("/quen-mat-khau", dependencies=[Public])
async def begin_recovery(request: Request, form: Form) -> Response:
    try:
        sent = await _ask(request, "/api/v1/recoveries", {"phone": text(form, "dien_thoai")})
    except Answered as refused:
        facts = {"problem": _said(refused), "action": "/quen-mat-khau", "officer": False}
        return page(request, "forgotten.html", status=refused.status, **facts)
    return _code_page(request, sent, "/quen-mat-khau/xac-nhan", "Đặt mật khẩu", password=True)


@router.post("/quen-mat-khau/xac-nhan", dependencies=[Public])
async def recover(request: Request, form: Form) -> Response:
    try:
        await _with_password(form, "/api/v1/recoveries")
    except Answered as refused:
        return _code_again(request, form, refused, "/quen-mat-khau/xac-nhan", "Đặt mật khẩu", password=True)
    return go("/dang-nhap?da-doi-mat-khau")


# ── "Tài khoản của tôi" ───────────────────────────────────────────────────────────────────────────

DONE = {
    "chuan-hoa": "Đã ghi nhận. Bước còn lại: xác thực bằng VNeID, hoặc mang căn cước đến bộ phận một cửa.",
    "lien-he": "Đã đổi thông tin liên hệ.",
    "dia-chi": "Đã lưu địa chỉ.",
    "dong-y": "Đã ghi nhận lựa chọn của bạn.",
    "phien": "Đã đăng xuất ở nơi đó.",
}


@router.get(ACCOUNT)
async def account(request: Request, me: Citizen) -> Response:
    """The profile with its standardisation, contact, consents, and where one is logged in."""
    return await _account_page(request, me, done=DONE.get(request.query_params.get("xong", ""), ""))


async def _account_page(
    request: Request, me: Visitor, *, done: str = "", problem: str = "", status: int = 200
) -> Response:
    token = await me.token("identity")
    profile, consents, places = [
        await clients.identity.get(path, token=token)
        for path in ("/api/v1/accounts/me", "/api/v1/accounts/me/consents", "/api/v1/my/sessions")
    ]
    facts = {"consents": consents, "places": places, "done": done, "problem": problem, "ways": await _ways()}
    return page(request, "account.html", status=status, profile=profile, **facts)


async def _own(me: Visitor, method: str, path: str, json: Any = None) -> Any:
    return await clients.identity.send(method, f"/api/v1{path}", json=json, token=await me.token("identity"))


def _day(typed: str) -> str:
    """`15/7/2024` → `2024-07-15`."""
    try:
        return datetime.strptime(typed, "%d/%m/%Y").date().isoformat()  # noqa: DTZ007 (a date has no zone)
    except ValueError as unreadable:
        raise DateUnreadable() from unreadable


@router.post("/tai-khoan/chuan-hoa")
async def standardise(request: Request, me: Citizen, form: Form) -> Response:
    """The four fields (the phone is confirmed already); what is wrong is said on the same page."""
    try:
        given = {
            "full_name": text(form, "ho_ten"),
            "identity_number": text(form, "so_dinh_danh"),
            "issued_on": _day(text(form, "ngay_cap")),
        }
        await _own(me, "PUT", "/accounts/me/standardisation", given)
    except (Answered, DateUnreadable) as refused:
        if refused.status == 401:
            raise
        said = _said(refused) if isinstance(refused, Answered) else refused.title
        return await _account_page(request, me, problem=said, status=refused.status)
    sessions.forget(me.session)  # the next token says how far it is now
    return go(f"{ACCOUNT}?xong=chuan-hoa")


@router.post("/tai-khoan/dia-chi")
async def put_address(me: Citizen, form: Form) -> Response:
    await _own(me, "PUT", "/accounts/me/address", {"address": text(form, "dia_chi")})
    return go(f"{ACCOUNT}?xong=dia-chi")


@router.post("/tai-khoan/lien-he")
async def begin_contact(request: Request, me: Citizen, form: Form) -> Response:
    """A code goes to the new phone or address; an old login is asked for again first."""
    wish = {"phone": text(form, "dien_thoai")} if text(form, "dien_thoai") else {"email": text(form, "thu_dien_tu")}
    try:
        sent = await _ask(request, "/api/v1/accounts/me/contact-changes", wish, await me.token("identity"))
    except Answered as refused:
        if refused.status == 401:
            raise
        return await _account_page(request, me, problem=_said(refused), status=refused.status)
    return _code_page(request, sent, "/tai-khoan/lien-he/xac-nhan", "Xác nhận")


@router.post("/tai-khoan/lien-he/xac-nhan")
async def confirm_contact(request: Request, me: Citizen, form: Form) -> Response:
    path = f"/accounts/me/contact-changes/{text(form, 'luot')}/confirmation"
    try:
        await _own(me, "POST", path, {"code": _code(form)})
    except Answered as refused:
        return _code_again(request, form, refused, "/tai-khoan/lien-he/xac-nhan", "Xác nhận")
    return go(f"{ACCOUNT}?xong=lien-he")


@router.post("/tai-khoan/mat-khau")
async def begin_password(request: Request, me: Citizen) -> Response:
    """A new password needs a code to one's own phone."""
    sent = await _ask(request, "/api/v1/accounts/me/password-changes", {}, await me.token("identity"))
    return _code_page(request, sent, "/tai-khoan/mat-khau/xac-nhan", "Đổi mật khẩu", password=True)


@router.post("/tai-khoan/mat-khau/xac-nhan")
async def change_password(request: Request, me: Citizen, form: Form) -> Response:
    """Every session ends, this one too."""
    path = f"/accounts/me/password-changes/{text(form, 'luot')}/confirmation"
    try:
        await _own(me, "POST", path, {"code": _code(form), "password": text(form, "mat_khau")})
    except Answered as refused:
        return _code_again(request, form, refused, "/tai-khoan/mat-khau/xac-nhan", "Đổi mật khẩu", password=True)
    sessions.browser(request).end(Realm.CITIZEN)
    return go("/dang-nhap?da-doi-mat-khau")


@router.post("/tai-khoan/dong-y/{purpose}")
async def agree(me: Citizen, form: Form, purpose: str) -> Response:
    agreed = {"purpose": purpose, "text_version": int(text(form, "phien_ban") or 0)}
    await _own(me, "POST", "/accounts/me/consents", agreed)
    return go(f"{ACCOUNT}?xong=dong-y")


@router.post("/tai-khoan/rut-dong-y/{consent_id}")
async def withdraw(me: Citizen, consent_id: UUID) -> Response:
    await _own(me, "POST", f"/accounts/me/consents/{consent_id}/withdrawal")
    return go(f"{ACCOUNT}?xong=dong-y")


@router.post("/tai-khoan/phien/{session_id}")
async def end_session(me: Citizen, session_id: str) -> Response:
    """Log out at another place."""
    await _own(me, "DELETE", f"/my/sessions/{quote(session_id, safe='')}")
    return go(f"{ACCOUNT}?xong=phien")


@router.get("/tai-khoan/du-lieu")
async def export(me: Citizen) -> Response:
    """All that identity holds about the caller, as a file."""
    found = await clients.identity.get("/api/v1/accounts/me/export", token=await me.token("identity"))
    return JSONResponse(found, headers={"Content-Disposition": 'attachment; filename="du-lieu-cua-toi.json"'})


@router.get("/tai-khoan/dong")
async def closing(request: Request, me: Citizen) -> Response:
    """What closing means, before it is done."""
    return page(request, "close_account.html")


@router.post("/tai-khoan/dong")
async def close(request: Request, me: Citizen) -> Response:
    """The account is closed, and who its owner is forgotten."""
    await _own(me, "POST", "/accounts/me/closure")
    sessions.browser(request).end(Realm.CITIZEN)
    return page(request, "account_closed.html")
