"""The province as data: working calendar, policy, units and procedures from the tenant's folder."""

import hashlib
from dataclasses import dataclass, fields
from datetime import datetime, time
from functools import cache
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import yaml
from fastapi import Depends, Request
from pydantic import TypeAdapter, ValidationError

from services.dossier.catalogue import domain as catalogue
from services.dossier.catalogue.domain import Procedure, ProcedureInvalid
from services.dossier.clocks.calendar import Cutoff, WorkingCalendar
from services.dossier.clocks.domain import Rules
from services.dossier.clocks.policy import Policy, in_force

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
    """`province` or `commune`."""
    parent: str | None = None
    """Whom it belongs to."""


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

    def rules(self, moment: datetime) -> Rules:
        """By what deadlines are computed that begin at `moment`. NoPolicy when no profile is in force then."""
        return Rules(in_force(self.profiles, self.calendar.local_date(moment)), self.calendar)


@cache
def load(folder: str) -> Tenant:
    """The tenant whose folder that is. KeyError, OSError or ValueError when it is not one."""
    about = _yaml(folder, "tenant.yaml")
    units = TypeAdapter(list[Unit]).validate_python(_yaml(folder, "units.yaml")["units"])
    return Tenant(
        code_template=about["dossier_code"],
        portal_host=about["portal_host"],
        receiving_units=frozenset(about["receiving_units"]),
        units={unit.id: unit for unit in units},
        calendar=_calendar(folder),
        profiles=tuple(_profile(file) for file in sorted(Path(folder).glob("policy*.yaml"))),
    )


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


def procedures(folder: str) -> list[Procedure]:
    """Every procedure of the folder, checked; ProcedureInvalid names the file and all that is wrong with it."""
    return [_procedure(file) for file in sorted(Path(folder, "procedures").glob("*.yaml"))]


def _procedure(file: Path) -> Procedure:
    try:
        procedure = PROCEDURE.validate_python(yaml.safe_load(file.read_text("utf-8")))
    except (ValidationError, yaml.YAMLError) as exc:
        raise ProcedureInvalid(f"{file.name}: {exc}") from exc
    catalogue.check(procedure)
    return procedure


async def _of(request: Request) -> Tenant:
    return load(request.app.state.settings.tenant)


TenantDep = Annotated[Tenant, Depends(_of)]
