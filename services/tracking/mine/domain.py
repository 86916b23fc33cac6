"""Whose dossier it is."""

from uuid import UUID


def may_follow(account: UUID, owner: UUID | None, submitter: UUID | None) -> bool:
    """The owner and whoever sent the dossier for them see all of it."""
    return account in (owner, submitter)
