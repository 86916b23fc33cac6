"""Viettel's BulkSMS service as its users see it: one SOAP operation, `wsCpMt`."""

import hmac
from dataclasses import dataclass, field, fields
from xml.etree import ElementTree
from xml.sax.saxutils import escape

LONGEST = 480
"""Characters of a text without diacritics."""
FAULT = (
    '<?xml version="1.0" ?><S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body><S:Fault>'
    "<faultcode>S:Client</faultcode><faultstring>Couldn't create SOAP message</faultstring></S:Fault>"
    "</S:Body></S:Envelope>"
)


@dataclass(frozen=True)
class Contract:
    """What the sender must show."""

    user: str
    password: str = field(repr=False)
    cp_code: str


@dataclass(frozen=True)
class Asked:
    """The parameters of `wsCpMt`."""

    User: str = ""
    Password: str = field(default="", repr=False)
    CPCode: str = ""
    RequestID: str = ""
    UserID: str = ""
    ReceiverID: str = ""
    ServiceID: str = ""
    CommandCode: str = ""
    Content: str = ""
    ContentType: str = ""


def read(body: bytes) -> Asked | None:
    """The parameters; None for what is no such question."""
    if b"<!" in body:
        return None
    try:
        envelope = ElementTree.fromstring(body)  # noqa: S314 (without a document type it is harmless)
    except ElementTree.ParseError:
        return None
    asked = envelope.find(".//{http://impl.bulkSms.ws/}wsCpMt")
    known = {one.name for one in fields(Asked)}
    return None if asked is None else Asked(**{one.tag: one.text or "" for one in asked if one.tag in known})


def answer(result: str, message: str) -> str:
    return (
        '<?xml version="1.0" ?><S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body>'
        '<ns2:wsCpMtResponse xmlns:ns2="http://impl.bulkSms.ws/"><return>'
        f"<message>{escape(message)}</message><result>{escape(result)}</result>"
        "</return></ns2:wsCpMtResponse></S:Body></S:Envelope>"
    )


def problem(asked: Asked, contract: Contract) -> str | None:
    """What Viettel finds wrong, in its words."""
    if not _knows(asked, contract):
        return "Authenticate: WRONG_INFORMATION_AUTHENTICATE"
    if not asked.RequestID.isdecimal():
        return "Check RequestID: REQUEST_ID_NOT_NUMBER"
    if not (asked.ReceiverID.isdecimal() and asked.ReceiverID.startswith("84") and len(asked.ReceiverID) == 11):
        return "Check ReceiverID: FORMAT_ERROR"
    if asked.UserID != asked.ReceiverID:
        return "UserID_NOT_EQUAL_ReceiverID"
    if not asked.ServiceID:
        return "Check ServiceID: ALIAS_INVALID:TELCO=VT"
    if asked.CommandCode != "bulksms":
        return "Check CommandCode: COMMAND_CODE_ERROR"
    return _problem_of(asked.Content)


def _problem_of(content: str) -> str | None:
    if not content:
        return "Check Content: NULL_OR_BLANK"
    if len(content) > LONGEST:
        return f"Check Content: MAXLENGTH_LIMIT_{LONGEST}_BYTE (YOUR_CONTENT: {len(content)} BYTE)"
    return "Check Content: MSG_ERROR_CONTAIN_BLACKLIST" if "&" in content else None


def _knows(asked: Asked, contract: Contract) -> bool:
    shown = f"{asked.User}\0{asked.Password}\0{asked.CPCode}".encode()
    return bool(contract.user) and hmac.compare_digest(
        shown, f"{contract.user}\0{contract.password}\0{contract.cp_code}".encode()
    )
