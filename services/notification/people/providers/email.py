"""E-mail over SMTP."""

from email.charset import QP, Charset
from email.header import Header
from email.mime.text import MIMEText
from email.utils import format_datetime
from urllib.parse import unquote, urlsplit
from uuid import UUID

import aiosmtplib

from contracts.notification import FailureReason
from kit.clock import now
from services.notification.people.domain import LOCAL, Letter
from services.notification.people.providers import Undeliverable
from services.notification.settings import Settings

TIMEOUT = 20.0
"""Seconds for the whole conversation; a job's lease is longer."""


async def send(settings: Settings, host: str, message_id: UUID, address: str, letter: Letter) -> None:
    """Hand the letter to the mail server. Its Message-ID is the message's own, so a repetition is recognised."""
    server = urlsplit(settings.smtp_url)
    try:
        await aiosmtplib.send(
            _mail(settings.mail_from or f"khong-tra-loi@{host}", host, message_id, address, letter),
            hostname=server.hostname,
            port=server.port,
            username=unquote(server.username) if server.username else None,
            password=unquote(server.password) if server.password else None,
            use_tls=server.scheme == "smtps",
            timeout=TIMEOUT,
        )
    except aiosmtplib.SMTPRecipientsRefused as refused:
        if all(_final(one.code) for one in refused.recipients):
            raise Undeliverable(FailureReason.REJECTED) from None  # the refusal names the address
        raise aiosmtplib.SMTPException("recipient refused for now") from None


def _final(code: int) -> bool:
    return code >= 500


_UTF8 = Charset("utf-8")
_UTF8.body_encoding = QP


def _mail(sender: str, host: str, message_id: UUID, address: str, letter: Letter) -> MIMEText:
    """Not EmailMessage: it loses a space where it breaks a long subject in Vietnamese into two encoded words."""
    mail = MIMEText(letter.body, _charset=_UTF8)  # type: ignore[arg-type]  # the stub knows the name only
    mail["From"], mail["To"] = sender, address
    mail["Subject"] = Header(letter.subject, "utf-8")  # type: ignore[assignment]  # the stub knows str only
    mail["Date"] = format_datetime(now().astimezone(LOCAL))
    mail["Message-ID"] = f"<{message_id}@{host}>"
    mail["Auto-Submitted"] = "auto-generated"
    return mail
