"""Finding procedures, for anybody."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel

from kit.auth import Public
from kit.http import Db, Router
from services.dossier.catalogue import words
from services.dossier.catalogue.search import store
from services.dossier.catalogue.search.domain import Count, Found, Search
from services.dossier.catalogue.store import today
from services.dossier.tenant import Tenant, TenantDep

router = Router(prefix="/api/v1/procedures", tags=["catalogue"])

Choice = Annotated[str | None, Query(max_length=60, pattern=r"^[A-Za-z0-9._-]+$")]


class ProcedureSummary(BaseModel):
    """One line of a search result."""

    code: str
    version: int
    name: str
    field: str
    """Lĩnh vực, its name."""
    field_code: str
    service_level: str
    """`full`, `partial`, `information_only`: at the chosen unit, where one was chosen."""
    agency_level: str
    """`commune`, `province`, …: who decides."""
    audience: tuple[str, ...]
    summary: str


class FilterCount(BaseModel):
    """One value of a filter, and how many procedures there would be with it, all other filters as they are."""

    value: str
    label: str
    count: int


class Procedures(BaseModel):
    """One page of procedures."""

    items: list[ProcedureSummary]
    total: int
    """How many there are on all pages."""
    next: str | None
    """Ask with it as `after` for the next page; null on the last one."""
    counts: dict[str, list[FilterCount]]
    """By filter (`unit`, `level`, `agency_level`, `field`, `audience`, `life_event`), the most frequent first."""


@router.get("", dependencies=[Public])
async def find_procedures(
    db: Db,
    tenant: TenantDep,
    q: Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$")] = "",
    unit: Choice = None,
    level: Choice = None,
    agency_level: Choice = None,
    field: Choice = None,
    audience: Choice = None,
    life_event: Choice = None,
    after: Choice = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> Procedures:
    """Procedures that can be filed today, by keyword and filters.

    `q` may be typed with or without diacritics; every word of it must occur. Procedures whose code or name begins with
    it come first. `level` is the level at `unit`, where one is given.
    """
    wanted = Search(q, unit, level, agency_level, field, audience, life_event)
    found = await store.search(db, wanted, today(), after=after, limit=limit)
    return Procedures(
        items=[ProcedureSummary.model_validate(hit, from_attributes=True) for hit in found.hits],
        total=found.total,
        next=found.hits[-1].code if found.more else None,
        counts=_counts(found, tenant),
    )


def _counts(found: Found, tenant: Tenant) -> dict[str, list[FilterCount]]:
    labels: dict[str, Mapping[str, str]] = {
        "level": words.LEVELS,
        "agency_level": words.AGENCY_LEVELS,
        "audience": words.AUDIENCES,
        "life_event": {code: event.name for code, event in tenant.life_events.items()},
        "unit": {code: unit.name for code, unit in tenant.units.items()},
    }
    every = {**found.counts, "unit": _by_unit(found, tenant)}
    return {name: _labelled(counts, labels.get(name, {})) for name, counts in every.items()}


def _by_unit(found: Found, tenant: Tenant) -> list[Count]:
    """What each receiving unit takes: what all take, and what only some do."""
    some = {count.value: count.count for count in found.counts.get("unit", [])}
    sums = {unit: found.everywhere + some.get(unit, 0) for unit in sorted(tenant.receiving_units | some.keys())}
    return [Count(unit, count) for unit, count in sums.items() if count]


def _labelled(counts: list[Count], labels: Mapping[str, str]) -> list[FilterCount]:
    known = [
        FilterCount(value=each.value, label=each.label or labels.get(each.value, each.value), count=each.count)
        for each in counts
    ]
    return sorted(known, key=lambda each: (-each.count, each.label))
