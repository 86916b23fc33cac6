"""HTTP in: other systems say what they want to hear and where; administrators see and help all of them."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Depends, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr

from contracts.envelope import Audience
from contracts.refusal import Refusal
from contracts.registry import CHANNELS
from kit import ids
from kit.auth import ADMINISTRATOR, Caller, OfficerToken, SystemToken
from kit.clock import now
from kit.db import Connection, Database
from kit.http import Db, IfMatch, Later, Now, Router, Tx, etag
from kit.problems import Forbidden, NotFound, VersionConflict
from services.notification.systems.delivery.domain import Accepted, Outgoing, Trouble
from services.notification.systems.delivery.words import EXPLAINED
from services.notification.systems.journal import domain as journal_rules
from services.notification.systems.journal import store as journal
from services.notification.systems.outbound import domain as outbound
from services.notification.systems.outbound import tls
from services.notification.systems.outbound.signatures import Scheme, SigningKey
from services.notification.systems.outbound.tls import ClientCertificate
from services.notification.systems.outbound.tokens import OAuth2Client
from services.notification.systems.subscriptions import clients, domain, store
from services.notification.systems.subscriptions.domain import Filters, Reason, State, Subscription
from services.notification.systems.subscriptions.registry import Subscriber, subscribers
from services.notification.systems.subscriptions.store import Progress, Sealed

router = Router(prefix="/api/v1/subscriptions", tags=["Đăng ký nhận sự kiện"])

TYPES = {
    name: channel.type_of(event)
    for channel in CHANNELS
    if channel.audience is Audience.PUBLIC
    for event in channel.events
    for name in (event.__name__, channel.type_of(event))
}
"""Every public type by its full and by its short name."""
PING = "vn.motcua.notification.Ping.v1"
FIRST = UUID(int=0)


class SubscriberUnknown(Refusal):
    """Nothing is agreed with a subscriber of that name: it is not in the installation's registry."""

    status = 422
    title = "Hệ thống này chưa được đăng ký với tỉnh"
    title_en = "No subscriber of that name is registered with this installation"


class EventTypeUnknown(Refusal):
    """`unknown` names types that no public channel has."""

    status = 422
    title = "Có loại sự kiện không tồn tại hoặc không công khai"
    title_en = "Some of these event types do not exist or are not public"


class NotAWebhook(Refusal):
    """The subscription is no webhook: this installation itself keeps it."""

    status = 409
    title = "Đăng ký này do hệ thống quản lý, không phải webhook"
    title_en = "This subscription is kept by the installation and is not a webhook"


# ── who asks ──


class Scope:
    """Whose subscriptions the caller may touch."""

    def __init__(self, subscriber: str | None) -> None:
        self.subscriber = subscriber
        """None: everybody's."""

    def may_touch(self, subscription: Subscription) -> bool:
        return self.subscriber in (None, subscription.subscriber)


async def _scope(token: Caller) -> Scope:
    """A registered system: its own; an officer who runs the system: all; nobody else."""
    if isinstance(token, SystemToken) and token.name in subscribers():
        return Scope(token.name)
    if isinstance(token, OfficerToken) and ADMINISTRATOR in token.roles:
        return Scope(None)
    raise Forbidden


MayTouch = Annotated[Scope, Depends(_scope)]


async def touched(db: Database | Connection, scope: Scope, subscription: UUID) -> Subscription:
    """It, if the caller may touch it. NotFound: who may not does not learn that it exists."""
    found = await store.find(db, subscription)
    if found is None or not scope.may_touch(found):
        raise NotFound
    return found


async def locked(tx: Connection, scope: Scope, subscription: UUID, seen: int | None = None) -> Subscription:
    """It, for a change; VersionConflict if the caller saw another version."""
    found = await store.lock(tx, subscription)
    if found is None or not scope.may_touch(found):
        raise NotFound
    if seen is not None and seen != found.version:
        raise VersionConflict(version=found.version)
    return found


# ── what is said ──


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class OAuth2(Body):
    """We fetch a token by client credentials (RFC 6749, 4.4) and send it as bearer with every webhook."""

    type: Literal["oauth2"]
    token_url: str = Field(max_length=2000, examples=["https://webhook.cong-an.example.vn/token"])
    """Its host must be one of the agreed domains, too."""
    client_id: str = Field(min_length=1, max_length=200)
    client_secret: SecretStr = Field(min_length=1, max_length=500)
    scope: str = Field(default="", max_length=500)


class MutualTls(Body):
    """We show this certificate when the connection is made."""

    type: Literal["mtls"]
    chain: str = Field(max_length=20_000)
    """Our certificate, and what lies between it and its root; PEM."""
    key: SecretStr = Field(max_length=10_000)
    """Its private key without a password; PEM."""


