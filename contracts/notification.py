"""What the notification service says: whether a message got out. Never its content or address."""

from typing import get_args
from uuid import UUID

from pydantic import Field

from contracts.envelope import Audience, Channel, Event
from contracts.vocabulary import Vocabulary


class MessageChannel(Vocabulary):
    """The way to the recipient: `in_app` (the portal's inbox), `email`, `sms` or `vneid`."""

    IN_APP = "in_app"
    EMAIL = "email"
    SMS = "sms"
    VNEID = "vneid"


class FailureReason(Vocabulary):
    """Why a message was given up.

    `no_address`: the account has none for this channel. `rejected`: the provider refused it for good.
    `unavailable`: the provider could not be reached until the last attempt. `expired`: it would have come too
    late to be of use. `template`: its text could not be made; nothing of it was sent.
    """

    NO_ADDRESS = "no_address"
    REJECTED = "rejected"
    UNAVAILABLE = "unavailable"
    EXPIRED = "expired"
    TEMPLATE = "template"


class AboutMessage(Event):
    """A fact about one message to one recipient over one channel."""

    message_id: UUID
    """Names the message."""
    dossier_code: str | None = None
    """The dossier it is about; null when it is about none."""
    recipient_ref: UUID
    """Opaque reference of the account it was meant for."""
    channel: MessageChannel
    """The way it went."""
    template: str
    """Key of the template, for example `dossier_accepted`."""
    template_version: int = Field(ge=1)
    """Version of the template's text that was used."""
    attempts: int = Field(default=1, ge=1)
    """How often sending was tried."""


class NotificationSent(AboutMessage):
    """The provider took the message (for the portal's inbox: it is there to read)."""


class NotificationFailed(AboutMessage):
    """The message was given up. This never holds up the dossier."""

    reason: FailureReason
    """Why."""


class NotificationDelivered(AboutMessage):
    """The provider reports that the message reached its phone. It follows `NotificationSent`, and is final."""


class NotificationUndelivered(AboutMessage):
    """The provider reports that a message it had taken did not reach its phone; a later report may say that it did."""


MessageEvent = NotificationSent | NotificationFailed | NotificationDelivered | NotificationUndelivered

MESSAGES = Channel(
    "notification.messages.v1",
    owner="notification",
    audience=Audience.INTERNAL,
    key="message_id",
    events=get_args(MessageEvent),
    doc="What became of one message to one recipient over one channel.",
    partitions=6,
)
