"""Whose matter a dossier is (chủ hồ sơ), who submits it (người nộp), and how each can be reached.

Their details are private data of the draft and of the dossier; events carry opaque references only. An owner is known
by identity number: the reference of their account if they have one here, otherwise one that is derived from the keyed
digest of the number, so that the dossier finds its owner when the account comes (ACC-15).
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from contracts.dossier import OwnerLinked, OwnerType
from contracts.identifiers import (
    Doubt,
    doubts,
    email_address,
    identity_number,
    is_vietnamese_mobile,
    person_name,
    phone_number,
    tax_code,
)
from contracts.refusal import Refusal
from services.dossier.faults import Fault
from services.dossier.processing.domain import Dossier, envelope

PASSPORT = re.compile(r"^(?=.*[A-Z])[A-Z0-9]{6,20}$")
"""Foreign citizens have no identity number."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where somebody lives or gets post, by the codes of administrative units (QĐ 19/2025/QĐ-TTg)."""

    province_code: str | None = None
    """Two digits."""
    commune_code: str | None = None
    """Five digits."""
    street: str | None = None
    """House, street, hamlet."""
    text: str | None = None
    """As it is printed, with the names of commune and province."""

    @property
    def complete(self) -> bool:
        return bool(self.text or (self.province_code and self.commune_code and self.street))


@dataclass(frozen=True, slots=True)
class Person:
    """A person or body, as they were described; anything may be missing while it is a draft."""

    type: OwnerType = OwnerType.CITIZEN
    name: str | None = None
    identity_number: str | None = None
    """Number of a citizen's identity (12 digits), passport, or tax code of a body."""
    birth_date: date | None = None
    phone: str | None = None
    email: str | None = None
    address: Address = Address()


@dataclass(frozen=True, slots=True)
class Mailing:
    """Who sends or gets something by post."""

    name: str | None = None
    phone: str | None = None
    address: Address = Address()


@dataclass(frozen=True, slots=True)
class Reach:
    """How result, originals and messages find their way; each is chosen independently of the others."""

    desk_unit: str | None = None
    """Agency id of the unit where the result is collected; the receiving unit without it."""
    receiver: Mailing = Mailing()
    """Where the result goes by post."""
    originals_by_post: bool = False
    """Paper originals follow by public post."""
    sender: Mailing = Mailing()
    """Where the post collects the originals."""
    sms_number: str | None = None
    """For text messages; the account's number without it."""


@dataclass(frozen=True, slots=True)
class Particulars:
    """What a dossier knows of the people behind it."""

    owner: Person
    submitter: Person
    reach: Reach


NOBODY = Person()
"""Nothing was said about the person yet."""
UNSAID = Reach()
"""Nothing was chosen."""


# ── who it is ─────────────────────────────────────────────────────────────────────────────────────────────────


def digest_of(number: str, key: bytes) -> str:
    """Keyed digest of an identity number, as identity's events carry it."""
    return hmac.new(key, number.encode(), hashlib.sha256).hexdigest()


def reference_of(digest: str) -> UUID:
    """The opaque reference of somebody who has no account here: always the same, and no way back to the digest."""
    return UUID(bytes=hashlib.sha256(f"owner:{digest}".encode()).digest()[:16], version=5)


def link(dossier: Dossier, before: UUID, account: UUID, now: datetime) -> tuple[Dossier, OwnerLinked]:
    """The dossier of somebody who was known as `before` belongs to that account from now on."""
    facts = dossier.facts
    owner_ref = account if facts.owner_ref == before else facts.owner_ref
    submitter_ref = account if facts.submitter_ref == before else facts.submitter_ref
    linked = replace(
        dossier,
        facts=replace(facts, owner_ref=owner_ref, submitter_ref=submitter_ref),
        version=dossier.version + 1,
    )
    return linked, OwnerLinked(**envelope(linked, now), owner_ref=owner_ref, submitter_ref=submitter_ref)


# ── what is missing or wrong ──────────────────────────────────────────────────────────────────────────────────


def person_faults(person: Person, where: str, *, must_be_known: bool) -> Iterator[Fault]:
    """What is wrong with the details of `owner` or `submitter`; the law wants to know who they are."""
    whom = "chủ hồ sơ" if where == "owner" else "người nộp hồ sơ"
    for name, what in (("name", "họ tên"), ("identity_number", "số định danh")):
        if must_be_known and not getattr(person, name):
            yield Fault(f"{where}.{name}", "required", f"Chưa nhập {what} của {whom}")
    for name, check in (("name", person_name), ("identity_number", _number_of(person)), ("email", email_address)):
        if refused := _refused(check, getattr(person, name)):
            yield Fault(f"{where}.{name}", "format", refused)


def _refused(check: Callable[[str], str], text: str | None) -> str | None:
    """Why what was written cannot be right, in Vietnamese; None when it can, or nothing was written."""
    try:
        if text:
            check(text)
    except Refusal as refusal:
        return refusal.title
    return None


def _number_of(person: Person) -> Callable[[str], str]:
    return _citizen_number if person.type == OwnerType.CITIZEN else tax_code


def _citizen_number(text: str) -> str:
    passport = text.strip().upper()
    return passport if PASSPORT.match(passport) else identity_number(text)


def number_of(person: Person) -> str:
    """The number that the person or body is known by, in its one canonical form; a Refusal for one that cannot be."""
    return _number_of(person)(person.identity_number or "")


def person_warnings(person: Person, where: str) -> Iterator[Fault]:
    """What looks like a slip but is no reason to refuse."""
    number = (person.identity_number or "").strip()
    well_formed = len(number) == 12 and number.isascii() and number.isdecimal()
    if well_formed and Doubt.YEAR_DIFFERS in doubts(number, person.birth_date):
        yield Fault(f"{where}.birth_date", "unlikely", "Ngày sinh không khớp với số định danh, xin kiểm tra lại")
    if person.phone and (_refused(phone_number, person.phone) or not is_vietnamese_mobile(phone_number(person.phone))):
        yield Fault(f"{where}.phone", "unlikely", "Số điện thoại có vẻ chưa đúng, xin kiểm tra lại")


def mailing_faults(mailing: Mailing, where: str, whom: str) -> Iterator[Fault]:
    """What the post lacks."""
    if not mailing.name:
        yield Fault(f"{where}.name", "required", f"Chưa nhập họ tên {whom}")
    if not mailing.phone:
        yield Fault(f"{where}.phone", "required", f"Chưa nhập số điện thoại {whom}")
    if not mailing.address.complete:
        yield Fault(f"{where}.address", "required", f"Chưa nhập đủ địa chỉ {whom}")


# ── filling in ────────────────────────────────────────────────────────────────────────────────────────────────

FILLABLE = ("name", "identity_number", "birth_date", "phone", "email", "address")


def filled(person: Person, known: Person) -> Person:
    """The person with what is known where nothing was said."""
    gaps = {name: getattr(known, name) for name in FILLABLE if getattr(person, name) in (None, Address())}
    return replace(person, **gaps)


def differing(one: Person, other: Person) -> list[str]:
    """Names of the details in which the two descriptions differ."""
    return [name for name in FILLABLE if getattr(one, name) != getattr(other, name)]
