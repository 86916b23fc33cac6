"""The province's data, as far as messages need it: names, and when phones may ring."""

from datetime import time
from functools import cache
from pathlib import Path

import yaml

from kit.settings import load
from services.notification.people.domain import Province
from services.notification.people.turns.domain import EVERYBODY_ELSE, QuietHours, Texting
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


USUAL_QUIET_HOURS = {"begin": "21:00", "end": "07:00"}
USUAL_PER_MINUTE = 60


@cache
def texting() -> Texting:
    """When text messages may go, and how many (`text_messages` in tenant.yaml)."""
    settings = load(Settings)
    tenant = yaml.safe_load(Path(settings.tenant, "tenant.yaml").read_text("utf-8"))
    said = tenant.get("text_messages", {})
    hours = said.get("quiet_hours", USUAL_QUIET_HOURS)
    quiet = QuietHours(time.fromisoformat(hours["begin"]), time.fromisoformat(hours["end"])) if hours else None
    per_minute = {EVERYBODY_ELSE: USUAL_PER_MINUTE, **said.get("per_minute", {})}
    if any(not isinstance(many, int) or many < 1 for many in per_minute.values()):
        raise ValueError("tenant.yaml: text_messages.per_minute: a whole number, 1 or more, for each unit")
    return Texting(None if settings.sms_at_night else quiet, per_minute)
