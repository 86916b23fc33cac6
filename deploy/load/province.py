"""What the fictional province offers, as far as a generated life needs it: procedures, units, fees, times."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

HOURS_A_DAY = 8


@dataclass(frozen=True, slots=True)
class Procedure:
    code: str
    version: int
    name: str
    case: str
    level: str
    delivery: tuple[str, ...]
    days: int
    """Working days from acceptance to the appointment; 0 = the same day."""
    components: tuple[str, ...]
    result_code: str
    document: str
    receivers: tuple[str, ...]
    """Units that take it in."""
    fee_timing: str
    fee_lines: tuple[dict[str, Any], ...]


@cache
def procedures(tenant: Path) -> tuple[Procedure, ...]:
    """Of the tenant's catalogue, those whose first case can be lived through with plain facts."""
    units = yaml.safe_load((tenant / "units.yaml").read_text("utf-8"))["units"]
    return tuple(_procedures(tenant, units))


def _procedures(tenant: Path, units: list[dict[str, Any]]) -> Iterator[Procedure]:
    for file in sorted((tenant / "procedures").glob("*.yaml")):
        told = yaml.safe_load(file.read_text("utf-8"))
        if told["delivery"] and told["cases"]:
            yield _procedure(told, told["cases"][0], tuple(_receivers(units, told["competent_level"])))


def _receivers(units: list[dict[str, Any]], level: str) -> Iterator[str]:
    """Communes take in what communes decide; the province's centre takes in the rest, and some of that too."""
    yield "H99.01"
    if level == "commune":
        yield from (unit["id"] for unit in units if unit["id"].startswith("H99.02."))


def _procedure(told: dict[str, Any], case: dict[str, Any], receivers: tuple[str, ...]) -> Procedure:
    fee = case.get("fee") or {}
    lines = tuple(line for line in map(_line, fee.get("lines") or []) if line)
    result = told.get("result") or {}
    return Procedure(
        code=told["code"],
        version=told["version"],
        name=told["name"],
        case=case["code"],
        level=told["service_level"],
        delivery=tuple(told["delivery"]),
        days=_days(case["time"]),
        components=tuple(component["code"] for component in case["components"]),
        result_code=result.get("code") or "KQ.KHAC",
        document=(result.get("code") or "ket-qua").lower(),
        receivers=receivers,
        fee_timing=fee.get("timing", "none") if lines else "none",
        fee_lines=lines,
    )


def _line(line: dict[str, Any]) -> dict[str, Any] | None:
    """A line with a plain price; prices that are computed from answers are left out."""
    price = line.get("unit_price")
    price = max(price.values()) if isinstance(price, dict) else price
    if not isinstance(price, int) or not price:
        return None
    told = {"kind": line["kind"], "code": line["code"], "name": line["name"], "unit_price": price}
    return {**told, "quantity": 1, "amount": price, "legal_basis": line.get("legal_basis")}


def _days(time: dict[str, Any] | None) -> int:
    if time is None:
        return 5
    value = time["value"] or 0
    match time["unit"]:
        case "working_day":
            return int(value)
        case "working_hour":
            return -(-int(value) // HOURS_A_DAY)
        case "calendar_day":
            return max(1, int(value) * 5 // 7)
        case _:
            return 0
