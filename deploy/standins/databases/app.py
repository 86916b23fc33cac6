"""The platform: who may ask, what each database knows, and which one is away."""

import hmac
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import yaml
from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Request
from pydantic import BaseModel, Field

from deploy.standins.common import Recent, now, standin

router = APIRouter()

Records = dict[str, dict[str, dict[str, Any]]]
"""By database, by key."""


class Lookup(BaseModel):
    """A question; without saying what for and by which law it is none."""

    database: str
    kind: str
    key: str = Field(min_length=1)
    purpose: str = Field(min_length=1)
    legal_basis: str = Field(min_length=1)


class Outage(BaseModel):
    database: str
    away: bool


class Asked(BaseModel):
    """What is remembered of a question."""

    database: str
    purpose: str
    legal_basis: str
    at: datetime


@dataclass
class Platform:
    key: str
    records: Records
    away: set[str] = field(default_factory=set)
    asked: Recent[Asked] = field(default_factory=lambda: Recent(2_000))

    def knows(self, authorization: str) -> bool:
        return hmac.compare_digest(authorization.encode(), f"Bearer {self.key}".encode())

    def find(self, lookup: Lookup) -> dict[str, Any] | None:
        said = Asked(database=lookup.database, purpose=lookup.purpose, legal_basis=lookup.legal_basis, at=now())
        self.asked[said.at.isoformat()] = said
        return self.records.get(lookup.database, {}).get(lookup.key)


def records(tenant: Path) -> Records:
    """People of the tenant as the population database has them, and the other databases' own records."""
    people = yaml.safe_load((tenant / "people.yaml").read_text("utf-8"))["people"]
    kept = ("name", "date_of_birth", "gender")
    population = {
        person["identity_number"]: {"identity_number": person["identity_number"], **{k: str(person[k]) for k in kept}}
        for person in people
    }
    others = yaml.safe_load((tenant / "records.yaml").read_text("utf-8"))["records"]
    return {"CSDLQG_DAN_CU": population, **others}


def create(platform: Platform) -> FastAPI:
    app = standin("databases")
    app.state.platform = platform
    app.include_router(router)
    return app


def _platform(request: Request) -> Platform:
    platform: Platform = request.app.state.platform
    return platform


ThePlatform = Annotated[Platform, Depends(_platform)]


@router.post("/lookups")
async def look_up(
    platform: ThePlatform, lookup: Lookup, authorization: Annotated[str, Header()] = ""
) -> dict[str, dict[str, Any]]:
    if not platform.knows(authorization):
        raise HTTPException(401)
    if lookup.database in platform.away:
        raise HTTPException(503)
    record = platform.find(lookup)
    if record is None:
        raise HTTPException(404)
    return {"record": record}


@router.post("/outages", status_code=204)
async def outage(platform: ThePlatform, wanted: Outage) -> None:
    (platform.away.add if wanted.away else platform.away.discard)(wanted.database)


@router.get("/asked")
async def asked(platform: ThePlatform) -> list[Asked]:
    return platform.asked.newest_first()
