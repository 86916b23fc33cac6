"""What every event and every channel has in common: the envelope of the published language."""

from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class Part(BaseModel):
    """A piece of an event's body. Unknown fields are ignored, so that a publisher may add optional ones."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)


class Event(Part):
    """Something that happened to one aggregate: a fact in the past tense, never changed, never taken back.

    On Kafka the body is the record's value as plain JSON, and the CloudEvents 1.0 attributes are its headers
    (binary mode): `ce_id` (UUIDv7, the same however often the event is delivered), `ce_type`, `ce_source`,
    `ce_subject` (the aggregate), `ce_time`, `ce_dataschema` and `traceparent`. Times are RFC 3339 in UTC.
    """

    version: int = Field(ge=1)
    """Place of this event in its aggregate's history: 1, 2, 3 … without a gap. A hole means something was
    missed."""

    occurred_at: AwareDatetime
    """When it happened, in UTC."""


class Audience(StrEnum):
    """Who may subscribe to a channel."""

    PUBLIC = "public"
    """Any government system that was given the read right."""
    INTERNAL = "internal"
    """Services of this installation only."""


@dataclass(frozen=True)
class Channel:
    """One Kafka topic: all that happens to one kind of aggregate, in order for each aggregate."""

    name: str
    owner: str
    """The one service that may publish here."""
    audience: Audience
    key: str
    """The field of every event that names its aggregate; it is the record's key, so order holds per
    aggregate."""
    events: tuple[type[Event], ...]
    doc: str
    partitions: int = 12
    compacted: bool = False
    """Kafka keeps only the last record of each key; a record without a value (a tombstone) erases the
    aggregate."""
    _by_type: dict[str, type[Event]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_type", {self.type_of(event): event for event in self.events})

    @property
    def source(self) -> str:
        """`ce_source` of every event on this channel."""
        return f"/services/{self.owner}"

    @property
    def major(self) -> str:
        return self.name.rsplit(".", 1)[-1]

    def type_of(self, event: type[Event]) -> str:
        """`ce_type`: reversed domain, owner, name of the event, major version."""
        return f"vn.motcua.{self.owner}.{event.__name__}.{self.major}"

    def schema_of(self, event: type[Event]) -> str:
        """`ce_dataschema`: the `$id` of the JSON Schema of the body, which stands in the contracts' `schemas/`."""
        return f"urn:motcua:schema:{event.__name__}.{self.major}"

    def event_named(self, ce_type: str) -> type[Event] | None:
        """The class behind a `ce_type`, or None for a type that this version of the contracts does not
        know."""
        return self._by_type.get(ce_type)

    def key_of(self, event: Event) -> str:
        return str(getattr(event, self.key))
