"""HTTP in: officers log in, prove themselves twice, and are provisioned by an administrator with their units."""

import base64
import secrets
from dataclasses import replace
from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import BackgroundTasks, Depends, Query, Response
from pydantic import AwareDatetime, BaseModel, Field, SecretStr

from contracts import identifiers
from kit import ids
from kit.auth import OfficerToken, officer, recent
from kit.clock import now
from kit.db import Connection, Database
from kit.http import Db, Later, Router, Tx
from kit.problems import NotFound
from services.identity import passwords, store
from services.identity.logins import domain as logins
from services.identity.logins.api import Body, CitizenSession, NewPassword, Visitor, limit_attempts
from services.identity.officers import domain, factors
from services.identity.officers import store as officers
from services.identity.officers.domain import Officer, Unit
from services.identity.officers.store import Half
from services.identity.otp import codes
from services.identity.otp.codes import CodeSent
from services.identity.otp.domain import CodeExpired, Purpose
from services.identity.sessions import api as sessions
from services.identity.sessions import store as session_store
from services.identity.sessions.api import Gateway, Secret
from services.identity.sessions.domain import Kind, begin_session
from services.identity.settings import policy

router = Router(prefix="/api/v1", tags=["officers"])

Admin = Annotated[OfficerToken, Depends(officer("system_admin"))]
OfficerCaller = Annotated[OfficerToken, Depends(officer())]
"""Any officer, the administrator too: for one's own account, and the units."""
FreshProof = Depends(recent(minutes=10))


# ── logging in ────────────────────────────────────────────────────────────────────────────────────


class OfficerCredentials(Body):
    """User name and password of an officer."""

    username: str = Field(min_length=1, max_length=100, examples=["mot-cua"])
    password: SecretStr = Field(min_length=1, max_length=200)


class OfficerSession(CitizenSession):
    """A session of an officer, and for whom the officer acts."""

    unit: str
    roles: list[str]


class FactorAsked(BaseModel):
    """The password is right; now the second factor, within five minutes."""

    login: str = Field(description="To be sent back with the factor.")
    methods: list[str] = Field(examples=[["totp", "passkey"]])
    passkey: dict[str, Any] | None = Field(description="Options of `navigator.credentials.get`, if there is a key.")


@router.post("/officer-sessions", status_code=201, responses={202: {"model": FactorAsked}})
async def begin_officer_session(
    _: Gateway, given: OfficerCredentials, db: Db, later: Later, response: Response, visitor: Visitor = ""
) -> OfficerSession | FactorAsked:
    """An officer logs in. Five guesses a quarter of an hour; an unknown name looks like a wrong password.

    201: a session. 202: the officer has a second factor and is asked for it.
    """
    username = given.username.strip().lower()
    await limit_attempts(db, username, visitor)
    found = await _check_password(db, username, given.password.get_secret_value())
    if not found.second_factors:
        tx = await later.begin()
        return await _session(tx, found, 1, "password")
    response.status_code = 202
    return await _ask_factor(await later.begin(), db, found)


async def _check_password(db: Database, username: str, password: str) -> Officer:
    found = await officers.find_officer(db, username)
    fits = await passwords.matches(found.password_hash if found else None, password)
    if found is None or not fits:
        await store.audit(db, now(), Kind.OFFICER, "password", found.ref if found else None, "CredentialsRejected")
        raise logins.CredentialsRejected()
    return found


async def _session(tx: Connection, found: Officer, acr: int, method: str) -> OfficerSession:
    await store.clear_attempts(tx, found.username, now())
    secret = await sessions.begin(tx, begin_session(Kind.OFFICER, found.ref, acr, now(), method))
    return OfficerSession(
        session=secret,
        account_ref=found.ref,
        display_name=found.display_name,
        unit=found.unit,
        roles=list(found.roles),
    )


