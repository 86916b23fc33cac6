"""The systems outside that hear our events: `subscribers.yaml` of the tenant."""

import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deploy.local.names import SERVICES
from deploy.local.places import ROOT
from deploy.local.trouble import Trouble

NAME = re.compile(r"[a-z][a-z0-9-]{1,39}")
"""No dot: the groups of `thue` begin with `thue.`, and nobody else's may."""
REQUEST_PERCENTAGE = 50.0


@dataclass(frozen=True)
class Subscriber:
    """A system outside that may read Kafka. Those that have webhooks only are not among them."""

    name: str
    """Its principal, and the prefix of its consumer groups."""
    consumer_bytes_per_second: int
    """What each broker gives it; who asks for more is made to wait, never refused."""
    request_percentage: float = REQUEST_PERCENTAGE
    """Share of one thread of a broker that its requests may use."""


def load(tenant: Path | None = None) -> list[Subscriber]:
    """The subscribers of the tenant (MOTCUA_TENANT, or the fictional province). Trouble names what is wrong."""
    folder = tenant or ROOT / os.environ.get("MOTCUA_TENANT", "deploy/tenants/an-binh")
    listed = yaml.safe_load((folder / "subscribers.yaml").read_text("utf-8"))["subscribers"]
    return read(listed, SERVICES, yaml.safe_load((folder / "tenant.yaml").read_text("utf-8"))["root"])


def read(listed: list[dict[str, Any]], taken: Collection[str], root: str) -> list[Subscriber]:
    """`taken`: names that would give an outside system the rights of somebody else. `root`: the agency of the whole
    province; Kafka's rights end at the channel, so only who may hear of every dossier may read there."""
    names = [one["name"] for one in listed]
    for name in names:
        if not NAME.fullmatch(name) or name in taken or names.count(name) > 1:
            raise Trouble(f"subscribers.yaml: {name!r} cannot be a name (small letters, digits, hyphens; used once).")
    reading = [one for one in listed if one.get("kafka")]
    for one in reading:
        if one.get("agency") != root:
            name = one["name"]
            raise Trouble(f"subscribers.yaml: {name} is not of the whole province ({root}): webhooks, not kafka.")
    return [_subscriber(one["name"], one["kafka"]) for one in reading]


def _subscriber(name: str, kafka: dict[str, Any]) -> Subscriber:
    try:
        rate, share = (
            int(kafka["consumer_bytes_per_second"]),
            float(kafka.get("request_percentage", REQUEST_PERCENTAGE)),
        )
    except (KeyError, TypeError, ValueError):
        raise Trouble(f"subscribers.yaml: {name} needs kafka.consumer_bytes_per_second, a number.") from None
    if rate <= 0 or share <= 0:
        raise Trouble(f"subscribers.yaml: the quotas of {name} must be above 0.")
    return Subscriber(name, rate, share)