Authentication = Annotated[OAuth2 | MutualTls, Field(discriminator="type")]
Code = Annotated[str, Field(min_length=1, max_length=100)]


class SubscriptionSettings(Body):
    """What may be changed of a subscription. An empty list lets everything through; all lists must agree."""

    url: str = Field(max_length=2000, examples=["https://webhook.cong-an.example.vn/mot-cua"])
    """Where webhooks go: https, on a host that was agreed with the agency."""
    types: list[Code] = Field(default=[], max_length=100, examples=[["DossierAccepted", "ResultIssued"]])
    """Only these events: `ResultIssued`, or in full `vn.motcua.dossier.ResultIssued.v1`."""
    procedures: list[Code] = Field(default=[], max_length=1000, examples=[["2.000635"]])
    """Only dossiers of these procedures (mã TTHC)."""
    units: list[Code] = Field(default=[], max_length=1000, examples=[["H99.02.01"]])
    """Only dossiers that one of these agencies, or one below it, receives or settles."""
    at_once: int = Field(default=16, ge=1, le=64)
    """Requests that may be under way at the same time. Of one dossier and channel it is never more than one."""
    description: str = Field(default="", max_length=500)


class Access(Body):
    """How we are let in, beside the signature, and whom we trust there."""

    authentication: Authentication | None = None
    """What the other side asks for: a token of its OAuth2 server, or our certificate (mTLS)."""
    authority: str = Field(default="", max_length=20_000)
    """PEM of the root that the host's certificate leads to, when it is not a public one."""


class NewSubscription(SubscriptionSettings, Access):
    """A wish to be told."""

    subscriber: str | None = Field(default=None, max_length=64)
    """Whose it is; only administrators need to say so."""
    start: Literal["now", "beginning"] | AwareDatetime = "now"
    """What is sent first: what happens from `now` on, what was kept since a time, or everything that is kept."""
    signing: Scheme = Scheme.HMAC
    """How webhooks are signed (Standard Webhooks 1.0.0)."""


class SubscriptionView(BaseModel):
    """A subscription, and how far it is."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: UUID
    subscriber: str
    kind: str
    """`webhook`, or what this installation itself keeps up to date."""
    url: str
    types: list[str]
    procedures: list[str]
    units: list[str]
    at_once: int
    description: str
    state: State
    reason: Reason | None
    """Why it was disabled: `gone` (the address answered 410), `unreachable` (nothing accepted for three days) or
    `not_agreed` (no longer in the registry)."""
    version: int
    created_at: AwareDatetime
    changed_at: AwareDatetime
    behind_since: AwareDatetime | None = None
    """When the oldest event was kept that it has not been through; null when it is up to date."""
    failing_since: AwareDatetime | None = None
    """Nothing was accepted since then, though it was tried."""
    waiting: int = 0
    """Events that wait for another attempt, or behind such a one of their dossier (1000: or more)."""


class SigningKeyShown(BaseModel):
    """What webhooks are verified with. It is shown this once."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    signing_key: str = Field(examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
    """`whsec_…`, the shared secret, or `whpk_…`, the public key of an Ed25519 pair."""
    previous_valid_until: AwareDatetime | None = None
    """Until then webhooks carry a signature by the key before, too."""


class CreatedSubscription(SubscriptionView, SigningKeyShown):
    """A new subscription with its key."""


class SubscriptionPage(BaseModel):
    """Subscriptions in the order in which they were made."""

    items: list[SubscriptionView]
    next: UUID | None
    """The following page's `after`, null on the last."""


def _view(s: Subscription, progress: Progress | None = None) -> SubscriptionView:
    return SubscriptionView(
        id=s.id, subscriber=s.subscriber, kind=s.kind, url=s.url, types=sorted(s.filters.types),
        procedures=sorted(s.filters.procedures), units=sorted(s.filters.units), at_once=s.at_once,
        description=s.description, state=s.state, reason=s.reason, version=s.version, created_at=s.created_at,
        changed_at=s.changed_at, behind_since=progress.oldest if progress else None,
        failing_since=progress.failing_since if progress else None, waiting=progress.waiting if progress else 0,
    )  # fmt: skip


def _filters(asked: SubscriptionSettings) -> Filters:
    unknown = sorted({name for name in asked.types if name not in TYPES})
    if unknown:
        raise EventTypeUnknown(unknown=unknown)
    types = frozenset(TYPES[name] for name in asked.types)
    return Filters(types, frozenset(asked.procedures), frozenset(asked.units))


# ── making, reading, changing ──


