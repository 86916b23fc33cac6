"""Who may do what on Kafka: made from the registry of channels, from who hears them, and from the outside systems.

Pure: nothing here talks to a broker. What is not said here is forbidden (`allow.everyone.if.no.acl.found=false`).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from contracts.envelope import Audience, Channel
from deploy.kafka.subscribers import Subscriber
from kit.ops import replay_topic
from kit.worker import dead_letter_topic


class Act(StrEnum):
    """To read or to write implies to describe."""

    READ = "READ"
    WRITE = "WRITE"


class Kind(StrEnum):
    TOPIC = "TOPIC"
    GROUP = "GROUP"


@dataclass(frozen=True, order=True)
class Right:
    kind: Kind
    name: str
    act: Act
    prefixed: bool = False
    """Of everything whose name begins so."""


@dataclass(frozen=True)
class Principal:
    """Somebody who logs in: a service, or a system outside."""

    name: str
    rights: frozenset[Right]
    quotas: Mapping[str, float] = field(default_factory=dict)
    """By Kafka's names; services have none."""


def principals(
    channels: Iterable[Channel], heard: Mapping[str, Iterable[str]], subscribers: Iterable[Subscriber]
) -> list[Principal]:
    """`heard`: every service with the names of the channels that it hears, also those that hear nothing."""
    channels, subscribers = list(channels), list(subscribers)
    services = [Principal(name, frozenset(_service(name, channels, heard[name], subscribers))) for name in heard]
    outside = [Principal(one.name, frozenset(_outside(one, channels)), _quotas(one)) for one in subscribers]
    return [one for one in [*services, *outside] if one.rights]


def _service(
    name: str, channels: list[Channel], heard: Iterable[str], subscribers: list[Subscriber]
) -> Iterator[Right]:
    own = [channel for channel in channels if channel.owner == name]
    yield from (Right(Kind.TOPIC, channel.name, Act.WRITE) for channel in own)
    if any(channel.audience is Audience.PUBLIC for channel in own):
        yield from (Right(Kind.TOPIC, replay_topic(one.name), Act.WRITE) for one in subscribers)
    for channel in heard:
        yield Right(Kind.TOPIC, channel, Act.READ)
        yield from (Right(Kind.TOPIC, dead_letter_topic(name, channel), act) for act in Act)
        yield Right(Kind.GROUP, name, Act.READ)
        yield Right(Kind.GROUP, f"{name}.redrive", Act.READ)


def _outside(subscriber: Subscriber, channels: list[Channel]) -> Iterator[Right]:
    """Public channels, whole: Kafka's rights end at the topic. Nothing else, and nothing to write."""
    public = [channel.name for channel in channels if channel.audience is Audience.PUBLIC]
    yield from (Right(Kind.TOPIC, topic, Act.READ) for topic in [*public, replay_topic(subscriber.name)])
    yield Right(Kind.GROUP, f"{subscriber.name}.", Act.READ, prefixed=True)


def _quotas(subscriber: Subscriber) -> dict[str, float]:
    return {
        "consumer_byte_rate": float(subscriber.consumer_bytes_per_second),
        "request_percentage": subscriber.request_percentage,
    }
