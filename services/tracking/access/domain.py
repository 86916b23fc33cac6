"""Which dossiers an officer may see, and by what right: their own unit's and those of the units below it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from contracts.refusal import Refusal

WORKS_WITH_CONTENT = frozenset({"desk", "specialist", "division_head", "leader", "clerk", "supervisor"})
"""Roles that work on dossiers (domain of the dossier service, the same rule)."""
INSPECTOR = "inspector"
SHORTEST_REASON = 10
"""Letters of a reason to look; fewer say nothing."""


class NoContentForYourRole(Refusal):
    """Who runs the system, keeps the catalogue or the till does not see dossiers."""

    status = 403
    title = "Vai trò của bạn không được xem nội dung hồ sơ"
    title_en = "Your role does not see the content of dossiers"


class ReasonToReadMissing(Refusal):
    """An inspector says first why dossiers are looked at."""

    status = 403
    title = "Phải ghi lý do trước khi xem hồ sơ"
    title_en = "Say first why you look at dossiers"


class UnitOutsideScope(Refusal):
    """An officer lists dossiers of their own unit and of the units below it."""

    status = 403
    title = "Bạn chỉ được xem hồ sơ của cơ quan mình và cơ quan trực thuộc"
    title_en = "You see the dossiers of your unit and of those below it only"


class Right(StrEnum):
    """By what an officer looks."""

    UNIT = "unit"
    """Their unit, or one below it, takes it in, decides it, has it, had it, or is asked."""
    HANDOVER = "handover"
    """Any desk hands over a result that waits to be collected."""
    INSPECTION = "inspection"
    """Control of procedures: everything in the province, with a reason."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What one officer may see now."""

    right: Right
    units: frozenset[str] | None
    """Of these units; None: of every unit."""
    reason: str | None = None

    def narrowed(self, unit: str | None, parents: Mapping[str, str | None]) -> "Scope":
        """The part of it that belongs to one unit and those below it."""
        if unit is None:
            return self
        if self.units is not None and unit not in self.units:
            raise UnitOutsideScope
        return Scope(self.right, _all_or(below(unit, parents), unit, parents), self.reason)

    def holds(self, units: Iterable[str | None]) -> bool:
        """Whether a dossier of these units is in it."""
        return self.units is None or not self.units.isdisjoint(unit for unit in units if unit)


def scope(roles: frozenset[str], unit: str, reason: str | None, parents: Mapping[str, str | None]) -> Scope:
    """What an officer of these roles at this unit may see; `parents`: unit → the one above it.

    Who inspects and gives a reason sees everything; who works with dossiers sees those of their unit and below.
    """
    said = (reason or "").strip()
    if INSPECTOR in roles and len(said) >= SHORTEST_REASON:
        return Scope(Right.INSPECTION, None, said)
    if roles & WORKS_WITH_CONTENT:
        return Scope(Right.UNIT, _all_or(below(unit, parents), unit, parents), said or None)
    if INSPECTOR in roles:
        raise ReasonToReadMissing(f"Lý do có ít nhất {SHORTEST_REASON} ký tự, ví dụ số văn bản khiếu nại")
    raise NoContentForYourRole


def right_of(scope: Scope, roles: frozenset[str], units: Iterable[str | None], *, waits_at_desk: bool) -> Right | None:
    """The right by which one dossier of these units is seen; None where it is none of the officer's business."""
    if scope.holds(units):
        return scope.right
    return Right.HANDOVER if waits_at_desk and "desk" in roles else None


def below(unit: str, parents: Mapping[str, str | None]) -> frozenset[str]:
    """The unit and every unit that leads up to it."""
    return frozenset({unit, *(other for other in parents if unit in _above(other, parents))})


def _above(unit: str, parents: Mapping[str, str | None]) -> list[str]:
    chain: list[str] = []
    higher = parents.get(unit)
    while higher and higher not in chain:
        chain.append(higher)
        higher = parents.get(higher)
    return chain


def _all_or(units: frozenset[str], unit: str, parents: Mapping[str, str | None]) -> frozenset[str] | None:
    """Whoever stands at the top of the province sees all of it, as one list."""
    at_top = unit in parents and parents[unit] is None
    return None if at_top and units >= frozenset(parents) else units
