"""Which topics there must be: the registry's channels, for every service that hears one a place for dead letters, and
for every system outside a place where events are published again for it alone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from contracts.registry import CHANNELS
from deploy.kafka import subscribers
from deploy.local.places import ROOT
from kit.ops import replay_topic
from kit.outbox import LARGEST

FOR_EVER = "-1"
REPLAY_DAYS = 14
"""How long what was published again waits for its reader."""


@dataclass(frozen=True)
class Topic:
    name: str
    partitions: int
    settings: Mapping[str, str] = field(default_factory=dict)


def wanted() -> list[Topic]:
    return [*_channels(), *_dead_letters(), *_replays()]


def _channels() -> Iterator[Topic]:
    for channel in CHANNELS:
        yield Topic(channel.name, channel.partitions, {"cleanup.policy": "compact"} if channel.compacted else {})


def _dead_letters() -> Iterator[Topic]:
    """One for each consumer group and channel. They keep their order and stay until an operator decided."""
    for group in hearers():
        for channel in CHANNELS:
            yield Topic(f"{group}.{channel.name}.dlq", 1, {"retention.ms": FOR_EVER, "max.message.bytes": str(LARGEST)})


def _replays() -> Iterator[Topic]:
    """One partition: what is asked for again comes in the order in which it was said."""
    for one in subscribers.load():
        yield Topic(replay_topic(one.name), 1, {"retention.ms": str(REPLAY_DAYS * 86_400_000)})


def hearers() -> list[str]:
    """The services that subscribe to anything; each is one consumer group."""
    return sorted(path.parent.name for path in (ROOT / "services").glob("*/subscribers.py"))
