"""The databases of the nation, behind one port: each speaks to its own gateway, all are asked the same way."""

from typing import Protocol

from services.dossier.databases.domain import Answer, Question


class SourceUnavailable(Exception):
    """The database did not answer in time, or refused; it may answer later."""


class DataSource(Protocol):
    """Where records come from. Never called inside a transaction."""

    async def lookup(self, question: Question, key: str) -> Answer:
        """The record under that key, or NOT_FOUND. SourceUnavailable when nobody can say."""
        ...
