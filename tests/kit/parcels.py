"""A published language of the tests' own: parcels, and what happens to them."""

from dataclasses import dataclass, field

from contracts.envelope import Audience, Channel, Event
from kit import outbox
from kit.clock import now
from kit.ids import new


class AboutParcel(Event):
    parcel: str


class ParcelSent(AboutParcel):
    weight: int
    """Grams."""


class ParcelMoved(AboutParcel):
    to: str


def channel(name: str, *, compacted: bool = False) -> Channel:
    """A channel of parcels; every test has its own, since topics outlive tests."""
    return Channel(
        name,
        owner="post",
        audience=Audience.INTERNAL,
        key="parcel",
        events=(ParcelSent, ParcelMoved),
        doc="What happens to a parcel.",
        partitions=3,
        compacted=compacted,
    )


def sent(parcel: str, version: int = 1, weight: int = 500) -> ParcelSent:
    return ParcelSent(version=version, occurred_at=now(), parcel=parcel, weight=weight)


def moved(parcel: str, version: int, to: str = "Hòa Lạc") -> ParcelMoved:
    return ParcelMoved(version=version, occurred_at=now(), parcel=parcel, to=to)


@dataclass
class Heard:
    """A record as Kafka hands it over."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]] = field(default_factory=list)


def heard(channel: Channel, event: Event, **other_headers: str) -> Heard:
    """The event as the relay publishes it, but for these headers."""
    key = channel.key_of(event)
    headers = {**outbox._headers(channel, event, str(new()), key), **other_headers}
    raw = [(name, value.encode()) for name, value in headers.items()]
    return Heard(channel.name, key.encode(), event.model_dump_json().encode(), raw)
