"""Who is called to synchronise a dossier: the dossier service for the record and its files, identity
for an owner whose account says who they are, and the national portal.

The portal answers HTTP 200 whether it did something or not; a code in the body tells. What it says besides may quote
what it was sent, so only the code is ever kept or logged.
"""

import asyncio
import hashlib
import time
from datetime import timedelta
from typing import Any, Self

import httpx2
import structlog

from kit.clients import Answered, ServiceClient
from kit.clock import now
from services.notification.settings import Settings
from services.notification.systems.delivery.domain import Accepted, Deferred, Outcome, Refused, Trouble
from services.notification.systems.national.domain import Json, Known, Line
from services.notification.systems.outbound import domain as outbound

log = structlog.get_logger()

PURPOSE = "national_portal"
TIMEOUT = httpx2.Timeout(30.0, connect=5.0)
MARGIN = 30.0
"""Seconds before its end from which a token is not used any more."""
LARGEST = 64 * 1024 * 1024
"""Bytes of one file."""

DONE, TOKEN, CLIENT, HASH, UNKNOWN = "00", "01", "02", "12", "20"
FINAL = frozenset({"10", "11", "25"})
"""Wrong field, wrong status, ended: the same call will never be taken. Everything else may pass, or is mended by
beginning anew: code not reserved, created by another call meanwhile, file gone, busy."""

dossier = ServiceClient("dossier")
identity = ServiceClient("identity")


class NotTaken(Exception):
    """A call was not done; `outcome` says what that means for the event. The message is the portal's code."""

    def __init__(self, outcome: Outcome, code: str = "") -> None:
        super().__init__(code)
        self.outcome, self.code = outcome, code


# ── our side ──────────────────────────────────────────────────────────────────────────────────────────────────


async def record_of(code: str) -> Json:
    """The dossier as it is now. Never stored, never logged. NotTaken for one that nobody knows; Unavailable when a
    service is away.

    What the owner did not write into the dossier, because their account says it, identity tells.
    """
    found = await _asked(dossier, f"/api/v1/dossiers/{code}/synchronisation-record")
    if found is None:
        raise NotTaken(Refused(status=404))
    owner: Json = found["owner"]
    if owner["identity_number"] is None:
        known = await _asked(identity, f"/api/v1/accounts/{owner['ref']}/identification") or {}
        owner["identity_number"] = known.get("number")
        owner |= {name: owner[name] or known.get(name) for name in ("phone", "email")}
    return found


async def _asked(service: ServiceClient, path: str) -> Json | None:
    """What a service of ours says; None for what it does not know."""
    try:
        said: Json = await service.get(path, purpose=PURPOSE)
    except Answered as no:
        if no.status == 404:
            return None
        raise NotTaken(Deferred(Trouble.STATUS, no.status)) from no
    return said


async def file_at(url: str, sha256: str) -> bytes:
    """A file's bytes, which are what their name says."""
    async with httpx2.AsyncClient(timeout=TIMEOUT) as http:
        answer = await http.get(url)
    if not answer.is_success:
        raise NotTaken(Deferred(Trouble.STATUS, answer.status_code))
    if hashlib.sha256(answer.content).hexdigest() != sha256 or len(answer.content) > LARGEST:
        raise NotTaken(Deferred(Trouble.ANSWER))
    return answer.content


# ── the portal ────────────────────────────────────────────────────────────────────────────────────────────────


class Portal:
    """The portal as this province is known there; its token is asked for once, and again when it ends."""

    def __init__(self, settings: Settings) -> None:
        self._known_as = {
            "client_id": settings.national_sync_client_id,
            "client_secret": settings.national_sync_client_secret,
        }
        self._http = httpx2.AsyncClient(base_url=settings.national_sync_url.rstrip("/"), timeout=TIMEOUT)
        self._token, self._ends = "", 0.0
        self._asking = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def look_up(self, code: str) -> Known | None:
        """What it has of the dossier; None when it was never created there."""
        said = await self._call("TraCuuHoSo", {"MaHoSo": code}, may_be=UNKNOWN)
        if said is None:
            return None
        lines = [Line(one["ThoiDiemXuLy"], one["NoiDungXuLy"], one["TrangThai"]) for one in said["TienDo"]]
        files = {one["HashTepTin"]: one["IdTepTin"] for one in said["TepTin"]}
        return Known(int(said["TrangThaiHoSo"]), lines, files)

    async def reserve(self, procedure_code: str, code: str) -> None:
        """The dossier's code is known there, so that files and record may follow; again, it is the same."""
        await self._call("LayMaHoSo", {"MaTTHC": procedure_code, "MaHoSo": code})

    async def upload(self, data: bytes, sha256: str, name: str) -> str:
        """The portal's number of the file."""
        said = await self._call("TaiTepTin", {"HashTepTin": sha256}, file=(name, data))
        return str((said or {})["IdTepTin"])

    async def synchronise(self, record: Json, *, updating: bool) -> None:
        """Create the dossier, or bring its record up to date."""
        await self._call("DongBoHoSo", {"isUpdating": str(updating), "data": [record]})

    async def add_progress(self, line: Json) -> None:
        await self._call("CapNhatTienDoHoSo", {"data": [line]})

    async def change_status(self, code: str, status: int) -> None:
        await self._call("CapNhatTrangThaiHoSo", {"data": [{"MaHoSo": code, "TrangThai": str(status)}]})

    async def _call(
        self, service: str, body: Json, *, file: tuple[str, bytes] | None = None, may_be: str = DONE
    ) -> Json | None:
        """The result; None for the code that `may_be`. A token that was taken back is asked for anew, once."""
        said = await self._ask(service, body, file)
        if said.get("error_code") == TOKEN:
            self._ends = 0.0
            said = await self._ask(service, body, file)
        code = str(said.get("error_code"))
        if code == DONE:
            result: Json = said.get("result") or {}
            return result
        if code == may_be:
            return None
        log.warning("national.not_taken", step=service, reason=code)
        raise NotTaken(_outcome(code), code)

    async def _ask(self, service: str, body: Json, file: tuple[str, bytes] | None) -> Json:
        token = await self._own_token()
        headers = {"Authorization": f"Bearer {token}"}
        content: dict[str, Any] = {"data": body, "files": {"file": file}} if file else {"json": body}
        return _read(await self._http.post(f"/{service}", headers=headers, **content))

    async def _own_token(self) -> str:
        async with self._asking:
            if time.monotonic() > self._ends:
                said = _read(await self._http.post("/token", json=self._known_as))
                if "access_token" not in said:
                    raise NotTaken(Deferred(Trouble.AUTHORISATION), str(said.get("error_code")))
                self._token = str(said["access_token"])
                lives = float(said.get("expires_in", 0))
                self._ends = time.monotonic() + max(lives - MARGIN, lives / 2)
        return self._token


def _outcome(code: str) -> Outcome:
    if code in FINAL:
        return Refused()
    return Deferred(Trouble.AUTHORISATION if code in (TOKEN, CLIENT) else Trouble.REJECTED, 200)


def _read(answer: httpx2.Response) -> Json:
    if not answer.is_success:
        wait = outbound.retry_after(answer.headers.get("Retry-After"), now())
        patience = timedelta(seconds=wait) if wait is not None else None
        raise NotTaken(Deferred(Trouble.STATUS, answer.status_code, patience))
    try:
        said = answer.json()
    except ValueError as exc:
        raise NotTaken(Deferred(Trouble.ANSWER)) from exc
    if not isinstance(said, dict):
        raise NotTaken(Deferred(Trouble.ANSWER))
    return said


TAKEN = Accepted(200)
