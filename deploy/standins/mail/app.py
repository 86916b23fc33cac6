"""The SMTP server and the list of what it received, in one process."""

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Annotated, Any
from urllib.parse import quote

from aiosmtpd.smtp import SMTP, Envelope, Session
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response

from deploy.standins.common import Recent, now, page, standin

MAX_MESSAGE = 25 * 1024 * 1024
MAX_MESSAGES = 500

router = APIRouter()


@dataclass(frozen=True)
class Attachment:
    name: str
    content_type: str
    content: bytes

    @property
    def size(self) -> int:
        return len(self.content)

    def summary(self) -> dict[str, Any]:
        return {"name": self.name, "content_type": self.content_type, "size": self.size}


@dataclass(frozen=True)
class Mail:
    """A message as it arrived; sender and recipients are those of the envelope."""

    id: str
    sender: str
    recipients: list[str]
    subject: str
    text: str
    html: str | None
    headers: dict[str, str]
    attachments: list[Attachment]
    received_at: datetime

    def summary(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "sender": self.sender,
            "recipients": self.recipients,
            "subject": self.subject,
            "received_at": self.received_at,
            "attachments": [attachment.summary() for attachment in self.attachments],
        }

    def whole(self) -> dict[str, Any]:
        return {**self.summary(), "text": self.text, "html": self.html, "headers": self.headers}


class Box:
    """The handler of aiosmtpd: keeps every message."""

    def __init__(self) -> None:
        self.mails: Recent[Mail] = Recent(MAX_MESSAGES)

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:  # noqa: N802 (aiosmtpd's name)
        mail = parse(envelope)
        self.mails[mail.id] = mail
        return f"250 OK: {mail.id}"


def parse(envelope: Envelope) -> Mail:
    message = message_from_bytes(envelope.original_content or b"", policy=policy.default)
    return Mail(
        id=secrets.token_hex(8),
        sender=envelope.mail_from or "",
        recipients=list(envelope.rcpt_tos),
        subject=str(message.get("subject", "")),
        text=_body(message, "plain") or "",
        html=_body(message, "html"),
        headers={name: str(value) for name, value in message.items()},
        attachments=[_attachment(part) for part in message.iter_attachments()],
        received_at=now(),
    )


def _body(message: EmailMessage, kind: str) -> str | None:
    part = message.get_body((kind,))
    return None if part is None else str(part.get_content()).replace("\r\n", "\n")


def _attachment(part: EmailMessage) -> Attachment:
    content = part.get_payload(decode=True)
    whole = content if isinstance(content, bytes) else part.as_bytes()
    return Attachment(part.get_filename() or "khong-ten", part.get_content_type(), whole)


def create(smtp: socket.socket) -> FastAPI:
    """The application; while it lives, mail is accepted on the bound socket."""
    box = Box()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        server = await asyncio.get_running_loop().create_server(lambda: _protocol(box), sock=smtp)
        try:
            yield
        finally:
            server.close()

    app = standin("mail", lifespan)
    app.state.box = box
    app.include_router(router)
    return app


def _protocol(box: Box) -> SMTP:
    return SMTP(box, hostname="mail.example.vn", enable_SMTPUTF8=True, data_size_limit=MAX_MESSAGE)


def _box(request: Request) -> Box:
    box: Box = request.app.state.box
    return box


def _mail(mail_id: str, box: Annotated[Box, Depends(_box)]) -> Mail:
    mail = box.mails.get(mail_id)
    if mail is None:
        raise HTTPException(404, "Không có thư này.")
    return mail


TheBox = Annotated[Box, Depends(_box)]
TheMail = Annotated[Mail, Depends(_mail)]


@router.get("/messages")
async def messages(box: TheBox, to: str = "") -> list[dict[str, Any]]:
    return [mail.summary() for mail in box.mails.newest_first() if not to or to in mail.recipients]


@router.get("/messages/{mail_id}")
async def message(mail: TheMail) -> dict[str, Any]:
    return mail.whole()


@router.get("/messages/{mail_id}/attachments/{index}")
async def attachment(mail: TheMail, index: int) -> Response:
    if not 0 <= index < len(mail.attachments):
        raise HTTPException(404, "Không có tệp này.")
    found = mail.attachments[index]
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(found.name)}",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(found.content, media_type=found.content_type, headers=headers)


@router.get("/")
async def show(box: TheBox) -> Response:
    return page("mail.html", messages=box.mails.newest_first())


@router.get("/mail/{mail_id}")
async def show_one(mail: TheMail) -> Response:
    return page("mail_message.html", message=mail)
