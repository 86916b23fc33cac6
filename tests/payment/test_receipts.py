"""Receipts: who sees them, what their files are, and that a number is never lost."""

import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from uuid import UUID

import httpx2
import psutil
from asn1crypto import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import async_validate_pdf_signature
from pyhanko_certvalidator import ValidationContext
from pypdf import PdfReader

from deploy.local.places import ROOT
from tests.dossier.office import Issued
from tests.payment.counter import COPIES, OWNER, SEARCH, SUBMITTER, Counter, acceptance

REASON = {"reason": "Ghi sai mức thu, đã lập biên lai khác"}


async def test_receipts_are_for_the_owner_the_submitter_and_the_unit(payment: Counter) -> None:
    code, _ = await payment.paid(COPIES, SEARCH)

    for who in (payment.citizen(OWNER), payment.citizen(SUBMITTER), payment.officer("desk")):
        found = await payment.call("GET", f"/dossiers/{code}/receipts", who)
        assert [(r["receipt_no"], r["kind"], r["amount_in_words"]) for r in found] == [
            ("0000001", "le_phi", "mười sáu nghìn đồng"),
            ("0000001", "phi", "năm nghìn đồng"),
        ]
    for stranger in (payment.citizen(UUID(int=9)), payment.officer("desk", unit="H99.02.02")):
        await payment.call("GET", f"/dossiers/{code}/receipts", stranger, 403)
        await payment.call("GET", f"/receipts/{found[0]['ref']}/file", stranger, 403)


async def test_receipts_are_not_public(payment: Counter) -> None:
    code, _ = await payment.paid()

    await payment.call("GET", f"/dossiers/{code}/receipts", {}, 401)


async def test_an_unknown_dossier_looks_like_a_strangers(payment: Counter) -> None:
    await payment.call("GET", "/dossiers/X/receipts", payment.citizen(OWNER), 403)
    await payment.call("GET", "/receipts/LA-26E.2026.0000001/file", payment.citizen(OWNER), 403)
    await payment.call("GET", "/receipts/nonsense/file", payment.citizen(OWNER), 422)


async def test_the_file_shows_amount_in_words_and_carries_the_seal(payment: Counter, authority: Issued) -> None:
    code = "H99.02.01-261122-0777"
    await payment.hears(acceptance(code, COPIES, version=1))  # from the desk: nobody with an account sent it
    await payment.db.execute("UPDATE bill SET unit = 'H99.02.01'")
    assert await payment.vnpay_says((await payment.begins(code, "vnpay"))["reference"]) == "00"
    (receipt,) = await payment.call("GET", f"/dossiers/{code}/receipts", payment.officer("desk"))

    await payment.fire("receipt.file")
    link = await payment.call("GET", f"/receipts/{receipt['ref']}/file", payment.officer("desk"))

    async with httpx2.AsyncClient() as browser:
        pdf = (await browser.get(link["url"])).content
    content = f"/api/v1/receipts/{receipt['ref']}/content"
    notification = payment.identity.token(UUID(int=1), "system", sub="notification", aud="payment")
    assert (await payment.http.get(content, headers=notification)).content == pdf
    assert (await payment.http.get(content, headers=payment.officer("desk"))).status_code == 403
    text = " ".join(PdfReader(BytesIO(pdf)).pages[0].extract_text().split())
    for said in ("BIÊN LAI THU LỆ PHÍ", "0000001", code, "16.000 đ", "Mười sáu nghìn đồng", "9900000001-001"):
        assert said in text, said
    (signature,) = PdfFileReader(BytesIO(pdf)).embedded_signatures
    root = x509.Certificate.load(authority[0].public_bytes(Encoding.DER))
    context = ValidationContext(trust_roots=[root], allow_fetching=False)
    assert (await async_validate_pdf_signature(signature, context)).bottom_line


async def test_a_cancelled_receipt_keeps_its_number(payment: Counter) -> None:
    code, _ = await payment.paid()
    (receipt,) = await payment.call("GET", f"/dossiers/{code}/receipts", payment.officer("desk"))
    path = f"/receipts/{receipt['ref']}/cancellation"

    await payment.call("POST", path, payment.officer("desk"), 403, json=REASON)
    await payment.call("POST", path, payment.officer("cashier", unit="H99.02.02"), 404, json=REASON)
    cancelled = await payment.call("POST", path, payment.officer("cashier"), json=REASON)
    assert cancelled["cancelled_at"]
    notification = payment.identity.token(UUID(int=1), "system", sub="notification", aud="payment")
    await payment.call("GET", f"/receipts/{receipt['ref']}/content", notification, 404)
    await payment.call("POST", path, payment.officer("cashier"), 409, json=REASON)

    await payment.paid()
    rows = await payment.db.fetch("SELECT number, state FROM receipt ORDER BY number")
    assert [tuple(row) for row in rows] == [(1, "cancelled"), (2, "issued")]


CHILD = """
import os, time
from services.payment.receipts.making import _child
if __name__ == "__main__":
    print(_child().submit(os.getpid).result(), flush=True)
    time.sleep(600)
"""


def test_a_service_that_is_killed_leaves_no_child_behind(tmp_path: Path) -> None:
    (tmp_path / "killed.py").write_text(CHILD)
    command = [sys.executable, str(tmp_path / "killed.py")]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout
        child = psutil.Process(int(service.stdout.readline()))
        service.kill()
    assert psutil.wait_procs([child], 10)[1] == []
