"""Handing a result over: at the desk, or by post; online delivery happens with the publication."""

import asyncio
from dataclasses import replace
from datetime import datetime
from typing import Annotated
from uuid import UUID

import structlog
from fastapi import Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from contracts.dossier import DeliveryMethod
from kit.auth import Caller, OfficerToken, Public, officer
from kit.clock import now
from kit.db import Connection, Database
from kit.files import Files, FilesDep
from kit.http import Db, IfMatch, Later, Router, Tx
from kit.problems import InvalidRequest
from services.dossier.processing import store as dossiers
from services.dossier.processing.api import Code, Moved, actor, expect, moved, readable
from services.dossier.processing.domain import Act, Dossier, Role, State, allowed
from services.dossier.results import domain as results
from services.dossier.results import signing
from services.dossier.results import store as result_store
from services.dossier.results.domain import Result, ResultNotReady, ResultSignatureMissing
from services.dossier.results.handover import domain, posting, store
from services.dossier.results.handover.domain import DeliveryState, Handover, Receiver
from services.dossier.results.handover.providers import vnpost
from services.dossier.results.keys import Keys
from services.dossier.settings import Settings

log = structlog.get_logger()

router = Router(prefix="/api/v1", tags=["results"])

AtTheDesk = Annotated[OfficerToken, Depends(officer("desk", "supervisor"))]
Text = Annotated[str, Field(min_length=1, max_length=300)]


class HandoverBody(BaseModel):
    """To whom the desk gives the result. Without a body: to the owner, whose identity paper was looked at."""

    model_config = ConfigDict(extra="forbid")

    receiver: Receiver = Receiver.OWNER
    identity_checked: bool = True
    """Whether the receiver's identity paper was looked at."""
    receiver_name: Text | None = None
    """Of somebody with an authorisation."""
    authorisation: Text | None = None
    """The authorisation that was shown: kind, number, date."""
    originals_returned: tuple[Text, ...] = Field((), max_length=50)
    papers_archived: tuple[Text, ...] = Field((), max_length=50)
    """Papers that have to be archived, handed in now."""
    override_reason: Annotated[str, Field(min_length=10, max_length=1000)] | None = None
    """Why a paper result goes out although its digitally signed file is missing. Supervisors only; it is recorded."""


@router.post("/dossiers/{code}/handover")
async def hand_over(
    code: Code, who: AtTheDesk, db: Db, later: Later, files: FilesDep, if_match: IfMatch, request: Request,
    response: Response, body: HandoverBody | None = None,
) -> Moved:  # fmt: skip
    """The desk hands the result over, after its digital signatures were checked once more.

    A result without valid signatures stays (`result-signature-missing`), and the specialist is asked for the signed
    file at once; its punctuality does not change. A supervisor may let the paper go, with a reason.
    """
    told = body or HandoverBody()
    dossier, result = await dossiers.read(db, code), await result_store.read(db, code)
    if dossier.state is State.RETURNED:
        return moved(dossier, response)
    expect(dossier, if_match)
    given = _handover(dossier, told, who)
    signed = await _is_signed(files, result, request.app.state.settings)
    if not signed and not (told.override_reason and Role.SUPERVISOR in who.roles):
        await _ask_for_signature(db, code, who)
        raise ResultSignatureMissing("Đã yêu cầu chuyên viên cập nhật ngay bản kết quả có chữ ký số")
    return moved(await _hand_over(await later.begin(), dossier, result, given, who, signed=signed), response)


def _handover(dossier: Dossier, told: HandoverBody, who: OfficerToken) -> Handover:
    if not told.identity_checked:
        raise domain.IdentityNotChecked
    about = told.model_dump(exclude={"identity_checked"})
    given = Handover(dossier.code, DeliveryMethod.DESK, at=now(), officer_ref=who.ref, unit=who.unit, **about)
    domain.check(given)
    return given


