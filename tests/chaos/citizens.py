"""Citizens who do not give up: every call is repeated with the same Idempotency-Key until it is answered."""

import asyncio
import hashlib
from dataclasses import dataclass, field
from typing import Any

import httpx2

from deploy.local import tokens
from deploy.local.stack import Stack
from kit import ids

UNIT = "H99.02.01"
PROCEDURE = "2.000635"
COMPONENT = "TP-TL-01"


@dataclass
class History:
    """What the citizens saw: the checker compares it with what the system holds afterwards."""

    acknowledged: list[str] = field(default_factory=list)
    """Codes of dossiers whose submission was answered with success."""
    troubles: int = 0
    """Calls that had to be repeated."""


class Citizen:
    """One person filing dossiers, one after the other."""

    def __init__(self, stack: Stack, history: History, document: bytes) -> None:
        self._stack, self._history, self._document = stack, history, document
        token = tokens.of_citizen(stack.site, "dossier", ids.new())
        self._http = httpx2.AsyncClient(timeout=5, headers={"Authorization": f"Bearer {token}"})

    async def file(self, count: int) -> None:
        async with self._http:
            for _ in range(count):
                self._history.acknowledged.append(await self._file_one())

    async def _file_one(self) -> str:
        path = await self.prepare()
        return str((await self._insist("POST", f"{path}/submission", None))["code"])

    async def prepare(self) -> str:
        """A draft with its file, ready to be sent; its address."""
        draft = await self._insist("POST", "/api/v1/drafts", {"procedure_code": PROCEDURE, "receiving_unit": UNIT})
        path = f"/api/v1/drafts/{draft['id']}"
        answers = {"event_type": "birth", "person_name": "Trần Văn Thử", "copies": 1}
        await self._insist("PATCH", path, {"answers": answers, "delivery": "online", "sms_opt_in": False})
        upload = await self._insist("POST", f"{path}/components/{COMPONENT}/uploads", self._declaration())
        await self._send_file(upload)
        return path

    async def submit(self, draft: str) -> httpx2.Response:
        """Sent once; whatever is answered."""
        return await self._http.post(f"{self._stack.url('dossier')}{draft}/submission", timeout=60)

    def _declaration(self) -> dict[str, Any]:
        return {
            "file_name": "to-khai.pdf", "content_type": "application/pdf",
            "size": len(self._document), "sha256": hashlib.sha256(self._document).hexdigest(),
        }  # fmt: skip

    async def _send_file(self, upload: dict[str, Any]) -> None:
        async with httpx2.AsyncClient(timeout=20) as storage:
            answer = await storage.post(
                upload["url"], data=upload["fields"], files={"file": ("f", self._document, "application/pdf")}
            )
        assert answer.status_code in (200, 201, 204), answer.text

    async def _insist(self, method: str, path: str, body: Any) -> dict[str, Any]:
        headers = {"Idempotency-Key": str(ids.new())}
        async with asyncio.timeout(120):
            while True:
                try:
                    answer = await self._http.request(
                        method, self._stack.url("dossier") + path, json=body, headers=headers
                    )
                    if answer.status_code < 300:
                        return dict(answer.json())
                    assert answer.status_code in (409, 503), answer.text  # still running, or a part is away
                except httpx2.TransportError:
                    pass  # killed in the middle: nobody knows whether it happened, so ask again
                self._history.troubles += 1
                await asyncio.sleep(0.1)
