"""HTTP in: what somebody sees and changes of their own account, and what services and the desk may know of it."""

from datetime import date, timedelta, timezone
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from fastapi import BackgroundTasks, Depends, Query, Response
from pydantic import AwareDatetime, BaseModel, Field

from contracts import identifiers
from contracts.identifiers import Doubt
from contracts.identity import VerificationSource
from contracts.refusal import Refusal
from kit import timers
from kit.auth import Citizen, CitizenToken, OfficerToken, SystemToken, officer, recent, system
from kit.clock import now
from kit.db import Connection, Database
from kit.http import Db, Later, Router, Tx
from kit.problems import NotFound
from kit.settings import load
from services.identity import store
from services.identity.accounts import domain
from services.identity.accounts import store as accounts
from services.identity.accounts.domain import Account, Person, Proof
from services.identity.consents import store as consents
from services.identity.consents.api import Given, shown
from services.identity.consents.domain import Purpose as Agreed
from services.identity.logins.api import (
    Body,
    NewPassword,
    Visitor,
    lock_claimants,
    refuse_taken,
    set_password,
)
from services.identity.otp import codes
from services.identity.otp.codes import Code, CodeSent
from services.identity.otp.domain import Channel, CodeExpired, Purpose
from services.identity.sessions import store as sessions
from services.identity.sessions.api import OwnSession, Secret
from services.identity.sessions.domain import Kind
from services.identity.settings import IdentitySettings

router = Router(prefix="/api/v1", tags=["accounts"])

Correspondent = Annotated[SystemToken, Depends(system("notification", "payment"))]
Notification = Annotated[SystemToken, Depends(system("notification"))]
Dossier = Annotated[SystemToken, Depends(system("dossier"))]
Desk = Annotated[OfficerToken, Depends(officer("desk"))]
Admin = Annotated[OfficerToken, Depends(officer("system_admin"))]
Reason = Annotated[str, Query(pattern=r"^[A-Za-z0-9_.-]{1,60}$")]
"""A word, so that nobody can write about a person here."""
FreshProof = Depends(recent(minutes=10))

LOCAL = timezone(timedelta(hours=7))
"""Asia/Ho_Chi_Minh, which has no summer time: what day it is for a date of issue."""


# ── one's own profile ─────────────────────────────────────────────────────────────────────────────


class Standardisation(BaseModel):
    """How far chuẩn hóa is: the notice that asks for it stays until it is complete."""

    complete: bool
    verified: bool = Field(
        description="Somebody vouched for the identity number: VNeID, the national portal, the desk."
    )
    missing: list[str] = Field(examples=[["issued_on"]], description="Which of the four fields are not there yet.")
    doubts: list[Doubt] = Field(description="What should be looked at again; nothing is refused for it.")


class Me(BaseModel):
    """Everything identity knows of the caller."""

    account_ref: UUID
    state: str
    subject: str = Field(description="`citizen`, `organisation` or `business`.")
    name: str
    identity_number: str | None
    birth_date: date | None
    issued_on: date | None
    phone: str | None
    email: str | None
    address: str | None
    organisation_name: str | None
    tax_code: str | None
    verification_source: str | None
    standardised_at: AwareDatetime | None
    standardisation: Standardisation
    has_password: bool = Field(description="Whether there is a local login beside the providers'.")


@router.get("/accounts/me")
async def me(citizen: Citizen, db: Db) -> Me:
    """The caller's own profile."""
    account = _there(await accounts.find(db, citizen.ref))
    return _shown(account, await accounts.has_credential(db, account.ref))


def _shown(account: Account, has_password: bool) -> Me:
    person, organisation = account.person, account.organisation
    known = ("identity_number", "birth_date", "issued_on", "phone", "email", "address")
    return Me(
        account_ref=account.ref,
        state=account.state,
        subject=account.subject,
        name=account.person.full_name or "",
        organisation_name=organisation.name if organisation else None,
        tax_code=organisation.tax_code if organisation else None,
        verification_source=account.verification_source,
        standardised_at=account.standardised_at,
        standardisation=_standardisation(account),
        has_password=has_password,
        **{field: getattr(person, field) for field in known},
    )


def _standardisation(account: Account) -> Standardisation:
    person = account.person
    found = identifiers.doubts(person.identity_number, person.birth_date) if person.identity_number else frozenset()
    return Standardisation(
        complete=domain.is_standardised(account),
        verified=account.state in domain.VERIFIED,
        missing=list(domain.missing(person)),
        doubts=sorted(found),
    )


