"""What the identity service says about accounts: masked and digested, for services of this installation only.

The channel is compacted: Kafka keeps the last event of each account, so each event says all that others may
know, and versions grow but may leap. A tombstone (a record without a value) erases the account for good.
"""

from typing import get_args
from uuid import UUID

from pydantic import AwareDatetime, Field

from contracts.envelope import Audience, Channel, Event
from contracts.vocabulary import Vocabulary


class VerificationSource(Vocabulary):
    """Who vouched for the four fields: `vneid` (the national e-identity), `national_portal` (Cổng Dịch vụ công quốc
    gia) or `desk` (an officer saw the card)."""

    VNEID = "vneid"
    NATIONAL_PORTAL = "national_portal"
    DESK = "desk"


class LockReason(Vocabulary):
    """Why an account was locked.

    `duplicate`: another account proved to be the same person. `contradictory`: its data contradicts verified
    data. `security`: too many failed attempts, or an order of the operator.
    """

    DUPLICATE = "duplicate"
    CONTRADICTORY = "contradictory"
    SECURITY = "security"


class AboutAccount(Event):
    """A fact about one account."""

    account_ref: UUID
    """Opaque reference of the account; `owner_ref` and `submitter_ref` of dossiers are such references."""


class AccountStandardised(AboutAccount):
    """The account was proven to belong to one real person or organisation, and it is their only open one.

    Dossiers filed earlier under the same identity number belong to it from now on, also those that an officer
    registered at the desk. Accounts that were locked in its favour each say so themselves (`AccountLocked`).
    """

    masked_name: str
    """The person's name as `N***** T** A*`: the first letter of each word, enough to recognise oneself."""
    identity_digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    """HMAC-SHA256 of the identity number under the installation's key, in lower-case hex: equal numbers have
    equal digests, and without the key nothing leads back to the number. Of an organisation or business: the digest
    of `mst:` and its tax code."""
    verification_source: VerificationSource
    """Who vouched for it."""
    standardised_at: AwareDatetime
    """When, in UTC."""


class AccountLocked(AboutAccount):
    """The account cannot be used any more; its dossiers are not lost."""

    reason: LockReason
    """Why."""
    superseded_by: UUID | None = None
    """The account that its dossiers belong to from now on, when it was a duplicate; otherwise null: the dossiers of a
    contradictory account may be another person's, and stay where they are until somebody has looked."""


class AccountClosed(AboutAccount):
    """The account was closed at its owner's wish or by law. A tombstone follows when its data must be
    erased."""


AccountEvent = AccountStandardised | AccountLocked | AccountClosed

ACCOUNTS = Channel(
    "identity.accounts.v1",
    owner="identity",
    audience=Audience.INTERNAL,
    key="account_ref",
    events=get_args(AccountEvent),
    doc="What other services may know of one account: whether it is verified, locked or closed.",
    partitions=6,
    compacted=True,
)
