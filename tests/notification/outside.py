"""The outside world of a delivery on free ports: a mail server, a text message gateway, and identity's two answers."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from aiosmtpd.smtp import SMTP, Envelope, Session
from fastapi import FastAPI, Response

from deploy.standins.mail.app import parse


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[str]:
    """The application at a free port of loopback; gives its address."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    running = asyncio.create_task(server.serve([listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running


@dataclass
class MailServer:
    """Accepts mail, or answers every recipient with `refusal`."""

    refusal: str = ""
    mails: list[Any] = field(default_factory=list)

    async def handle_RCPT(self, _: SMTP, __: Session, envelope: Envelope, to: str, options: list[str]) -> str:  # noqa: N802
        if self.refusal:
            return self.refusal
        envelope.rcpt_tos.append(to)
        return "250 OK"

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:  # noqa: N802
        self.mails.append(parse(envelope))
        return "250 OK"

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: SMTP(self, enable_SMTPUTF8=True), "127.0.0.1", 0)
        try:
            yield f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()


Papers = dict[str, bytes | int]
"""`slip`, or a receipt's reference → the document, or the status of who keeps it."""


def identity(
    email: str | None, phone: str | None, filed: dict[str, str] | None = None, papers: Papers | None = None
) -> FastAPI:
    """What the other services answer to notification: a token, where somebody can be told, and documents."""
    app, papers = FastAPI(), papers if papers is not None else {}

    @app.post("/oauth/token")
    async def token() -> dict[str, Any]:
        return {"access_token": "of-notification", "expires_in": 300}

    @app.get("/api/v1/accounts/{ref}/contact")
    async def contact(ref: str, purpose: str) -> dict[str, Any]:
        return {"name": "Nguyễn Thị An", "email": email, "phone": phone}

    @app.get("/api/v1/dossiers/{code}/contact")
    async def filed_contact(code: str, purpose: str) -> dict[str, Any]:
        return {"sms_number": None, "phone": None, "email": None, **(filed or {})}

    @app.get("/api/v1/dossiers/{code}/slip/content")
    async def slip(code: str) -> Response:
        return _pdf(papers.get("slip"))

    @app.get("/api/v1/receipts/{ref}/content")
    async def receipt(ref: str) -> Response:
        return _pdf(papers.get(ref))

    return app


def _pdf(content: bytes | int | None) -> Response:
    if isinstance(content, int):
        return Response(status_code=content)
    return Response(content, media_type="application/pdf") if content else Response(status_code=404)