def _there(account: Account | None) -> Account:
    if account is None:
        raise NotFound()
    return account


class Address(Body):
    """Where the caller lives, as they write it."""

    address: str = Field(max_length=300, examples=["Thôn Đông, xã Bình Minh, tỉnh An Bình"])


@router.put("/accounts/me/address", status_code=204)
async def put_address(citizen: Citizen, given: Address, tx: Tx) -> None:
    """Change what nobody vouches for."""
    account = await _lock_own(tx, citizen)
    await accounts.save(tx, domain.move_house(account, " ".join(given.address.split()) or None))


async def _lock_own(tx: Connection, citizen: CitizenToken) -> Account:
    account = _there(await accounts.lock(tx, citizen.ref))
    domain.may_log_in(account)
    return account


class FourFields(Body):
    """What standardisation asks, but for the phone, which is confirmed by a code."""

    full_name: str = Field(max_length=200, examples=["Nguyễn Thị An"])
    identity_number: str = Field(max_length=40, examples=["000190000001"])
    issued_on: date = Field(examples=["2024-07-15"], description="Ngày cấp, as printed on the card.")


@router.put("/accounts/me/standardisation")
async def declare(citizen: Citizen, given: FourFields, tx: Tx) -> Standardisation:
    """State the four fields. They count when VNeID or an officer who saw the card confirms them."""
    declared = _person(given, None)
    await refuse_taken_by_others(tx, citizen.ref, declared)
    account = domain.declare(await _lock_own(tx, citizen), declared, now().astimezone(LOCAL).date())
    await accounts.save(tx, account)
    return _standardisation(account)


async def refuse_taken_by_others(tx: Connection, ref: UUID, declared: Person) -> None:
    known = _there(await accounts.find(tx, ref))
    if known.person.identity_number != declared.identity_number:
        await refuse_taken(tx, declared.identity_number, None)


def _person(given: FourFields, phone: str | None) -> Person:
    return Person(
        full_name=identifiers.person_name(given.full_name),
        identity_number=identifiers.identity_number(given.identity_number),
        issued_on=given.issued_on,
        phone=identifiers.phone_number(phone) if phone else None,
    )


# ── contact details and password ──────────────────────────────────────────────────────────────────


class NewContact(Body):
    """A new phone number or a new e-mail address: one of the two."""

    phone: str | None = Field(default=None, max_length=40, examples=["0900000005"])
    email: str | None = Field(default=None, max_length=254, examples=["an.nguyen@example.vn"])


@router.post("/accounts/me/contact-changes", status_code=202, dependencies=[FreshProof])
async def begin_contact_change(
    citizen: Citizen, wish: NewContact, db: Db, tasks: BackgroundTasks, visitor: Visitor = ""
) -> CodeSent:
    """Ask for another phone or e-mail: a code goes there, and it counts when it comes back. Needs a fresh login."""
    if wish.phone:
        facts, channel = {"phone": identifiers.phone_number(wish.phone)}, Channel.SMS
    else:
        facts, channel = {"email": identifiers.email_address(wish.email or "")}, Channel.EMAIL
    (to,) = facts.values()
    return await codes.send(
        db,
        tasks,
        purpose=Purpose.CONTACT,
        to=to,
        address=visitor,
        subject=citizen.ref,
        facts=dict(facts),
        channel=channel,
    )


@router.post("/accounts/me/contact-changes/{challenge}/confirmation", status_code=204)
async def confirm_contact_change(citizen: Citizen, challenge: Secret, given: Code, db: Db, later: Later) -> None:
    """The code came back from the new phone or address: from now on it is the caller's."""
    confirmed = await codes.confirm(db, challenge, Purpose.CONTACT, given.code)
    if confirmed.subject != citizen.ref:
        raise CodeExpired()
    tx = await later.begin()
    await codes.take(tx, challenge)
    account = await _lock_own(tx, citizen)
    await accounts.save(tx, domain.change_contact(account, **confirmed.facts))
    if phone := confirmed.facts.get("phone"):
        await _log_in_with(tx, account.ref, phone)
    await store.audit(tx, now(), Kind.CITIZEN, "contact", account.ref, "changed")


class PhoneInUse(Refusal):
    """Another local account logs in with this number."""

    title = "Số điện thoại này đang dùng để đăng nhập một tài khoản khác."
    title_en = "Another account logs in with this phone number."


async def _log_in_with(tx: Connection, ref: UUID, phone: str) -> None:
    try:
        async with tx.transaction():
            await accounts.move_phone(tx, ref, phone)
    except asyncpg.UniqueViolationError as taken:
        raise PhoneInUse() from taken


