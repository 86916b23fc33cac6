"""HTTP in: logging in at a provider, by local password and code, registration, recovery."""

from typing import Annotated, Any
from uuid import UUID

import asyncpg
from fastapi import BackgroundTasks, Header
from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr

from contracts import identifiers
from contracts.refusal import Refusal
from kit import ids
from kit.clock import now
from kit.db import Connection, Database
from kit.http import Db, Later, Router
from kit.settings import load
from services.identity import passwords, store
from services.identity.accounts import domain as accounts
from services.identity.accounts import store as account_store
from services.identity.accounts.domain import Account, Organisation, Person, Subject
from services.identity.logins import domain
from services.identity.logins import store as logins
from services.identity.logins.store import Login
from services.identity.otp import codes
from services.identity.otp.codes import Code, CodeSent
from services.identity.otp.domain import CodeExpired, Purpose
from services.identity.providers import oidc
from services.identity.sessions import api as sessions
from services.identity.sessions import store as session_store
from services.identity.sessions.api import Gateway, Secret
from services.identity.sessions.domain import Kind, Session, begin_session
from services.identity.settings import IdentitySettings, policy

router = Router(prefix="/api/v1", tags=["logins"])

Visitor = Annotated[str, Header(alias="X-Forwarded-For", max_length=200, description="The visitor's own address.")]


class Body(BaseModel):
    """A request body: unknown members are refused, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid")


# ── at a provider ─────────────────────────────────────────────────────────────────────────────────


class LoginWish(Body):
    """Somebody wants to log in with a provider and come back to `callback_url`."""

    provider: str = Field(default="vneid", pattern="^(vneid|national_portal)$")
    callback_url: HttpUrl = Field(examples=["http://127.0.0.1:8080/dang-nhap/vneid"])
    session: SecretStr | None = Field(
        default=None, description="The session of a local account whose owner wants to be verified."
    )
    fresh: bool = Field(default=False, description="Log in again at the provider, whoever is logged in there.")


class LoginBegun(BaseModel):
    """Send the browser to `authorization_url`; it must come back with the `state` that it left with."""

    authorization_url: str
    state: str


class LoginAnswer(Body):
    """What the provider gave to the browser. `issuer` is RFC 9207's `iss`, when the provider sends it."""

    code: str = Field(min_length=1, max_length=4000)
    issuer: str | None = Field(default=None, max_length=500)


class CitizenSession(BaseModel):
    """A session of a citizen, organisation or business; `session` is a secret."""

    session: str
    account_ref: UUID
    display_name: str


class Ways(BaseModel):
    """The ways in that this province offers to citizens."""

    citizens: list[str] = Field(examples=[["vneid", "national_portal", "local"]])


@router.get("/login-methods")
async def login_methods(_: Gateway) -> Ways:
    """Which ways in the tenant's policy offers, and are set up here."""
    offered = policy().citizens
    return Ways(citizens=[name for name in (*oidc.NAMES, "local") if name in offered and _is_set_up(name)])


def _is_set_up(name: str) -> bool:
    return name == "local" or bool(load(IdentitySettings).provider(name).issuer)


@router.post("/logins", status_code=201)
async def begin_login(_: Gateway, wish: LoginWish, db: Db, later: Later) -> LoginBegun:
    """Begin a login at a provider. The state lives ten minutes and is good once."""
    policy().demand(wish.provider)
    callback = str(wish.callback_url)
    if not callback.startswith(load(IdentitySettings).gateway_url.rstrip("/") + "/"):
        raise domain.CallbackForbidden()
    wanted = Login(wish.provider, "", "", callback, await _account_of(db, wish.session), wish.fresh)
    url, state, login = await oidc.Provider(wish.provider).begin(wanted)
    await logins.begin(await later.begin(), state, login, now())
    return LoginBegun(authorization_url=url, state=state)


async def _account_of(db: Database, session: SecretStr | None) -> UUID | None:
    if session is None:
        return None
    found = await session_store.find(db, session.get_secret_value())
    return found.subject if found.kind is Kind.CITIZEN else None


