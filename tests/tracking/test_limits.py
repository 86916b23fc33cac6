"""How often one address may ask."""

from services.tracking.lookup.limits import Limiter


def test_a_full_bucket_may_be_used_at_once_and_refills_evenly() -> None:
    limiter = Limiter(20)
    assert [limiter.wait("198.51.100.1", 0.0) for _ in range(20)] == [0.0] * 20
    assert limiter.wait("198.51.100.1", 0.0) == 3.0
    assert limiter.wait("198.51.100.1", 3.0) == 0.0


def test_addresses_count_apart_but_one_ipv6_subscriber_is_one() -> None:
    limiter = Limiter(1)
    assert limiter.wait("198.51.100.1", 0.0) == 0.0
    assert limiter.wait("198.51.100.2", 0.0) == 0.0
    assert limiter.wait("2001:db8:0:1::1", 0.0) == 0.0
    assert limiter.wait("2001:db8:0:1:ffff::2", 0.0) > 0


def test_memory_is_bounded() -> None:
    limiter = Limiter(1, addresses=3)
    for n in range(100):
        limiter.wait(f"198.51.100.{n}", 0.0)
    assert len(limiter._buckets) == 3


def test_zero_is_without_limit() -> None:
    limiter = Limiter(0)
    assert not any(limiter.wait("198.51.100.1", 0.0) for _ in range(1000))
