"""What every event and channel promises a subscriber: words, order, no personal data, a future."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from contracts import asyncapi
from contracts.envelope import Audience, Channel, Event
from contracts.payment import FeePaid, PaymentMethod
from contracts.registry import CHANNELS

EVENTS = [pytest.param(channel, event, id=event.__name__) for channel in CHANNELS for event in channel.events]
PERSONAL = {"phone", "email", "address", "birth", "birthday", "dob", "cccd", "cmnd", "passport", "gender"}
PERSONAL_PAIRS = {"full_name", "owner_name", "submitter_name", "person_name", "identity_number", "tax_code"}
LOOKS_PERSONAL = re.compile(r"(?<![0-9a-f-])(0\d{9}|\d{12})(?![0-9a-f])|@")


def _schemas(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _schemas(child)


def _properties(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for part in _schemas(schema):
        if isinstance(part.get("properties"), dict):
            yield from part["properties"].items()


@pytest.mark.parametrize(("channel", "event"), EVENTS)
def test_every_event_and_field_is_explained(channel: Channel, event: type[Event]) -> None:
    schema = asyncapi.schema(channel, event)
    assert event.__doc__, "a foreign subscriber needs a docstring"
    assert schema["description"] != asyncapi.schema(channel, event.__bases__[0])["description"]
    assert [name for name, field in _properties(schema) if not field.get("description")] == []
    assert [name for name, part in schema.get("$defs", {}).items() if not part.get("description")] == []


@pytest.mark.parametrize(("channel", "event"), EVENTS)
def test_every_event_names_its_aggregate(channel: Channel, event: type[Event]) -> None:
    assert event.model_fields[channel.key].is_required(), f"{channel.key} is the record's key"


@pytest.mark.parametrize(("channel", "event"), EVENTS)
def test_no_personal_data(channel: Channel, event: type[Event]) -> None:
    names = {name for name, _ in _properties(asyncapi.schema(channel, event))}
    assert names.isdisjoint(PERSONAL_PAIRS)
    assert {word for name in names for word in name.split("_")}.isdisjoint(PERSONAL)
    for _, body in asyncapi.examples(channel, event):
        assert not LOOKS_PERSONAL.search(json.dumps(body, ensure_ascii=False))


def test_masked_names_and_digests_never_leave_the_installation() -> None:
    public = [channel for channel in CHANNELS if channel.audience is Audience.PUBLIC]
    names = {n for c in public for e in c.events for n, _ in _properties(asyncapi.schema(c, e))}
    assert names.isdisjoint({"masked_name", "identity_digest"})


def test_channels_and_types_are_unique_and_well_named() -> None:
    names = [channel.name for channel in CHANNELS]
    types = [channel.type_of(event) for channel in CHANNELS for event in channel.events]
    assert len(set(names)) == len(names)
    assert len(set(types)) == len(types)
    assert all(re.fullmatch(rf"{c.owner}\.[a-z]+\.v\d+", c.name) for c in CHANNELS)


@pytest.mark.parametrize(("channel", "event"), EVENTS)
def test_a_type_leads_back_to_its_event(channel: Channel, event: type[Event]) -> None:
    assert channel.event_named(channel.type_of(event)) is event
    assert channel.event_named(channel.type_of(event) + "x") is None


def test_a_word_from_the_future_is_read_and_passed_on() -> None:
    body = next(body for _, body in asyncapi.examples(_channel_of(FeePaid), FeePaid))
    event = FeePaid.model_validate(body | {"method": "eye_contact", "mood": "good"})
    assert event.method == "eye_contact"
    assert isinstance(event.method, PaymentMethod)
    assert not event.method.known
    assert PaymentMethod.CASH.known
    assert json.loads(event.model_dump_json())["method"] == "eye_contact"


def test_a_vocabulary_still_refuses_what_is_no_word() -> None:
    body = next(body for _, body in asyncapi.examples(_channel_of(FeePaid), FeePaid))
    with pytest.raises(ValueError, match="method"):
        FeePaid.model_validate(body | {"method": 7})


def _channel_of(event: type[Event]) -> Channel:
    return next(channel for channel in CHANNELS if event in channel.events)
