"""The systems that agreed with this installation to hear its events: `<tenant>/subscribers.yaml`."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from kit.settings import load
from services.notification.settings import Settings

NATIONAL_PORTAL = "national_portal"
"""Hears of every dossier of the province where the tenant says so (`national_portal` of tenant.yaml); nobody asks for
it, so it is in no registry."""


@dataclass(frozen=True, slots=True)
class Subscriber:
    """One system of another agency."""

    name: str
    """Its client at identity."""
    agency: str
    """It hears of dossiers that this agency or one below it receives or settles."""
    domains: frozenset[str]
    """Hosts that its webhooks may be at."""


def subscribers() -> Mapping[str, Subscriber]:
    """All of them, by name; read once a process."""
    return _read(load(Settings).tenant)


@cache
def _read(tenant: str) -> Mapping[str, Subscriber]:
    listed = yaml.safe_load((Path(tenant) / "subscribers.yaml").read_text("utf-8"))["subscribers"]
    found = {
        one["name"]: Subscriber(one["name"], str(one["agency"]), frozenset(map(str.lower, one.get("domains", ()))))
        for one in listed
    }
    tenant_says = yaml.safe_load((Path(tenant) / "tenant.yaml").read_text("utf-8"))
    if tenant_says.get("national_portal", {}).get("synchronise"):
        found[NATIONAL_PORTAL] = Subscriber(NATIONAL_PORTAL, tenant_says["root"], frozenset())
    return found
