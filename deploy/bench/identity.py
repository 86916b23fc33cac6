"""`bench identity`: logins against bare Argon2id, what they cost everybody else, and the price of short tokens."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import yaml
from argon2 import PasswordHasher

from deploy.bench.figures import Amount, Figures, Latency, Rates, Ratio, Repeated
from deploy.bench.measuring import measured, say
from deploy.bench.report import Report
from deploy.bench.rig import Rig
from deploy.demo.people import TENANT
from deploy.local import tokens
from kit import ids
from kit.auth import Keys, Verifier

CLIENTS = 4
"""Officers who log in at once, each under a name of their own."""
AT_ONCE = 2
"""Hashes at once: as many as identity allows itself, 64 MiB each."""


@dataclass(frozen=True)
class Extent:
    """How much is done."""

    repetitions: int
    seconds: float
    """Of each measurement."""
    verified: int


FULL = Extent(repetitions=5, seconds=8, verified=2000)
QUICK = Extent(repetitions=1, seconds=2, verified=300)


def measure(*, quick: bool = False) -> Report:
    return measured("identity", lambda rig: _at_the_portal(rig, QUICK if quick else FULL))


async def _at_the_portal(rig: Rig, much: Extent) -> Figures:
    await rig.stack.up("identity", "vneid")
    async with _portal(rig) as portal:
        return await _figures(rig, portal, much)


@dataclass(frozen=True)
class Portal:
    """The gateway's side of identity."""

    http: httpx2.AsyncClient
    password: str
    officers: list[str]

    async def log_in(self, username: str) -> str:
        """The session of an officer who logs in."""
        answer = await self.http.post("/officer-sessions", json={"username": username, "password": self.password})
        answer.raise_for_status()
        return str(answer.json()["session"])

    async def token(self, session: str) -> None:
        answer = await self.http.post(f"/sessions/{session}/tokens", json={"audience": "dossier"})
        answer.raise_for_status()


@asynccontextmanager
async def _portal(rig: Rig) -> AsyncIterator[Portal]:
    site = rig.stack.site
    url, secret = rig.stack.url("identity"), site.secrets.client_secret("gateway")
    form = {"grant_type": "client_credentials", "client_id": "gateway", "client_secret": secret, "audience": "identity"}
    async with httpx2.AsyncClient(base_url=f"{url}/api/v1", timeout=60) as http:
        made: dict[str, Any] = (await http.post(f"{url}/oauth/token", data=form)).json()
        http.headers["Authorization"] = f"Bearer {made['access_token']}"
        listed = yaml.safe_load((TENANT / "officers.yaml").read_text("utf-8"))["officers"]
        names = [entry["username"] for entry in listed]
        yield Portal(http, site.secrets.demo_password, names)


async def _figures(rig: Rig, portal: Portal, much: Extent) -> Figures:
    say("identity", "logins")
    logins, bare = [], []
    for _ in range(much.repetitions):
        bare.append(await _bare_argon2(portal.password, much.seconds))
        logins.append(await _rate(much.seconds, CLIENTS, lambda n: portal.log_in(portal.officers[n])))
    say("identity", "tokens")
    session = await portal.log_in(portal.officers[CLIENTS])
    minted = [await _rate(much.seconds, 8, lambda _: portal.token(session)) for _ in range(much.repetitions)]
    say("identity", "others while somebody logs in")
    alone, beside = await _others(portal, session, much)
    title = f"officers' logins over HTTP ({CLIENTS} at once), against Argon2id alone ({AT_ONCE} threads)"
    ratio = Ratio(title, Repeated(tuple(logins)), Repeated(tuple(bare)), "logins/s", goal=0.7)
    rates = [Rates("access tokens minted from sessions (8 clients)", Repeated(tuple(minted)), "tokens/s")]
    return Figures([ratio], [alone, beside], rates, await _verification(rig, much.verified))


async def _rate(seconds: float, clients: int, act: Callable[[int], Awaitable[Any]]) -> float:
    """Acts a second of clients that go on and on."""
    done, until = 0, time.perf_counter() + seconds

    async def client(n: int) -> None:
        nonlocal done
        while time.perf_counter() < until:
            await act(n)
            done += 1

    began = time.perf_counter()
    await asyncio.gather(*[client(n) for n in range(clients)])
    return done / (time.perf_counter() - began)


async def _bare_argon2(password: str, seconds: float) -> float:
    """Verifications a second with identity's parameters and nothing around them."""
    hasher, loop = PasswordHasher(parallelism=1), asyncio.get_running_loop()
    stored = hasher.hash(password)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return await _rate(seconds, AT_ONCE, lambda _: loop.run_in_executor(threads, hasher.verify, stored, password))


async def _others(portal: Portal, session: str, much: Extent) -> tuple[Latency, Latency]:
    """The time of a token, 20 a second, with nobody logging in and with two who never stop."""
    alone = await _steady(portal, session, much.seconds)
    logging_in = asyncio.gather(*[_for_ever(portal, name) for name in portal.officers[:2]])
    beside = await _steady(portal, session, much.seconds)
    logging_in.cancel()
    await asyncio.gather(logging_in, return_exceptions=True)
    told = "an access token from a session"
    return (
        Latency(f"{told}, nobody logs in", "20 tokens/s", tuple(alone)),
        Latency(f"{told}, while officers log in without pause", "20 tokens/s", tuple(beside), goal_p99=100),
    )


async def _for_ever(portal: Portal, username: str) -> None:
    while True:
        await portal.log_in(username)


async def _steady(portal: Portal, session: str, seconds: float) -> list[float]:
    taken: list[float] = []

    async def one() -> None:
        began = time.perf_counter()
        await portal.token(session)
        taken.append((time.perf_counter() - began) * 1000)

    async with asyncio.TaskGroup() as group:
        began = time.perf_counter()
        for n in range(round(seconds * 20)):
            await asyncio.sleep(max(0.0, began + n / 20 - time.perf_counter()))
            group.create_task(one())
    return taken


async def _verification(rig: Rig, count: int) -> list[Amount]:
    """What a service pays to know who calls: a token seen for the first time, and one seen before."""
    site = rig.stack.site
    keys = Keys(site.url("identity"))
    await keys._refresh()
    verifier, encoded = Verifier("dossier", keys), [tokens.of_citizen(site, "dossier", ids.new()) for _ in range(count)]
    taken = []
    for _ in range(2):
        began = time.perf_counter()
        for each in encoded[:4000]:
            await verifier.verify(each)
        taken.append((time.perf_counter() - began) / count * 1000)
    new, known = taken
    return [
        Amount("verifying a token that is new to the service (goal: 0.2)", new, "ms"),
        Amount("verifying it again", known, "ms"),
    ]
