"""`Idempotency-Key`: the same call sent twice is done once and answered the same.

After draft-ietf-httpapi-idempotency-key-header-07. Answers are kept for seven days.
"""

import hashlib
from dataclasses import dataclass

from fastapi import Request, Response

from contracts.refusal import Refusal
from kit.db import Connection, Database


class KeyReused(Refusal):
    """The key was used before for a different request."""

    status = 422
    title = "Mã chống gửi trùng đã được dùng cho một yêu cầu khác"
    title_en = "This Idempotency-Key was used for another request"


class StillRunning(Refusal):
    status = 409
    title = "Yêu cầu này đang được xử lý"
    title_en = "The same request is still being worked on"


FIND = "SELECT request_hash, status, headers, body FROM idempotency_key WHERE caller = $1 AND key = $2"
KEEP = """
INSERT INTO idempotency_key (caller, key, request_hash, status, headers, body) VALUES ($1, $2, $3, $4, $5, $6)
"""
FORGET = "DELETE FROM idempotency_key WHERE created_at < now() - interval '7 days'"


@dataclass(frozen=True)
class Key:
    """One caller's name for one request."""

    caller: str
    name: str
    request_hash: str

    @classmethod
    async def of(cls, request: Request) -> "Key | None":
        name = request.headers.get("idempotency-key")
        if not name or request.method in ("GET", "HEAD", "OPTIONS"):
            return None
        body = await request.body()
        what = hashlib.sha256(f"{request.method} {request.url.path}\n".encode() + body).hexdigest()
        who = hashlib.sha256(_subject(request).encode()).hexdigest()
        return cls(who, name[:200], what)

    async def stored(self, db: Database | Connection) -> Response | None:
        """The answer that was given before; KeyReused if the question was another."""
        row = await db.fetchrow(FIND, self.caller, self.name)
        if row is None:
            return None
        if row["request_hash"] != self.request_hash:
            raise KeyReused
        return Response(row["body"], row["status"], {**row["headers"], "Idempotent-Replayed": "true"})

    async def claim(self, tx: Connection) -> Response | None:
        """Hold the key until the transaction ends; the stored answer if somebody was faster."""
        number = int.from_bytes(hashlib.sha256(f"{self.caller}:{self.name}".encode()).digest()[:8], signed=True)
        if not await tx.fetchval("SELECT pg_try_advisory_xact_lock($1)", number):
            raise StillRunning
        return await self.stored(tx)

    async def keep(self, tx: Connection, answer: Response) -> None:
        """Of an answer that must not be stored (a secret that is shown once) all but its body is."""
        headers = {
            name: value for name, value in answer.headers.items() if name in ("content-type", "etag", "location")
        }
        body = b"" if "no-store" in answer.headers.get("cache-control", "") else bytes(answer.body)
        await tx.execute(KEEP, self.caller, self.name, self.request_hash, answer.status_code, headers, body)


def _subject(request: Request) -> str:
    """Who asks: the token's subject (tokens are renewed, their subject stays), or nobody for public calls."""
    token = getattr(request.state, "token", None)
    return f"{token.kind}:{token.subject}" if token else "public"
