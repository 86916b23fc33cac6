"""Whereto a webhook may go, and what an answer means.

The rules against server-side request forgery follow OWASP's cheat sheet and Standard Webhooks 1.0.0 ("Server side
request forgery"); the meaning of statuses follows that specification's "Delivery success and failure".
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from contracts.refusal import Refusal
from services.notification.systems.delivery.domain import Accepted, Deferred, Gone, Outcome, Trouble

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class UrlNotAllowed(Refusal):
    """A webhook's address that we do not send to; `detail` says which rule it breaks."""

    status = 422
    title = "Địa chỉ webhook không được phép"
    title_en = "Webhooks may not be sent to this address"


@dataclass(frozen=True, slots=True)
class Reach:
    """How far requests may go: the installation's own setting."""

    networks: tuple[Network, ...] = ()
    """Networks that are allowed although they are not public: the agencies' own network, or loopback in local runs."""
    ports: frozenset[int] = frozenset({443, 8443})
    """Ports of hosts in the public network and the agencies' own; on loopback every port is good."""

    @property
    def loopback(self) -> bool:
        """Whether this is a local run: only there plain http, bare addresses and every port are good, on loopback."""
        return any(network.is_loopback for network in self.networks)


@dataclass(frozen=True, slots=True)
class Target:
    """A webhook's address that was read and found good."""

    url: str
    host: str
    port: int


_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]{1,253}|\[::1\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<rest>(?:/[A-Za-z0-9._~!$&'()*+,;=:@/%-]*)?(?:\?[A-Za-z0-9._~!$&'()*+,;=:@/?%-]*)?)",
    re.ASCII | re.IGNORECASE,
)
"""Deliberately less than RFC 3986 allows: no user info, no fragment, no letters beyond ASCII (international names in
their `xn--` form), nothing that two parsers could read in two ways."""
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
LONGEST_URL = 2000
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})


def target(url: str, domains: Collection[str], reach: Reach) -> Target:
    """The address, if it may be sent to: https, one of the subscriber's domains, a usual port. UrlNotAllowed if not.

    `domains`: host names agreed with the agency (`subscribers.yaml`); each stands for itself, not for names below it.
    Where a name leads is looked at again for every connection (`may_connect`).
    """
    read = _URL.fullmatch(url) if len(url) <= LONGEST_URL else None
    if not read:
        raise UrlNotAllowed("Expected https://<host>[:<port>]/<path>, ASCII, without user, fragment or trailing dot")
    scheme, host = read["scheme"].lower(), read["host"].lower()
    port = int(read["port"] or (443 if scheme == "https" else 80))
    if not (reach.loopback and host in LOOPBACK_HOSTS and 0 < port < 65536):
        _check(scheme, host, port, domains, reach)
    return Target(f"{scheme}://{host}:{port}/{read['rest'].removeprefix('/')}", host, port)


def _check(scheme: str, host: str, port: int, domains: Collection[str], reach: Reach) -> None:
    labels = host.split(".")
    if scheme != "https":
        raise UrlNotAllowed("Only https is sent to")
    if len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels) or not labels[-1][0].isalpha():
        raise UrlNotAllowed("The host must be a full domain name, not an address in any notation")
    if host not in domains:
        raise UrlNotAllowed("The host is not among the domains agreed with the agency")
    if port not in reach.ports:
        raise UrlNotAllowed(f"The port must be one of {', '.join(map(str, sorted(reach.ports)))}")


_NEVER = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/128", "fe80::/10", "ff00::/8",
        "fd00:ec2::254/128", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32",
    )
)  # fmt: skip
"""Not even by setting: unspecified, link-local (the metadata service of most clouds), multicast, reserved, broadcast,
and the metadata services that stand elsewhere (AWS by IPv6, Alibaba, Azure, Oracle)."""
_NOT_PUBLIC = tuple(
    ip_network(network)
    for network in (
        "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24",
        "203.0.113.0/24", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
    )
)  # fmt: skip
"""IANA's special-purpose registries, and the ways to wrap an IPv4 address (Teredo, 6to4) within 2000::/3."""
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")


def may_connect(address: str, reach: Reach) -> bool:
    """Whether a connection to this address may be opened: it is public, or in a network that the installation names.

    Of IPv6 only 2000::/3 is public, so mapped, compatible, unique-local and site-local ones are not. An address made by
    NAT64 (RFC 6052) is what it stands for.
    """
    found = ip_address(address.partition("%")[0])
    if found.version == 6 and found in _NAT64:
        found = IPv4Address(int(found) & 0xFFFFFFFF)
    if _within(found, _NEVER):
        return False
    return _within(found, reach.networks) or _is_public(found)


def _is_public(address: Address) -> bool:
    unicast = address.version == 4 or address in _GLOBAL_UNICAST
    return unicast and not _within(address, _NOT_PUBLIC)


def _within(address: Address, networks: Collection[Network]) -> bool:
    return any(address in network for network in networks)  # False for the other version of IP


def outcome_of(status: int, wait: float | None = None) -> Outcome:
    """What a status means (Standard Webhooks 1.0.0, "Delivery success and failure"); `wait` is `retry_after`'s.

    Only 2xx is success. Whatever else they say may pass, but for 410: they want no more.
    """
    if status // 100 == 2:
        return Accepted(status)
    if status == GONE:
        return Gone()
    trouble = Trouble.REDIRECT if status // 100 == 3 else Trouble.STATUS
    return Deferred(trouble, status, None if wait is None else timedelta(seconds=wait))


GONE = 410
LONGEST_WAIT = 86400.0


def retry_after(header: str | None, now: datetime) -> float | None:
    """Seconds to wait by a `Retry-After` header, which is a number of seconds or a date (RFC 9110, 10.2.3).

    None without one and for nonsense; a moment in the past is 0; more than a day is a day.
    """
    if not header or len(header) > 40:
        return None
    if header.isascii() and header.isdigit():
        return min(float(header), LONGEST_WAIT)
    try:
        until = parsedate_to_datetime(header)
    except ValueError:
        return None
    seconds = (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds()
    return min(max(seconds, 0.0), LONGEST_WAIT)
