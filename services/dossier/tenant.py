"""The province as data: working calendar, policy, units and procedures from the tenant's folder."""

import hashlib
from dataclasses import dataclass
from datetime import time
from functools import cache
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import yaml
from fastapi import Depends, Request
from pydantic import TypeAdapter, ValidationError

from services.dossier.catalogue import domain as catalogue
from services.dossier.catalogue.domain import Procedure, ProcedureInvalid
from services.dossier.clocks.calendar import WorkingCalendar

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


@dataclass(frozen=True, slots=True)
class Tenant:
    """What this service reads of the folder, once per process."""

    code_template: str
    portal_host: str
    receiving_units: frozenset[str]
    units: dict[str, Unit]
    calendar: WorkingCalendar
    reception_hours: float
    """Working hours within which the desk looks at a dossier that came in online."""


@cache
def load(folder: str) -> Tenant:
    """The tenant whose folder that is. KeyError, OSError or ValueError when it is not one."""
    about, policy = _yaml(folder, "tenant.yaml"), _yaml(folder, "policy.yaml")
    units = TypeAdapter(list[Unit]).validate_python(_yaml(folder, "units.yaml")["units"])
    return Tenant(
        code_template=about["dossier_code"],
        portal_host=about["portal_host"],
        receiving_units=frozenset(about["receiving_units"]),
        units={unit.id: unit for unit in units},
        calendar=_calendar(folder),
        reception_hours=float(policy["reception_sla_online"]["value"]),
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
        days_off=frozenset(entry["date"] for entry in data["holidays"]),
        makeup_days=frozenset(entry["date"] for entry in data["makeup_workdays"]),
        zone=ZoneInfo(data["time_zone"]),
        version=_edition(folder, "calendar.yaml", "policy.yaml"),
    )


def _edition(folder: str, *names: str) -> str:
    """Names the exact rules a deadline was computed by."""
    digest = hashlib.sha256()
    for name in names:
        digest.update(Path(folder, name).read_bytes())
    return digest.hexdigest()[:12]


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
