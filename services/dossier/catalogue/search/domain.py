"""What somebody looks for in the catalogue, and what they find (CAT-1 to CAT-3)."""

from dataclasses import dataclass, field
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Search:
    """Everything that narrows a search; None narrows nothing."""

    words: str = ""
    """Keywords, with or without diacritics; every one must occur."""
    unit: str | None = None
    """Đơn vị thực hiện: agencies that take it."""
    level: str | None = None
    """Mức độ: at that agency, where one is chosen."""
    agency_level: str | None = None
    """Cấp thực hiện."""
    field: str | None = None
    """Lĩnh vực, by code."""
    audience: str | None = None
    """Đối tượng thực hiện."""
    life_event: str | None = None
    """Sự kiện, by code."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One procedure that was found."""

    id: UUID
    code: str
    name: str
    field: str
    field_code: str
    service_level: str
    agency_level: str
    audience: tuple[str, ...]
    summary: str
    version: int


@dataclass(frozen=True, slots=True)
class Count:
    """How many procedures there would be with this value of a filter, all other filters as they are."""

    value: str
    count: int
    label: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """One page of what was found, with what the filters would give."""

    hits: tuple[Hit, ...]
    total: int
    more: bool
    counts: dict[str, list[Count]] = field(default_factory=dict)
    everywhere: int = 0
    """How many of the procedures are taken by every unit."""
