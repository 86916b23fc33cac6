"""The province as data: working calendar, policy, units, databases and procedures from the tenant's folder."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, time
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo

import yaml
from fastapi import Depends, Request
from pydantic import TypeAdapter, ValidationError

from services.dossier.catalogue.checks import Surroundings, faults
from services.dossier.catalogue.domain import Procedure, ProcedureInvalid, level_from_legacy
from services.dossier.clocks.calendar import Cutoff, WorkingCalendar
from services.dossier.clocks.domain import Rules
from services.dossier.clocks.policy import Policy, in_force
from services.dossier.interlinked.groups.checks import check
from services.dossier.interlinked.groups.domain import RECEIVING, Group, GroupInvalid

Entry = TypeVar("Entry")

GROUP: TypeAdapter[Group] = TypeAdapter(Group)
PROCEDURE: TypeAdapter[Procedure] = TypeAdapter(Procedure)
"""From the data of one file of `procedures/`, or of one row of the catalogue."""


@dataclass(frozen=True, slots=True)
class Unit:
    """An agency, as it is printed on forms."""

    id: str
    name: str
    address: str = ""
    phone: str = ""
    result_place: str | None = None
    level: str = ""
    """`province`, `commune`; `district` in old records only."""
    parent: str | None = None
    valid_from: date | None = None
    valid_to: date | None = None
    """Last day of a unit that was closed or merged."""
    successor: str | None = None
    """The unit that took its work over; the closed one's id is never issued again."""


@dataclass(frozen=True, slots=True)
class LifeEvent:
    """An occasion (sự kiện) in the life of a citizen or a business, under which procedures are found."""

    code: str
    name: str
    audience: str


@dataclass(frozen=True, slots=True)
class SourceDatabase:
    """A national or sector database that replaces papers."""

    code: str
    kind: str
    """`population`, `civil_status`, `land`, `business`."""
    name: str
    legal_basis: str
    """Why it may be asked, in Vietnamese; it is logged with every look-up."""
    correction: str
    """Where people have wrong data put right, in Vietnamese."""


UNITS = TypeAdapter(list[Unit])
LIFE_EVENTS = TypeAdapter(list[LifeEvent])
DATABASES = TypeAdapter(list[SourceDatabase])


@dataclass(frozen=True, slots=True)
class Tenant:
    """What this service reads of the folder, once per process."""

    code_template: str
    portal_host: str
    receiving_units: frozenset[str]
    units: dict[str, Unit]
    calendar: WorkingCalendar
    profiles: tuple[Policy, ...]
    """Every policy profile of the folder."""
    life_events: dict[str, LifeEvent]
    databases: dict[str, SourceDatabase]
    groups: dict[str, Group]
    """Interlinked groups, by the code of the catalogue entry that is filled in for them."""
    agencies: dict[str, dict[str, str]]
    """Kind of agency → receiving unit → the agency that settles such matters there."""
    systems: dict[str, str]
    """Agency → name of the system that may act for it."""

    def agency(self, kind: str, unit: str) -> str | None:
        """The agency of that kind for what the unit takes in; None where there is none."""
        return unit if kind == RECEIVING else self.agencies.get(kind, {}).get(unit)

    def rules(self, moment: datetime) -> Rules:
        """By what deadlines are computed that begin at `moment`. NoPolicy when no profile is in force then."""
        return Rules(in_force(self.profiles, self.calendar.local_date(moment)), self.calendar)


@cache
def load(folder: str) -> Tenant:
    """The tenant whose folder that is. KeyError, OSError or ValueError when it is not one."""
    about = _yaml(folder, "tenant.yaml")
    units = _entries(folder, "units", UNITS)
    return Tenant(
        code_template=about["dossier_code"],
        portal_host=about["portal_host"],
        receiving_units=frozenset(about["receiving_units"]),
        units={unit.id: unit for unit in units},
        calendar=_calendar(folder),
        profiles=tuple(_profile(file) for file in sorted(Path(folder).glob("policy*.yaml"))),
        life_events={event.code: event for event in _entries(folder, "life_events", LIFE_EVENTS)},
        databases={database.code: database for database in _entries(folder, "databases", DATABASES)},
        groups={group.procedure: group for group in _groups(folder)},
        **_yaml(folder, "agencies.yaml"),
    )


def _groups(folder: str) -> list[Group]:
    """The files of `groups/`, as they are; GroupInvalid lists what keeps them from being read."""
    read, wrong = [], []
    for file in sorted(Path(folder, "groups").glob("*.yaml")):
        try:
            read.append(GROUP.validate_python(yaml.safe_load(file.read_text("utf-8")), extra="forbid"))
        except yaml.YAMLError as exc:
            wrong.append(f"{file.name}: this is not YAML: {exc}")
        except ValidationError as exc:
            places = [(".".join(map(str, error["loc"])), error["msg"]) for error in exc.errors()]
            wrong += [f"{file.name}: {place}: {message}" for place, message in places]
    if wrong:
        raise GroupInvalid("\n".join(wrong))
    return read


def check_groups(folder: str, procedures: Sequence[Procedure]) -> None:
    """Refuse groups that do not fit the province's procedures and agencies; GroupInvalid lists every fault."""
    tenant = load(folder)
    check(list(tenant.groups.values()), {procedure.code: procedure for procedure in procedures}, tenant.agencies.keys())