async def _ask_factor(tx: Connection, db: Database, found: Officer) -> FactorAsked:
    handle, challenge = secrets.token_urlsafe(32), secrets.token_bytes(32)
    known = await officers.passkeys_of(db, found.ref)
    await officers.begin_factor(tx, handle, Half(found.ref, challenge), now())
    options = factors.request(known, challenge) if known else None
    return FactorAsked(login=handle, methods=list(found.second_factors), passkey=options)


class TotpCode(Body):
    """The six digits that the authenticator shows."""

    code: str = Field(pattern=r"^[0-9]{6}$", examples=["204816"])


@router.post("/officer-logins/{login}/totp", status_code=201)
async def give_totp(_: Gateway, login: Secret, given: TotpCode, db: Db, later: Later) -> OfficerSession:
    """The second factor: the authenticator's code, each good once."""
    half = await officers.try_factor(db, login, now())
    stored = await officers.totp_secret(db, half.officer_ref)
    if stored is None:
        raise domain.FactorWrong()
    step = await _audited(db, half, lambda: factors.step_of(_open(stored, half.officer_ref), given.code))
    tx = await later.begin()
    await officers.take_factor(tx, login)
    if not await officers.use_step(tx, half.officer_ref, step):
        raise domain.FactorWrong()
    return await _session(tx, await officers.officer_now(tx, half.officer_ref), 2, "totp")


def _open(stored: bytes, ref: UUID) -> str:
    return factors.opened(stored, str(ref))


async def _audited(db: Database, half: Half, check: Any) -> Any:
    try:
        return check()
    except domain.FactorWrong:
        await store.audit(db, now(), Kind.OFFICER, "factor", half.officer_ref, "FactorWrong")
        raise


class PasskeyAnswer(Body):
    """What `navigator.credentials` gave, as JSON."""

    credential: dict[str, Any]


@router.post("/officer-logins/{login}/passkey", status_code=201)
async def give_passkey(_: Gateway, login: Secret, given: PasskeyAnswer, db: Db, later: Later) -> OfficerSession:
    """The second factor: a passkey that signs this login's challenge."""
    half = await officers.try_factor(db, login, now())
    known = await officers.passkeys_of(db, half.officer_ref)
    key, count = await _audited(db, half, lambda: factors.answered(known, given.credential, half.challenge))
    tx = await later.begin()
    await officers.take_factor(tx, login)
    await officers.count_up(tx, key.credential_id, count)
    return await _session(tx, await officers.officer_now(tx, half.officer_ref), 2, "passkey")


# ── one's own password: by a code to one's own phone, never by somebody else ──────────────────────


class Username(Body):
    username: str = Field(min_length=1, max_length=100, examples=["mot-cua"])


@router.post("/officer-recoveries", status_code=202)
async def begin_officer_recovery(
    _: Gateway, given: Username, db: Db, tasks: BackgroundTasks, visitor: Visitor = ""
) -> CodeSent:
    """A first or a forgotten password: a code goes to the officer's own phone. The answer is the same for nobody."""
    name = given.username.strip().lower()
    found = await officers.find_officer(db, name)
    return await codes.send(
        db,
        tasks,
        purpose=Purpose.OFFICER,
        to=found.phone if found else None,
        address=visitor,
        subject=found.ref if found else None,
        counted_as=f"officer {name}",
    )


@router.post("/officer-recoveries/{challenge}/confirmation", status_code=204)
async def recover_officer(_: Gateway, challenge: Secret, given: NewPassword, db: Db, later: Later) -> None:
    """The officer chooses a password. Every session of theirs ends; the second factor stays."""
    confirmed = await codes.confirm(db, challenge, Purpose.OFFICER, given.code)
    logins.check_password(given.password.get_secret_value())
    password_hash = await passwords.hashed(given.password.get_secret_value())
    tx = await later.begin()
    await codes.take(tx, challenge)
    name = await officers.set_password(tx, confirmed.subject, password_hash) if confirmed.subject else None
    if name is None or confirmed.subject is None:
        raise CodeExpired()
    await session_store.end_all(tx, Kind.OFFICER, confirmed.subject)
    await store.clear_attempts(tx, name, now())
    await store.audit(tx, now(), Kind.OFFICER, "password", confirmed.subject, "changed")


