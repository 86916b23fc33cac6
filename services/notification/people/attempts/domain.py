"""One try to hand a message to a provider, and what is known of it afterwards. Never an address, never content."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Outcome(StrEnum):
    """What a provider did with a message. An attempt without one began and was never heard of again."""

    TAKEN = "taken"
    """It has the message."""
    NOT_TAKEN = "not_taken"
    """It surely does not have it, and may take it later."""
    UNCLEAR = "unclear"
    """It may have it: no other provider is asked then."""
    REFUSED = "refused"
    """It never will: the address is wrong."""


@dataclass(frozen=True, slots=True)
class Attempt:
    no: int
    at: datetime
    provider: str
    outcome: Outcome | None
    code: str | None
    """The provider's own word for it."""
    ended_at: datetime | None
