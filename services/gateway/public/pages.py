"""Pages for everybody: home, a procedure, the look-up, and the way in through VNeID."""

import re
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response

from kit.auth import Public
from kit.clients import Answered
from kit.problems import Unavailable
from kit.settings import load
from services.gateway import clients, sessions
from services.gateway.clients import ANYBODY
from services.gateway.pages import Form, go, page, pages, text, trouble
from services.gateway.sessions import Realm
from services.gateway.settings import GatewaySettings

router = pages()

CODE = re.compile(r"[A-Z0-9]+(?:\.[A-Z0-9]+){0,5}-(?:\d{6}|\d{8})-[A-Z0-9]{4,}")
STATE, BACK = "dang-nhap", "quay-lai"
CALLBACK = "/dang-nhap/vneid"


@router.get("/", dependencies=[Public])
async def home(request: Request) -> Response:
    """Search for a procedure, look a dossier up."""
    words = request.query_params.get("tu-khoa", "")[:200].strip()
    found, away = await _procedures(words)
    return page(request, "home.html", words=words, procedures=found, away=away)


async def _procedures(words: str) -> tuple[list[dict[str, Any]], bool]:
    """(what was found, whether the catalogue is away): the rest of the page is shown all the same."""
    try:
        found = await clients.dossier.get("/api/v1/procedures", token=ANYBODY, q=words)
    except Unavailable:
        return [], True
    return found["items"], False


@router.get("/thu-tuc/{code}", dependencies=[Public])
async def procedure(request: Request, code: str) -> Response:
    """Everything about one procedure, before somebody begins."""
    found = await clients.dossier.get(f"/api/v1/procedures/{code}", token=ANYBODY)
    return page(request, "procedure.html", procedure=found, case=found["cases"][0])


# ── look-up ───────────────────────────────────────────────────────────────────────────────────────


@router.get("/tra-cuu", dependencies=[Public])
async def look_up(request: Request) -> Response:
    """By code alone: how far the dossier is, and nothing about anybody."""
    code = request.query_params.get("ma", "")[:60].strip().upper()
    return await _looked_up(request, code, "")


@router.post("/tra-cuu", dependencies=[Public])
async def look_up_own(request: Request, form: Form) -> Response:
    """By code and identity number. The number comes in a form's body, never in an address that is kept somewhere."""
    code, number = text(form, "ma")[:60].upper(), text(form, "so_dinh_danh")[:20]
    return await _looked_up(request, code, number) if number else go(f"/tra-cuu?{urlencode({'ma': code})}")


async def _looked_up(request: Request, code: str, number: str) -> Response:
    found, problem = None, ""
    if code and not CODE.fullmatch(code):
        problem = "Mã hồ sơ chưa đúng. Mã có dạng H99.02.01-261123-0001, ghi trên tin nhắn hoặc giấy hẹn trả kết quả."
    elif code:
        found, problem = await _ask_tracking(request, code, number)
    return page(
        request, "lookup.html", status=200 if found or not code else 404, code=code, found=found, problem=problem
    )


async def _ask_tracking(request: Request, code: str, number: str) -> tuple[dict[str, Any] | None, str]:
    """(what is known, or why nothing is said)."""
    query = {"identity_number": number} if number else {}
    try:
        found = await clients.tracking.send(
            "GET", f"/api/v1/dossiers/{code}", params=query, token=ANYBODY, headers=clients.on_behalf_of(request)
        )
    except Answered as refused:
        if refused.status not in (404, 429):
            raise
        return None, str(refused.problem["title"])
    return found, ""


# ── login ─────────────────────────────────────────────────────────────────────────────────────────


@router.get("/dang-nhap", dependencies=[Public])
async def login(request: Request) -> Response:
    """What logging in means, and the one button for it."""
    back = sessions.own_path(request.query_params.get("quay-lai"), "/ho-so-cua-toi")
    return go(back) if request.state.me else page(request, "login.html", back=back)


@router.post("/dang-nhap", dependencies=[Public])
async def begin_login(request: Request, form: Form) -> Response:
    """Off to VNeID; this browser keeps the state that it must come back with."""
    callback = load(GatewaySettings).gateway_url.rstrip("/") + CALLBACK
    begun = await clients.identity.post("/api/v1/logins", {"provider": "vneid", "callback_url": callback})
    browser = sessions.browser(request)
    browser.keep(STATE, begun["state"])
    browser.keep(BACK, sessions.own_path(text(form, "quay_lai"), "/ho-so-cua-toi"))
    return go(sessions.partner(begun["authorization_url"]))


@router.get(CALLBACK, dependencies=[Public])
async def finish_login(request: Request) -> Response:
    """Back from VNeID. Only the browser that began the login may finish it."""
    browser, given = sessions.browser(request), request.query_params
    state, back = browser.kept(STATE), sessions.own_path(browser.kept(BACK), "/ho-so-cua-toi")
    browser.keep(STATE, None)
    browser.keep(BACK, None)
    if not state or state != given.get("state"):
        return trouble(
            request, 410, "Lượt đăng nhập đã hết hạn hoặc bắt đầu ở trình duyệt khác", "Vui lòng đăng nhập lại."
        )
    if "code" not in given:
        return trouble(request, 403, "Bạn chưa đồng ý đăng nhập bằng VNeID", "Bạn có thể đăng nhập lại bất cứ lúc nào.")
    answer = {"code": given["code"], "issuer": given.get("iss")}
    made = await clients.identity.post(f"/api/v1/logins/{state}/completion", answer)
    browser.begin(Realm.CITIZEN, made["session"])
    return go(back)


@router.post("/dang-xuat", dependencies=[Public])
async def log_out(request: Request) -> Response:
    """The session ends at identity and here, also when identity is away for the moment."""
    browser = sessions.browser(request)
    session = browser.session(Realm.CITIZEN)
    browser.end(Realm.CITIZEN)
    if session:
        await clients.end_session(session)
    return go("/")
