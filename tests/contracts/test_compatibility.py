"""Nothing that was released may break: frozen schemas and every example ever committed (docs/adr/0008)."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsoncompat
import jsonschema_rs
import pytest

from contracts import asyncapi, release
from contracts.envelope import Channel, Event
from contracts.registry import CHANNELS

EVENTS = [pytest.param(channel, event, id=event.__name__) for channel in CHANNELS for event in channel.events]


def readable(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether whoever reads by the old schema can read all that is said by the new one."""
    return bool(jsoncompat.check_compat(json.dumps(old), json.dumps(new), "serializer"))


def _problems(schema: dict[str, Any], body: object) -> list[str]:
    validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    return [f"{problem.instance_path}: {problem.message}" for problem in validator.iter_errors(body)]


def _frozen(channel: Channel, event: type[Event]) -> list[dict[str, Any]]:
    paths = release.generations(asyncapi.stem(channel, event))
    return [json.loads(path.read_text("utf-8")) for path in paths]


@pytest.mark.parametrize(("channel", "event"), EVENTS)
def test_every_example_ever_committed_is_still_read_in_full(channel: Channel, event: type[Event]) -> None:
    bodies = dict(asyncapi.examples(channel, event))
    assert bodies, f"{event.__name__} needs contracts/examples/{asyncapi.stem(channel, event)}.json"
    for name, body in bodies.items():
        again = event.model_validate(body).model_dump(mode="json", exclude_unset=True)
        assert again == body, name


@pytest.mark.parametrize(("channel", "event"), EVENTS)
def test_every_example_is_valid_by_every_schema_of_its_event(channel: Channel, event: type[Event]) -> None:
    for schema in [asyncapi.schema(channel, event), *_frozen(channel, event)]:
        for name, body in asyncapi.examples(channel, event):
            assert _problems(schema, body) == [], name


@pytest.mark.parametrize(("channel", "event"), EVENTS)
def test_readers_of_every_released_schema_can_read_todays_events(channel: Channel, event: type[Event]) -> None:
    today = release.shape(asyncapi.schema(channel, event))
    for number, old in enumerate(_frozen(channel, event), 1):
        assert readable(old, today), f"breaks generation {number}: publish a v2 beside it instead"


def test_no_event_was_taken_out_of_the_language() -> None:
    said = {asyncapi.stem(channel, event) for channel in CHANNELS for event in channel.events}
    released = {path.name for path in release.RELEASED.iterdir() if path.is_dir()}
    examples = {".".join(path.name.split(".")[:2]) for path in asyncapi.EXAMPLES.iterdir()}
    assert released - said == set(), "a subscriber may still read it"
    assert examples - said == set()


def test_frozen_files_are_never_changed_or_removed() -> None:
    assert release.broken() == []


def test_every_frozen_file_is_listed() -> None:
    listed = release.manifest()
    paths = release.RELEASED.glob("*/*.json")
    assert [p for p in paths if p.relative_to(release.CONTRACTS).as_posix() not in listed] == []


OLD = {
    "type": "object",
    "properties": {"a": {"type": "string"}, "b": {"type": "integer", "minimum": 1}},
    "required": ["a", "b"],
}


def _edited(**properties: Any) -> dict[str, Any]:
    new = deepcopy(OLD)
    new["properties"].update(properties)  # type: ignore[attr-defined]
    return new


@pytest.mark.parametrize(
    ("edit", "fine"),
    [
        pytest.param(_edited(c={"type": "string"}), True, id="an optional field more"),
        pytest.param(OLD | {"required": ["a"]}, False, id="a field may be absent"),
        pytest.param(_edited(b={"type": "string"}), False, id="another type"),
        pytest.param(_edited(a={"anyOf": [{"type": "string"}, {"type": "null"}]}), False, id="null allowed"),
        pytest.param(_edited(b={"type": "integer", "minimum": 0}), False, id="a wider range"),
        pytest.param(_edited(a={"type": "string", "enum": ["u", "v"]}), True, id="fewer values said"),
    ],
)
def test_the_gate_bites(edit: dict[str, Any], fine: bool) -> None:
    assert readable(OLD, edit) is fine


def test_a_new_word_and_a_better_text_are_no_change() -> None:
    words = {"type": "string", "x-extensible-enum": ["u"], "description": "U."}
    more = {"type": "string", "x-extensible-enum": ["u", "v"], "description": "U or V."}
    assert release.shape(_edited(a=words)) == release.shape(_edited(a=more))


def test_a_field_may_be_called_like_an_annotation() -> None:
    assert "title" in release.shape(_edited(title={"type": "string"}))["properties"]


def test_a_changed_frozen_file_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "examples").mkdir()
    (tmp_path / "released").mkdir()
    (tmp_path / "examples" / "FeePaid.v1.json").write_text("{}")
    monkeypatch.setattr(release, "CONTRACTS", tmp_path)
    monkeypatch.setattr(release, "EXAMPLES", tmp_path / "examples")
    monkeypatch.setattr(release, "RELEASED", tmp_path / "released")
    monkeypatch.setattr(release, "MANIFEST", tmp_path / "released" / "MANIFEST")
    monkeypatch.setattr(release, "CHANNELS", ())
    release.release()
    assert release.broken() == []
    (tmp_path / "examples" / "FeePaid.v1.json").write_text("{ }")
    assert release.broken() == ["examples/FeePaid.v1.json"]
