"""Which of a dossier's files are earlier results of its owner."""

from kit.db import Connection

RESULTS = """
SELECT DISTINCT f.sha256, d.result_code
FROM component_file f JOIN dossier o ON o.code = f.dossier_code
JOIN document d ON d.owner_ref = o.owner_ref AND d.sha256 = f.sha256
WHERE f.dossier_code = $1 AND d.result_code IS NOT NULL
"""


async def results_among(tx: Connection, code: str) -> dict[str, str]:
    """SHA-256 of a file → code of the earlier result that it is, as far as the owner's document store tells."""
    return {row["sha256"]: row["result_code"] for row in await tx.fetch(RESULTS, code)}
