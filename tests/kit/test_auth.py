"""Only identity's own, fresh, exactly fitting tokens open a door."""

import asyncio
import base64
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
from fastapi import Depends, FastAPI
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from kit import auth, http, problems
from kit.auth import Caller, Citizen, CitizenToken, Keys, Officer, OfficerToken, SystemToken, Verifier
from kit.problems import Unauthenticated, Unavailable
from tests.kit import tokens
from tests.kit.tokens import ISSUER, KEY, bearer, claims, officer_claims, token

OTHER_KEY = ECKey.generate_key("P-256", {"kid": "one", "alg": "ES256", "use": "sig"}, auto_kid=False)


@pytest.fixture
def verifier() -> Verifier:
    keys = Keys(ISSUER)
    keys.use(tokens.JWKS)
    return Verifier(tokens.AUDIENCE, keys)


async def refused(verifier: Verifier, encoded: str) -> bool:
    with pytest.raises(Unauthenticated):
        await verifier.verify(encoded)
    return True


# ── who it is ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_citizen_is_known_by_name_level_and_moment_of_proof(verifier: Verifier) -> None:
    proved = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=4)

    found = await verifier.verify(token(claims(auth_time=int(proved.timestamp()))))

    assert found == CitizenToken(str(tokens.ALICE), "citizen", tokens.ALICE, "Nguyễn Thị An", 2, proved)


async def test_an_officer_is_known_by_unit_and_roles(verifier: Verifier) -> None:
    found = await verifier.verify(token(officer_claims("desk", "clerk")))

    assert isinstance(found, OfficerToken)
    assert (found.ref, found.unit, found.roles) == (tokens.ALICE, "H99.02.01", frozenset({"desk", "clerk"}))


async def test_a_service_is_known_by_its_name(verifier: Verifier) -> None:
    found = await verifier.verify(token(claims(kind="system", sub="notification", auth_time=None)))

    assert found == SystemToken("notification", "system", "notification")


# ── what is not believed ──────────────────────────────────────────────────────────────────────────────────────

MINUTE_AGO = int(time.time()) - 60

WRONG_CLAIMS: dict[str, dict[str, Any]] = {
    "expired": {"exp": MINUTE_AGO},
    "without an end": {"exp": None},
    "from the future": {"nbf": int(time.time()) + 3600},
    "for another service": {"aud": "payment"},
    "for a service whose name begins the same": {"aud": tokens.AUDIENCE + "s"},
    "for several services": {"aud": [tokens.AUDIENCE, "payment"]},
    "for a list of this one service": {"aud": [tokens.AUDIENCE]},
    "for nobody": {"aud": None},
    "from another issuer": {"iss": "http://identity.evil"},
    "from nobody": {"iss": None},
    "about nobody": {"sub": None},
    "about somebody without a reference": {"sub": "An"},
    "of no kind": {"kind": None},
    "of an unknown kind": {"kind": "god"},
    "of a citizen without a level": {"acr": None},
    "of an officer without a unit": {"kind": "officer", "roles": ["desk"]},
    "of an officer without roles": {"kind": "officer", "unit": "H99"},
}


@pytest.mark.parametrize("wrong", WRONG_CLAIMS)
async def test_a_token_with_wrong_claims_is_refused(verifier: Verifier, wrong: str) -> None:
    assert await refused(verifier, token(claims(**WRONG_CLAIMS[wrong])))


@pytest.mark.parametrize(
    "header", [{"typ": "JWT"}, {"typ": None}, {"typ": "id+jwt"}, {"kid": None}, {"kid": "unknown"}, {"kid": ""}]
)
async def test_a_token_with_a_wrong_header_is_refused(verifier: Verifier, header: dict[str, Any]) -> None:
    assert await refused(verifier, token(**header))


def unsigned(header: dict[str, Any], signature: str = "") -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, claims())]
    return ".".join([*parts, signature])


async def test_a_token_that_says_that_it_needs_no_signature_is_refused(verifier: Verifier) -> None:
    for algorithm in ("none", "None", "NONE", ""):
        assert await refused(verifier, unsigned({"alg": algorithm, "kid": "one", "typ": "at+jwt"}))
    assert await refused(verifier, unsigned({"kid": "one", "typ": "at+jwt"}))


async def test_the_public_key_does_not_serve_as_a_shared_secret(verifier: Verifier) -> None:
    for public in (KEY.as_pem(private=False), KEY.as_der(private=False), json.dumps(tokens.JWKS["keys"][0]).encode()):
        message = unsigned({"alg": "HS256", "kid": "one", "typ": "at+jwt"}).rstrip(".")
        signature = base64.urlsafe_b64encode(hmac.digest(public, message.encode(), "sha256")).decode().rstrip("=")
        assert await refused(verifier, f"{message}.{signature}")


