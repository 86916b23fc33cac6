"""Who it calls: the webhooks of other agencies, one signed request at a time, over connections that are kept."""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from types import SimpleNamespace
from typing import Self
from uuid import UUID

import aiohttp
from yarl import URL

from kit.clock import now
from services.notification.systems.delivery.domain import Deferred, Outcome, Trouble
from services.notification.systems.outbound import domain, signatures, tls
from services.notification.systems.outbound.domain import Reach, UrlNotAllowed
from services.notification.systems.outbound.guard import AddressNotAllowed, Guard
from services.notification.systems.outbound.signatures import SigningKeys
from services.notification.systems.outbound.tls import CertificateNotUsable, ClientCertificate
from services.notification.systems.outbound.tokens import LONGEST_ANSWER, NoToken, OAuth2Client, Tokens

AGENT = "MotCua-Webhooks/1"
NO_MORE: Mapping[str, str] = {}
LONGEST_REST = 4096
"""Bytes of an answer's body that are read, to keep the connection; a longer body ends the connection unread."""
REST_WITHIN = 0.25
"""Seconds that this may take."""
KEPT_FOR = 30.0
"""Seconds that an idle connection is kept."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one subscription's events go and how they are signed. It holds secrets; `repr` shows none."""

    url: str
    keys: SigningKeys
    domains: frozenset[str]
    """Hosts agreed with the agency, looked at again for every request."""
    authentication: OAuth2Client | ClientCertificate | None = None
    """What the subscriber asks for beside the signature."""
    authority: str = field(default="", repr=False)
    """PEM of the root that the subscriber's certificate leads to, when it is not a public one."""

    @property
    def context(self) -> ssl.SSLContext:
        shown = self.authentication if isinstance(self.authentication, ClientCertificate) else None
        return tls.context(self.authority, shown)


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds. Standard Webhooks recommends 15 to 30 for the whole."""

    total: float = 15.0
    """From the first look-up to the end of the answer's headers, tokens included."""
    connect: float = 5.0
    """Name, connection and TLS handshake."""


class Sender:
    """Sends webhooks from this process; `async with`, or `close` at the end.

    How many requests run at once is the caller's decision: nothing here waits for another request.
    """

    def __init__(self, reach: Reach, limits: Limits = Limits(), *, proxy: str = "") -> None:
        self._reach, self._limits, self._proxy = reach, limits, proxy or None
        self._tokens = Tokens()
        self._http: aiohttp.ClientSession | None = None
        self._guard: Guard | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        if self._http:
            await self._http.close()
            self._http = None
        if self._guard:
            await self._guard.close()
            self._guard = None

    async def post(
        self, endpoint: Endpoint, message_id: UUID, body: bytes, at: datetime, *, headers: Mapping[str, str] = NO_MORE
    ) -> Outcome:
        """One attempt: POST `body` (a structured CloudEvent), signed for this moment `at`; `headers` are not signed.

        Whatever the subscriber or the network does is an outcome, never an exception. The message's id is the same for
        every attempt. Nothing is followed, and of the answer only status and Retry-After are looked at.
        """
        headers = {
            **headers,
            "content-type": "application/cloudevents+json; charset=utf-8",
            **signatures.headers(endpoint.keys, str(message_id), body, at),
        }
        try:
            async with asyncio.timeout(self._limits.total):
                return domain.outcome_of(*await self._authorised(endpoint, body, headers))
        except (UrlNotAllowed, CertificateNotUsable, NoToken, aiohttp.ClientError, TimeoutError, OSError) as failure:
            return Deferred(_trouble(failure))

    async def _authorised(
        self, endpoint: Endpoint, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, float | None]:
        """With a token where one is asked for; a refused token is renewed once."""
        if not isinstance(endpoint.authentication, OAuth2Client):
            return await self._send(endpoint, body, headers)
        token = await self._token(endpoint, endpoint.authentication)
        answer = await self._send(endpoint, body, {**headers, "authorization": f"Bearer {token}"})
        if answer[0] != 401:
            return answer
        token = await self._token(endpoint, endpoint.authentication, instead_of=token)
        return await self._send(endpoint, body, {**headers, "authorization": f"Bearer {token}"})

    async def _send(self, endpoint: Endpoint, body: bytes, headers: Mapping[str, str]) -> tuple[int, float | None]:
        """(status, seconds to wait). A kept connection that they closed meanwhile is no failure: once more, anew."""
        connection = SimpleNamespace(kept=False)
        try:
            return await self._post(endpoint, body, headers, connection)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            if not connection.kept:
                raise
        return await self._post(endpoint, body, headers, connection)

    async def _post(
        self, endpoint: Endpoint, body: bytes, headers: Mapping[str, str], connection: SimpleNamespace
    ) -> tuple[int, float | None]:
        response = await self._open(endpoint, endpoint.url, body, headers, connection)
        try:
            wait = response.headers.get("retry-after") if response.status in (429, 503) else None
            await _read(response, LONGEST_REST)
        finally:
            response.close()
        return response.status, domain.retry_after(wait, now())

    async def _token(self, endpoint: Endpoint, client: OAuth2Client, *, instead_of: str = "") -> str:
        async def ask(url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> tuple[int, bytes]:
            async with await self._open(endpoint, url, dict(form), headers, SimpleNamespace()) as response:
                return response.status, await _read(response, LONGEST_ANSWER)

        try:
            return await self._tokens.of(client, ask, instead_of=instead_of)
        except (aiohttp.ClientError, OSError) as away:
            raise NoToken(type(away).__name__) from away

    async def _open(
        self,
        endpoint: Endpoint,
        url: str,
        data: bytes | dict[str, str],
        headers: Mapping[str, str],
        connection: SimpleNamespace,
    ) -> aiohttp.ClientResponse:
        """The only place that a request leaves from, the address having been looked at."""
        return await self._session().post(
            _target(url, endpoint.domains, self._reach),
            data=data,
            headers=headers,
            ssl=endpoint.context,
            proxy=self._proxy,
            allow_redirects=False,
            trace_request_ctx=connection,
        )

    def _session(self) -> aiohttp.ClientSession:
        """Environment variables about proxies and `.netrc` are not looked at; cookies are not kept."""
        if self._http is None:
            tracing = aiohttp.TraceConfig()
            tracing.on_connection_reuseconn.append(_on_kept_connection)
            self._http = aiohttp.ClientSession(
                connector=self._connector(),
                timeout=aiohttp.ClientTimeout(total=None, connect=self._limits.connect),
                headers={"user-agent": AGENT, "accept": "*/*", "accept-encoding": "identity"},
                cookie_jar=aiohttp.DummyCookieJar(),
                trace_configs=[tracing],
                trust_env=False,
                auto_decompress=False,
                read_bufsize=LONGEST_REST,
            )
        return self._http

    def _connector(self) -> aiohttp.TCPConnector:
        """Behind an egress proxy every connection goes to the proxy, which then has the last word on addresses."""
        if self._proxy:
            return aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_FOR)
        self._guard = Guard(self._reach)
        return aiohttp.TCPConnector(
            resolver=self._guard, socket_factory=self._guard.open_socket, limit=0, keepalive_timeout=KEPT_FOR
        )


