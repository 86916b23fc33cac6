"""A published language of the tests' own: parcels, and what happens to them."""

from contracts.envelope import Audience, Channel, Event

CONSUMER = "depot"
"""Who hears the parcels."""


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
