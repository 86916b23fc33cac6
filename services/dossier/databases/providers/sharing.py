"""The data sharing platform of a province (LGSP) as an HTTP service: one address for all databases.

    POST {url}/lookups   Authorization: Bearer <key>
    {"database": "CSDLQG_DAN_CU", "kind": "population", "key": "…", "purpose": "…", "legal_basis": "…"}

It answers 200 with `{"record": {…}}` or 404. The real endpoints (NDXP) were not published; whoever connects to them
writes another DataSource beside this one.
"""

import httpx2

from services.dossier.databases.domain import Answer, Outcome, Question
from services.dossier.databases.providers import SourceUnavailable

TIMEOUT = 3.0
"""Seconds for one look-up: the applicant is waiting, and a paper can be asked for later."""


class Sharing:
    """Asks the platform at that address with that key."""

    def __init__(self, url: str, key: str) -> None:
        self._url, self._key = url.rstrip("/"), key

    async def lookup(self, question: Question, key: str) -> Answer:
        body = {
            "database": question.database,
            "kind": question.kind,
            "key": key,
            "purpose": question.purpose,
            "legal_basis": question.legal_basis,
        }
        try:
            async with httpx2.AsyncClient(timeout=TIMEOUT) as http:
                answer = await http.post(
                    f"{self._url}/lookups", json=body, headers={"Authorization": f"Bearer {self._key}"}
                )
            if answer.status_code == 404:
                return Answer(Outcome.NOT_FOUND, {})
            answer.raise_for_status()
            return Answer(Outcome.FOUND, dict(answer.json()["record"]))
        except (httpx2.HTTPError, ValueError, KeyError, TypeError) as away:
            raise SourceUnavailable from away
