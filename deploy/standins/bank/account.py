"""The collecting account: anybody's phone transfers by a VietQR code, and the bank's statement (camt.053) shows it."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from deploy.standins.common import VIET_NAM, now

router = APIRouter(prefix="/account")


@dataclass(frozen=True)
class Entry:
    number: str
    """AcctSvcrRef."""
    amount: int
    purpose: str
    at: datetime
    reversal: bool = False


@dataclass
class Account:
    number: str
    entries: list[Entry] = field(default_factory=list)


class Transfer(BaseModel):
    """A transfer as a banking app makes it: from a scanned code, or typed by hand."""

    model_config = ConfigDict(extra="forbid")

    qr: str = ""
    amount: int = Field(default=0, ge=0)
    """In đồng; what the code says, unless it is typed."""
    purpose: str = Field(default="", max_length=140)


@router.post("/transfers", status_code=201)
async def transfer(request: Request, asked: Transfer) -> dict[str, Any]:
    """The money is on the account at once; only the statement tells the merchant."""
    account: Account = request.app.state.account
    code = fields(asked.qr)
    amount = asked.amount or int(code.get("54", "0"))
    purpose = asked.purpose or fields(code.get("62", "")).get("08", "")
    entry = Entry(f"FT{secrets.randbelow(10**14):014d}", amount, f"NGUYEN THI AN chuyen tien {purpose}", now())
    account.entries.append(entry)
    if request.app.state.callbacks.behaviour.reversed:
        account.entries.append(Entry(f"{entry.number}R", amount, entry.purpose, now(), reversal=True))
    return {"number": entry.number, "amount": amount, "purpose": purpose}


def fields(text: str) -> dict[str, str]:
    """The tags of an EMVCo text (two digits tag, two digits length, value)."""
    found: dict[str, str] = {}
    while len(text) >= 4:
        tag, length = text[:2], int(text[2:4])
        found[tag], text = text[4 : 4 + length], text[4 + length :]
    return found


@router.get("/statement")
async def statement(request: Request) -> Response:
    """Everything on the account so far, as camt.053.001.08."""
    account: Account = request.app.state.account
    return Response("\n".join(_document(account)), media_type="application/xml")


def _document(account: Account) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><Stmt>'
    yield f"<Acct><Id><Othr><Id>{account.number}</Id></Othr></Id></Acct>"
    for entry in account.entries:
        local = entry.at.astimezone(VIET_NAM).isoformat(timespec="seconds")
        yield (
            f'<Ntry><Amt Ccy="VND">{entry.amount}</Amt>'
            f"<CdtDbtInd>{'DBIT' if entry.reversal else 'CRDT'}</CdtDbtInd>"
            f"<RvslInd>{'true' if entry.reversal else 'false'}</RvslInd><Sts><Cd>BOOK</Cd></Sts>"
            f"<BookgDt><DtTm>{local}</DtTm></BookgDt><AcctSvcrRef>{entry.number}</AcctSvcrRef>"
            f"<NtryDtls><TxDtls><RmtInf><Ustrd>{escape(entry.purpose)}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>"
        )
    yield "</Stmt></BkToCstmrStmt></Document>"