# ── one's own second factor ───────────────────────────────────────────────────────────────────────


class OwnOfficer(BaseModel):
    """What an officer sees of their own account."""

    username: str
    display_name: str
    title: str
    unit: str
    roles: list[str]
    second_factors: list[str]
    needs_second_factor: bool = Field(description="The policy wants one, and there is none yet.")
    passkeys: list[str] = Field(description="Names of the registered keys.")


@router.get("/officers/me")
async def officer_me(caller: OfficerCaller, db: Db) -> OwnOfficer:
    """The caller's own account."""
    found = await officers.officer_now(db, caller.ref)
    return OwnOfficer(
        username=found.username,
        display_name=found.display_name,
        title=found.title,
        unit=found.unit,
        roles=list(found.roles),
        second_factors=list(found.second_factors),
        needs_second_factor=policy().needs_second_factor and not found.second_factors,
        passkeys=[key.name for key in await officers.passkeys_of(db, caller.ref)],
    )


class NewAuthenticator(BaseModel):
    """A secret for an authenticator; it counts when a code of it comes back."""

    enrolment: str = Field(description="To be sent back with the first code.")
    address: str = Field(description="`otpauth://…`, to be shown as a QR code.")
    secret: str = Field(description="The same secret, to be typed.")


@router.post("/officers/me/totp", status_code=201, dependencies=[FreshProof])
async def begin_totp(caller: OfficerCaller, db: Db) -> NewAuthenticator:
    """Begin to set up an authenticator. Needs a fresh login."""
    found, secret = await officers.officer_now(db, caller.ref), factors.new_secret()
    sealed = base64.urlsafe_b64encode(factors.sealed(secret, str(caller.ref))).decode()
    return NewAuthenticator(enrolment=sealed, address=factors.address(secret, found.username), secret=secret)


class FirstCode(TotpCode):
    """The first code of a new authenticator."""

    enrolment: str = Field(max_length=400)


@router.post("/officers/me/totp/confirmation", status_code=204, dependencies=[FreshProof])
async def confirm_totp(caller: OfficerCaller, given: FirstCode, tx: Tx) -> None:
    """The authenticator shows the right code: from now on it is asked for."""
    try:
        sealed = base64.urlsafe_b64decode(given.enrolment.encode())
    except ValueError as not_ours:
        raise domain.FactorWrong() from not_ours
    step = factors.step_of(_open(sealed, caller.ref), given.code)
    await officers.set_totp(tx, caller.ref, sealed, step)
    await store.audit(tx, now(), Kind.OFFICER, "totp", caller.ref, "enrolled")


class NewPasskey(BaseModel):
    """What the browser needs to make a key."""

    enrolment: str
    options: dict[str, Any] = Field(description="Options of `navigator.credentials.create`.")


@router.post("/officers/me/passkeys", status_code=201, dependencies=[FreshProof])
async def begin_passkey(caller: OfficerCaller, db: Db, later: Later) -> NewPasskey:
    """Begin to register a passkey. Needs a fresh login."""
    found, known = await officers.officer_now(db, caller.ref), await officers.passkeys_of(db, caller.ref)
    handle, challenge = secrets.token_urlsafe(32), secrets.token_bytes(32)
    await officers.begin_factor(await later.begin(), handle, Half(caller.ref, challenge), now())
    return NewPasskey(enrolment=handle, options=factors.registration(found, known, challenge))


class MadePasskey(PasskeyAnswer):
    """The key that the browser made."""

    enrolment: str = Field(min_length=20, max_length=100)
    name: str = Field(default="Khóa bảo mật", min_length=1, max_length=60)


