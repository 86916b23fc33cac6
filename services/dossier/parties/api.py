"""How to reach the people of a dossier, for the one service that tells them news."""

from typing import Annotated

from fastapi import Depends, Query
from pydantic import BaseModel

from kit.auth import SystemToken, system
from kit.clock import now
from kit.http import Router, Tx
from services.dossier.parties import store
from services.dossier.processing import store as dossiers
from services.dossier.processing.api import Code

router = Router(prefix="/api/v1", tags=["parties"])

Notification = Annotated[SystemToken, Depends(system("notification"))]
Purpose = Annotated[str, Query(pattern=r"^[A-Za-z0-9_.-]{1,60}$")]
"""A word, so that nobody can write about a person here."""


class FiledContact(BaseModel):
    """How the submitter of one dossier said that they can be reached. Not to be kept."""

    sms_number: str | None
    """For text messages about this dossier, instead of the account's number."""
    phone: str | None
    """For who has no account."""
    email: str | None


@router.get("/dossiers/{code}/contact")
async def filed_contact(code: Code, caller: Notification, tx: Tx, purpose: Purpose) -> FiledContact:
    """Where to tell the submitter news of this dossier; every time is recorded."""
    dossier = await dossiers.read(tx, code)
    people = await store.particulars_of(tx, dossier.code)
    await store.disclose(tx, dossier.code, caller.name, purpose, now())
    return FiledContact(sms_number=people.reach.sms_number, phone=people.submitter.phone, email=people.submitter.email)
