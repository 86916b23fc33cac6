"""The identity service on a fresh database, VNeID's stand-in as a process, and those who talk to them."""

import hashlib
import json
import math
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest
from joserfc.jwk import ECKey

from kit import auth, ids
from kit.db import Database
from services.identity import clients, passwords, tokens
from services.identity.app import app
from services.identity.officers import store as officers
from services.identity.officers.domain import Officer, Unit
from services.identity.providers.oidc import Provider
from services.notification.app import app as notification
from services.notification.people.providers.sms import providers
from tests.standins.conftest import Sms, free_port, running, sms

__all__ = ["sms"]

MakeDatabase = Callable[[str], Awaitable[Database]]

ISSUER, PORTAL = "http://identity.test", "http://127.0.0.1:8080"
SERVICES = ("identity", "dossier", "payment", "notification", "tracking", "gateway")
AN, BINH, DUNG_LEVEL_1 = "000190000001", "000085000002", "000058000004"
PASSWORD = "bano-timu-kelo-rade"
OFFICERS: list[dict[str, Any]] = [
    {"username": "mot-cua", "name": "Hoàng Thu Hà", "unit": "H99.02.01", "roles": ["desk"], "phone": "+84900000101"},
    {"username": "lanh-dao", "name": "Đặng Quang Minh", "unit": "H99.02.01", "roles": ["leader"]},
    {"username": "quan-tri", "name": "Phan Thanh Tùng", "unit": "H99.01", "roles": ["system_admin"]},
]
UNITS = [
    Unit("H99", "UBND tỉnh An Bình", "province", None, date(2025, 7, 1)),
    Unit("H99.01", "Trung tâm Phục vụ hành chính công tỉnh", "province", "H99", date(2025, 7, 1)),
    Unit("H99.02.01", "UBND xã Bình Minh", "commune", "H99", date(2025, 7, 1)),
]


@pytest.fixture(scope="session")
def vneid() -> Iterator[str]:
    """VNeID's stand-in; its address is its issuer."""
    port = free_port()
    environment = {
        "MOTCUA_VNEID_ISSUER": f"http://127.0.0.1:{port}",
        "MOTCUA_VNEID_CLIENT_ID": "portal",
        "MOTCUA_VNEID_CLIENT_SECRET": "secret of tests",
        "MOTCUA_GATEWAY_URL": PORTAL,
    }
    with running("vneid", port, "--port", str(port), **environment) as address:
        yield address


