"""E-mail over SMTP."""

from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import unquote, urlsplit
from uuid import UUID

import aiosmtplib

from contracts.notification import FailureReason
from kit.clock import now
from services.notification.domain import LOCAL, Letter
from services.notification.providers import Undeliverable
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


def _mail(sender: str, host: str, message_id: UUID, address: str, letter: Letter) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, address, letter.subject
    mail["Date"] = format_datetime(now().astimezone(LOCAL))
    mail["Message-ID"] = f"<{message_id}@{host}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(letter.body)
    return mail
