"""What becomes of an upload: read back from quarantine, looked at, and, when it is clean, kept for good.

The bytes that were looked at are written to `clean/<sha256>`; the quarantined object is not copied there, because the
sender's leave to overwrite it may still run. Network and CPU work: never call it inside a transaction.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import replace

from kit.clock import now
from kit.db import Database
from kit.files import Files
from services.dossier.attachments import store
from services.dossier.attachments.domain import Upload, Verdict
from services.dossier.attachments.inspection import Unfit, inspect


async def examine(uploads: Sequence[Upload], db: Database, files: Files) -> list[Upload]:
    """The uploads with their verdicts, which are kept. Those that have one already are not looked at again.

    One that never came, or differs from what was declared, stays pending and says so in its `rule`: its sender may
    still send the right file. Unavailable when storage is away: nothing is lost, and the call may be repeated.
    """
    return [await _examined(upload, db, files) for upload in uploads]


async def _examined(upload: Upload, db: Database, files: Files) -> Upload:
    if upload.verdict is not Verdict.PENDING:
        return upload
    data = await _quarantined(upload, files)
    if isinstance(data, Upload):
        return data
    judged = await _looked_at(upload, data)
    if judged.verdict is Verdict.CLEAN:
        await files.put(upload.clean_key, data, upload.content_type)
    await store.judge(db, judged)
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
    moment = now()
    try:
        pages = await asyncio.to_thread(inspect, data, upload.content_type)
    except Unfit as unfit:
        return replace(
            upload, verdict=Verdict.REFUSED, rule=unfit.rule, message=unfit.message, examined_at=moment
        )  # fmt: skip
    return replace(upload, verdict=Verdict.CLEAN, pages=pages, examined_at=moment)