def _entries(folder: str, name: str, kind: TypeAdapter[list[Entry]]) -> list[Entry]:
    return kind.validate_python(_yaml(folder, f"{name}.yaml")[name], extra="forbid")


def _yaml(folder: str, name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(Path(folder, name).read_text("utf-8"))
    return loaded


def _calendar(folder: str) -> WorkingCalendar:
    data = _yaml(folder, "calendar.yaml")
    sessions = tuple(
        (time.fromisoformat(session["start"]), time.fromisoformat(session["end"])) for session in data["sessions"]
    )
    return WorkingCalendar(
        sessions=sessions,
        weekdays=frozenset(data["working_weekdays"]),
        days_off={entry["date"]: entry["name"] for entry in data["holidays"]},
        makeup_days={entry["date"]: entry["name"] for entry in data["makeup_workdays"]},
        zone=ZoneInfo(data["time_zone"]),
        version=_edition(Path(folder, "calendar.yaml")),
        decided_from=min(entry["date"] for entry in data["holidays"]).replace(month=1, day=1),
        decided_through=data["decided_through"],
    )


def _edition(file: Path) -> str:
    """Names the exact content a deadline was computed by."""
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]


OPTIONAL = {"effective_to", "payment_expiry", "sources"}
"""Fields of a profile that its file may leave out; any other that is missing was misspelt or forgotten."""


def _profile(file: Path) -> Policy:
    """One policy profile. Its version names the file's content too: whoever edits it makes another profile."""
    entries: dict[str, Any] = yaml.safe_load(file.read_text("utf-8"))
    names = {each.name for each in fields(Policy)}
    if missing := names - OPTIONAL - entries.keys():
        raise ValueError(f"{file.name} lacks {', '.join(sorted(missing))}")
    known = {name: _setting(entry) for name, entry in entries.items() if name in names}
    sources = {name: entry["source"] for name, entry in entries.items() if name in names}
    version = f"{known.pop('version')}.{_edition(file)[:8]}"
    return TypeAdapter(Policy).validate_python({**known, "version": version, "sources": sources})


def _setting(entry: dict[str, Any]) -> Any:
    """A plain value, or a time limit when it has a unit."""
    if "unit" not in entry:
        return entry["value"]
    cutoff = Cutoff(entry.get("cutoff", Cutoff.NONE))
    return {"value": entry["value"], "unit": entry["unit"], "cutoff": cutoff, "source": entry["source"]}


@cache
def procedures(folder: str) -> tuple[Procedure, ...]:
    """Every procedure of the folder, checked; ProcedureInvalid lists all that is wrong, each with file and place."""
    read = [(file, _read(file)) for file in sorted(Path(folder, "procedures").glob("*.yaml"))]
    found = [procedure for _, procedure in read if isinstance(procedure, Procedure)]
    around = surroundings(load(folder), found)
    wrong = [f"{file.name}: {fault}" for file, procedure in read for fault in _faults(procedure, around)]
    if wrong:
        raise ProcedureInvalid("\n".join(wrong))
    return tuple(found)


def surroundings(tenant: Tenant, procedures: Iterable[Procedure]) -> Surroundings:
    """What these procedures may refer to."""
    procedures = tuple(procedures)
    return Surroundings(
        units=tenant.units.keys(),
        databases=tenant.databases.keys(),
        life_events=tenant.life_events.keys(),
        procedures={procedure.code for procedure in procedures},
        results={result.code for procedure in procedures for result in procedure.results},
    )


def _faults(procedure: Procedure | list[str], around: Surroundings) -> Iterator[str]:
    yield from faults(procedure, around) if isinstance(procedure, Procedure) else procedure


def _read(file: Path) -> Procedure | list[str]:
    """The procedure, or why the file is none. A misspelt key is a fault, not something to ignore."""
    try:
        return parse(yaml.safe_load(file.read_text("utf-8")))
    except yaml.YAMLError as exc:
        return [f"this is not YAML: {exc}"]
    except ValidationError as exc:
        return places(exc)


def places(exc: ValidationError) -> list[str]:
    """What does not fit into the shape of a procedure, each as `place: what is wrong`."""
    return [f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in exc.errors()]


def parse(data: Any) -> Procedure:
    """A procedure from a file's data; pydantic's ValidationError names what does not fit.

    A case with `based_on` takes over everything of that other case that it does not say itself. An old record has only
    a `legacy_level`, which then decides the service level.
    """
    if isinstance(data, dict):
        data = {**data, **_service_level(data), "cases": _full_cases(data.get("cases"))}
    return PROCEDURE.validate_python(data, extra="forbid")


def _service_level(data: dict[str, Any]) -> dict[str, Any]:
    if "service_level" in data or not data.get("legacy_level"):
        return {}
    presence = bool(data.get("presence_required"))
    return {"service_level": level_from_legacy(data["legacy_level"], tuple(data.get("delivery", ())), presence)}


def _full_cases(cases: Any) -> Any:
    if not isinstance(cases, list) or not all(isinstance(case, dict) for case in cases):
        return cases
    by_code = {case.get("code"): case for case in cases}
    full = []
    for case in cases:
        base = by_code.get(case.get("based_on"))
        own = {key: value for key, value in case.items() if key != "based_on"}
        full.append({**base, **own} if base else case)
    return full


async def _of(request: Request) -> Tenant:
    return load(request.app.state.settings.tenant)


TenantDep = Annotated[Tenant, Depends(_of)]