async def _is_signed(files: Files, result: Result, settings: Settings) -> bool:
    """Whether the published file carries valid signatures now (RES-2)."""
    if not results.is_signed(result):
        return False
    data = await files.read(f"clean/{result.sha256}")
    checked = await asyncio.to_thread(asyncio.run, signing.check_all(data, Keys.of(settings).roots))
    if not checked.valid:
        log.error("result.signature_invalid", error=checked.why)
    return checked.valid


async def _ask_for_signature(db: Database, code: str, who: OfficerToken) -> None:
    """The task stays although the hand-over is refused."""
    async with db.transaction() as tx:
        dossier = await dossiers.lock(tx, code)
        if Role.DESK in who.roles:
            allowed(dossier, Act.DELIVER, actor(who))
        result = await result_store.read(tx, code)
        if result.state is not results.ResultState.PUBLISHED:
            raise ResultNotReady
        await result_store.save(tx, results.ask_for_signature(result, now()))


async def _hand_over(
    tx: Connection, seen: Dossier, was: Result, given: Handover, who: OfficerToken, *, signed: bool
) -> Dossier:
    dossier, result = await dossiers.lock(tx, seen.code), await result_store.read(tx, seen.code)
    if dossier.state is State.RETURNED:
        return dossier
    if result.sha256 != was.sha256:
        expect(dossier, seen.version)
    by, receiver = actor(who), domain.receiver_ref(dossier, given.receiver)
    if signed:
        given = replace(given, override_reason=None)
        returned, event = results.deliver(dossier, result, by, given.at, DeliveryMethod.DESK, receiver)
    else:
        returned, event = results.deliver_unsigned(dossier, result, by, given.at, given.override_reason or "", receiver)
    await dossiers.save(tx, returned, event)
    await store.remember(tx, given)
    return returned


# ── what is known of it ───────────────────────────────────────────────────────────────────────────────────────


class AddressView(BaseModel):
    """Where the post brings the result, as it was when the result was ready."""

    receiver_name: str
    address: str
    phone: str


class HandoverView(BaseModel):
    channel: DeliveryMethod
    receiver: Receiver
    receiver_name: str | None
    authorisation: str | None
    originals_returned: tuple[str, ...]
    papers_archived: tuple[str, ...]
    override_reason: str | None
    officer_ref: UUID | None
    at: datetime


class DeliveryView(BaseModel):
    """How far the result is on its way."""

    state: DeliveryState
    method: DeliveryMethod
    address: AddressView | None
    item_code: str | None
    """The post office's number, to follow the letter by."""
    why: str | None
    """Why the post could not deliver it."""
    handover: HandoverView | None
    signature_asked_at: datetime | None
    """Since when the signed file is missing and asked for."""


@router.get("/dossiers/{code}/delivery")
async def get_delivery(code: Code, caller: Caller, db: Db) -> DeliveryView:
    """Where the result is: waiting, with the post, at the desk, or handed over and to whom."""
    dossier = await readable(db, code, caller)
    result = await result_store.find(db, code)
    shipment, given = await store.shipment_of(db, code), await store.of_dossier(db, code)
    to = shipment.to if shipment else None
    return DeliveryView(
        state=domain.state_of(dossier, result, shipment),
        method=dossier.facts.delivery,
        address=AddressView.model_validate(to, from_attributes=True) if to else None,
        item_code=shipment.item_code if shipment else None,
        why=shipment.why if shipment else None,
        handover=HandoverView.model_validate(given, from_attributes=True) if given else None,
        signature_asked_at=result.signature_asked_at if result else None,
    )


@router.post("/post-events", status_code=204, dependencies=[Public])
async def post_says(request: Request, tx: Tx) -> None:
    """The post says what became of a letter: `shipped`, `delivered` or `failed`. Its signature is the authorisation.

    What it says twice, or too late, changes nothing.
    """
    try:
        said = vnpost.news(request.app.state.settings, await request.body(), request.headers.get(vnpost.SIGNATURE, ""))
    except (ValueError, KeyError, TypeError) as exc:
        raise InvalidRequest from exc
    await posting.told(tx, said)