@router.post("/officers/me/passkeys/confirmation", status_code=204, dependencies=[FreshProof])
async def confirm_passkey(caller: OfficerCaller, given: MadePasskey, db: Db, later: Later) -> None:
    """The key signed its challenge: from now on it is a second factor."""
    half, found = await officers.try_factor(db, given.enrolment, now()), await officers.officer_now(db, caller.ref)
    if half.officer_ref != caller.ref:
        raise domain.FactorExpired()
    key = factors.registered(found, given.credential, half.challenge, given.name)
    tx = await later.begin()
    await officers.take_factor(tx, given.enrolment)
    if not await officers.add_passkey(tx, key):
        raise domain.PasskeyRefused()
    await store.audit(tx, now(), Kind.OFFICER, "passkey", caller.ref, "enrolled")


# ── provisioning ──────────────────────────────────────────────────────────────────────────────────


class Rights(Body):
    """What an administrator says of an officer. No password: officers choose it, by a code to their own phone."""

    display_name: str = Field(max_length=200, examples=["Hoàng Thu Hà"])
    title: str = Field(default="", max_length=200, examples=["Công chức Bộ phận Một cửa"])
    unit: str = Field(max_length=35, examples=["H99.02.01"])
    roles: list[str] = Field(min_length=1, max_length=11, examples=[["desk"]])
    phone: str | None = Field(default=None, max_length=40, examples=["0900000101"])


class NewOfficer(Rights):
    """A new officer."""

    username: str = Field(max_length=100, examples=["mot-cua-2"])


class Change(BaseModel):
    """One state of an officer's rights."""

    at: AwareDatetime
    unit: str
    roles: list[str]
    active: bool
    changed_by: UUID | None


class Provisioned(BaseModel):
    """An officer as an administrator sees them."""

    ref: UUID
    username: str
    display_name: str
    title: str
    unit: str
    roles: list[str]
    active: bool
    has_password: bool
    second_factors: list[str]


class OfficerPage(BaseModel):
    """Officers by user name."""

    items: list[Provisioned]
    next: str | None


