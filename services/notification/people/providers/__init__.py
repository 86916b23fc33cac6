"""The outside world's ways to people, and the three ways in which they can say no.

Whoever sends needs to know one thing of a failure: may somebody have the message now? Only of what is known not to have
been taken may another provider be asked.
"""

from contracts.notification import FailureReason


class Undeliverable(Exception):
    """This message can never reach its recipient this way: a final no."""

    def __init__(self, reason: FailureReason, code: str = "") -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.code = code
        """What the provider called it; never an address."""


class NotTaken(Exception):
    """The provider surely does not have the message, and may take it later; the exception's text is its code."""


class Unclear(Exception):
    """The provider may have the message: its answer did not come, or says nothing. The text is what went wrong."""