@router.post("/logins/{state}/completion", status_code=201)
async def complete_login(_: Gateway, state: Secret, answer: LoginAnswer, db: Db, later: Later) -> CitizenSession:
    """The provider answered: the account is created or brought up to date, and a session begins."""
    login = await logins.take(db, state, now())
    said = await _proof(db, login, answer)
    tx = await later.begin()
    account = await standardise(tx, said.proof, (login.provider, said.subject), login.account_ref)
    begun = begin_session(Kind.CITIZEN, account.ref, said.level, now(), login.provider, said.logged_in_at)
    return _session(account, await sessions.begin(tx, begun))


async def _proof(db: Database, login: Login, answer: LoginAnswer) -> oidc.Answer:
    try:
        return await oidc.Provider(login.provider).finish(login, answer.code, answer.issuer)
    except Refusal as refused:
        await store.audit(db, now(), Kind.CITIZEN, login.provider, None, type(refused).__name__)
        raise


async def standardise(tx: Connection, proof: accounts.Proof, login: tuple[str, str], logged_in: UUID | None) -> Account:
    """The account of whoever was proven: the one of this provider login, else the verified one of that number, else
    the one that is logged in, else a new one. Everything else that says to be this person is locked.

    Two first logins of one person queue on the number, so they end in one account.
    """
    await account_store.lock_number(tx, proof.number)
    here = await account_store.lock(tx, logged_in) if logged_in else None
    tax_code = proof.organisation.tax_code if proof.organisation else None
    known = await account_store.find_linked(tx, *login)
    known = known or await account_store.find_verified(tx, proof.person.identity_number or "", tax_code)
    account, *events = accounts.link_eid(known or here or account_store.new(), proof, _key(), now())
    await account_store.save(tx, account, *events)
    await account_store.link(tx, *login, account.ref)
    if here and here.ref != account.ref and here.state not in accounts.VERIFIED:
        await _lock_away(tx, *accounts.replaced_by(here, account, now()))
    await lock_claimants(tx, account)
    return account


async def lock_claimants(tx: Connection, verified: Account) -> None:
    """Lock every other account that says to be who this one was proven to be; each says so itself."""
    for other in await account_store.claimants(tx, verified):
        await _lock_away(tx, *accounts.supersede(other, verified, now()))


async def _lock_away(tx: Connection, locked: Account, event: Any) -> None:
    await account_store.save(tx, locked, event)
    await session_store.end_all(tx, Kind.CITIZEN, locked.ref)
    if locked.superseded_by:
        await account_store.move_links(tx, locked.ref, locked.superseded_by)


def _session(account: Account, secret: str) -> CitizenSession:
    return CitizenSession(session=secret, account_ref=account.ref, display_name=account.display_name)


def _key() -> bytes:
    return load(IdentitySettings).digest


# ── registration of local accounts ────────────────────────────────────────────────────────────────


class Registration(Body):
    """A new local account. What is declared proves nothing until it is standardised."""

    subject: Subject = Field(default=Subject.CITIZEN, description="Đối tượng đăng ký.")
    full_name: str = Field(max_length=200, examples=["Nguyễn Thị An"])
    phone: str = Field(max_length=40, examples=["0900000001"], description="Where the one-time password goes.")
    identity_number: str | None = Field(default=None, max_length=40, examples=["000190000001"])
    email: str | None = Field(default=None, max_length=254)
    organisation_name: str | None = Field(default=None, max_length=300)
    tax_code: str | None = Field(default=None, max_length=40, examples=["0100047516"])


class NewPassword(Code):
    """The code from the phone, and the password that its owner chose: nobody else ever sets one."""

    password: SecretStr = Field(max_length=200)


@router.post("/registrations", status_code=202)
async def register(_: Gateway, wish: Registration, db: Db, tasks: BackgroundTasks, visitor: Visitor = "") -> CodeSent:
    """Ask for a local account: a code goes to the phone, and nothing exists until it comes back.

    A phone that has an account already is told so by text message; the answer here is the same.
    """
    policy().demand("local")
    facts = _canonical(wish)
    known = await account_store.find_credential(db, facts["phone"])
    notice = "account_exists" if known else None
    return await codes.send(
        db, tasks, purpose=Purpose.REGISTRATION, to=facts["phone"], address=visitor, facts=facts, notice=notice
    )


