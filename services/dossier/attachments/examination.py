"""What becomes of an upload: read back from quarantine, looked at, and, when it is clean, kept for good.

First the virus scanner sees the bytes, then `sandbox` takes them apart and checks their signatures. The bytes that were
looked at are written to `clean/<sha256>`; the quarantined object is not copied there, because the sender's leave to
overwrite it may still run. Network and CPU work: never call it inside a transaction.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import structlog
from prometheus_client import Counter

from kit.clock import now
from kit.db import Database
from kit.files import Files, connect
from kit.settings import load
from kit.timers import Timer
from services.dossier.attachments import sandbox, store
from services.dossier.attachments.domain import SignatureReport, Upload, Verdict, quarantined
from services.dossier.attachments.inspection import Unfit
from services.dossier.attachments.providers.clamav import ClamAV
from services.dossier.attachments.signatures import TrustFiles
from services.dossier.settings import Settings

log = structlog.get_logger()

EXAMINED = Counter("motcua_uploads_examined_total", "Uploaded files that got a verdict", ["verdict"])
"""`infected` should raise an alarm: somebody tried, or somebody's machine is ill."""


async def examine(uploads: Sequence[Upload], db: Database, files: Files) -> list[Upload]:
    """The uploads with their verdicts, which are kept. Those that have one already are not looked at again.

    One that never came, or differs from what was declared, stays pending and says so in its `rule`: its sender may
    still send the right file. Unavailable when storage or scanner are away: nothing is lost, the call may be repeated.
    """
    return [await _examined(upload, db, files) for upload in uploads]


async def _examined(upload: Upload, db: Database, files: Files) -> Upload:
    if upload.verdict is not Verdict.PENDING:
        return upload
    data = await _quarantined(upload, files)
    if isinstance(data, Upload):
        return data
    judged = replace(await _looked_at(upload, data), examined_at=now())
    if judged.verdict is Verdict.CLEAN:
        await files.put(upload.clean_key, data, upload.content_type)
    await store.judge(db, judged)
    EXAMINED.labels(judged.verdict).inc()
    if judged.verdict is Verdict.INFECTED:
        await files.delete(upload.quarantine_key)
    return judged


async def _quarantined(upload: Upload, files: Files) -> bytes | Upload:
    """The bytes that were declared; the upload with what is wrong when they are not there."""
    stored = await files.stat(upload.quarantine_key)
    if stored is None:
        return replace(upload, rule="never_uploaded", message="chưa được tải lên")
    if stored.size == upload.size:
        data = await files.read(upload.quarantine_key, limit=upload.size)
        if hashlib.sha256(data).hexdigest() == upload.sha256:
            return data
    return replace(upload, rule="changed", message="không còn giống tệp đã chọn, xin tải lại")


async def _looked_at(upload: Upload, data: bytes) -> Upload:
    if virus := await ClamAV(load(Settings).scanner_url).scan(data):
        log.error("upload.infected", error=virus)
        return replace(upload, verdict=Verdict.INFECTED, rule="infected", message="có chứa mã độc, không thể nhận")
    try:
        answer = await sandbox.shared().parse(data, upload.content_type, _trust(), now())
    except Unfit as unfit:
        return replace(upload, verdict=Verdict.REFUSED, rule=unfit.rule, message=unfit.message)
    return replace(upload, verdict=Verdict.CLEAN, pages=answer.pages, report=answer.report)


async def verify(data: bytes, content_type: str, moment: datetime) -> SignatureReport:
    """What checking the signatures of a kept file gives now; lists of roots and revocations may be newer than its
    first check."""
    return (await sandbox.shared().parse(data, content_type, _trust(), moment)).report


async def pages_of(data: bytes, content_type: str) -> int:
    """The number of pages of a kept file."""
    return (await sandbox.shared().parse(data, content_type, _trust(), now())).pages


async def forget(_: Database, job: Timer) -> None:
    """A day after somebody got leave to send a file, what lies in quarantine is nobody's any more."""
    await connect(load(Settings)).delete(quarantined(job.key))


def _trust() -> TrustFiles:
    settings = load(Settings)
    return TrustFiles(
        public=str(settings.signer_roots or ""),
        official=str(settings.trust_roots or ""),
        revocation_lists=str(settings.revocation_lists or ""),
        must_know_revocation=settings.must_know_revocation,
    )
