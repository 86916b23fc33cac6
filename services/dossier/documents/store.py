"""Documents and consents in the database."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from kit import ids
from kit.db import Connection, Database
from kit.problems import NotFound
from services.dossier.catalogue.domain import ResultKind
from services.dossier.documents.domain import Consent, Document, Purpose
from services.dossier.processing.domain import Dossier
from services.dossier.results.domain import Result

KEEP_RESULT = """
INSERT INTO document (id, owner_ref, dossier_code, result_code, name, issuer_unit, number, sha256, issued_at, valid_to)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""


async def keep_result(tx: Connection, dossier: Dossier, result: Result, kind: ResultKind) -> None:
    """The published result enters its owner's document store."""
    await tx.execute(
        KEEP_RESULT, ids.new(), dossier.facts.owner_ref, dossier.code, kind.code, kind.name, dossier.current_unit,
        result.full_number, result.sha256, result.issued_at, result.valid_to,
    )  # fmt: skip


REVOKE = """
UPDATE document SET revoked_at = $2 WHERE dossier_code = $1 AND result_code IS NOT NULL AND revoked_at IS NULL
"""


async def revoke_results(tx: Connection, dossier_code: str, at: datetime) -> None:
    """The dossier's result was revoked or replaced: it serves nobody any more. The corrected one is kept anew."""
    await tx.execute(REVOKE, dossier_code, at)


KEEP_PROVIDED = """
INSERT INTO document (id, owner_ref, dossier_code, component_code, name, sha256, content_type, issued_at, consent_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (owner_ref, component_code, sha256) WHERE component_code IS NOT NULL DO NOTHING
"""


async def keep_provided(tx: Connection, documents: Iterable[Document]) -> None:
    """Papers that were sent with a dossier enter the store; the same paper sent again is there already."""
    rows = [
        (each.id, each.owner_ref, each.dossier_code, each.component_code, each.name, each.sha256, each.content_type,
         each.issued_at, each.consent_id)
        for each in documents
    ]  # fmt: skip
    await tx.executemany(KEEP_PROVIDED, rows)


# What is no longer there was valid when it was linked; a paper that expires meanwhile is known by its last day.
USE = """
INSERT INTO document_use (file_id, dossier_code, document_id, valid_to)
SELECT $1, $2, $3, (SELECT valid_to FROM document WHERE id = $3)
"""


async def use(tx: Connection, dossier_code: str, documents: Mapping[UUID, UUID]) -> None:
    """The dossier rests on these documents, by the id of the file that each became."""
    await tx.executemany(USE, [(file_id, dossier_code, document) for file_id, document in documents.items()])


LAPSED = """
SELECT DISTINCT f.component_code FROM document_use u
JOIN component_file f ON f.id = u.file_id
LEFT JOIN document d ON d.id = u.document_id
WHERE u.dossier_code = $1 AND (d.revoked_at IS NOT NULL OR u.valid_to < $2)
  AND NOT EXISTS (
      SELECT 1 FROM component_file n
      WHERE n.dossier_code = f.dossier_code AND n.component_code = f.component_code
        AND n.since_version > f.since_version)
ORDER BY f.component_code
"""


async def lapsed(tx: Connection, dossier_code: str, today: date) -> list[str]:
    """Codes of the components whose reused document was revoked or expired since it was linked (§4.8(9)).

    A component that was replaced by a supplement meanwhile is not among them.
    """
    return [row["component_code"] for row in await tx.fetch(LAPSED, dossier_code, today)]


OF_OWNER = """
SELECT id, owner_ref, dossier_code, result_code, component_code, name, issuer_unit, number, sha256, content_type,
    issued_at, valid_to, revoked_at, consent_id
FROM document WHERE owner_ref = $1 ORDER BY issued_at DESC, id LIMIT 500
"""


async def of_owner(db: Database | Connection, owner_ref: UUID) -> list[Document]:
    """The owner's document store, newest first."""
    return [Document(**dict(row)) for row in await db.fetch(OF_OWNER, owner_ref)]


READ = """
SELECT id, owner_ref, dossier_code, result_code, component_code, name, issuer_unit, number, sha256, content_type,
    issued_at, valid_to, revoked_at, consent_id
FROM document WHERE id = $1 AND owner_ref = $2
"""


async def read(db: Database | Connection, document_id: UUID, owner_ref: UUID) -> Document:
    """One document of that owner; NotFound for anybody else's."""
    row = await db.fetchrow(READ, document_id, owner_ref)
    if row is None:
        raise NotFound("Kho không có tài liệu này")
    return Document(**dict(row))


# ── consent ───────────────────────────────────────────────────────────────────────────────────────────────────

# Of two that race the first stays, and both get it.
GIVE = """
INSERT INTO consent (id, subject_ref, purpose, data_categories, text_version, channel, given_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (subject_ref, purpose) WHERE withdrawn_at IS NULL DO UPDATE SET purpose = excluded.purpose
RETURNING id, subject_ref, purpose, data_categories, text_version, channel, given_at, withdrawn_at
"""


async def give(tx: Connection, consent: Consent) -> Consent:
    """The consent in force for that person and purpose: an earlier one, or else this one."""
    row = await tx.fetchrow(
        GIVE, consent.id, consent.subject_ref, consent.purpose, list(consent.data_categories), consent.text_version,
        consent.channel, consent.given_at,
    )  # fmt: skip
    return _consent(row)


CONSENTS = """
SELECT id, subject_ref, purpose, data_categories, text_version, channel, given_at, withdrawn_at
FROM consent WHERE subject_ref = $1 ORDER BY given_at DESC, id LIMIT 200
"""
LOCK_CONSENT = """
SELECT id, subject_ref, purpose, data_categories, text_version, channel, given_at, withdrawn_at
FROM consent WHERE id = $1 AND subject_ref = $2 FOR UPDATE
"""


async def consents_of(db: Database | Connection, subject_ref: UUID) -> list[Consent]:
    """Everything the person ever agreed to, newest first, with when it was withdrawn."""
    return [_consent(row) for row in await db.fetch(CONSENTS, subject_ref)]


async def lock_consent(tx: Connection, consent_id: UUID, subject_ref: UUID) -> Consent:
    """The person's consent, held until the transaction ends; NotFound for anybody else's."""
    return _consent(await tx.fetchrow(LOCK_CONSENT, consent_id, subject_ref))


def _consent(row: asyncpg.Record | None) -> Consent:
    if row is None:
        raise NotFound("Không có ý kiến đồng ý này")
    fields: dict[str, Any] = dict(row)
    purpose, categories = Purpose(fields.pop("purpose")), tuple(fields.pop("data_categories"))
    return Consent(**fields, purpose=purpose, data_categories=categories)


WITHDRAW = "UPDATE consent SET withdrawn_at = $2 WHERE id = $1"
FORGET = "DELETE FROM document WHERE consent_id = $1"


async def withdraw(tx: Connection, consent: Consent) -> None:
    """What was kept by this consent leaves the store. The bytes stay with the dossier they were filed with, which the
    law keeps, and which is why nothing is deleted from the object store here."""
    await tx.execute(WITHDRAW, consent.id, consent.withdrawn_at)
    await tx.execute(FORGET, consent.id)
