"""Every SQL statement of the statistics: sums of counters, and the dossiers behind a figure.

Statements that are put together begin with a comment that names them; tests run each of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import asyncpg

from kit.db import Database
from services.tracking.projection.counting.store import COUNTERS
from services.tracking.statistics.domain import Period

# ── sums ──────────────────────────────────────────────────────────────────────────────────────────────────────

NETS = tuple(name for name in COUNTERS if name.endswith("_net"))
_STOCK = "reception_net + running_net + supplement_net + obligation_net"


class By(StrEnum):
    """What the rows of an answer are."""

    UNIT = "unit"
    PROCEDURE = "procedure"
    MONTH = "month"


_KEYS = {By.UNIT: "unit", By.PROCEDURE: "procedure_code", By.MONTH: "greatest(month, $3::date - 1)::text"}
"""Everything before the period is one row of its months."""

_EVENTS = tuple(name for name in COUNTERS if name not in NETS)
_FLOWS = ", ".join(f"sum({name}) FILTER (WHERE month >= $3::date)::bigint AS {name}" for name in _EVENTS)
_LEVELS = ", ".join(f"sum({name})::bigint AS {name}" for name in NETS)

SUMS = {
    by: f"""
-- counters of a period
SELECT {key} AS key, {_FLOWS}, {_LEVELS},
    coalesce(sum({_STOCK}) FILTER (WHERE month < $3::date), 0)::bigint AS carried_over
FROM statistics
WHERE unit = ANY($1) AND ($2::text IS NULL OR procedure_code = $2) AND month <= $4
GROUP BY 1 ORDER BY 1
"""  # noqa: S608 (made of constants)
    for by, key in _KEYS.items()
}


async def sums(
    db: Database, by: By, units: Sequence[str], procedure: str | None, period: Period
) -> list[asyncpg.Record]:
    """The counters of each row: events of the period; of stocks, the level at its end and before its beginning.

    By month: each month's own changes of the stocks, and all that came before as the row of the day before the period.
    """
    return await db.fetch(SUMS[by], units, procedure, period.first, period.last)


LATER_DUE = {
    by: f"""
-- due before the month ends
SELECT {key} AS key, count(*) AS n FROM dossier_facts
WHERE pending = 'running' AND competent_unit = ANY($1) AND due_at >= $3 AND due_at < $4
  AND ($2::text IS NULL OR procedure_code = $2)
GROUP BY 1
"""  # noqa: S608 (made of constants)
    for by, key in ((By.UNIT, "competent_unit"), (By.PROCEDURE, "procedure_code"))
}


async def later_due(
    db: Database, by: By, units: Sequence[str], procedure: str | None, now: datetime, ends: datetime
) -> dict[str, int]:
    """How many are due between now and the end of the month that lasts: its counters have them as over time already."""
    return {row["key"]: row["n"] for row in await db.fetch(LATER_DUE[by], units, procedure, now, ends)}


UNITS = """
WITH RECURSIVE found AS (
    (SELECT unit FROM statistics ORDER BY unit LIMIT 1)
    UNION ALL
    SELECT (SELECT s.unit FROM statistics AS s WHERE s.unit > found.unit ORDER BY s.unit LIMIT 1)
    FROM found WHERE found.unit IS NOT NULL
)
SELECT unit FROM found WHERE unit IS NOT NULL
"""


async def units(db: Database) -> list[str]:
    """Every unit that anything was counted for: one step in the index for each."""
    return [row["unit"] for row in await db.fetch(UNITS)]


PROCEDURES = "SELECT procedure_code, name FROM procedure_view"


async def procedures(db: Database) -> dict[str, str]:
    """What procedures are called."""
    return {row["procedure_code"]: row["name"] for row in await db.fetch(PROCEDURES)}


# ── the dossiers behind a figure ──────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Dated:
    """Figures of dossiers to which something happened once: counted at that moment."""

    at: str
    unit: str = "competent_unit"
    bucket: str = "''"
    """A column whose values split the dossiers, as the index does."""
    buckets: tuple[str, ...] = ("",)
    holds: str = "true"
    n: str = "1"
    """How often one dossier counts."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Figures of supplement requests."""

    holds: str
    some: str = "true"
    """True of every dossier that has one."""


@dataclass(frozen=True, slots=True)
class Pending:
    """Figures of dossiers that were in these classes at one moment."""

    classes: tuple[str, ...]
    holds: str = "true"
    before: bool = False
    """At the beginning of the period, not at its end."""


