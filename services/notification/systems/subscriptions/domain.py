"""The rules of a subscription: which events concern it, and what state it is in."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from contracts.refusal import Refusal
from services.notification.systems.journal.domain import Entry


class State(StrEnum):
    """Whether events are sent."""

    ACTIVE = "active"
    PAUSED = "paused"
    """The subscriber wants a rest: what happens meanwhile is sent when it resumes."""
    DISABLED = "disabled"
    """It ended by itself, `reason` says why; resuming goes on where it stopped."""


class Reason(StrEnum):
    """Why a subscription was disabled."""

    GONE = "gone"
    """The address answered 410."""
    UNREACHABLE = "unreachable"
    """Nothing was accepted for three days, though it was tried all the time."""
    NOT_AGREED = "not_agreed"
    """The subscriber, or the address's host, is no longer in the installation's registry."""


class SubscriptionIsDisabled(Refusal):
    """A disabled subscription cannot be paused, only resumed or deleted."""

    status = 409
    title = "Đăng ký nhận sự kiện đã bị ngắt; hãy khôi phục hoặc xóa"
    title_en = "The subscription is disabled; resume it or delete it"


@dataclass(frozen=True, slots=True)
class Filters:
    """Which events are wanted; an empty set lets everything through. All of them must agree."""

    types: frozenset[str] = frozenset()
    """`ce_type`s."""
    procedures: frozenset[str] = frozenset()
    """National codes of procedures."""
    units: frozenset[str] = frozenset()
    """Agencies that receive or settle the dossier, each with all below it."""

    def let_through(self, entry: Entry) -> bool:
        """Whether this event is wanted."""
        return (
            (not self.types or entry.kept.ce_type in self.types)
            and (not self.procedures or entry.whose.procedure_code in self.procedures)
            and (not self.units or concerns(self.units, entry))
        )


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscriber's wish to be told, and where."""

    id: UUID
    subscriber: str
    """Its name in the installation's registry."""
    kind: str
    """The kind of destination: `webhook`, or one that this installation synchronises with."""
    url: str
    filters: Filters
    at_once: int
    """Requests that may be under way at the same time."""
    state: State
    reason: Reason | None
    version: int
    created_at: datetime
    changed_at: datetime
    description: str = field(default="", repr=False)


def concerns(agencies: Iterable[str], entry: Entry) -> bool:
    """Whether the dossier is received or settled by one of these agencies or by one below it."""
    units = (entry.whose.receiving_unit, entry.whose.competent_unit)
    return any(unit == agency or unit.startswith(f"{agency}.") for agency in agencies for unit in units)


def may_hear(subscription: Subscription, agency: str, entry: Entry) -> bool:
    """Whether this event goes to this subscription of a subscriber of that agency."""
    return concerns((agency,), entry) and subscription.filters.let_through(entry)


def pause(subscription: Subscription, now: datetime) -> Subscription:
    """Send nothing until it is resumed. SubscriptionIsDisabled."""
    if subscription.state is State.DISABLED:
        raise SubscriptionIsDisabled(reason=subscription.reason)
    return _to(subscription, State.PAUSED, now)


def resume(subscription: Subscription, now: datetime) -> Subscription:
    """Go on where it stopped."""
    return _to(subscription, State.ACTIVE, now)


def disable(subscription: Subscription, reason: Reason, now: datetime) -> Subscription:
    """Stop by ourselves."""
    return replace(_to(subscription, State.DISABLED, now), reason=reason)


def _to(subscription: Subscription, state: State, now: datetime) -> Subscription:
    if subscription.state is state:
        return subscription
    return replace(subscription, state=state, reason=None, version=subscription.version + 1, changed_at=now)


def change(
    subscription: Subscription, url: str, filters: Filters, at_once: int, description: str, now: datetime
) -> Subscription:
    """Another address or other filters. What was passed over before is not sent afterwards: that is a replay."""
    changed = replace(subscription, url=url, filters=filters, at_once=at_once, description=description)
    if changed == subscription:
        return subscription
    return replace(changed, version=subscription.version + 1, changed_at=now)