@router.post("", status_code=201)
async def subscribe(
    scope: MayTouch, tx: Tx, moment: Now, asked: NewSubscription, response: Response
) -> CreatedSubscription:
    """Begin to hear of the dossiers of one's own agency. The answer shows the signing key, this once."""
    whose = subscribers().get(scope.subscriber or asked.subscriber or "")
    if whose is None or asked.subscriber not in (None, whose.name):
        raise SubscriberUnknown
    _agreed(asked.url, whose)
    new = Subscription(
        id=ids.new(), subscriber=whose.name, kind=clients.WEBHOOK, url=asked.url, filters=_filters(asked),
        at_once=asked.at_once, state=State.ACTIVE, reason=None, version=1, created_at=moment, changed_at=moment,
        description=asked.description,
    )  # fmt: skip
    key = SigningKey.new(asked.signing)
    await store.add(tx, new, _sealed(new, key, asked, whose), await _start(tx, asked.start))
    response.headers.update({"Location": f"/api/v1/subscriptions/{new.id}", "Cache-Control": "no-store"})
    etag(response, new.version)
    return CreatedSubscription(**_view(new).model_dump(), signing_key=key.shown)


def _agreed(url: str, whose: Subscriber) -> None:
    """UrlNotAllowed says which rule it breaks."""
    outbound.target(url, whose.domains, clients.reach())


def _sealed(new: Subscription, key: SigningKey, asked: NewSubscription, whose: Subscriber) -> Sealed:
    return Sealed(
        key=clients.seal().seal(key.text, clients.key_purpose(new)),
        authentication=_access(new, asked, whose),
        authority=asked.authority,
    )


def _access(subscription: Subscription, asked: Access, whose: Subscriber) -> bytes | None:
    """Sealed. UrlNotAllowed or CertificateNotUsable now, and not when something is to be sent."""
    authentication = _authentication(asked.authentication, whose)
    tls.context(asked.authority, authentication if isinstance(authentication, ClientCertificate) else None)
    return clients.sealed_authentication(subscription, authentication)


def _authentication(asked: OAuth2 | MutualTls | None, whose: Subscriber) -> clients.Authentication | None:
    match asked:
        case OAuth2():
            _agreed(asked.token_url, whose)
            return OAuth2Client(asked.token_url, asked.client_id, asked.client_secret.get_secret_value(), asked.scope)
        case MutualTls():
            return ClientCertificate(asked.chain, asked.key.get_secret_value())
    return None


async def _start(tx: Connection, start: str | datetime) -> int:
    if isinstance(start, datetime):
        return await journal.before(tx, start)
    return 0 if start == "beginning" else await journal.end(tx)


@router.get("")
async def list_subscriptions(
    scope: MayTouch, db: Db, after: UUID = FIRST, limit: Annotated[int, Query(ge=1, le=100)] = 50
) -> SubscriptionPage:
    """One's own subscriptions; all of them for administrators."""
    found = await store.listed(db, scope.subscriber, after, limit + 1)
    return SubscriptionPage(
        items=[_view(s) for s in found[:limit]], next=found[limit - 1].id if len(found) > limit else None
    )


@router.get("/{subscription}")
async def read_subscription(scope: MayTouch, db: Db, subscription: UUID, response: Response) -> SubscriptionView:
    """A subscription, with how far it is."""
    found = await touched(db, scope, subscription)
    etag(response, found.version)
    return _view(found, await store.progress(db, subscription))


@router.put("/{subscription}")
async def change_subscription(
    scope: MayTouch,
    tx: Tx,
    moment: Now,
    subscription: UUID,
    asked: SubscriptionSettings,
    seen: IfMatch,
    response: Response,
) -> SubscriptionView:
    """Another address or other filters. They hold from where it stands: what was passed over is a matter of replay."""
    before = await locked(tx, scope, subscription, seen)
    _agreed(asked.url, _registered(before))
    after = domain.change(before, asked.url, _filters(asked), asked.at_once, asked.description, moment)
    return await _saved(tx, after, response)


def _registered(subscription: Subscription) -> Subscriber:
    if subscription.kind != clients.WEBHOOK:
        raise NotAWebhook
    if subscription.subscriber not in subscribers():
        raise SubscriberUnknown
    return subscribers()[subscription.subscriber]


@router.post("/{subscription}/pause")
async def pause(
    scope: MayTouch, tx: Tx, moment: Now, subscription: UUID, seen: IfMatch, response: Response
) -> SubscriptionView:
    """Send nothing until it is resumed. What happens meanwhile is kept, as long as events are kept at all."""
    return await _saved(tx, domain.pause(await locked(tx, scope, subscription, seen), moment), response)


