"""Whether a delivery receipt is about a message of ours: each has an address of its own, which only we can make."""

import hmac
from uuid import UUID


def proof(secret: str, provider: str, message_id: UUID) -> str:
    """The last part of the address that this provider is given with this message."""
    return hmac.new(secret.encode(), f"{provider} {message_id}".encode(), "sha256").hexdigest()


def is_proven(secret: str, provider: str, message_id: UUID, shown: str) -> bool:
    """In constant time; never without a secret."""
    return bool(secret) and hmac.compare_digest(proof(secret, provider, message_id), shown)
