"""The mail sink, used as a mail server is."""

import smtplib
from email.message import EmailMessage
from typing import Any

import httpx2

from tests.standins.conftest import Mail

PDF = b"%PDF-1.7\n%%EOF\n"


def letter(to: str, subject: str = "Hồ sơ đã được tiếp nhận") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "mot-cua@example.vn"
    message["To"] = to
    message["Subject"] = subject
    message["traceparent"] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    message.set_content("Kính gửi Ông/Bà,\nHồ sơ đã được tiếp nhận.\n")
    return message


def send(mail: Mail, message: EmailMessage) -> None:
    with smtplib.SMTP("127.0.0.1", mail.smtp_port) as client:
        client.send_message(message)


def received_by(mail: Mail, to: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = httpx2.get(f"{mail.address}/messages", params={"to": to}).json()
    return listed


def test_a_mail_is_received_with_its_diacritics(mail: Mail) -> None:
    send(mail, letter("an@example.vn"))

    (summary,) = received_by(mail, "an@example.vn")
    whole = httpx2.get(f"{mail.address}/messages/{summary['id']}").json()
    assert whole["subject"] == "Hồ sơ đã được tiếp nhận"
    assert whole["sender"] == "mot-cua@example.vn"
    assert whole["text"].startswith("Kính gửi Ông/Bà,\n")
    assert whole["headers"]["traceparent"].startswith("00-4bf92f")
    assert "Hồ sơ đã được tiếp nhận" in httpx2.get(f"{mail.address}/mail/{summary['id']}").text


def test_an_attachment_comes_back_byte_for_byte(mail: Mail) -> None:
    message = letter("binh@example.vn")
    message.add_attachment(PDF, maintype="application", subtype="pdf", filename="Giấy tiếp nhận.pdf")
    send(mail, message)

    (summary,) = received_by(mail, "binh@example.vn")
    (attachment,) = summary["attachments"]
    file = httpx2.get(f"{mail.address}/messages/{summary['id']}/attachments/0")
    assert attachment == {"name": "Giấy tiếp nhận.pdf", "content_type": "application/pdf", "size": len(PDF)}
    assert file.content == PDF
    assert httpx2.get(f"{mail.address}/messages/{summary['id']}/attachments/1").status_code == 404


def test_markup_in_a_mail_is_shown_as_text(mail: Mail) -> None:
    send(mail, letter("cuc@example.vn", subject="<script>alert(1)</script>"))

    page = httpx2.get(mail.address).text

    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_an_unknown_mail_is_not_found(mail: Mail) -> None:
    assert httpx2.get(f"{mail.address}/messages/unknown").status_code == 404