@lru_cache(1024)
def _target(url: str, domains: frozenset[str], reach: Reach) -> URL:
    """Judged anew whenever the address or what is allowed is another; UrlNotAllowed is never remembered."""
    return URL(domain.target(url, domains, reach).url, encoded=True)


async def _on_kept_connection(_: object, context: SimpleNamespace, __: object) -> None:
    context.trace_request_ctx.kept = True


async def _read(response: aiohttp.ClientResponse, most: int) -> bytes:
    """The body if it is short and there soon. The status is known already, so a body that fails changes nothing."""
    body = bytearray()
    try:
        async with asyncio.timeout(REST_WITHIN):
            while len(body) <= most and (part := await response.content.readany()):
                body += part
    except (aiohttp.ClientError, TimeoutError):
        response.close()
    return bytes(body)


_CERTIFICATE = {
    9: Trouble.CERTIFICATE_EXPIRED,
    10: Trouble.CERTIFICATE_EXPIRED,
    62: Trouble.CERTIFICATE_HOST,
    64: Trouble.CERTIFICATE_HOST,
}
"""OpenSSL's X509_V_ERR_…: not yet valid, expired, host name and address mismatch."""
_TROUBLES: tuple[tuple[type[BaseException], Trouble], ...] = (
    (NoToken, Trouble.AUTHORISATION),
    (AddressNotAllowed, Trouble.ADDRESS),
    (UrlNotAllowed, Trouble.DOMAIN),
    (CertificateNotUsable, Trouble.TLS),
    (ssl.SSLError, Trouble.TLS),
    (aiohttp.ClientConnectorDNSError, Trouble.NAME),
    (aiohttp.ConnectionTimeoutError, Trouble.CONNECT_TIMEOUT),
    (TimeoutError, Trouble.TIMEOUT),
    (ConnectionResetError, Trouble.CLOSED),
    (aiohttp.ClientConnectorError, Trouble.CONNECTION),
    (aiohttp.ClientResponseError, Trouble.ANSWER),
)


def _trouble(failure: BaseException) -> Trouble:
    """Why there is no answer, by the failure and what caused it."""
    causes = _causes(failure)
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError) and not isinstance(cause, aiohttp.ClientError):
            return _CERTIFICATE.get(cause.verify_code, Trouble.CERTIFICATE_UNTRUSTED)
    return next((name for kind, name in _TROUBLES if any(isinstance(cause, kind) for cause in causes)), Trouble.CLOSED)


def _causes(failure: BaseException) -> list[BaseException]:
    found = [failure]
    while found[-1].__cause__:
        found.append(found[-1].__cause__)
    return found
