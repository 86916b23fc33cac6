"""Who it calls: the webhook of one subscription, with what was agreed for it."""

import json
from dataclasses import replace
from ipaddress import ip_network
from uuid import UUID

import structlog

from kit.clock import now
from kit.db import Connection, Database
from kit.settings import load
from services.notification.settings import Settings
from services.notification.systems.delivery.domain import Deferred, Destination, Outcome, Outgoing, Trouble
from services.notification.systems.outbound import domain as outbound
from services.notification.systems.outbound import sealing
from services.notification.systems.outbound.clients import Endpoint, Sender
from services.notification.systems.outbound.domain import Reach, UrlNotAllowed
from services.notification.systems.outbound.sealing import CannotOpen, NoSealingKey, Seal
from services.notification.systems.outbound.signatures import SigningKey, SigningKeys
from services.notification.systems.outbound.tls import ClientCertificate
from services.notification.systems.outbound.tokens import OAuth2Client
from services.notification.systems.subscriptions import store
from services.notification.systems.subscriptions.domain import Subscription
from services.notification.systems.subscriptions.registry import subscribers
from services.notification.systems.subscriptions.store import Sealed

log = structlog.get_logger()

WEBHOOK = "webhook"

Authentication = OAuth2Client | ClientCertificate


def reach() -> Reach:
    """How far webhooks of this installation may go."""
    return Reach(networks=tuple(ip_network(network) for network in load(Settings).webhook_networks))


def sender() -> Sender:
    """What sends webhooks in this process; to be closed."""
    return Sender(reach(), proxy=load(Settings).webhook_proxy)


def seal() -> Seal:
    """What closes and opens secrets. NoSealingKey."""
    return sealing.keys_of(load(Settings).sealing_keys)


# ── secrets as they are stored ──


def key_purpose(subscription: Subscription) -> str:
    """What a stored signing key is good for: it opens for nothing else."""
    return f"subscription {subscription.id} key"


def sealed_authentication(subscription: Subscription, authentication: Authentication | None) -> bytes | None:
    """How we prove who we are, closed."""
    match authentication:
        case None:
            return None
        case OAuth2Client(token_url, client_id, client_secret, scope):
            plain = {"oauth2": [token_url, client_id, client_secret, scope]}
        case ClientCertificate(chain, key):
            plain = {"mtls": [chain, key]}
    return seal().seal(json.dumps(plain), _authentication_purpose(subscription))


def _authentication_purpose(subscription: Subscription) -> str:
    return f"subscription {subscription.id} authentication"


def _authentication(subscription: Subscription, sealed: bytes | None) -> Authentication | None:
    if sealed is None:
        return None
    plain = json.loads(seal().open(sealed, _authentication_purpose(subscription)))
    return OAuth2Client(*plain["oauth2"]) if "oauth2" in plain else ClientCertificate(*plain["mtls"])


def signing_keys(subscription: Subscription, sealed: Sealed) -> SigningKeys:
    """What its webhooks are signed with."""

    def opened(value: bytes) -> SigningKey:
        return SigningKey.read(seal().open(value, key_purpose(subscription)))

    assert sealed.key is not None  # noqa: S101 (every webhook has one)
    previous = opened(sealed.previous_key) if sealed.previous_key else None
    return SigningKeys(opened(sealed.key), previous, sealed.previous_key_until)


async def renew_seals(db: Database) -> None:
    """Close everything with the installation's first key, after that was changed; the others can then be taken away."""
    for subscription in await store.with_secrets(db):
        try:
            async with db.transaction() as tx:
                await _renew_seals(tx, subscription)
        except (CannotOpen, NoSealingKey) as no:
            log.error("subscription.sealed", name=str(subscription), error=str(no))


async def _renew_seals(tx: Connection, subscription: UUID) -> None:
    found, sealed = await store.lock(tx, subscription), await store.sealed(tx, subscription)
    if found is None or sealed is None:
        return
    key, previous = (_renewed(one, key_purpose(found)) for one in (sealed.key, sealed.previous_key))
    authentication = _renewed(sealed.authentication, _authentication_purpose(found))
    renewed = replace(sealed, key=key, previous_key=previous, authentication=authentication)
    if renewed != sealed:
        await store.renew_seals(tx, subscription, renewed)
        log.info("subscription.resealed", name=str(subscription))


def _renewed(value: bytes | None, purpose: str) -> bytes | None:
    if value is None or seal().is_fresh(value):
        return value
    return seal().seal(seal().open(value, purpose), purpose)


async def endpoint(db: Database | Connection, subscription: Subscription) -> Endpoint | None:
    """Where it goes; None if that is not agreed (any more)."""
    subscriber, sealed = subscribers().get(subscription.subscriber), await store.sealed(db, subscription.id)
    if subscriber is None or sealed is None:
        return None
    try:
        outbound.target(subscription.url, subscriber.domains, reach())
    except UrlNotAllowed:
        return None
    return Endpoint(
        subscription.url, signing_keys(subscription, sealed), subscriber.domains,
        _authentication(subscription, sealed.authentication), sealed.authority,
    )  # fmt: skip


class Webhook:
    """One subscription's webhook."""

    def __init__(self, sender: Sender, endpoint: Endpoint) -> None:
        self._sender, self._endpoint = sender, endpoint

    async def deliver(self, outgoing: Outgoing, attempt: int) -> Outcome:
        """One signed request."""
        return await self._sender.post(
            self._endpoint, outgoing.event_id, outgoing.body, now(), headers=_headers(outgoing, attempt)
        )


def _headers(outgoing: Outgoing, attempt: int) -> dict[str, str]:
    """What is told beside the event, which is the same for everybody and at every attempt."""
    return {
        "motcua-attempt": str(attempt),
        **({"motcua-previous-version": str(outgoing.previous_version)} if outgoing.previous_version else {}),
        **({"motcua-replayed": "true"} if outgoing.replayed else {}),
        **({"traceparent": outgoing.traceparent} if outgoing.traceparent else {}),
    }


class Locked:
    """A webhook whose secrets cannot be opened: everything waits until this installation's operators mend that."""

    async def deliver(self, outgoing: Outgoing, attempt: int) -> Outcome:
        """Nothing is sent."""
        return Deferred(Trouble.OURS)


async def open_webhook(sender: Sender, db: Database, subscription: Subscription) -> Destination | None:
    """The destination of a webhook subscription; None if it may not be delivered to any more."""
    try:
        found = await endpoint(db, subscription)
    except (CannotOpen, NoSealingKey) as no:
        log.error("subscription.sealed", name=str(subscription.id), error=str(no))
        return Locked()
    return Webhook(sender, found) if found else None
