"""Who it calls: the webhook of one subscription, with what was agreed for it."""

import json
from ipaddress import ip_network

from contracts.refusal import Refusal
from kit.clock import now
from kit.db import Connection, Database
from kit.settings import load
from services.notification.settings import Settings
from services.notification.systems.delivery.domain import Destination, Outcome, Outgoing
from services.notification.systems.outbound import domain as outbound
from services.notification.systems.outbound import sealing
from services.notification.systems.outbound.clients import Endpoint, Sender
from services.notification.systems.outbound.domain import Reach, UrlNotAllowed
from services.notification.systems.outbound.sealing import Seal
from services.notification.systems.outbound.signatures import SigningKey, SigningKeys
from services.notification.systems.outbound.tls import ClientCertificate
from services.notification.systems.outbound.tokens import OAuth2Client
from services.notification.systems.subscriptions import store
from services.notification.systems.subscriptions.domain import Subscription
from services.notification.systems.subscriptions.registry import subscribers
from services.notification.systems.subscriptions.store import Sealed

WEBHOOK = "webhook"

Authentication = OAuth2Client | ClientCertificate


class NoSealingKey(Refusal):
    """The installation was given no key to seal subscribers' secrets with (MOTCUA_SEALING_KEYS)."""

    status = 503
    title = "Hệ thống chưa được cấu hình để gửi webhook"
    title_en = "This installation is not set up for webhooks"


def reach() -> Reach:
    """How far webhooks of this installation may go."""
    return Reach(networks=tuple(ip_network(network) for network in load(Settings).webhook_networks))


def sender() -> Sender:
    """What sends webhooks in this process; to be closed."""
    return Sender(reach(), proxy=load(Settings).webhook_proxy)


def seal() -> Seal:
    """What closes and opens secrets. NoSealingKey."""
    if not load(Settings).sealing_keys:
        raise NoSealingKey
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
    return seal().seal(json.dumps(plain), f"subscription {subscription.id} authentication")


def _authentication(subscription: Subscription, sealed: bytes | None) -> Authentication | None:
    if sealed is None:
        return None
    plain = json.loads(seal().open(sealed, f"subscription {subscription.id} authentication"))
    return OAuth2Client(*plain["oauth2"]) if "oauth2" in plain else ClientCertificate(*plain["mtls"])


def signing_keys(subscription: Subscription, sealed: Sealed) -> SigningKeys:
    """What its webhooks are signed with."""

    def opened(value: bytes) -> SigningKey:
        return SigningKey.read(seal().open(value, key_purpose(subscription)))

    assert sealed.key is not None  # noqa: S101 (every webhook has one)
    previous = opened(sealed.previous_key) if sealed.previous_key else None
    return SigningKeys(opened(sealed.key), previous, sealed.previous_key_until)


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


async def open_webhook(sender: Sender, db: Database, subscription: Subscription) -> Destination | None:
    """The destination of a webhook subscription; None if it may not be delivered to any more."""
    found = await endpoint(db, subscription)
    return Webhook(sender, found) if found else None
