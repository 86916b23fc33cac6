"""Makes a receipt's file once, from what was issued: after the payment, or when somebody asks before that.

Typesetting and signing cost 100 ms of CPU. They happen in one child process with a low priority, so that a storm of
payments is answered while its receipts follow.
"""

import asyncio
import hashlib
import os
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from multiprocessing import get_context, parent_process
from threading import Thread

from kit.clients import Answered, ServiceClient
from kit.db import Database
from kit.files import Files
from kit.problems import Unavailable
from services.payment import store as bills
from services.payment.receipts import document, store
from services.payment.receipts.store import Kept
from services.payment.settings import PaymentSettings

identity = ServiceClient("identity")
PDF = "application/pdf"


async def made(db: Database, files: Files, settings: PaymentSettings, kept: Kept) -> str:
    """The SHA-256 of the receipt's file. Made twice at once, the first stays."""
    if kept.sha256:
        return kept.sha256
    payer = await _payer(db, kept.dossier_code)
    pdf = await _in_child(kept, payer, settings)
    sha256 = hashlib.sha256(pdf).hexdigest()
    await files.put(f"clean/{sha256}", pdf, PDF)
    await store.made(db, kept.receipt.number, sha256)
    again = await store.read(db, kept.receipt.number.ref)
    return (again.sha256 if again else None) or sha256


async def _in_child(kept: Kept, payer: str, settings: PaymentSettings) -> bytes:
    loop = asyncio.get_running_loop()
    try:
        return await loop.run_in_executor(_child(), document.make, kept, payer, settings)
    except BrokenProcessPool as exc:
        _child.cache_clear()  # somebody ended the child: the next attempt begins another
        raise Unavailable from exc


@cache
def _child() -> ProcessPoolExecutor:
    """Begun with the first receipt, anew after so many: a process that makes documents for days should not grow."""
    return ProcessPoolExecutor(1, get_context("spawn"), _be_modest, max_tasks_per_child=1000)


def _be_modest() -> None:
    os.nice(10)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A service that is killed cannot end its child."""
    if parent := parent_process():
        parent.join()
        os._exit(1)


async def _payer(db: Database, dossier_code: str) -> str:
    """The name of whoever sent the dossier, asked for at this moment and not kept; without an account, its code."""
    bill = await bills.read(db, dossier_code)
    if bill is None or bill.submitter_ref is None:
        return f"Người nộp hồ sơ {dossier_code}"
    try:
        contact = await identity.get(f"/api/v1/accounts/{bill.submitter_ref}/contact", purpose="receipt")
    except Answered as no:
        if no.status != 404:
            raise
        return f"Người nộp hồ sơ {dossier_code}"
    return str(contact["name"])
