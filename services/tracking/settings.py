"""What tracking may be told beyond what every service is told."""

from functools import cache
from pathlib import Path

import yaml
from pydantic import Field

from kit.settings import Settings as Common
from kit.settings import load


class Settings(Common):
    digest_key: str = Field(default="", repr=False)
    """The installation's key for digests of identity numbers, the same as identity's."""
    lookups_per_minute: int = Field(default=20, ge=0)
    """How often one address may look up without login, counted by each process; 0 = without limit."""
    listeners: int = Field(default=2000, ge=0)
    """Live streams that one process keeps open; whoever comes later is told to come back."""
    listeners_per_address: int = Field(default=20, ge=0)
    """Of them for one address: an office behind one router has several people."""


@cache
def shows_level_b() -> bool:
    """Whether the code with the matching identity number shows more than the code alone, in this province."""
    tenant = yaml.safe_load(Path(load(Settings).tenant, "tenant.yaml").read_text("utf-8"))
    return bool(tenant["lookup"]["by_identity_number"])


@cache
def parents() -> dict[str, str | None]:
    """Agency id → the agency above it; null for the province."""
    units = yaml.safe_load(Path(load(Settings).tenant, "units.yaml").read_text("utf-8"))["units"]
    return {unit["id"]: unit["parent"] for unit in units}


@cache
def unit_names() -> dict[str, str]:
    """Agency id → what the agency is called."""
    units = yaml.safe_load(Path(load(Settings).tenant, "units.yaml").read_text("utf-8"))["units"]
    return {unit["id"]: unit["name"] for unit in units}
