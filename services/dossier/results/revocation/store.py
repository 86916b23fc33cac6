"""Revocations in the database."""

from kit.db import Connection
from services.dossier.results.revocation.domain import Revocation

REMEMBER = """
INSERT INTO result_revocation (dossier_code, sha256, number, reason, legal_basis, officer_ref, unit, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""


async def remember(tx: Connection, kept: Revocation) -> None:
    """The one revocation of a dossier's result."""
    await tx.execute(
        REMEMBER, kept.dossier_code, kept.sha256, kept.number, kept.reason, kept.legal_basis, kept.officer_ref,
        kept.unit, kept.at,
    )  # fmt: skip
