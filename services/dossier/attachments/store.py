"""Uploads, and the files of a dossier that they become."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import TypeAdapter

from contracts.dossier import ComponentSource, SignatureStatus
from kit import timers
from kit.db import Connection, Database
from kit.problems import NotFound
from services.dossier.attachments.domain import (
    QUARANTINED,
    ComponentFile,
    SignatureCheck,
    SignatureReport,
    Upload,
    Verdict,
    VerifiedBy,
    by_machine,
)

REPORT = TypeAdapter(SignatureReport)

FORGET = "forget_quarantined"
"""The job that removes what was sent to quarantine, its id the key."""

ADD = """
INSERT INTO upload (id, draft_id, dossier_code, component_code, file_name, content_type, size, sha256, created_at,
    uploaded_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""


async def add(tx: Connection, upload: Upload) -> None:
    """An upload that is about to be sent; what comes to quarantine is removed after `QUARANTINED`."""
    await tx.execute(
        ADD, upload.id, upload.draft_id, upload.dossier_code, upload.component_code, upload.file_name,
        upload.content_type, upload.size, upload.sha256, upload.created_at, upload.uploaded_by,
    )  # fmt: skip
    await timers.schedule(tx, FORGET, str(upload.id), upload.created_at + QUARANTINED)


DROP = """
DELETE FROM upload
WHERE id = $1 AND (draft_id = $2 OR dossier_code = $3) AND ($4::uuid IS NULL OR uploaded_by = $4)
"""


async def drop(
    tx: Connection,
    upload_id: UUID,
    *,
    draft_id: UUID | None = None,
    dossier_code: str | None = None,
    uploaded_by: UUID | None = None,
) -> None:
    """Forget an upload of that draft, or that dossier (there only one's own). A file of a dossier stays its file."""
    await tx.execute(DROP, upload_id, draft_id, dossier_code, uploaded_by)


UPLOADS = """
SELECT id, draft_id, dossier_code, component_code, file_name, content_type, size, sha256, created_at, uploaded_by,
    verdict, rule, message, pages, examined_at, report
FROM upload WHERE draft_id = $1 OR dossier_code = $2 ORDER BY created_at, id
"""


async def uploads_of(
    db: Database | Connection, draft_id: UUID | None = None, *, dossier_code: str | None = None
) -> list[Upload]:
    """Everything declared for the draft or the dossier, oldest first.

    Those of a dossier are what was sent after it was: for a supplement, or as scans of the desk. `ComponentFile`s that
    were made of them share their id.
    """
    return [_upload(row) for row in await db.fetch(UPLOADS, draft_id, dossier_code)]


def _upload(row: asyncpg.Record) -> Upload:
    fields: dict[str, Any] = dict(row)
    report = fields["report"] and REPORT.validate_python(fields["report"])
    return Upload(**{**fields, "verdict": Verdict(fields["verdict"]), "report": report})


async def upload(
    db: Database | Connection, upload_id: UUID, *, draft_id: UUID | None = None, dossier_code: str | None = None
) -> Upload:
    """One upload of that draft or dossier; NotFound when it has none with that id."""
    for found in await uploads_of(db, draft_id, dossier_code=dossier_code):
        if found.id == upload_id:
            return found
    raise NotFound("Không có tệp này")


# The first verdict stays: two that examine at once look at the same bytes.
JUDGE = """
UPDATE upload SET verdict = $2, rule = $3, message = $4, pages = $5, examined_at = $6, report = $7
WHERE id = $1 AND verdict = 'pending'
"""


async def judge(db: Database | Connection, upload: Upload) -> None:
    """Keep what examining found."""
    await db.execute(
        JUDGE, upload.id, upload.verdict, upload.rule, upload.message, upload.pages, upload.examined_at,
        upload.report and REPORT.dump_python(upload.report, mode="json"),
    )  # fmt: skip


# ── files of a dossier ────────────────────────────────────────────────────────────────────────────────────────

ADD_FILE = """
INSERT INTO component_file
    (id, dossier_code, component_code, file_name, content_type, size, sha256, pages, source, since_version)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""


async def add_files(tx: Connection, code: str, version: int, files: Sequence[ComponentFile]) -> None:
    """The files that the dossier has from this version of it on, in place of older ones of the same components, with
    the machine's checks of their signatures."""
    rows = [
        (file.id, code, file.component_code, file.file_name, file.content_type, file.size, file.sha256, file.pages,
         file.source, version)
        for file in files
    ]  # fmt: skip
    await tx.executemany(ADD_FILE, rows)
    await add_checks(tx, *[by_machine(file, file.report) for file in files if file.report])


FILES = """
SELECT f.id, component_code, file_name, content_type, size, sha256, pages, source,
    coalesce(c.status, 'not_signed') AS signed, c.id IS NOT NULL AS is_checked
FROM component_file f
LEFT JOIN LATERAL (SELECT id, status FROM signature_check WHERE sha256 = f.sha256 ORDER BY id DESC LIMIT 1) c ON true
WHERE dossier_code = $1 AND since_version = (
    SELECT max(since_version) FROM component_file n
    WHERE n.dossier_code = f.dossier_code AND n.component_code = f.component_code)
ORDER BY component_code, f.id
"""
EVERY_FILE = """
SELECT f.id, component_code, file_name, content_type, size, sha256, pages, source,
    coalesce(c.status, 'not_signed') AS signed, c.id IS NOT NULL AS is_checked
FROM component_file f
LEFT JOIN LATERAL (SELECT id, status FROM signature_check WHERE sha256 = f.sha256 ORDER BY id DESC LIMIT 1) c ON true
WHERE dossier_code = $1 ORDER BY component_code, since_version, f.id
"""


async def files_of(db: Database | Connection, code: str) -> list[ComponentFile]:
    """The dossier's files as they are now: of every component its newest version."""
    return [_file(row) for row in await db.fetch(FILES, code)]


async def every_file_of(db: Database | Connection, code: str) -> list[ComponentFile]:
    """The dossier's files with those that newer ones took the place of, oldest first."""
    return [_file(row) for row in await db.fetch(EVERY_FILE, code)]


def _file(row: asyncpg.Record) -> ComponentFile:
    file = ComponentFile(**dict(row))
    return replace(file, source=ComponentSource(file.source), signed=SignatureStatus(file.signed))


async def file(db: Database | Connection, code: str, file_id: UUID) -> ComponentFile:
    """One file of the dossier, of whichever version; NotFound when it has none with that id."""
    for found in await every_file_of(db, code):
        if found.id == file_id:
            return found
    raise NotFound("Hồ sơ không có tệp này")


# ── checks of signatures ──────────────────────────────────────────────────────────────────────────────────────

ADD_CHECK = """
INSERT INTO signature_check (sha256, status, verified_by, verified_at, officer_ref, note, report)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""


async def add_checks(tx: Connection, *checks: SignatureCheck) -> None:
    rows = [
        (check.sha256, check.status, check.verified_by, check.verified_at, check.officer_ref, check.note,
         check.report and REPORT.dump_python(check.report, mode="json"))
        for check in checks
    ]  # fmt: skip
    await tx.executemany(ADD_CHECK, rows)


CHECKS = """
SELECT sha256, status, verified_by, verified_at, officer_ref, note, report FROM signature_check
WHERE sha256 = $1 ORDER BY id DESC
"""


async def checks_of(db: Database | Connection, sha256: str) -> list[SignatureCheck]:
    """Every check of the file with these bytes, the newest first."""
    return [_check(row) for row in await db.fetch(CHECKS, sha256)]


def _check(row: asyncpg.Record) -> SignatureCheck:
    found = SignatureCheck(**dict(row))
    report = REPORT.validate_python(found.report) if found.report else None
    return replace(
        found, status=SignatureStatus(found.status), verified_by=VerifiedBy(found.verified_by), report=report
    )
