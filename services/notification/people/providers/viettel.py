"""Text messages over Viettel's BulkSMS SOAP service (`wsCpMt` of http://impl.bulkSms.ws/).

Its public description knows no id of ours, no id of its own, and no delivery report. A repetition it knows by its
receiver and content (`DUPLICATE MESSAGE`), and our texts carry a dossier's code and a time.
"""

import re
from dataclasses import dataclass, field
from uuid import UUID
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import httpx2

from contracts.notification import FailureReason
from services.notification.people.providers import NotTaken, Unclear, Undeliverable
from services.notification.people.providers import http as over_http

NOT_ASKED_FOR = "4"
"""RequestID of a message that answers no message of the receiver's."""
WITHOUT_DIACRITICS = "0"
ENVELOPE = (
    '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
    'xmlns:impl="http://impl.bulkSms.ws/"><soapenv:Header/><soapenv:Body><impl:wsCpMt>{}</impl:wsCpMt>'
    "</soapenv:Body></soapenv:Envelope>"
)
TAKEN = "1"
REFUSED = "0"
SENT_BEFORE = "DUPLICATE MESSAGE"
FINAL = ("Check ReceiverID", "Unable to check telco from input receiver")
"""The number is none. What is wrong with user, brandname or content is ours to mend, and others may take it."""


@dataclass(frozen=True)
class Viettel:
    url: str
    user: str
    password: str = field(repr=False)
    cp_code: str
    brandname: str
    name: str = "viettel"
    http: httpx2.AsyncClient = field(default_factory=over_http.client, repr=False)

    async def send(self, message_id: UUID, phone: str, text: str, receipts: str | None) -> None:
        """Hand the text to the provider. It cannot be told the message's id, and tells nothing afterwards."""
        fields = {
            "User": self.user,
            "Password": self.password,
            "CPCode": self.cp_code,
            "RequestID": NOT_ASKED_FOR,
            "UserID": f"84{phone}",
            "ReceiverID": f"84{phone}",
            "ServiceID": self.brandname,
            "CommandCode": "bulksms",
            "Content": text.replace("&", "va"),  # the character is not allowed in a text
            "ContentType": WITHOUT_DIACRITICS,
        }
        body = ENVELOPE.format("".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items()))
        answer = await over_http.ask(self.http, self.url, body.encode(), "text/xml; charset=utf-8", SOAPAction='""')
        _judge(*_read(answer))


def _read(answer: bytes) -> tuple[str, str]:
    """(result, message). SOAP forbids document types, which is where every trick of XML begins."""
    if b"<!" in answer:
        raise Unclear("not an answer of wsCpMt")
    try:
        envelope = ElementTree.fromstring(answer)  # noqa: S314 (see above)
        found = {element.tag.rpartition("}")[2]: element.text or "" for element in envelope.iter()}
        return found["result"].strip(), found["message"].strip()
    except (ElementTree.ParseError, KeyError, ValueError):
        raise Unclear("not an answer of wsCpMt") from None


def _judge(result: str, message: str) -> None:
    code = re.sub(r"\d", "#", message)[:60]  # it may quote a number
    if result == TAKEN or SENT_BEFORE in message:
        return
    if message.startswith(FINAL):
        raise Undeliverable(FailureReason.REJECTED, code)
    raise NotTaken(code) if result == REFUSED else Unclear(code)
