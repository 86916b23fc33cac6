"""How a no is answered: RFC 9457 problem details, one stable `type` for each rule."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from contracts.refusal import Refusal


class NotFound(Refusal):
    status = 404
    title = "Không tìm thấy"
    title_en = "Not found"


class Unauthenticated(Refusal):
    status = 401
    title = "Cần đăng nhập"
    title_en = "Authentication required"


class Forbidden(Refusal):
    status = 403
    title = "Không có quyền thực hiện việc này"
    title_en = "Not allowed"


class Unavailable(Refusal):
    """A part this service needs is away; nothing was changed, and the same call may be sent again."""

    status = 503
    title = "Hệ thống tạm thời gián đoạn, xin thử lại sau ít phút"
    title_en = "Temporarily unavailable, try again"


class Broken(Refusal):
    """A mistake of ours; it is in the log, without anybody's data."""

    status = 500
    title = "Hệ thống gặp lỗi, xin thử lại sau ít phút"
    title_en = "Something went wrong on our side"


class VersionConflict(Refusal):
    """`If-Match` named a version that is no longer the newest; `version` is. It is answered like any other lost race:
    409, not 412."""

    status = 409
    title = "Dữ liệu đã được người khác thay đổi, xin tải lại rồi thử lại"
    title_en = "Changed by someone else; load it again"


class InvalidRequest(Refusal):
    status = 422
    title = "Thông tin gửi lên chưa đúng"
    title_en = "The request is not valid"


def answer(refusal: Refusal, language: str = "vi") -> JSONResponse:
    english = language.lower().startswith("en")
    body = {
        "type": refusal.type(),
        "title": refusal.title_en if english else refusal.title,
        "status": refusal.status,
        **({"detail": refusal.detail} if refusal.detail else {}),
        **refusal.extra,
    }
    headers = {"Retry-After": str(refusal.extra.get("retry_after", 5))} if refusal.status in (429, 503) else {}
    if refusal.status == 401:
        age = refusal.extra.get("max_age")
        step_up = f' error="insufficient_user_authentication", max_age={age}' if age else ""
        headers["WWW-Authenticate"] = f"Bearer{step_up}"
    return JSONResponse(body, refusal.status, headers, media_type="application/problem+json")


def _language(request: Request) -> str:
    return request.headers.get("accept-language", "vi")


async def _on_refusal(request: Request, exc: Exception) -> JSONResponse:
    if not isinstance(exc, Refusal):
        raise exc
    return answer(exc, _language(request))


async def _on_invalid(request: Request, exc: Exception) -> JSONResponse:
    """Names each wrong field; never repeats the value, which may be somebody's data."""
    if not isinstance(exc, RequestValidationError):
        raise exc
    errors = [{"field": _field(e["loc"]), "message": e["msg"]} for e in exc.errors()]
    return answer(InvalidRequest(errors=errors), _language(request))


def _field(location: tuple[Any, ...]) -> str:
    return ".".join(str(part) for part in location if part != "body")


async def _on_http(request: Request, exc: Exception) -> JSONResponse:
    if not isinstance(exc, HTTPException):
        raise exc
    titles = {404: NotFound, 401: Unauthenticated, 403: Forbidden}
    known = titles.get(exc.status_code)
    if known:
        return answer(known(), _language(request))
    body = {"type": "about:blank", "title": str(exc.detail), "status": exc.status_code}
    return JSONResponse(body, exc.status_code, exc.headers, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Make every refusal of this application a problem document."""
    app.add_exception_handler(Refusal, _on_refusal)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
