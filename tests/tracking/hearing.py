"""Lets the inbox hear events as Kafka would bring them."""

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.envelope import Channel, Event
from contracts.registry import CHANNELS
from kit import ids
from kit.db import Database
from kit.inbox import Inbox, Record
from services.tracking.subscribers import inbox as tracking


@dataclass(frozen=True)
class Heard:
    """A record as it stands on a topic."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


def channel_of(event: Event) -> Channel:
    return next(channel for channel in CHANNELS if type(event) in channel.events)


def record(event: Event) -> Heard:
    channel = channel_of(event)
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", str(ids.new()).encode()),
        ("ce_type", channel.type_of(type(event)).encode()),
        ("ce_source", channel.source.encode()),
        ("ce_subject", channel.key_of(event).encode()),
        ("ce_time", event.occurred_at.isoformat().encode()),
        ("ce_aggregateversion", str(event.version).encode()),
    ]
    return Heard(channel.name, channel.key_of(event).encode(), event.model_dump_json().encode(), headers)


def tombstone(channel: Channel, key: str) -> Heard:
    return Heard(channel.name, key.encode(), None, [])


async def hear(db: Database, *heard: Event | Heard, inbox: Inbox = tracking) -> None:
    """One batch, as one poll of Kafka gives it. Nothing in these stories may be poison."""
    await inbox.consume(db, [one if isinstance(one, Heard) else record(one) for one in heard], _nothing_is_poison)


async def _nothing_is_poison(record: Record, why: Exception) -> None:
    raise AssertionError(f"buried a record of {record.topic}") from why
