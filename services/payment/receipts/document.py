"""The file of a receipt: typeset by typst as tagged PDF/A, then sealed by the collecting agency (PAdES).

Everything here computes for about 100 ms: call it in a thread, never inside a transaction.
"""

# mypy: disallow-untyped-calls=False
# pyHanko annotates only part of what it offers.

import json
from functools import cache
from io import BytesIO
from pathlib import Path

import segno
import structlog
import typst
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers

from contracts.money import FeeKind
from kit.problems import Unavailable
from services.payment.receipts.domain import VIET_NAM
from services.payment.receipts.store import Kept
from services.payment.settings import PaymentSettings
from services.payment.words import dong, in_words

TEMPLATE = Path(__file__).parent / "forms/bien-lai.typ"
TITLES = {FeeKind.PHI: "Biên lai thu phí", FeeKind.LE_PHI: "Biên lai thu lệ phí"}

log = structlog.get_logger()


def make(kept: Kept, payer: str, settings: PaymentSettings) -> bytes:
    """The signed receipt. `payer` is printed and kept nowhere else. Unavailable without the agency's seal."""
    signer = _seal(settings.seal_p12, settings.p12_password.get_secret_value())
    writer = IncrementalPdfFileWriter(BytesIO(_typeset(kept, payer, settings)))
    metadata = signers.PdfSignatureMetadata(
        field_name="CoQuanThu", md_algorithm="sha256", subfilter=fields.SigSeedSubFilter.PADES,
        reason=f"Phát hành biên lai số {kept.receipt.number}",
    )  # fmt: skip
    out = BytesIO()
    signers.PdfSigner(metadata, signer=signer).sign_pdf(writer, output=out)
    return out.getvalue()


@cache
def _seal(path: Path | None, password: str) -> signers.SimpleSigner:
    signer = signers.SimpleSigner.load_pkcs12(str(path), passphrase=password.encode()) if path else None
    if not isinstance(signer, signers.SimpleSigner):
        log.error("receipt.seal_unusable", path=str(path))
        raise Unavailable("Khóa ký số của cơ quan thu chưa sẵn sàng")
    return signer


def _typeset(kept: Kept, payer: str, settings: PaymentSettings) -> bytes:
    receipt, number = kept.receipt, kept.receipt.number
    local = receipt.issued_at.astimezone(VIET_NAM)
    facts = {
        "title": TITLES[number.kind],
        "collector": settings.collector,
        "tax_code": settings.collector_tax_code,
        "form_symbol": number.form_symbol,
        "symbol": number.symbol,
        "number": str(number),
        "payer": payer,
        "dossier": kept.dossier_code,
        "lines": [
            {"name": line.name, "price": dong(line.unit_price), "quantity": line.quantity, "amount": dong(line.amount)}
            for line in receipt.lines
        ],
        "amount": dong(receipt.amount),
        "words": in_words(receipt.amount).capitalize(),
        "date": f"Ngày {local:%d} tháng {local:%m} năm {local:%Y}",
        "time": f"{local:%H:%M %d/%m/%Y}",
        "qr": segno.make(f"{number.ref}|{kept.dossier_code}|{receipt.amount}", error="m").svg_inline(scale=3),
    }
    made: bytes = typst.compile(
        TEMPLATE, root=TEMPLATE.parent, ignore_system_fonts=True, format="pdf",
        sys_inputs={"facts": json.dumps(facts, ensure_ascii=False)}, pdf_standards=["a-2a", "ua-1"],
        timestamp=receipt.issued_at.replace(microsecond=0),
    )  # fmt: skip
    return made
