"""How the bank misbehaves, as real ones do: told by `POST /behaviour`, until it is told otherwise."""

from pydantic import BaseModel, ConfigDict, Field


class Behaviour(BaseModel):
    """What happens to the callbacks of payments that are decided from now on. All off: it behaves."""

    model_config = ConfigDict(extra="forbid")

    late: float = Field(default=0, ge=0, le=3600)
    """Seconds before the first call."""
    twice: bool = False
    """The call is repeated after it was understood."""
    forged: bool = False
    """A call with a wrong signature comes first."""
    reordered: bool = False
    """The call waits until that of the next payment has been made."""
    never: bool = False
    """No call at all: only asking, or the statement, tells."""
    reversed: bool = False
    """The money is taken back afterwards; only the statement tells."""
    refuses_refunds: bool = False
