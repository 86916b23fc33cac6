"""A Kafka cluster's rights, quotas and passwords: read, compared with what should be, and changed.

kafka-python, because aiokafka's administrator knows neither rights nor quotas nor passwords (ADR 0019). Blocking: these
are an operator's commands, never part of a service.
"""

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    KafkaAdminClient,
    NewTopic,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)
from kafka.errors import KafkaError
from kafka.protocol.admin import AlterClientQuotasRequest, DescribeClientQuotasRequest

from deploy.kafka.rights import Act, Kind, Principal, Right
from deploy.local.topics import Topic
from deploy.local.trouble import Trouble
from kit import outbox
from kit.ops import replay_topic
from kit.settings import Settings

ITERATIONS = 8192
"""Of SCRAM: Kafka's own default is the least that the standard allows, 4096."""

PATIENCE = 10_000
"""Milliseconds until a cluster must have let us in."""

Quota = tuple[str, str, float]
"""Principal, Kafka's name of the quota, value."""
Given = tuple[str, Right]
"""Principal and right."""


@dataclass(frozen=True)
class Difference:
    """What a cluster lacks and what it has too much."""

    missing: list[Given]
    changed: list[Quota]
    """Quotas that are missing or have another value."""
    extra: list[Any] = field(default_factory=list)
    """Rights (kafka-python's ACL) of our principals, or of others on our topics, that the registry does not say."""
    extra_quotas: list[Quota] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    """Principals that the registry does not know (any more) and that have no other rights than these."""

    @property
    def nothing(self) -> bool:
        return not (self.missing or self.changed or self.extra or self.extra_quotas)


@contextmanager
def connected(settings: Settings) -> "Iterator[Cluster]":
    """As the user of the settings, who must be allowed to change the cluster."""
    try:
        servers = settings.kafka.split(",")
        client = KafkaAdminClient(bootstrap_servers=servers, bootstrap_timeout_ms=PATIENCE, **outbox.security(settings))
    except KafkaError as error:
        raise Trouble(f"Kafka at {settings.kafka} does not let us in ({type(error).__name__}).") from None
    try:
        yield Cluster(client)
    except KafkaError as error:
        raise Trouble(f"Kafka refuses: {error}.") from None
    finally:
        client.close()


class Cluster:
    def __init__(self, client: KafkaAdminClient) -> None:
        self._client = client

    def compare(self, wanted: Iterable[Principal]) -> Difference:
        """What `apply` would change."""
        wanted = list(wanted)
        said, there = _said(wanted), self._rights()
        ours, topics = {one.name for one in wanted}, _topics(wanted)
        on_ours = {_principal(acl) for acl in there if _is_on(acl, topics)}
        extra = [acl for acl in there if _given(acl) not in said and _is_our_business(acl, ours, on_ours, topics)]
        gone = on_ours - ours - {_principal(acl) for acl in there if acl not in extra}
        quotas, wished = self._quotas(), {(p.name, key): value for p in wanted for key, value in p.quotas.items()}
        return Difference(
            missing=sorted(said - set(map(_given, there))),
            changed=sorted((*which, value) for which, value in wished.items() if quotas.get(which) != value),
            extra=extra,
            extra_quotas=sorted((*w, v) for w, v in quotas.items() if w[0] in ours | gone and w not in wished),
            gone=sorted(gone),
        )

    def give(self, difference: Difference) -> None:
        """Adds what is missing. Takes nothing away."""
        if difference.missing:
            _check(self._client.create_acls([_acl(*given) for given in difference.missing])["failed"])
        self._alter(difference.changed, remove=False)

    def take(self, difference: Difference) -> None:
        """Removes what the registry does not say, and lets nobody log in who is not in it any more."""
        filters = [
            ACLFilter(acl.principal, acl.host, acl.operation, acl.permission_type, _filter_of(acl.resource_pattern))
            for acl in difference.extra
        ]
        if filters:
            self._client.delete_acls(filters)
        self._alter(difference.extra_quotas, remove=True)
        known = self._client.describe_user_scram_credentials()
        self.lock_out(name for name in difference.gone if name in known)

    def topics(self) -> set[str]:
        return set(self._client.list_topics())

    def make_topics(self, topics: Iterable[Topic], replicas: int) -> None:
        """An acknowledged event is on two of three replicas at least; with fewer brokers, on all."""
        safe = {"min.insync.replicas": str(max(1, min(2, replicas)))}
        new = [NewTopic(t.name, t.partitions, replicas, topic_configs={**safe, **t.settings}) for t in topics]
        if new:
            self._client.create_topics(new)

    def set_password(self, name: str, password: str) -> None:
        """The only one of this principal from now on. Connections that stand are not cut."""
        upsert = UserScramCredentialUpsertion(
            name, ScramMechanism.SCRAM_SHA_512, password.encode(), iterations=ITERATIONS, salt=secrets.token_bytes(32)
        )
        _check(self._client.alter_user_scram_credentials([upsert]).values())

    def lock_out(self, names: Iterable[str]) -> None:
        """Whoever has no password cannot log in again."""
        gone = [UserScramCredentialDeletion(name, ScramMechanism.SCRAM_SHA_512) for name in names]
        if gone:
            _check(self._client.alter_user_scram_credentials(gone).values())

    def who_can_log_in(self) -> set[str]:
        """Principals with a password."""
        return set(self._client.describe_user_scram_credentials())

    def _rights(self) -> list[Any]:
        everything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
        asked = ACLFilter(None, None, ACLOperation.ANY, ACLPermissionType.ANY, everything)
        found, _ = self._client.describe_acls(asked)
        return list(found)

    def _quotas(self) -> dict[tuple[str, str], float]:
        """Quotas of principals; those of clients' names and addresses are nobody's here."""
        answer = self._send(DescribeClientQuotasRequest(components=[("user", _ANY_NAME, None)], strict=True))
        return {
            (entity.entity_name, value.key): value.value
            for entry in answer.entries or []
            for entity in entry.entity
            for value in entry.values
            if entity.entity_name
        }

    def _alter(self, quotas: list[Quota], *, remove: bool) -> None:
        if not quotas:
            return
        entries = [
            ([("user", name)], [(key, value, remove) for _, key, value in of_one])
            for name, of_one in groupby(sorted(quotas), key=itemgetter(0))
        ]
        answer = self._send(AlterClientQuotasRequest(entries=entries, validate_only=False))
        _check(entry.error_message or entry.error_code for entry in answer.entries)

    def _send(self, request: Any) -> Any:
        """kafka-python has the messages about quotas, and no method for them."""
        return self._client._manager.run(self._client._manager.send, request)


