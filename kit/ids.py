"""Identifiers that sort by the time they were made."""

from uuid import UUID

import uuid_utils.compat


def new() -> UUID:
    """A UUIDv7 (RFC 9562): unique, and later ones compare greater."""
    return uuid_utils.compat.uuid7()
