"""Which of a dossier's files came from its owner's document store."""

from uuid import UUID

from kit.db import Connection

REUSED = """
SELECT u.file_id, coalesce(d.result_code, '') AS result_code
FROM document_use u LEFT JOIN document d ON d.id = u.document_id WHERE u.dossier_code = $1
"""


async def reused(tx: Connection, code: str) -> dict[UUID, str]:
    """File → code of the earlier result that it is; empty for another paper, or one that left the store."""
    return {row["file_id"]: row["result_code"] for row in await tx.fetch(REUSED, code)}
