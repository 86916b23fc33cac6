"""Who acts: a citizen who logs in at VNeID as a browser would, and officers with their passwords."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from deploy.demo.web import Refused, Web
from deploy.local.places import ROOT
from deploy.local.site import Site

TENANT = ROOT / "deploy/tenants/an-binh"
EARLY = 15.0
"""Seconds before its end that a token is renewed."""
LOGIN_ATTEMPTS = 3
"""A login that was begun before VNeID or identity was killed is begun anew."""


@dataclass(frozen=True)
class Profile:
    """A fictional citizen, as the tenant's files have them."""

    identity_number: str
    name: str
    phone: str
    email: str


def profile(identity_number: str) -> Profile:
    people = yaml.safe_load(Path(TENANT, "people.yaml").read_text("utf-8"))["people"]
    found = next(person for person in people if person["identity_number"] == identity_number)
    return Profile(identity_number, found["name"], found["phone"], found["email"])


class Tokens:
    """Tokens of one subject for each service, kept until shortly before they end."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[str, float]] = {}

    def get(self, audience: str) -> str:
        token, ends = self._kept.get(audience, ("", 0.0))
        return token if time.monotonic() < ends else ""

    def keep(self, audience: str, answer: dict[str, Any]) -> str:
        token = str(answer["access_token"])
        self._kept[audience] = (token, time.monotonic() + float(answer["expires_in"]) - EARLY)
        return token


class Portal:
    """What the gateway does for a browser: it logs people in, and asks for tokens in their name."""

    def __init__(self, web: Web, site: Site) -> None:
        self.web, self.site = web, site
        self._tokens = Tokens()

    async def _own_token(self) -> str:
        return self._tokens.get("identity") or self._tokens.keep("identity", await self._client_credentials())

    async def _client_credentials(self) -> dict[str, Any]:
        secret = self.site.secrets.client_secret("gateway")
        form = {"grant_type": "client_credentials", "client_id": "gateway", "client_secret": secret}
        answer = await self.web.call(
            "POST", f"{self.site.url('identity')}/oauth/token", data={**form, "audience": "identity"}
        )
        token: dict[str, Any] = answer.json()
        return token

    async def _ask(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        url = f"{self.site.url('identity')}/api/v1/{path}"
        answer: dict[str, Any] = (await self.web.call("POST", url, bearer=self._own_token, json=body)).json()
        return answer

    async def token_of(self, session: str, audience: str) -> dict[str, Any]:
        return await self._ask(f"sessions/{session}/tokens", {"audience": audience})

    async def citizen(self, identity_number: str) -> "Person":
        """Logs in at VNeID's form."""
        for attempt in range(1, LOGIN_ATTEMPTS + 1):
            try:
                return Person(self, await self._log_in(identity_number))
            except Refused:
                if attempt == LOGIN_ATTEMPTS:
                    raise
        raise AssertionError("unreachable")

    async def _log_in(self, identity_number: str) -> dict[str, Any]:
        callback = f"{self.site.url('gateway')}/dang-nhap/vneid"
        begun = await self._ask("logins", {"provider": "vneid", "callback_url": callback})
        form = {"identity_number": identity_number}
        sent_back = await self.web.call("POST", begun["authorization_url"], data=form)
        answer = parse_qs(urlsplit(sent_back.headers["location"]).query)
        proof = {"code": answer["code"][0], **({"issuer": answer["iss"][0]} if "iss" in answer else {})}
        return await self._ask(f"logins/{begun['state']}/completion", proof)

    async def officer(self, username: str) -> "Person":
        password = self.site.secrets.demo_password
        return Person(self, await self._ask("officer-sessions", {"username": username, "password": password}))


class Person:
    """Somebody who is logged in."""

    def __init__(self, portal: Portal, session: dict[str, Any]) -> None:
        self._portal = portal
        self._session = str(session["session"])
        self._tokens = Tokens()
        self.name = str(session["display_name"])

    async def get(self, service: str, path: str, **params: Any) -> Any:
        return await self._call("GET", service, path, params=params)

    async def post(self, service: str, path: str, key: str, json: Any = None, *, method: str = "POST") -> Any:
        return await self._call(method, service, path, key=key, json=json)

    async def _call(self, method: str, service: str, path: str, **options: Any) -> Any:
        async def bearer() -> str:
            return self._tokens.get(service) or self._tokens.keep(
                service, await self._portal.token_of(self._session, service)
            )

        url = f"{self._portal.site.url(service)}/api/v1/{path}"
        answer = await self._portal.web.call(method, url, bearer=bearer, **options)
        return answer.json() if answer.content else None
