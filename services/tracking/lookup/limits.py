"""How often one address may ask: a token bucket per address, kept in this process."""

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class Limiter:
    """Lets every address ask `per_minute` times a minute, all at once or spread; 0 means without limit.

    Each process counts for itself, so N replicas let an address ask up to N times as often. Memory is bounded:
    beyond `addresses` the one that has been silent longest is forgotten.
    """

    def __init__(self, per_minute: int, *, addresses: int = 50_000) -> None:
        self._per_minute = per_minute
        self._addresses = addresses
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def wait(self, address: str, at: float) -> float:
        """Take a token at monotonic second `at`: 0.0 if there was one, else the seconds to wait for it."""
        if not self._per_minute:
            return 0.0
        bucket = self._refilled(_network(address), at)
        if bucket.tokens >= 1:
            bucket.tokens -= 1
            return 0.0
        return (1 - bucket.tokens) * 60 / self._per_minute

    def _refilled(self, key: str, at: float) -> _Bucket:
        bucket = self._buckets.setdefault(key, _Bucket(self._per_minute, at))
        self._buckets.move_to_end(key)
        if len(self._buckets) > self._addresses:
            self._buckets.popitem(last=False)
        earned = (at - bucket.filled_at) * self._per_minute / 60
        bucket.tokens, bucket.filled_at = min(self._per_minute, bucket.tokens + earned), at
        return bucket


def _network(address: str) -> str:
    """Whom to count: an IPv4 address, or the /64 that one IPv6 subscriber gets as a whole."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False))