_RECEIVED = {"at": "submitted_at", "bucket": "channel"}
_ENDED = {"at": "ended_at", "bucket": "outcome", "holds": "submitted_at IS NOT NULL"}
_CHANNELS = ("direct", "online", "post")
_SETTLED = ("early", "late", "on_time")
_OUTCOMES = (*_SETTLED, "closed", "refused", "refused_intake", "stopped", "withdrawn")
_CLASSES = ("obligation", "reception", "running", "supplement")
_DUE = "span_due[width_bucket($4::timestamptz, span_since)]"

SOURCES: Mapping[str, Dated | Asked | Pending] = {
    "carried_over": Pending(_CLASSES, before=True),
    "received": Dated(**_RECEIVED, buckets=_CHANNELS),
    "received_online": Dated(**_RECEIVED, buckets=("online",)),
    "received_direct": Dated(**_RECEIVED, buckets=("direct",)),
    "received_post": Dated(**_RECEIVED, buckets=("post",)),
    "accepted": Dated("accepted_at"),
    "settled": Dated(**_ENDED, buckets=_SETTLED),
    "settled_early": Dated(**_ENDED, buckets=("early",)),
    "settled_on_time": Dated(**_ENDED, buckets=("on_time",)),
    "settled_late": Dated(**_ENDED, buckets=("late",)),
    "refused_intake": Dated(**_ENDED, buckets=("refused_intake",)),
    "refused": Dated(**_ENDED, buckets=("refused",)),
    "withdrawn": Dated(**_ENDED, buckets=("withdrawn",)),
    "stopped": Dated(**_ENDED, buckets=("stopped",)),
    "closed": Dated(**_ENDED, buckets=("closed",)),
    "pending": Pending(_CLASSES),
    "pending_reception": Pending(("reception",)),
    "pending_within": Pending(("running",), f"({_DUE} < $5) IS NOT TRUE"),
    "pending_over": Pending(("running",), f"{_DUE} < $5"),
    "paused_supplement": Pending(("supplement",)),
    "paused_obligation": Pending(("obligation",)),
    "reception_missed": Dated("reception_missed_at", "receiving_unit"),
    "apologies": Dated("apologised_at"),
    "supplements": Asked("true"),
    "supplemented_again": Asked("i = 2", "cardinality(asked_at) > 1"),
    "violations": Asked("violation", "asked_violation @> '{t}'"),
    "received_offered": Dated(**_RECEIVED, buckets=_CHANNELS, holds="offered_online"),
    "paid": Dated("paid_at"),
    "paid_online": Dated("paid_at", holds="paid_online"),
    "components": Dated(**_RECEIVED, buckets=_CHANNELS, n="components"),
    "components_store": Dated(**_RECEIVED, buckets=_CHANNELS, n="from_store"),
    "components_database": Dated(**_RECEIVED, buckets=_CHANNELS, n="from_database"),
    "reusing": Dated(**_RECEIVED, buckets=_CHANNELS, holds="from_store + from_database > 0"),
    "papers": Dated(**_RECEIVED, buckets=_CHANNELS, n="papers"),
    "papers_digitised": Dated(**_RECEIVED, buckets=_CHANNELS, n="papers_scanned"),
    "results_digital": Dated(
        "ended_at", bucket="outcome", buckets=_SETTLED, holds="submitted_at IS NOT NULL AND result_electronic"
    ),
}
"""Figure → where its dossiers are found; the same conditions as the counters'."""

_SHOWN = """
    d.code, d.procedure_code, d.receiving_unit, d.competent_unit, d.submitted_at, d.accepted_at, d.outcome, d.ended_at,
    d.span_due[cardinality(d.span_due)] AS measured_until
"""

_AFTER = """
      AND (d.{at}, d.code) > (CASE WHEN begun.goes_on THEN $8::timestamptz ELSE {least} END,
                              CASE WHEN begun.goes_on THEN $9::text ELSE '' END)
    ORDER BY d.{at}, d.code LIMIT $10
) AS page
WHERE (place.unit, part.bucket) >= ($6::text, $7::text)
"""
_STRETCHES = """
-- stretches of an index
SELECT page.* FROM unnest($1::text[]) AS place (unit) CROSS JOIN unnest({buckets}::text[]) AS part (bucket)
CROSS JOIN LATERAL (SELECT (place.unit, part.bucket) = ($6::text, $7::text) AS goes_on) AS begun
CROSS JOIN LATERAL (
    SELECT place.unit AS unit, part.bucket AS bucket, d.{at} AS at, {n} AS n, {shown}
    FROM dossier_facts AS d
    WHERE d.{unit} = place.unit AND {bucket} = part.bucket AND ($3::text IS NULL OR d.procedure_code = $3)
"""
_IN_ORDER = "ORDER BY unit, bucket, at, code LIMIT $10"
# $1 units · $2 buckets or classes · $3 procedure · $6 … $9 unit, bucket, moment and code of the last dossier of the
# page before · $10 rows. Each unit and bucket is one stretch of an index, begun after that dossier or at `least`: with
# a second lower bound the index would be read from the lower of both.