@pytest.fixture
def environment(vneid: str, sms: Sms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = tmp_path / "token-key.jwk.json"
    key.write_text(json.dumps(ECKey.generate_key("P-256").as_dict(private=True)))
    secrets = {name: hashlib.sha256(f"secret of {name}".encode()).hexdigest() for name in SERVICES}
    monkeypatch.setattr("kit.settings._loaded", {})
    providers.cache_clear()
    monkeypatch.setattr(Provider, "_known", {})
    for name, value in {
        "IDENTITY_URL": ISSUER,
        "GATEWAY_URL": PORTAL,
        "CLIENTS": json.dumps(secrets),
        "SUBSCRIBERS": json.dumps({"cong-an": hashlib.sha256(b"secret of cong-an").hexdigest()}),
        "TOKEN_KEY": str(key),
        "DIGEST_KEY": "key of tests",
        "VNEID_ISSUER": vneid,
        "VNEID_CLIENT_ID": "portal",
        "VNEID_CLIENT_SECRET": "secret of tests",
        "NATIONAL_PORTAL_ISSUER": f"{vneid}/cong-quoc-gia",
        "NATIONAL_PORTAL_CLIENT_ID": "portal",
        "NATIONAL_PORTAL_CLIENT_SECRET": "secret of tests",
        "SMS_URL": f"{sms.address}/MainService.svc/json/SendMultipleMessage_V4_post_json/",
        "SMS_KEY": sms.key,
        "SMS_SECRET": sms.secret,
    }.items():
        monkeypatch.setenv(f"MOTCUA_{name}", value)
    tokens._file.cache_clear()


@dataclass
class Identity:
    """The service and its callers, and the phones that its codes go to."""

    db: Database
    http: httpx2.AsyncClient
    phones: str
    """Where the stand-in of the text message gateway shows what it took."""

    async def asks(self, who: str, method: str, path: str, json: Any = None, **params: str) -> httpx2.Response:
        """A call of the service `who`, with its own token."""
        headers = {"Authorization": f"Bearer {await self.own_token(who)}"}
        return await self.http.request(method, f"/api/v1{path}", json=json, params=params, headers=headers)

    async def own_token(self, who: str, audience: str = "identity") -> str:
        form = {"grant_type": "client_credentials", "client_id": who, "client_secret": f"secret of {who}"}
        answer = await self.http.post("/oauth/token", data={**form, "audience": audience})
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["access_token"]
        return token

    async def does(self, session: dict[str, Any], method: str, path: str, json: Any = None) -> httpx2.Response:
        """A call of somebody who is logged in."""
        token = (await self.token(session["session"], "identity")).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        return await self.http.request(method, f"/api/v1{path}", json=json, headers=headers)

    # ── at a provider ──

    async def begins_login(self, number: str, **wish: Any) -> tuple[str, dict[str, str]]:
        """(state, what the provider answers) when that person logs in there."""
        asked = {"provider": "vneid", "callback_url": f"{PORTAL}/dang-nhap/vneid", **wish}
        begun = (await self.asks("gateway", "POST", "/logins", asked)).json()
        async with httpx2.AsyncClient() as browser:
            back = await browser.post(begun["authorization_url"], data={"identity_number": number})
        query = dict(parse_qsl(urlsplit(back.headers["location"]).query))
        assert query["state"] == begun["state"]
        return begun["state"], {"code": query["code"], "issuer": query["iss"]}

    async def completes_login(self, state: str, answer: dict[str, str]) -> httpx2.Response:
        return await self.asks("gateway", "POST", f"/logins/{state}/completion", answer)

    async def logs_in(self, number: str = AN, **wish: Any) -> dict[str, str]:
        answer = await self.completes_login(*await self.begins_login(number, **wish))
        assert answer.status_code == 201, answer.text
        session: dict[str, str] = answer.json()
        return session

    # ── by phone ──

    async def texts(self, phone: str) -> list[str]:
        """What came to a phone, the newest first."""
        async with httpx2.AsyncClient() as reader:
            found = (await reader.get(f"{self.phones}/messages", params={"phone": phone.replace("+84", "0")})).json()
        return [message["content"] for message in found]

    async def code_of(self, sent: httpx2.Response, phone: str) -> tuple[str, str]:
        """(challenge, code) once the text message has come."""
        assert sent.status_code == 202, sent.text
        text = (await self.texts(phone))[0]
        found = re.search(r"Ma OTP cua ban la (\d{6})", text)
        assert found, text
        return sent.json()["challenge"], found[1]

    async def registers(self, phone: str, number: str | None = None, name: str = "Nguyễn Thị An") -> dict[str, str]:
        """A new local account, whose owner is logged in."""
        wish = {"full_name": name, "phone": phone, "identity_number": number}
        challenge, code = await self.code_of(await self.asks("gateway", "POST", "/registrations", wish), phone)
        given = {"code": code, "password": PASSWORD}
        answer = await self.asks("gateway", "POST", f"/registrations/{challenge}/confirmation", given)
        assert answer.status_code == 201, answer.text
        session: dict[str, str] = answer.json()
        return session

    async def local_login(self, phone: str, password: str = PASSWORD) -> httpx2.Response:
        return await self.asks("gateway", "POST", "/local-logins", {"phone": phone, "password": password})

    # ── officers, tokens, and what is left behind ──

    async def officer_logs_in(self, username: str = "mot-cua", password: str = PASSWORD) -> httpx2.Response:
        given = {"username": username, "password": password}
        return await self.asks("gateway", "POST", "/officer-sessions", given)

    async def token(self, session: str, audience: str = "dossier") -> httpx2.Response:
        return await self.asks("gateway", "POST", f"/sessions/{session}/tokens", {"audience": audience})

    async def said(self) -> list[dict[str, Any]]:
        """The bodies of all events, in order."""
        rows = await self.db.fetch("SELECT payload FROM outbox WHERE payload IS NOT NULL ORDER BY id")
        return [json.loads(row["payload"]) for row in rows]

    async def audited(self) -> list[tuple[str, str]]:
        rows = await self.db.fetch("SELECT method, outcome FROM login_audit ORDER BY id")
        return [(row["method"], row["outcome"]) for row in rows]


_hashes: list[str] = []


async def _provision(db: Database) -> None:
    """The officers, with one hash for all tests: hashing is slow on purpose."""
    if not _hashes:
        _hashes.append(await passwords.hashed(PASSWORD))
    for entry in OFFICERS:
        about = {"display_name": entry["name"], "unit": entry["unit"], "roles": tuple(entry["roles"])}
        officer = Officer(
            ids.new(), str(entry["username"]), phone=entry.get("phone"), password_hash=_hashes[0], **about
        )
        async with db.transaction() as tx:
            await officers.provision(tx, officer)
            for unit in UNITS:
                await officers.save_unit(tx, unit)


@pytest.fixture
async def identity(environment: None, make_database: MakeDatabase, sms: Sms) -> AsyncIterator[Identity]:
    """Identity and, behind it, notification and the stand-in of the text message gateway."""
    db = await make_database("identity")
    await _provision(db)
    keys = auth.Keys(ISSUER)
    keys.use(tokens.published())
    app.state.db, app.state.verifier = db, auth.Verifier("identity", keys)
    notification.state.db, notification.state.verifier = db, auth.Verifier("notification", keys)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=ISSUER) as http:
        served = Identity(db, http, sms.address)
        await _connect(served)
        yield served
    app.state.db = notification.state.db = None


async def _connect(served: Identity) -> None:
    """Identity's calls reach notification in this process, with a token of its own."""
    client = clients.notification
    transport = httpx2.ASGITransport(app=notification)
    client._http = httpx2.AsyncClient(transport=transport, base_url="http://notification.test")
    client._token, client._token_ends = await served.own_token("identity", "notification"), math.inf
