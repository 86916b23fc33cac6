"""The province's data, as far as messages need it: names, and when phones may ring."""

from functools import cache
from pathlib import Path

import yaml

from kit.settings import load
from services.notification.people.domain import Province
from services.notification.settings import Settings


@cache
def province() -> Province:
    """The words that are the same in every message of this tenant."""
    settings = load(Settings)
    tenant = yaml.safe_load(Path(settings.tenant, "tenant.yaml").read_text("utf-8"))
    units = yaml.safe_load(Path(settings.tenant, "units.yaml").read_text("utf-8"))["units"]
    return Province(
        host=tenant["portal_host"],
        portal=settings.gateway_url.rstrip("/") or f"https://{tenant['portal_host']}",
        unit_names={unit["id"]: unit["name"] for unit in units},
        result_places={unit["id"]: unit["result_place"] for unit in units if unit["result_place"]},
    )
