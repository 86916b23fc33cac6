"""Writes asyncapi.yaml and schemas/*.json from the registry; with `--check` only tells what is stale."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from contracts.envelope import Audience, Channel, Event
from contracts.registry import CHANNELS

HERE = Path(__file__).parent
EXAMPLES = HERE / "examples"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
Json = dict[str, Any]

INFO: Json = {
    "title": "Một Cửa",
    "version": "1.0.0",
    "description": (
        "Events of a provincial one-stop public service system. Every record is a CloudEvents 1.0 event in "
        "binary mode: the attributes are headers, the value is plain JSON. Order holds per key. Delivery is "
        "at least once: `ce_id` tells a repetition. `version` counts the events of one aggregate from 1 "
        "without a gap (on compacted channels it may leap). Ignore types, fields and words that you do not "
        "know: they are how this language grows. No personal data is on a public channel."
    ),
    "license": {"name": "EUPL-1.2", "url": "https://eupl.eu/1.2/en/"},
}
HEADERS: Json = {
    "type": "object",
    "description": "CloudEvents 1.0 attributes in Kafka's binary mode; all values are UTF-8 text.",
    "required": ["ce_specversion", "ce_id", "ce_type", "ce_source", "ce_subject", "ce_time", "content-type"],
    "properties": {
        "ce_specversion": {"type": "string", "const": "1.0", "description": "Version of CloudEvents."},
        "ce_id": {
            "type": "string",
            "format": "uuid",
            "description": "UUIDv7 of the event, the same however often it is delivered.",
        },
        "ce_type": {"type": "string", "description": "Which event it is; decides the schema of the value."},
        "ce_source": {
            "type": "string",
            "format": "uri-reference",
            "description": "The service that said it.",
        },
        "ce_subject": {
            "type": "string",
            "description": "The aggregate it is about; equals the record's key.",
        },
        "ce_time": {
            "type": "string",
            "format": "date-time",
            "description": "When it was recorded, in UTC; `occurred_at` in the value is when it happened.",
        },
        "ce_partitionkey": {"type": "string", "description": "Equals the record's key (Partitioning extension)."},
        "ce_aggregateversion": {"type": "string", "description": "`version` of the value, as text."},
        "ce_correlationid": {"type": "string", "description": "The `ce_id` of the event that all this began with."},
        "ce_causationid": {"type": "string", "description": "The `ce_id` of the event that this one answers."},
        "ce_dataschema": {"type": "string", "description": "The JSON Schema of the value."},
        "traceparent": {
            "type": "string",
            "description": "W3C Trace Context of the act that caused it (Distributed Tracing extension).",
        },
        "content-type": {
            "type": "string",
            "const": "application/json",
            "description": "Media type of the value.",
        },
    },
}


class _Plain(GenerateJsonSchema):
    """Without the titles that pydantic makes up from field names, which only repeat them."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def stem(channel: Channel, event: type[Event]) -> str:
    """The name of an event's schema and examples on disk: `FeePaid.v1`."""
    return f"{event.__name__}.{channel.major}"


def examples(channel: Channel, event: type[Event]) -> Iterator[tuple[str, Json]]:
    """Every committed example of the event, with its name."""
    for path in sorted(EXAMPLES.glob(f"{stem(channel, event)}.*json")):
        yield path.stem, json.loads(path.read_text("utf-8"))


def schema(channel: Channel, event: type[Event]) -> Json:
    """The JSON Schema of one event's body, complete in itself."""
    body = event.model_json_schema(mode="serialization", schema_generator=_Plain)
    complete: Json = _unwrapped({"$schema": DIALECT, "$id": channel.schema_of(event), **body})
    return complete


def document() -> Json:
    """The AsyncAPI 3.0.0 document of all channels."""
    return {
        "asyncapi": "3.0.0",
        "info": INFO | {"tags": [{"name": owner} for owner in sorted({c.owner for c in CHANNELS})]},
        "defaultContentType": "application/json",
        "servers": {"kafka": _server()},
        "channels": {_id(channel): _channel(channel) for channel in CHANNELS},
        "operations": {f"publish-{_id(channel)}": _operation(channel) for channel in CHANNELS},
        "components": {
            "messages": {e.__name__: _message(c, e) for c in CHANNELS for e in c.events},
            "schemas": {"CloudEventHeaders": HEADERS, **_shared_schemas()},
            "securitySchemes": {
                "password": {
                    "type": "scramSha512",
                    "description": "Over TLS; your name and password, from the operator.",
                }
            },
        },
    }


def files() -> dict[Path, str]:
    """Everything that is generated: where it stands and what is in it."""
    generated = {HERE / "asyncapi.yaml": _yaml(document())}
    for channel in CHANNELS:
        for event in channel.events:
            generated[HERE / "schemas" / f"{stem(channel, event)}.json"] = _json(schema(channel, event))
    return generated


def stale() -> list[Path]:
    """Generated files that are missing, differ, or should not be there."""
    wanted = files()
    extra = set((HERE / "schemas").glob("*.json")) - set(wanted)
    return sorted(extra | {path for path, text in wanted.items() if not _holds(path, text)})


def write() -> None:
    for path in stale():
        path.unlink(missing_ok=True)
    for path, text in files().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")