@router.get("/officers")
async def list_officers(
    _: Admin,
    db: Db,
    unit: Annotated[str | None, Query(max_length=35)] = None,
    cursor: Annotated[str, Query(max_length=100)] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> OfficerPage:
    """The officers of the installation, or of one unit."""
    found = await officers.list_of(db, unit, cursor, limit + 1)
    shown = [_provisioned(one) for one in found[:limit]]
    return OfficerPage(items=shown, next=shown[-1].username if len(found) > limit else None)


def _provisioned(found: Officer) -> Provisioned:
    return Provisioned(
        ref=found.ref,
        username=found.username,
        display_name=found.display_name,
        title=found.title,
        unit=found.unit,
        roles=list(found.roles),
        active=found.active,
        has_password=found.password_hash is not None,
        second_factors=list(found.second_factors),
    )


@router.post("/officers", status_code=201)
async def provision(admin: Admin, wish: NewOfficer, tx: Tx) -> Provisioned:
    """A new officer, without a password: the officer chooses one by a code to their own phone."""
    made = await _with_rights(tx, Officer(ids.new(), domain.username(wish.username), "", "", ()), wish)
    if not await officers.provision(tx, made, admin.ref):
        raise domain.UsernameTaken()
    await store.audit(tx, now(), Kind.OFFICER, "provision", made.ref, "created", admin.ref)
    return _provisioned(made)


@router.put("/officers/{ref}")
async def change_rights(admin: Admin, ref: UUID, wish: Rights, tx: Tx) -> Provisioned:
    """Another unit, other roles: they count within a minute, in every session the officer has."""
    changed = await _with_rights(tx, await _other(tx, admin, ref), wish)
    await officers.provision(tx, changed, admin.ref)
    await store.audit(tx, now(), Kind.OFFICER, "provision", ref, "changed", admin.ref)
    return _provisioned(changed)


@router.delete("/officers/{ref}", status_code=204)
async def deactivate(admin: Admin, ref: UUID, tx: Tx) -> None:
    """The officer works here no more: every session ends, and no token is made again. The record stays."""
    await officers.provision(tx, replace(await _other(tx, admin, ref), active=False), admin.ref)
    await session_store.end_all(tx, Kind.OFFICER, ref)
    await store.audit(tx, now(), Kind.OFFICER, "provision", ref, "deactivated", admin.ref)


@router.get("/officers/{ref}/history")
async def rights_history(_: Admin, ref: UUID, db: Db) -> list[Change]:
    """What the officer was allowed, when, and who decided it."""
    return [Change(**row) for row in await officers.history(db, ref)]


class Audited(BaseModel):
    """One login, attempt or act."""

    at: AwareDatetime
    method: str
    outcome: str


@router.get("/officers/{ref}/logins")
async def officer_logins(_: Admin, ref: UUID, db: Db) -> list[Audited]:
    """The newest entries of the login audit about one officer."""
    return [Audited(**row) for row in await store.audited(db, Kind.OFFICER, ref, 200)]


async def _other(tx: Connection, admin: OfficerToken, ref: UUID) -> Officer:
    if ref == admin.ref:
        raise domain.OwnAccount()
    found = await officers.lock(tx, ref)
    if found is None:
        raise NotFound()
    return found


async def _with_rights(tx: Connection, found: Officer, wish: Rights) -> Officer:
    if await officers.lock_unit(tx, wish.unit) is None:
        raise domain.UnitUnknown()
    return replace(
        found,
        display_name=identifiers.person_name(wish.display_name),
        title=" ".join(wish.title.split()),
        unit=wish.unit,
        roles=domain.roles(wish.roles),
        phone=identifiers.phone_number(wish.phone) if wish.phone else found.phone,
        active=True,
    )


# ── units ─────────────────────────────────────────────────────────────────────────────────────────


class UnitShown(BaseModel):
    """An agency, as it is or was."""

    id: str
    name: str
    level: str
    parent: str | None
    valid_from: date
    valid_to: date | None
    successor: str | None


class NewUnit(Body):
    """An agency that opens."""

    id: str = Field(max_length=40, examples=["H99.02.03"])
    name: str = Field(min_length=1, max_length=200, examples=["Ủy ban nhân dân xã Tân Lập"])
    level: str = Field(pattern="^(province|commune)$")
    parent: str | None = Field(default=None, max_length=35, examples=["H99"])
    valid_from: date


class Closure(Body):
    """An agency that closes, and who takes over."""

    last_day: date
    successor: str | None = Field(default=None, max_length=35)


@router.get("/units")
async def units(_: OfficerCaller, db: Db, on: date | None = None) -> list[UnitShown]:
    """The agencies today, or as they were on another day."""
    return [_unit(unit) for unit in await officers.units(db, on or now().date())]


def _unit(unit: Unit) -> UnitShown:
    return UnitShown(**{name: getattr(unit, name) for name in UnitShown.model_fields})


@router.get("/units/{unit_id}/history")
async def unit_history(_: OfficerCaller, unit_id: str, db: Db) -> list[UnitShown]:
    """All that ever was under that id."""
    return [_unit(unit) for unit in await officers.unit_history(db, unit_id)]


@router.post("/units", status_code=201)
async def open_unit(_: Admin, wish: NewUnit, tx: Tx) -> UnitShown:
    """An agency opens."""
    made = domain.unit(wish.id, wish.name, wish.level, wish.parent, wish.valid_from)
    if await officers.lock_unit(tx, made.id):
        raise domain.UnitOpen()
    if made.parent and await officers.lock_unit(tx, made.parent) is None:
        raise domain.UnitUnknown()
    await officers.save_unit(tx, made)
    return _unit(made)


@router.post("/units/{unit_id}/closure")
async def close_unit(_: Admin, unit_id: str, wish: Closure, tx: Tx) -> UnitShown:
    """An agency closes. It stays in the history, with who took over; its code is never given to another."""
    found = await officers.lock_unit(tx, unit_id)
    if found is None or (wish.successor and await officers.lock_unit(tx, wish.successor) is None):
        raise domain.UnitUnknown()
    if await officers.is_busy(tx, unit_id):
        raise domain.UnitHasOfficers()
    closed = domain.close_unit(found, wish.last_day, wish.successor)
    await officers.save_unit(tx, closed)
    return _unit(closed)
