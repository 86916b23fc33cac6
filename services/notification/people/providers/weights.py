"""Which of several providers is asked first: by their weights, away from who failed lately.

What is remembered is short and fades: each failure makes a provider four times less likely, and half of the memory is
gone after `HALF_LIFE` seconds. Nobody has to bring a provider back: what little still goes to it finds out that it
works. Every process remembers for itself, which is enough: each meets the failure within a few messages.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

HALF_LIFE = 30.0
WORST = 5.0
"""Failures that are remembered at most: a provider that was away for hours is back after two or three minutes."""


@dataclass(frozen=True, slots=True)
class Health:
    """How a provider did lately."""

    trouble: float = 0.0
    """Failures, as remembered at `at`."""
    at: float = 0.0
    """Seconds of a clock that only goes forward."""


def trouble(health: Health, now: float) -> float:
    """What is still remembered of its failures."""
    return health.trouble * math.pow(0.5, max(0.0, now - health.at) / HALF_LIFE)


def failed(health: Health, now: float) -> Health:
    """It did not answer as it should."""
    return Health(min(trouble(health, now) + 1, WORST), now)


def worked(health: Health, now: float) -> Health:
    """It answered: what was remembered counts half."""
    return Health(trouble(health, now) / 2, now)


def share(weight: float, health: Health, now: float) -> float:
    """How likely it is asked first, in proportion to the others."""
    return weight * math.pow(0.25, trouble(health, now))


def order(shares: Mapping[str, float], draw: float) -> list[str]:
    """All of them: the first by lot (`draw` is from 0 up to 1), then the likeliest first; a weight of 0 is only asked
    when every other failed."""
    if not shares:
        return []
    rest = sorted(shares, key=lambda name: -shares[name])
    point = draw * sum(shares.values())
    for name in rest:
        point -= shares[name]
        if point < 0:
            return [name, *(other for other in rest if other != name)]
    return rest
