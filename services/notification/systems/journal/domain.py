"""How an event is kept for other systems: as it goes out, with what decides who may hear it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from contracts.dossier import Filing
from contracts.envelope import Event


@dataclass(frozen=True, slots=True)
class Whose:
    """What a dossier's filing tells about who may hear of it."""

    dossier_code: str
    procedure_code: str
    receiving_unit: str
    competent_unit: str


@dataclass(frozen=True, slots=True)
class Kept:
    """One event as it goes out."""

    event_id: UUID
    ce_type: str
    channel: str
    dossier_code: str
    version: int
    occurred_at: datetime
    traceparent: str | None
    body: bytes
    """The structured CloudEvent."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An event in the journal."""

    seq: int
    """Grows in the order of commits: whoever has read up to here has missed nothing."""
    kept: Kept
    whose: Whose


def whose(filing: Filing) -> Whose:
    """Who may hear of a dossier, from the moment it is sent."""
    return Whose(filing.dossier_code, filing.procedure_code, filing.receiving_unit, filing.competent_unit)


def keep(channel: str, key: str, version: int, event: Event | None, headers: Mapping[str, str], payload: bytes) -> Kept:
    """The event as other systems get it, with the id, type and time that it has on Kafka; `event` is None for a type
    that this version does not know."""
    return Kept(
        event_id=UUID(headers["ce_id"]),
        ce_type=headers["ce_type"],
        channel=channel,
        dossier_code=key,
        version=version,
        occurred_at=event.occurred_at if event else datetime.fromisoformat(headers["ce_time"]),
        traceparent=headers.get("traceparent"),
        body=structured(headers, payload),
    )


def structured(headers: Mapping[str, str], payload: bytes) -> bytes:
    """CloudEvents 1.0 in JSON: the attributes of Kafka's binary mode, with the record's value, untouched, as `data`."""
    attributes = {name[3:]: value for name, value in headers.items() if name.startswith("ce_")}
    typed = attributes | {"aggregateversion": int(attributes["aggregateversion"])}
    typed["datacontenttype"] = headers.get("content-type", "application/json")
    opened = json.dumps(typed, ensure_ascii=False, separators=(",", ":"))[:-1]
    return b"".join((opened.encode(), b',"data":', payload, b"}"))
