"""Databases that replace papers (NQ 66.7/2025/NQ-CP): what is asked of them, and what the answer means for a dossier.

What a database has need not be asked of the applicant. What it cannot say, because it is away, knows nothing, or knows
something else, may be asked for in a supplement, and the applicant is told where the data are put right.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from services.dossier.catalogue.domain import Case, Component, to_look_up


class Outcome(StrEnum):
    ASKED = "asked"
    """Written down before the question leaves; it stays so only if we ended before the answer came."""
    FOUND = "found"
    NOT_FOUND = "not_found"
    """The database knows nothing under that key."""
    UNAVAILABLE = "unavailable"
    """It did not answer, or not in time, or said that it will not."""


@dataclass(frozen=True, slots=True)
class Question:
    """One look-up, with everything that is logged about it but the key."""

    database: str
    """Code in the tenant's `databases.yaml`."""
    kind: str
    purpose: str
    """What for, in Vietnamese."""
    legal_basis: str
    asked_by: UUID
    draft_id: UUID | None = None
    component_code: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. The record is for the moment only: nothing of it is kept."""

    outcome: Outcome
    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found out about one component."""

    component_code: str
    database: str
    outcome: Outcome
    lookups: tuple[UUID, ...]
    """Their lines in the log."""

    @property
    def may_be_requested(self) -> bool:
        """The applicant may be asked for the paper only where the database could not be had."""
        return self.outcome is not Outcome.FOUND


def keys_of(component: Component, answers: Mapping[str, Any], owner_number: str | None) -> list[str]:
    """Under what a database is asked: the answers that the catalogue names, or the owner's identity number."""
    if not component.lookup_by:
        return [owner_number] if owner_number else []
    return [str(answers[name]) for name in component.lookup_by if answers.get(name)]


def wanted(case: Case, answers: Mapping[str, Any], owner_number: str | None) -> list[tuple[Component, list[str]]]:
    """Which components are looked up, under which keys. A component without a key is asked of nobody."""
    found = [(each, keys_of(each, answers, owner_number)) for each in to_look_up(case, answers)]
    return [(component, keys) for component, keys in found if keys]


def together(outcomes: Sequence[Outcome]) -> Outcome:
    """A component that concerns several people is there only when all of them were found."""
    worst = (Outcome.UNAVAILABLE, Outcome.ASKED, Outcome.NOT_FOUND)
    return next((outcome for outcome in worst if outcome in outcomes), Outcome.FOUND)


def digest_of(database: str, key: str, secret: bytes) -> bytes:
    """Names whom a look-up was about to those who hold the installation's key, and to nobody else."""
    return hmac.digest(secret, f"{database}:{key}".encode(), hashlib.sha256)