@router.post("/accounts/me/password-changes", status_code=202)
async def begin_password_change(citizen: Citizen, db: Db, tasks: BackgroundTasks, visitor: Visitor = "") -> CodeSent:
    """Ask for another password: a code goes to the caller's own phone."""
    account = _there(await accounts.find(db, citizen.ref))
    if not await accounts.has_credential(db, account.ref):
        raise NotFound()
    phone = account.person.phone
    return await codes.send(db, tasks, purpose=Purpose.PASSWORD, to=phone, address=visitor, subject=account.ref)


@router.post("/accounts/me/password-changes/{challenge}/confirmation", status_code=204)
async def change_password(citizen: Citizen, challenge: Secret, given: NewPassword, db: Db, later: Later) -> None:
    """A new password, confirmed by the code. Every session of the account ends."""
    confirmed = await codes.confirm(db, challenge, Purpose.PASSWORD, given.code)
    if confirmed.subject != citizen.ref:
        raise CodeExpired()
    await set_password(db, later, challenge, citizen.ref, given.password.get_secret_value())


# ── one's data ────────────────────────────────────────────────────────────────────────────────────


class Autofill(BaseModel):
    """What forms may be filled with; empty without the caller's consent."""

    consented: bool
    fields: dict[str, str]


@router.get("/accounts/me/autofill")
async def autofill(citizen: Citizen, db: Db) -> Autofill:
    """The profile as forms use it, if the caller agreed to that."""
    return await _autofill(db, citizen.ref)


@router.get("/accounts/{ref}/autofill")
async def autofill_for(caller: Dossier, ref: UUID, tx: Tx, purpose: Reason) -> Autofill:
    """The same for a draft that the account's owner asks to have filled in; every time is recorded."""
    found = await _autofill(tx, ref)
    if found.consented:
        await store.disclose(tx, now(), ref, caller.name, purpose)
    return found


async def _autofill(tx: Connection | Database, ref: UUID) -> Autofill:
    if not await consents.stands(tx, ref, Agreed.AUTOFILL):
        return Autofill(consented=False, fields={})
    person = _there(await accounts.find(tx, ref)).person
    known = ("full_name", "identity_number", "birth_date", "issued_on", "phone", "email", "address")
    return Autofill(consented=True, fields={k: str(v) for k in known if (v := getattr(person, k)) is not None})


class Export(BaseModel):
    """All that identity holds about the caller, for them to keep."""

    made_at: AwareDatetime
    profile: Me
    providers: list[dict[str, Any]] = Field(description="Where the caller logs in, and since when.")
    consents: list[Given]
    sessions: list[OwnSession]
    logins: list[dict[str, Any]] = Field(description="The newest thousand entries of the login audit.")
    contact_given_to: list[dict[str, Any]] = Field(description="Which service was given the contact details, what for.")


@router.get("/accounts/me/export")
async def export(citizen: Citizen, db: Db, response: Response) -> Export:
    """Everything identity knows of the caller, as one document. Dossiers and receipts are at their own services."""
    response.headers["Content-Disposition"] = 'attachment; filename="du-lieu-cua-toi.json"'
    profile = await me(citizen, db)
    return Export(
        made_at=now(),
        profile=profile,
        providers=await accounts.links_of(db, citizen.ref),
        consents=[shown(one) for one in await consents.of(db, citizen.ref)],
        sessions=[OwnSession(**row) for row in await sessions.list_of(db, Kind.CITIZEN, citizen.ref, now())],
        logins=await store.audited(db, Kind.CITIZEN, citizen.ref, 1000),
        contact_given_to=await store.disclosed(db, citizen.ref, 1000),
    )


@router.post("/accounts/me/closure", status_code=204, dependencies=[FreshProof])
async def close(citizen: Citizen, tx: Tx) -> None:
    """Close the account and erase who its owner is: contact and identity data, logins, password, sessions.

    What the law archives stays with the dossiers, under a reference that leads to nobody. Needs a fresh login.
    """
    closed, event = domain.close(await _lock_own(tx, citizen), now())
    await accounts.save(tx, closed, event)
    await consents.withdraw_all(tx, closed.ref, now())
    await sessions.end_all(tx, Kind.CITIZEN, closed.ref)
    await store.audit(tx, now(), Kind.CITIZEN, "account", closed.ref, "closed")
    for ref in await accounts.erase(tx, closed.ref):
        await timers.schedule(tx, "erase_archive", str(ref), now() + timedelta(seconds=5))


