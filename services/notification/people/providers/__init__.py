"""The outside world's ways to people. Each raises Undeliverable for a no that is final; any other error may pass."""

from contracts.notification import FailureReason


class Undeliverable(Exception):
    """This message can never reach its recipient this way."""

    def __init__(self, reason: FailureReason) -> None:
        super().__init__(reason.value)
        self.reason = reason
