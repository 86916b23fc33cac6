"""The bank's statement of an account as ISO 20022 camt.053, any version: money that came in, and what went back.

An entry's transfer is known by `AcctSvcrRef`, its purpose by `RmtInf/Ustrd`; our reference is looked for in the
purpose, because banks put text of their own around it. Only đồng, only booked entries (`BOOK`).
"""

import re
from collections.abc import Iterator
from datetime import date, datetime, time

from lxml import etree

from services.payment.ledger.domain import Movement
from services.payment.receipts.domain import VIET_NAM
from services.payment.reconciliation.domain import Line, StatementUnreadable

REFERENCE = re.compile(r"MC[A-Z2-7]{12}")
"""As `providers.vietqr` makes them."""
LARGEST = 50 * 1024 * 1024


def read(data: bytes) -> list[Line]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as exc:
        raise StatementUnreadable(exc.lineno or 1, "không phải XML hợp lệ") from exc
    if etree.QName(root).localname != "Document" or root.find(".//{*}BkToCstmrStmt") is None:
        raise StatementUnreadable(1, "không phải sao kê camt.053")
    return [line for entry in root.iterfind(".//{*}Stmt/{*}Ntry") for line in _lines(entry)]


def _lines(entry: etree._Element) -> Iterator[Line]:
    if _text(entry, "{*}Sts/{*}Cd") == "PDNG" or _text(entry, "{*}Sts") == "PDNG":
        return
    place = entry.sourceline or 1
    credit = _needed(entry, "{*}CdtDbtInd", place) == "CRDT"
    reversal = _text(entry, "{*}RvslInd") == "true"
    if not credit and not reversal:
        return  # what we paid out is not a payer's business
    purpose = " ".join(found.text or "" for found in entry.iterfind(".//{*}RmtInf/{*}Ustrd"))
    reference = REFERENCE.search(purpose.upper().replace(" ", ""))
    yield Line(
        place=place,
        movement=Movement.REVERSAL if reversal else Movement.CAPTURE,
        transaction=_text(entry, ".//{*}AcctSvcrRef") or _needed(entry, "{*}NtryRef", place),
        reference=reference.group() if reference else "",
        amount=_amount(entry, place),
        moved_at=_moment(entry, place),
        settled_on=None,
    )


def _amount(entry: etree._Element, place: int) -> int:
    amount = entry.find("{*}Amt")
    text = (amount.text or "") if amount is not None else ""
    whole, _, decimals = text.strip().partition(".")
    if amount is None or amount.get("Ccy") != "VND" or not whole.isdecimal() or decimals.strip("0") or not int(whole):
        raise StatementUnreadable(place, "số tiền phải là số nguyên đồng (VND) lớn hơn 0")
    return int(whole)


def _moment(entry: etree._Element, place: int) -> datetime:
    stamp, day = _text(entry, "{*}BookgDt/{*}DtTm"), _text(entry, "{*}BookgDt/{*}Dt")
    try:
        if stamp:
            moment = datetime.fromisoformat(stamp)
            return moment if moment.tzinfo else moment.replace(tzinfo=VIET_NAM)
        return datetime.combine(date.fromisoformat(day), time(12), VIET_NAM)
    except ValueError as exc:
        raise StatementUnreadable(place, "thiếu hoặc sai ngày ghi sổ (BookgDt)") from exc


def _text(entry: etree._Element, path: str) -> str:
    return (entry.findtext(path) or "").strip()


def _needed(entry: etree._Element, path: str, place: int) -> str:
    if not (text := _text(entry, path)):
        raise StatementUnreadable(place, f"thiếu {path.rpartition('}')[2]}")
    return text