# ── what services may know ────────────────────────────────────────────────────────────────────────


class Contact(BaseModel):
    """Where somebody can be told something, at this moment. Not to be kept."""

    name: str
    email: str | None
    phone: str | None


@router.get("/accounts/{ref}/contact")
async def contact(caller: Correspondent, ref: UUID, tx: Tx, purpose: Reason) -> Contact:
    """Where to tell somebody something; not given without a record of who asked and what for."""
    account = _there(await accounts.find(tx, ref))
    if account.superseded_by:  # a message to an account that was locked meanwhile reaches its owner
        account = _there(await accounts.find(tx, account.superseded_by))
    if account.state not in domain.LOGIN_OPEN:
        raise NotFound()
    await store.disclose(tx, now(), account.ref, caller.name, purpose)
    return Contact(name=account.display_name, email=account.person.email, phone=account.person.phone)


class Identification(Contact):
    """Who the owner of a verified account is, for an authority that has to be told. Not to be kept."""

    number: str
    """Identity number of a citizen, tax code of a body."""


@router.get("/accounts/{ref}/identification")
async def identification(caller: Notification, ref: UUID, tx: Tx, purpose: Reason) -> Identification:
    """Whom a dossier of this account is to be filed under elsewhere, such as at the national portal; nobody, while the
    account is not verified. Not given without a record of who asked and what for."""
    account = _there(await accounts.find(tx, ref))
    if account.superseded_by:
        account = _there(await accounts.find(tx, account.superseded_by))
    number = account.organisation.tax_code if account.organisation else account.person.identity_number
    if account.state not in domain.VERIFIED or not number:
        raise NotFound()
    await store.disclose(tx, now(), account.ref, caller.name, purpose)
    person = account.person
    return Identification(name=account.display_name, email=person.email, phone=person.phone, number=number)


class IdentityNumber(Body):
    """An identity number as somebody typed it, or as it stands on a card."""

    identity_number: str = Field(max_length=40, examples=["000190000001"])


class Owner(BaseModel):
    """Whom a number belongs to, without saying who that is."""

    identity_digest: str = Field(description="Keyed digest, as in `AccountStandardised`.")
    account_ref: UUID | None = Field(description="The verified account of that number, if there is one.")


@router.post("/owners")
async def owner_of(_: Dossier, given: IdentityNumber, tx: Tx) -> Owner:
    """For a dossier that is registered at the desk: to whose account it belongs, now or as soon as there is one."""
    number = identifiers.identity_number(given.identity_number)
    account = await accounts.find_verified(tx, number, None)
    return Owner(
        identity_digest=domain.digest_of(number, load(IdentitySettings).digest),
        account_ref=account.ref if account else None,
    )


# ── the desk and the operator ─────────────────────────────────────────────────────────────────────


class Card(FourFields):
    """The four fields as the officer reads them from the card, and hears the phone number from its owner."""

    phone: str = Field(max_length=40, examples=["0900000001"])


class Verified(BaseModel):
    """The account is standardised; nothing of it is shown to the officer."""

    account_ref: UUID


@router.post("/desk-verifications", status_code=201)
async def verify_at_desk(clerk: Desk, card: Card, db: Db, later: Later) -> Verified:
    """An officer saw the card: the account that declares the same four fields is standardised.

    What does not fit is named, never shown. 404 when no open account declares this number with this phone.
    """
    seen = _person(card, card.phone)
    tx = await later.begin()
    await accounts.lock_number(tx, seen.identity_number or "")
    declared = await accounts.find_declared(tx, seen.identity_number or "", seen.phone or "")
    proof = Proof(seen, VerificationSource.DESK)
    account, *events = domain.verify_at_desk(_there(declared), proof, load(IdentitySettings).digest, now())
    await accounts.save(tx, account, *events)
    await lock_claimants(tx, account)
    await store.audit(tx, now(), Kind.CITIZEN, "desk", account.ref, "standardised", clerk.ref)
    return Verified(account_ref=account.ref)


@router.post("/accounts/{ref}/security-lock", status_code=204)
async def lock_for_security(admin: Admin, ref: UUID, tx: Tx) -> None:
    """Lock an account for its owner's protection, and log it out everywhere."""
    locked, event = domain.lock_for_security(_there(await accounts.lock(tx, ref)), now())
    await accounts.save(tx, locked, event)
    await sessions.end_all(tx, Kind.CITIZEN, ref)
    await store.audit(tx, now(), Kind.CITIZEN, "account", ref, "locked", admin.ref)