async def test_other_algorithms_and_other_keys_are_refused(verifier: Verifier) -> None:
    rsa = RSAKey.generate_key(2048)
    header = {"alg": "RS256", "kid": "one", "typ": "at+jwt"}

    assert await refused(verifier, jwt.encode(header, claims(), rsa))
    assert await refused(verifier, token(key=OTHER_KEY))


async def test_a_key_that_came_with_the_token_is_not_used(verifier: Verifier) -> None:
    own_key = OTHER_KEY.as_dict(private=False)

    assert await refused(verifier, token(key=OTHER_KEY, jwk=own_key))
    assert await refused(verifier, token(key=OTHER_KEY, jku="http://identity.evil/jwks.json"))


async def test_a_token_that_was_changed_on_its_way_is_refused(verifier: Verifier) -> None:
    header, body, signature = token().split(".")
    richer = base64.urlsafe_b64encode(json.dumps(claims(acr=9)).encode()).decode().rstrip("=")

    for encoded in (
        f"{header}.{richer}.{signature}",
        f"{header}.{body}.",
        f"{header}.{body}",
        "",
        "x",
        "a.b.c",
        "ñ.ñ.ñ",
    ):
        assert await refused(verifier, encoded)


# ── identity's keys ───────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Identity:
    """A server that has keys to give."""

    url: str = ""
    keys: list[Any] = field(default_factory=list)
    body: bytes = b""
    """What it says instead of its keys."""
    asked: int = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        body = self.body or json.dumps({"keys": [key.as_dict(private=False) for key in self.keys]}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def identity(*keys: Any) -> AsyncIterator[Identity]:
    it = Identity(keys=list(keys))
    server = await asyncio.start_server(it.answer, "127.0.0.1", 0)
    it.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield it
    finally:
        server.close()


async def test_keys_are_fetched_once_and_again_when_a_token_names_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    new_key = ECKey.generate_key("P-256", {"kid": "two", "alg": "ES256", "use": "sig"}, auto_kid=False)
    async with identity(KEY) as it:
        verifier = Verifier(tokens.AUDIENCE, Keys(it.url))

        await asyncio.gather(*[verifier.verify(token(claims(iss=it.url))) for _ in range(20)])
        assert it.asked == 1
        it.keys.append(new_key)
        assert await refused(verifier, token(claims(iss=it.url), new_key, kid="two"))  # asked a moment ago
        clock = time.monotonic
        monkeypatch.setattr(time, "monotonic", lambda: clock() + 11)
        await verifier.verify(token(claims(iss=it.url), new_key, kid="two"))
        assert it.asked == 2


async def test_a_flood_of_invented_keys_does_not_flood_identity() -> None:
    async with identity(KEY) as it:
        verifier = Verifier(tokens.AUDIENCE, Keys(it.url))
        for n in range(30):
            assert await refused(verifier, token(claims(iss=it.url), kid=f"invented{n}"))

        assert it.asked == 1


async def test_while_identity_is_away_nobody_is_called_a_forger() -> None:
    async with identity() as it:
        address = it.url
    verifier = Verifier(tokens.AUDIENCE, Keys(address))

    with pytest.raises(Unavailable):
        await verifier.verify(token(claims(iss=address)))


@pytest.mark.parametrize("body", [b"<h1>Bad gateway</h1>", b"{}", b'{"keys": [{"kty": "EC"}]}'])
async def test_while_somebody_else_answers_for_identity_nobody_is_called_a_forger(body: bytes) -> None:
    async with identity() as it:
        it.body = body
        verifier = Verifier(tokens.AUDIENCE, Keys(it.url))

        with pytest.raises(Unavailable):
            await verifier.verify(token(claims(iss=it.url)))


# ── who may call ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def office() -> AsyncIterator[httpx2.AsyncClient]:
    """One route for each kind of caller."""
    router = http.Router()

    @router.get("/citizens")
    async def for_citizens(caller: Citizen) -> UUID:
        return caller.ref

    @router.get("/officers")
    async def for_officers(caller: Officer) -> str:
        return caller.unit

    @router.get("/desk")
    async def for_the_desk(caller: OfficerToken = Depends(auth.officer("desk", "clerk"))) -> str:
        return caller.unit

    @router.get("/services")
    async def for_services(caller: SystemToken = Depends(auth.system("notification"))) -> str:
        return caller.name

    @router.get("/anybody")
    async def for_anybody(caller: Caller) -> str:
        return caller.kind

    @router.get("/public", dependencies=[auth.Public])
    async def for_all() -> str:
        return "welcome"

    app = FastAPI()
    problems.install(app)
    app.state.db = object()  # these routes do not touch it
    keys = Keys(ISSUER)
    keys.use(tokens.JWKS)
    app.state.verifier = Verifier(tokens.AUDIENCE, keys)
    app.include_router(router)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://office.test") as client:
        yield client


CALLERS: dict[
    str, Callable[[], dict[str, str]]
] = {  # made when they call: tokens made at import end before a long run does
    "nobody": dict,
    "citizen": lambda: bearer(claims()),
    "desk": lambda: bearer(officer_claims("desk")),
    "leader": lambda: bearer(officer_claims("leader")),
    "notification": lambda: bearer(claims(kind="system", sub="notification")),
    "payment": lambda: bearer(claims(kind="system", sub="payment")),
}

LET_IN = {
    "/citizens": {"citizen"},
    "/officers": {"desk", "leader"},
    "/desk": {"desk"},
    "/services": {"notification"},
    "/anybody": {"citizen", "desk", "leader", "notification", "payment"},
    "/public": set(CALLERS),
}


@pytest.mark.parametrize("path", LET_IN)
async def test_each_route_lets_in_whom_it_names_and_nobody_else(office: httpx2.AsyncClient, path: str) -> None:
    for who, credentials in CALLERS.items():
        answer = await office.get(path, headers=credentials())

        expected = 200 if who in LET_IN[path] else 401 if who == "nobody" else 403
        assert answer.status_code == expected, who


async def _milliseconds(verifier: Verifier, encoded: list[str]) -> float:
    began = time.perf_counter()
    for each in encoded:
        await verifier.verify(each)
    return (time.perf_counter() - began) / len(encoded) * 1000


async def test_verification_is_quick_enough_to_be_no_subject(
    verifier: Verifier, record_property: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    encoded = [token() for _ in range(300)]
    new, known = [await _milliseconds(verifier, encoded) for _ in range(2)]

    record_property("milliseconds_per_token", round(new, 3))
    with capsys.disabled():
        print(f" [a new token: {new:.2f} ms, a known one: {known:.4f} ms] ", end="")  # noqa: T201
    assert known < new


async def test_whoever_only_runs_the_system_is_no_officer_at_work() -> None:
    app = FastAPI()
    problems.install(app)
    router = http.Router()

    @router.get("/queue")
    async def queue(who: Officer) -> str:
        return who.unit

    app.include_router(router)
    app.state.db, app.state.verifier = object(), Verifier(tokens.AUDIENCE, Keys(ISSUER))
    app.state.verifier.keys.use(tokens.JWKS)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://test") as client:
        statuses = [
            (await client.get("/queue", headers=bearer(officer_claims(role)))).status_code
            for role in ("desk", "inspector", "system_admin")
        ]
    assert statuses == [200, 200, 403]


# ── a fresh proof, and the cost of checking ───────────────────────────────────────────────────────────────────


async def test_a_token_that_was_checked_before_ends_when_it_ends(
    verifier: Verifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded, real = token(claims(exp=int(time.time()) + 60)), time.time
    assert await verifier.verify(encoded) is await verifier.verify(encoded)

    monkeypatch.setattr(time, "time", lambda: real() + 60 + auth.LEEWAY + 1)

    assert await refused(verifier, encoded)


async def test_checked_tokens_are_forgotten_before_they_fill_the_memory(
    verifier: Verifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "REMEMBERED", 3)
    for _ in range(5):
        await verifier.verify(token(claims()))

    assert len(verifier._checked) == 3


async def test_an_act_that_needs_a_fresh_proof_refuses_an_old_login() -> None:
    app = FastAPI()
    problems.install(app)
    router = http.Router()

    @router.post("/signature", dependencies=[Depends(auth.recent(minutes=5))])
    async def sign(_: Caller) -> str:
        return "signed"

    app.include_router(router)
    app.state.db, app.state.verifier = object(), Verifier(tokens.AUDIENCE, Keys(ISSUER))
    app.state.verifier.keys.use(tokens.JWKS)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://test") as client:

        async def signs(**changes: Any) -> httpx2.Response:
            return await client.post("/signature", headers=bearer(claims(**changes)))

        now = int(time.time())
        assert (await signs(auth_time=now - 240)).status_code == 200
        old = await signs(auth_time=now - 330)
        assert (old.status_code, old.json()["type"], old.json()["max_age"]) == (
            401, "urn:motcua:problem:fresh-proof-needed", 300,
        )  # fmt: skip
        assert "max_age=300" in old.headers["www-authenticate"]
        assert (await signs(kind="system", sub="payment", auth_time=None)).status_code == 403
