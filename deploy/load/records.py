"""Contract events as the records that the relay would put on Kafka, written cheaply.

A test checks that each is exactly what its contract class says.
"""

from datetime import datetime
from random import Random
from typing import Any, NamedTuple

from pydantic_core import to_json

from contracts.envelope import Channel, Event
from contracts.registry import CHANNELS


class Written(NamedTuple):
    """A record as it stands on a topic, and the moment of its event."""

    at: datetime
    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


class _Form(NamedTuple):
    """What the records of one type have in common."""

    topic: str
    before: list[tuple[str, bytes]]
    schema: tuple[str, bytes]


def _form(channel: Channel, event: type[Event]) -> _Form:
    return _Form(
        channel.name,
        [("ce_type", channel.type_of(event).encode()), ("ce_source", channel.source.encode())],
        ("ce_dataschema", channel.schema_of(event).encode()),
    )


FORMS = {event: _form(channel, event) for channel in CHANNELS for event in channel.events}
_VERSION = ("ce_specversion", b"1.0")
_JSON = ("content-type", b"application/json")


def write(event: type[Event], key: str, version: int, at: datetime, facts: dict[str, Any], chance: Random) -> Written:
    """The event as a record; `facts` are the fields of its own, as JSON or as Python values."""
    form, named = FORMS[event], key.encode()
    event_id = uuid7(at, chance).encode()
    moment = at.isoformat().replace("+00:00", "Z")
    headers = [
        _VERSION,
        ("ce_id", event_id),
        *form.before,
        ("ce_subject", named),
        ("ce_time", moment.encode()),
        form.schema,
        ("ce_partitionkey", named),
        ("ce_aggregateversion", b"%d" % version),
        ("ce_correlationid", event_id),
        _JSON,
    ]
    return Written(at, form.topic, named, to_json({"version": version, "occurred_at": moment, **facts}), headers)


def uuid7(at: datetime, chance: Random) -> str:
    """A UUIDv7 of that moment, the same for the same chance."""
    time, rest = int(at.timestamp() * 1000), chance.getrandbits(74)
    told = f"{time:012x}7{rest >> 62:03x}{rest & _RANDOM | _VARIANT:016x}"
    return f"{told[:8]}-{told[8:12]}-{told[12:16]}-{told[16:20]}-{told[20:]}"


_RANDOM, _VARIANT = 0x3FFFFFFFFFFFFFFF, 0x8000000000000000