def _canonical(wish: Registration) -> dict[str, Any]:
    """What was declared, in canonical form, as it waits for the code."""
    organisation = wish.subject is not Subject.CITIZEN
    if organisation and not (wish.organisation_name and wish.tax_code):
        raise accounts.OrganisationIncomplete()
    return {
        "subject": wish.subject,
        "full_name": identifiers.person_name(wish.full_name),
        "phone": identifiers.phone_number(wish.phone),
        "identity_number": identifiers.identity_number(wish.identity_number) if wish.identity_number else None,
        "email": identifiers.email_address(wish.email) if wish.email else None,
        "organisation_name": " ".join((wish.organisation_name or "").split()) if organisation else None,
        "tax_code": identifiers.tax_code(wish.tax_code or "") if organisation else None,
    }


@router.post("/registrations/{challenge}/confirmation", status_code=201)
async def activate(_: Gateway, challenge: Secret, given: NewPassword, db: Db, later: Later) -> CitizenSession:
    """The phone is confirmed: the account is active, with the password its owner chose, and they are logged in."""
    password = given.password.get_secret_value()
    facts = (await codes.confirm(db, challenge, Purpose.REGISTRATION, given.code)).facts
    domain.check_password(password, facts["phone"], facts["identity_number"])
    password_hash = await passwords.hashed(password)
    tx = await later.begin()
    await codes.take(tx, challenge)
    account = _registered(facts)
    await _claim_number(tx, account)
    await account_store.save(tx, account)
    await _put_credential(tx, account.ref, facts["phone"], password_hash)
    return _session(account, await sessions.begin(tx, _local_session(account)))


def _registered(facts: dict[str, Any]) -> Account:
    person = Person(**{name: facts[name] for name in ("full_name", "identity_number", "phone", "email")})
    named = facts["organisation_name"]
    organisation = Organisation(named, facts["tax_code"]) if named else None
    return accounts.register(ids.new(), Subject(facts["subject"]), person, organisation)


async def _claim_number(tx: Connection, account: Account) -> None:
    """IdentityNumberTaken when somebody proved to be who this account says to be; whoever proves it now waits."""
    await refuse_taken(tx, account.person.identity_number, account.organisation)


async def refuse_taken(tx: Connection, number: str | None, organisation: Organisation | None) -> None:
    """IdentityNumberTaken when a verified account has that number (or tax code); holds the number until the end."""
    declared = accounts.subject_number(Person(identity_number=number), organisation)
    if declared:
        await account_store.lock_number(tx, declared)
        if await account_store.find_verified(tx, number or "", organisation.tax_code if organisation else None):
            raise accounts.IdentityNumberTaken()


async def _put_credential(tx: Connection, ref: UUID, phone: str, password_hash: str) -> None:
    try:
        async with tx.transaction():
            await account_store.put_credential(tx, ref, phone, password_hash)
    except asyncpg.UniqueViolationError as faster:  # two registrations of one phone: the other was confirmed first
        raise CodeExpired() from faster


def _local_session(account: Account) -> Session:
    level = min(accounts.LEVELS[account.state], 1)
    return begin_session(Kind.CITIZEN, account.ref, level, now(), "local")


# ── logging in with phone, password and code ──────────────────────────────────────────────────────


class LocalCredentials(Body):
    """Phone number and password of a local account."""

    phone: str = Field(max_length=40, examples=["0900000001"])
    password: SecretStr = Field(min_length=1, max_length=200)


@router.post("/local-logins", status_code=202)
async def begin_local_login(
    _: Gateway, given: LocalCredentials, db: Db, tasks: BackgroundTasks, visitor: Visitor = ""
) -> CodeSent:
    """The right password sends a code to the phone; an unknown number looks like a wrong password."""
    policy().demand("local")
    phone = _phone(given.phone)
    await limit_attempts(db, f"local {phone}", visitor)
    found = await account_store.find_credential(db, phone)
    fits = await passwords.matches(found[1] if found else None, given.password.get_secret_value())
    if found is None or not fits:
        ref = found[0] if found else None
        await store.audit(db, now(), Kind.CITIZEN, "local", ref, "CredentialsRejected")
        raise domain.CredentialsRejected()
    account = await account_store.find(db, found[0])
    accounts.may_log_in(account or account_store.new())
    return await codes.send(db, tasks, purpose=Purpose.LOGIN, to=phone, address=visitor, subject=found[0])


