"""E-mail over SMTP."""

import re
from email.charset import QP, Charset
from email.header import Header
from email.mime.application import MIMEApplication
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import format_datetime
from urllib.parse import unquote, urlsplit
from uuid import UUID

import aiosmtplib

from contracts.notification import FailureReason
from kit.clock import now
from services.notification.people.clients import Document
from services.notification.people.domain import LOCAL, Letter
from services.notification.people.providers import NotTaken, Unclear, Undeliverable
from services.notification.settings import Settings

TIMEOUT = 20.0
"""Seconds for the whole conversation; a job's lease is longer."""


MAILBOX = re.compile(r"[^\s@<>,;:\"()\[\]\\]{1,64}@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}")
"""What mail can be sent to: one mailbox, no display name, nothing that would add a header or a second recipient."""


def address(mailbox: str) -> str:
    """The mailbox as it is written on the envelope; Undeliverable for what is none."""
    stripped = mailbox.strip()
    if len(stripped) <= 254 and MAILBOX.fullmatch(stripped):
        return stripped
    raise Undeliverable(FailureReason.REJECTED, "not a mailbox")


async def send(
    settings: Settings, host: str, message_id: UUID, address: str, letter: Letter, document: Document | None = None
) -> None:
    """Hand the letter to the mail server. Its Message-ID is the message's own, so a repetition is recognised.

    Undeliverable: the mailbox or the letter is refused for good (5xx). A refusal for reasons of policy (5.7.x: our
    server is not trusted) is ours to mend, so the letter is tried again like after a 4xx.
    """
    server = urlsplit(settings.smtp_url)
    try:
        await aiosmtplib.send(
            _mail(settings.mail_from or f"khong-tra-loi@{host}", host, message_id, address, letter, document),
            hostname=server.hostname,
            port=server.port,
            username=unquote(server.username) if server.username else None,
            password=unquote(server.password) if server.password else None,
            use_tls=server.scheme == "smtps",
            timeout=TIMEOUT,
        )
    except (aiosmtplib.SMTPException, OSError) as exc:
        raise _meaning(exc) from None  # what a mail server says may name the address


def _meaning(exc: Exception) -> Exception:
    match exc:
        case aiosmtplib.SMTPRecipientsRefused():
            return _judge(exc.recipients[0].code, exc.recipients[0].message)
        case aiosmtplib.SMTPDataError():
            return _judge(exc.code, exc.message)
        case aiosmtplib.SMTPResponseException():
            return NotTaken(str(exc.code))
        case aiosmtplib.SMTPConnectError():
            return NotTaken(type(exc).__name__)
        case _:
            return Unclear(type(exc).__name__)


def _judge(code: int, said: str) -> Exception:
    if code >= 500 and not said.startswith("5.7."):
        return Undeliverable(FailureReason.REJECTED, str(code))
    return NotTaken(str(code))


_UTF8 = Charset("utf-8")
_UTF8.body_encoding = QP


def _mail(
    sender: str, host: str, message_id: UUID, address: str, letter: Letter, document: Document | None
) -> MIMEBase:
    """Not EmailMessage: it loses a space where it breaks a long subject in Vietnamese into two encoded words."""
    text = MIMEText(letter.body, _charset=_UTF8)  # type: ignore[arg-type]  # the stub knows the name only
    mail = _with(text, document) if document else text
    mail["From"], mail["To"] = sender, address
    mail["Subject"] = Header(letter.subject, "utf-8")  # type: ignore[assignment]  # the stub knows str only
    mail["Date"] = format_datetime(now().astimezone(LOCAL))
    mail["Message-ID"] = f"<{message_id}@{host}>"
    mail["Auto-Submitted"] = "auto-generated"
    return mail


def _with(text: MIMEText, document: Document) -> MIMEBase:
    attached = MIMEApplication(document.content, "pdf")
    attached.add_header("Content-Disposition", "attachment", filename=document.name)
    return MIMEMultipart("mixed", _subparts=[text, attached])
