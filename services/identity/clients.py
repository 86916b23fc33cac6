"""Who identity calls: notification, to put a one-time password on a phone. (Providers are in `providers/`.)"""

from typing import Any

from kit.clients import ServiceClient

notification = ServiceClient("notification")


async def send_code(message: dict[str, Any]) -> None:
    """Hand a code to notification, which sends it and keeps nothing. Raises Unavailable when it is away."""
    await notification.post("/api/v1/otp-messages", message)