_ANY_NAME = 2
"""Kafka's match type: every specified name."""


def _said(wanted: list[Principal]) -> set[Given]:
    return {(principal.name, right) for principal in wanted for right in principal.rights}


def _topics(wanted: list[Principal]) -> set[str]:
    return {right.name for principal in wanted for right in principal.rights if right.kind is Kind.TOPIC}


def _is_on(acl: Any, topics: set[str]) -> bool:
    pattern = acl.resource_pattern
    if pattern.resource_type != ResourceType.TOPIC:
        return False
    if pattern.pattern_type == ACLResourcePatternType.PREFIXED:
        return any(topic.startswith(pattern.resource_name) for topic in topics)
    return pattern.resource_name in topics or pattern.resource_name == "*"


def _is_our_business(acl: Any, ours: set[str], on_ours: set[str], topics: set[str]) -> bool:
    """All rights of our principals. Of others who reach our topics: these rights, their replay topic, their groups."""
    name, pattern = _principal(acl), acl.resource_pattern
    if name in ours or name not in on_ours:
        return name in ours
    group = pattern.resource_type == ResourceType.GROUP and pattern.resource_name.startswith(f"{name}.")
    return group or pattern.resource_name == replay_topic(name) or _is_on(acl, topics)


def _principal(acl: Any) -> str:
    return str(acl.principal).removeprefix("User:")


def _given(acl: Any) -> Given | None:
    """None: a right that we never give (other acts, other resources, other hosts, a denial)."""
    pattern = acl.resource_pattern
    usual = acl.host == "*" and acl.permission_type == ACLPermissionType.ALLOW
    known = acl.operation.name in Act.__members__ and pattern.resource_type.name in Kind.__members__
    if not (usual and known):
        return None
    prefixed = pattern.pattern_type == ACLResourcePatternType.PREFIXED
    return _principal(acl), Right(
        Kind[pattern.resource_type.name], pattern.resource_name, Act[acl.operation.name], prefixed
    )


def _acl(name: str, right: Right) -> ACL:
    form = ACLResourcePatternType.PREFIXED if right.prefixed else ACLResourcePatternType.LITERAL
    pattern = ResourcePattern(ResourceType[right.kind], right.name, form)
    return ACL(f"User:{name}", "*", ACLOperation[right.act], ACLPermissionType.ALLOW, pattern)


def _filter_of(pattern: Any) -> ResourcePatternFilter:
    return ResourcePatternFilter(pattern.resource_type, pattern.resource_name, pattern.pattern_type)


def _check(answers: Iterable[Any]) -> None:
    if wrong := [str(getattr(answer, "__name__", answer)) for answer in answers if answer]:
        raise Trouble(f"Kafka refuses: {', '.join(wrong)}.")