def _server() -> Json:
    return {
        "host": "{bootstrap}",
        "protocol": "kafka-secure",
        "description": (
            "Kafka of the installation. You read with groups whose names begin with yours and a dot; what you asked to "
            "hear again comes on `replay.<your name>`, the same records as on the channels."
        ),
        "security": [{"$ref": "#/components/securitySchemes/password"}],
        "variables": {"bootstrap": {"description": "host:port, told by the operator of the installation"}},
    }


def _channel(channel: Channel) -> Json:
    kafka: Json = {"topic": channel.name, "partitions": channel.partitions, "bindingVersion": "0.5.0"}
    if channel.compacted:
        kafka["topicConfiguration"] = {"cleanup.policy": ["compact"]}
    return {
        "address": channel.name,
        "description": f"{channel.doc} The record's key is `{channel.key}`. {_audience(channel)}",
        "servers": [{"$ref": "#/servers/kafka"}],
        "messages": {e.__name__: {"$ref": f"#/components/messages/{e.__name__}"} for e in channel.events},
        "tags": [{"name": channel.owner}, {"name": channel.audience.value}],
        "bindings": {"kafka": kafka},
        "x-audience": channel.audience.value,
        "x-owner": channel.owner,
    }


def _audience(channel: Channel) -> str:
    if channel.audience is Audience.PUBLIC:
        return "Any government system that was given the read right may subscribe."
    return "For services of this installation only."


def _operation(channel: Channel) -> Json:
    ref = f"#/channels/{_id(channel)}"
    return {
        "action": "send",
        "channel": {"$ref": ref},
        "summary": f"Only the {channel.owner} service publishes here.",
        "messages": [{"$ref": f"{ref}/messages/{event.__name__}"} for event in channel.events],
        "tags": [{"name": channel.owner}],
    }


def _message(channel: Channel, event: type[Event]) -> Json:
    text = _reflow(event.__doc__ or "")
    own: Json = {
        "ce_type": {"const": channel.type_of(event)},
        "ce_source": {"const": channel.source},
        "ce_dataschema": {"const": channel.schema_of(event)},
    }
    return {
        "name": channel.type_of(event),
        "title": event.__name__,
        "summary": text.partition("\n\n")[0],
        "description": text,
        "contentType": "application/json",
        "tags": [{"name": channel.owner}],
        "headers": {"allOf": [{"$ref": "#/components/schemas/CloudEventHeaders"}, {"properties": own}]},
        "payload": {"$ref": f"#/components/schemas/{event.__name__}"},
        "bindings": {"kafka": {"key": _key(channel), "bindingVersion": "0.5.0"}},
        "examples": [_example(channel, event, name, body) for name, body in examples(channel, event)],
    }


def _key(channel: Channel) -> Json:
    return {"type": "string", "description": f"`{channel.key}` of the event."}


def _example(channel: Channel, event: type[Event], name: str, body: Json) -> Json:
    headers = {
        "ce_specversion": "1.0",
        "ce_id": "019aaf00-0000-7000-8000-000000000001",
        "ce_type": channel.type_of(event),
        "ce_source": channel.source,
        "ce_subject": body[channel.key],
        "ce_time": body["occurred_at"],
        "ce_dataschema": channel.schema_of(event),
        "ce_partitionkey": body[channel.key],
        "ce_aggregateversion": str(body["version"]),
        "ce_correlationid": "019aaf00-0000-7000-8000-000000000001",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "content-type": "application/json",
    }
    return {"name": name, "headers": headers, "payload": body}


def _shared_schemas() -> Json:
    models = [(event, "serialization") for channel in CHANNELS for event in channel.events]
    _, shared = models_json_schema(
        models,  # type: ignore[arg-type]  # pydantic wants the literal type of the mode
        ref_template="#/components/schemas/{model}",
        schema_generator=_Plain,
    )
    return dict(_unwrapped(shared["$defs"]))


def _unwrapped(schema: Any) -> Any:
    """The same schema, its descriptions as paragraphs: docstrings are broken into lines for code only."""
    if isinstance(schema, list):
        return [_unwrapped(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: _unwrapped(value) for name, value in schema.items()}
    return inner | ({"description": _reflow(inner["description"])} if _has_text(inner) else {})


def _has_text(schema: Json) -> bool:
    return isinstance(schema.get("description"), str)


def _reflow(text: str) -> str:
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n"))


def _id(channel: Channel) -> str:
    """AsyncAPI ids allow no dots: `dossier-dossiers-v1`."""
    return channel.name.replace(".", "-")


def _json(content: Json) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def _yaml(content: Json) -> str:
    head = "# Generated by `python -m contracts.asyncapi` from contracts/registry.py. Do not edit.\n"
    return head + yaml.dump(content, Dumper=_NoAliases, sort_keys=False, allow_unicode=True, width=110)


class _NoAliases(yaml.SafeDumper):
    """YAML anchors save bytes and confuse readers."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _holds(path: Path, text: str) -> bool:
    return path.exists() and path.read_text("utf-8") == text


def main(arguments: list[str]) -> int:
    if "--check" not in arguments:
        write()
        return 0
    for path in stale():
        sys.stderr.write(f"{path.relative_to(HERE.parent)} is stale: run python -m contracts.asyncapi\n")
    return 1 if stale() else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