@router.post("/{subscription}/resume")
async def resume(
    scope: MayTouch, tx: Tx, moment: Now, subscription: UUID, seen: IfMatch, response: Response
) -> SubscriptionView:
    """Go on where it stopped, whoever stopped it."""
    before = await locked(tx, scope, subscription, seen)
    await store.afresh(tx, subscription)
    return await _saved(tx, domain.resume(before, moment), response)


async def _saved(tx: Connection, after: Subscription, response: Response) -> SubscriptionView:
    await store.save(tx, after)
    etag(response, after.version)
    return _view(after, await store.progress(tx, after.id))


@router.delete("/{subscription}", status_code=204)
async def unsubscribe(scope: MayTouch, tx: Tx, subscription: UUID, seen: IfMatch) -> None:
    """Hear no more. Its attempts are forgotten, too."""
    await locked(tx, scope, subscription, seen)
    await store.delete(tx, subscription)


@router.put("/{subscription}/access")
async def change_access(
    scope: MayTouch, tx: Tx, moment: Now, subscription: UUID, asked: Access, seen: IfMatch, response: Response
) -> SubscriptionView:
    """Another client, certificate or root, in place of the ones until now; an empty object takes them away."""
    found = await locked(tx, scope, subscription, seen)
    whose, before = _registered(found), await store.sealed(tx, subscription)
    assert before is not None  # noqa: S101 (it is locked)
    new = replace(before, authentication=_access(found, asked, whose), authority=asked.authority)
    await store.reseal(tx, subscription, new, moment)
    after = await locked(tx, scope, subscription)
    etag(response, after.version)
    return _view(after, await store.progress(tx, subscription))


# ── keys and trying it out ──


class NewKey(Body):
    """Another signing key."""

    signing: Scheme = Scheme.HMAC
    previous_valid_hours: int = Field(default=24, ge=0, le=168)
    """How long webhooks carry a signature by the key before, too; 0 after a key became known to others."""


@router.post("/{subscription}/signing-keys", status_code=201)
async def rotate(
    scope: MayTouch, tx: Tx, moment: Now, subscription: UUID, asked: NewKey, response: Response
) -> SigningKeyShown:
    """Sign with another key from now on. It is shown this once."""
    found = await locked(tx, scope, subscription)
    _registered(found)
    sealed = await store.sealed(tx, subscription)
    assert sealed is not None  # noqa: S101 (it is locked)
    keys = clients.signing_keys(found, sealed)
    new = SigningKey.new(asked.signing)
    until = moment + timedelta(hours=asked.previous_valid_hours)
    rotated = Sealed(
        key=clients.seal().seal(new.text, clients.key_purpose(found)),
        previous_key=clients.seal().seal(keys.current.text, clients.key_purpose(found)),
        previous_key_until=until, authentication=sealed.authentication, authority=sealed.authority,
    )  # fmt: skip
    await store.reseal(tx, subscription, rotated, moment)
    response.headers["Cache-Control"] = "no-store"
    return SigningKeyShown(signing_key=new.shown, previous_valid_until=until)


class PingAnswered(BaseModel):
    """What became of a try."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    accepted: bool
    status: int | None
    """Of the HTTP answer, if there was one."""
    trouble: Trouble | None
    explanation: str | None
    """The trouble in words."""
    took_ms: int


@router.post("/{subscription}/ping")
async def ping(scope: MayTouch, db: Db, later: Later, subscription: UUID) -> PingAnswered:
    """Send one test event (`vn.motcua.notification.Ping.v1`) now, signed like all others, and say what came of it.

    It is no part of any order, is not repeated, and goes to paused and disabled subscriptions, too.
    """
    found = await touched(db, scope, subscription)
    _registered(found)
    endpoint = await clients.endpoint(db, found)
    if endpoint is None:
        raise SubscriberUnknown
    began = now()
    async with clients.sender() as sender:
        outcome = await clients.Webhook(sender, endpoint).deliver(_ping(found, began), 1)
    trouble = None if isinstance(outcome, Accepted) else getattr(outcome, "trouble", Trouble.STATUS)
    return PingAnswered(
        accepted=trouble is None, status=outcome.status, trouble=trouble,
        explanation=EXPLAINED[trouble][0] if trouble else None,
        took_ms=int((now() - began).total_seconds() * 1000),
    )  # fmt: skip


def _ping(subscription: Subscription, moment: datetime) -> Outgoing:
    event_id = ids.new()
    headers = {
        "ce_specversion": "1.0", "ce_id": str(event_id), "ce_type": PING, "ce_source": "/services/notification",
        "ce_subject": str(subscription.id), "ce_time": moment.isoformat().replace("+00:00", "Z"),
        "ce_aggregateversion": "1",
    }  # fmt: skip
    return Outgoing(event_id, PING, "", "", 1, moment, journal_rules.structured(headers, b"{}"))