# $4, $5: from when until before when.
_DATED = f"{_STRETCHES} AND d.{{at}} < $5 AND {{holds}} AND {{n}} > 0 {_AFTER} {_IN_ORDER}"

# $4: the moment that is looked at · $5: what appointments are compared with. What was pending then is pending still, or
# ended later.
_THEN = """
      AND d.span_class[width_bucket($4::timestamptz, d.span_since)] = ANY($2::text[])
      AND d.submitted_at <= $4 AND $5::timestamptz IS NOT NULL AND {holds}
"""
_STILL = f"{_STRETCHES} {_THEN} {_AFTER}"
_ENDED_LATER = f"{_STRETCHES} AND d.ended_at <> $4 {_THEN} {_AFTER}"

_ASKED = """
-- dossiers with supplement requests
SELECT '' AS unit, '' AS bucket, d.asked_last AS at, request.n, {shown}
FROM dossier_facts AS d CROSS JOIN LATERAL (
    SELECT count(*)::int AS n
    FROM unnest(d.asked_stage, d.asked_at, d.asked_violation) WITH ORDINALITY AS asked (stage, at, violation, i)
    WHERE asked.at >= $3 AND asked.at < $4 AND {holds}
      AND CASE asked.stage WHEN 'intake' THEN d.receiving_unit ELSE d.competent_unit END = ANY($1::text[])
) AS request
WHERE d.asked_last IS NOT NULL AND {some} AND request.n > 0 AND ($2::text IS NULL OR d.procedure_code = $2)
  AND (d.asked_last, d.code) > ($5::timestamptz, $6::text)
ORDER BY d.asked_last, d.code LIMIT $7
"""


def _statement(source: Dated | Asked | Pending) -> str:
    match source:
        case Asked():
            return _ASKED.format(holds=source.holds, some=source.some, shown=_SHOWN)
        case Dated():
            bucket = f"d.{source.bucket}" if source.bucket.isidentifier() else source.bucket
            n = source.n if source.n.isdecimal() else f"d.{source.n}"
            return _DATED.format(
                at=source.at, unit=source.unit, bucket=bucket, buckets="$2", holds=source.holds, n=n,
                least="$4::timestamptz", shown=_SHOWN,
            )  # fmt: skip
        case Pending():
            common = {"unit": "competent_unit", "n": "1", "holds": source.holds, "shown": _SHOWN}
            classes = "'{" + ",".join(_CLASSES) + "}'"
            outcomes = "'{" + ",".join(_OUTCOMES) + "}'"
            still = _STILL.format(at="submitted_at", bucket="d.pending", buckets=classes, least="'-infinity'", **common)
            later = _ENDED_LATER.format(
                at="ended_at", bucket="d.outcome", buckets=outcomes, least="$4::timestamptz", **common
            )
            return f"{still} UNION ALL {later} {_IN_ORDER}"


DOSSIERS = {figure: _statement(source) for figure, source in SOURCES.items()}


@dataclass(frozen=True, slots=True)
class Position:
    """The last dossier of a page."""

    unit: str = ""
    bucket: str = ""
    at: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    code: str = ""


async def dossiers(
    db: Database, figure: str, units: Sequence[str], procedure: str | None, period: Period, as_of: datetime,
    after: Position, limit: int,
) -> list[asyncpg.Record]:  # fmt: skip
    """The dossiers that a figure counts, each with how often (`n`), after that position. `as_of`: when appointments of
    stocks are compared."""
    place = (after.unit, after.bucket, after.at, after.code, limit)
    match SOURCES[figure]:
        case Asked():
            begins, ends, at = period.begins, period.ends, max(after.at, period.begins)
            return await db.fetch(DOSSIERS[figure], units, procedure, begins, ends, at, after.code, limit)
        case Dated(buckets=buckets):
            return await db.fetch(DOSSIERS[figure], units, buckets, procedure, period.begins, period.ends, *place)
        case Pending(classes=classes, before=before):
            moment = (period.begins if before else period.ends) - timedelta(microseconds=1)
            return await db.fetch(DOSSIERS[figure], units, classes, procedure, moment, as_of, *place)