def _phone(text: str) -> str:
    """The canonical number; one that is none belongs to nobody, and looks like any other that does not fit."""
    try:
        return identifiers.phone_number(text)
    except identifiers.PhoneMalformed:
        return "?"


async def limit_attempts(db: Database, name: str, visitor: str) -> None:
    """TooManyAttempts when this name was tried too often, or too many were from there."""
    for who, most in ((name, domain.ATTEMPTS), (f"address {visitor}", domain.ATTEMPTS_FROM_ADDRESS)):
        if who == "address ":
            continue
        attempt, count = await store.count_attempt(db, who, now(), domain.ATTEMPT_WINDOW)
        try:
            domain.judge_attempts(count, most)
        except domain.TooManyAttempts:
            await store.forget_attempt(db, attempt)
            raise


@router.post("/local-logins/{challenge}/completion", status_code=201)
async def complete_local_login(_: Gateway, challenge: Secret, given: Code, db: Db, later: Later) -> CitizenSession:
    """The code from the phone: a session begins. It proves level 0, or 1 when the account is standardised."""
    confirmed = await codes.confirm(db, challenge, Purpose.LOGIN, given.code)
    tx = await later.begin()
    await codes.take(tx, challenge)
    account = await _open_account(tx, confirmed.subject)
    await store.clear_attempts(tx, f"local {account.person.phone}", now())
    return _session(account, await sessions.begin(tx, _local_session(account)))


async def _open_account(tx: Connection, ref: UUID | None) -> Account:
    account = await account_store.lock(tx, ref) if ref else None
    if account is None:
        raise CodeExpired()
    accounts.may_log_in(account)
    return account


# ── a forgotten password ──────────────────────────────────────────────────────────────────────────


class PhoneOnly(Body):
    """The phone number of a local account."""

    phone: str = Field(max_length=40, examples=["0900000001"])


@router.post("/recoveries", status_code=202)
async def begin_recovery(
    _: Gateway, given: PhoneOnly, db: Db, tasks: BackgroundTasks, visitor: Visitor = ""
) -> CodeSent:
    """A forgotten password: a code goes to the account's own phone, if there is such an account.

    The answer and its time are the same for a number that nobody has.
    """
    policy().demand("local")
    phone = _phone(given.phone)
    found = await account_store.find_credential(db, phone)
    return await codes.send(
        db,
        tasks,
        purpose=Purpose.RECOVERY,
        to=phone if found else None,
        address=visitor,
        subject=found[0] if found else None,
        counted_as=phone,
    )


@router.post("/recoveries/{challenge}/confirmation", status_code=204)
async def recover(_: Gateway, challenge: Secret, given: NewPassword, db: Db, later: Later) -> None:
    """A new password, chosen by whoever has the phone. Every session of the account ends."""
    confirmed = await codes.confirm(db, challenge, Purpose.RECOVERY, given.code)
    await set_password(db, later, challenge, confirmed.subject, given.password.get_secret_value())


async def set_password(db: Database, later: Later, challenge: str, ref: UUID | None, password: str) -> None:
    """Set the password that a code confirmed, and log the account out everywhere."""
    known = await account_store.find(db, ref) if ref else None
    domain.check_password(password, *((known.person.phone, known.person.identity_number) if known else ()))
    password_hash = await passwords.hashed(password)
    tx = await later.begin()
    await codes.take(tx, challenge)
    account = await _open_account(tx, ref)
    await account_store.set_password(tx, account.ref, password_hash)
    await session_store.end_all(tx, Kind.CITIZEN, account.ref)
    await store.audit(tx, now(), Kind.CITIZEN, "password", account.ref, "changed")
    await store.clear_attempts(tx, f"local {account.person.phone}", now())
