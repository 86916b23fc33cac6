"""The identity service on a fresh database, VNeID's stand-in as a process, and those who talk to them."""

import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest
from joserfc.jwk import ECKey

from kit import auth, ids
from kit.db import Database
from services.identity import clients, passwords, store, tokens
from services.identity.app import app
from tests.standins.conftest import free_port, running

MakeDatabase = Callable[[str], Awaitable[Database]]

ISSUER, PORTAL = "http://identity.test", "http://127.0.0.1:8080"
SERVICES = ("identity", "dossier", "payment", "notification", "tracking", "gateway")
AN, BINH, DUNG_LEVEL_1 = "000190000001", "000085000002", "000058000004"
PASSWORD = "bano-timu-kelo-rade"
OFFICERS = [
    {"username": "mot-cua", "name": "Hoàng Thu Hà", "unit": "H99.02.01", "roles": ["desk"]},
    {"username": "lanh-dao", "name": "Đặng Quang Minh", "unit": "H99.02.01", "roles": ["leader"]},
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
def environment(vneid: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = tmp_path / "token-key.jwk.json"
    key.write_text(json.dumps(ECKey.generate_key("P-256").as_dict(private=True)))
    secrets = {name: hashlib.sha256(f"secret of {name}".encode()).hexdigest() for name in SERVICES}
    monkeypatch.setattr("kit.settings._loaded", {})
    monkeypatch.setattr(clients.VNeID, "_known", {})
    for name, value in {
        "IDENTITY_URL": ISSUER,
        "GATEWAY_URL": PORTAL,
        "CLIENTS": json.dumps(secrets),
        "TOKEN_KEY": str(key),
        "DIGEST_KEY": "key of tests",
        "VNEID_ISSUER": vneid,
        "VNEID_CLIENT_ID": "portal",
        "VNEID_CLIENT_SECRET": "secret of tests",
    }.items():
        monkeypatch.setenv(f"MOTCUA_{name}", value)
    tokens._keys.cache_clear()


@dataclass
class Identity:
    """The service and its callers."""

    db: Database
    http: httpx2.AsyncClient

    async def asks(self, who: str, method: str, path: str, json: Any = None, **params: str) -> httpx2.Response:
        """A call of the service `who`, with its own token."""
        headers = {"Authorization": f"Bearer {await self.own_token(who)}"}
        return await self.http.request(method, path, json=json, params=params, headers=headers)

    async def own_token(self, who: str, audience: str = "identity") -> str:
        form = {"grant_type": "client_credentials", "client_id": who, "client_secret": f"secret of {who}"}
        answer = await self.http.post("/oauth/token", data={**form, "audience": audience})
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["access_token"]
        return token

    async def begins_login(self, number: str) -> tuple[str, dict[str, str]]:
        """(state, what the provider answers) when that person logs in at VNeID."""
        wish = {"provider": "vneid", "callback_url": f"{PORTAL}/dang-nhap/vneid"}
        begun = (await self.asks("gateway", "POST", "/api/v1/logins", wish)).json()
        async with httpx2.AsyncClient() as browser:
            back = await browser.post(begun["authorization_url"], data={"identity_number": number})
        query = dict(parse_qsl(urlsplit(back.headers["location"]).query))
        assert query["state"] == begun["state"]
        return begun["state"], {"code": query["code"], "issuer": query["iss"]}

    async def completes_login(self, state: str, answer: dict[str, str]) -> httpx2.Response:
        return await self.asks("gateway", "POST", f"/api/v1/logins/{state}/completion", answer)

    async def logs_in(self, number: str = AN) -> dict[str, str]:
        answer = await self.completes_login(*await self.begins_login(number))
        assert answer.status_code == 201, answer.text
        session: dict[str, str] = answer.json()
        return session

    async def officer_logs_in(self, username: str = "mot-cua", password: str = PASSWORD) -> httpx2.Response:
        given = {"username": username, "password": password}
        return await self.asks("gateway", "POST", "/api/v1/officer-sessions", given)

    async def token(self, session: str, audience: str = "dossier") -> httpx2.Response:
        return await self.asks("gateway", "POST", f"/api/v1/sessions/{session}/tokens", {"audience": audience})

    async def said(self) -> list[dict[str, Any]]:
        """The bodies of all events, in order."""
        rows = await self.db.fetch("SELECT payload FROM outbox ORDER BY id")
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
        about = {"display_name": entry["name"], "unit": entry["unit"], "roles": entry["roles"]}
        officer = store.Officer(ids.new(), str(entry["username"]), password_hash=_hashes[0], **about)  # type: ignore[arg-type]
        await store.provision(db, officer)


@pytest.fixture
async def identity(environment: None, make_database: MakeDatabase) -> AsyncIterator[Identity]:
    db = await make_database("identity")
    await _provision(db)
    keys = auth.Keys(ISSUER)
    keys.use(tokens.published())
    app.state.db, app.state.verifier = db, auth.Verifier("identity", keys)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=ISSUER) as http:
        yield Identity(db, http)
    app.state.db = None
