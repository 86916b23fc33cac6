"""Every SQL statement of the counters: the facts of the dossiers, and what they add up to.

Statements that are put together begin with a comment that names them: no constant of its own is one, and the test that
counts everything plainly runs each of them.
"""

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from kit.db import Connection
from services.tracking.projection.counting.domain import Facts

# ── what dossiers add to the counters ─────────────────────────────────────────────────────────────────────────
# One definition, for what a batch of events changes and for counting everything anew. `counted` are rows of
# dossier_facts with `sign`: 1 to add what they add, -1 to take it away. A dossier counts where its unit decides; what
# the desk answers for counts at the desk. What cannot have changed is left out: `is_new`, `spans_before` and
# `asks_before` say what was counted already.


@dataclass(frozen=True, slots=True)
class Measure:
    """One counter: which rows count, when, where, how much."""

    at: str
    holds: str = "true"
    n: str = "1"
    unit: str = "competent_unit"
    of: str = "counted"


def _received(holds: str = "true", n: str = "1") -> Measure:
    return Measure("submitted_at", f"is_new AND {holds}", n)


def _ended(holds: str) -> Measure:
    return Measure("ended_at", f"submitted_at IS NOT NULL AND {holds}")


def _level(kind: str) -> tuple[Measure, Measure]:
    """A stock grows by what enters the class and shrinks by what leaves it."""
    return Measure("since", f"class = '{kind}'", of="spans"), Measure("until", f"class = '{kind}'", "-1", of="spans")


MEASURES: Mapping[str, tuple[Measure, ...]] = {
    "received_online": (_received("channel = 'online'"),),
    "received_direct": (_received("channel = 'direct'"),),
    "received_post": (_received("channel = 'post'"),),
    "received_offered": (_received("offered_online"),),
    "reusing": (_received("from_store + from_database > 0"),),
    "components": (_received("components > 0", "components"),),
    "components_store": (_received("from_store > 0", "from_store"),),
    "components_database": (_received("from_database > 0", "from_database"),),
    "papers": (_received("papers > 0", "papers"),),
    "papers_digitised": (_received("papers_scanned > 0", "papers_scanned"),),
    "accepted": (Measure("accepted_at"),),
    "settled_early": (_ended("outcome = 'early'"),),
    "settled_on_time": (_ended("outcome = 'on_time'"),),
    "settled_late": (_ended("outcome = 'late'"),),
    "results_digital": (_ended("outcome IN ('early', 'on_time', 'late') AND result_electronic"),),
    "refused_intake": (_ended("outcome = 'refused_intake'"),),
    "refused": (_ended("outcome = 'refused'"),),
    "withdrawn": (_ended("outcome = 'withdrawn'"),),
    "stopped": (_ended("outcome = 'stopped'"),),
    "closed": (_ended("outcome = 'closed'"),),
    "reception_missed": (Measure("reception_missed_at", unit="receiving_unit"),),
    "apologies": (Measure("apologised_at"),),
    "supplements": (Measure("at", of="asks", unit="unit"),),
    "supplemented_again": (Measure("at", "i = 2", of="asks", unit="unit"),),
    "violations": (Measure("at", "violation", of="asks", unit="unit"),),
    "paid": (Measure("paid_at"),),
    "paid_online": (Measure("paid_at", "paid_online"),),
    "reception_net": _level("reception"),
    "running_net": _level("running"),
    "supplement_net": _level("supplement"),
    "obligation_net": _level("obligation"),
    "over_net": (
        Measure("over_since", "over_since < until OR until IS NULL", of="spans"),
        Measure("until", "over_since < until", "-1", of="spans"),
    ),
}
COUNTERS = tuple(MEASURES)
_COLUMNS = ", ".join(COUNTERS)


_BRANCH = """-- what one counter counts
    SELECT {unit}, procedure_code, {at}, '{name}', sign * {n} FROM {of}
    WHERE {at} IS NOT NULL AND {unit} IS NOT NULL AND ({holds})
"""


def _branch(name: str, m: Measure) -> str:
    return _BRANCH.format(name=name, unit=m.unit, at=m.at, n=m.n, of=m.of, holds=m.holds)


_MOMENTS = "UNION ALL ".join(_branch(name, m) for name, several in MEASURES.items() for m in several)
_SUMS = ", ".join(f"coalesce(sum(n) FILTER (WHERE counter = '{name}'), 0) AS {name}" for name in COUNTERS)

_ADDED_UP = f"""
spans AS MATERIALIZED (
    SELECT d.competent_unit, d.procedure_code, d.sign, span.class, span.since,
        coalesce(d.span_since[span.i + 1], d.ended_at) AS until,
        CASE WHEN span.due IS NOT NULL THEN greatest(span.since, span.due) END AS over_since
    FROM counted AS d
    CROSS JOIN LATERAL unnest(d.span_class, d.span_since, d.span_due) WITH ORDINALITY AS span (class, since, due, i)
    WHERE span.i >= d.spans_before
), asks AS MATERIALIZED (
    SELECT CASE asked.stage WHEN 'intake' THEN d.receiving_unit ELSE d.competent_unit END AS unit, d.procedure_code,
        d.sign, asked.at, asked.violation, asked.i
    FROM counted AS d
    CROSS JOIN LATERAL unnest(d.asked_stage, d.asked_at, d.asked_violation) WITH ORDINALITY
        AS asked (stage, at, violation, i)
    WHERE asked.i > d.asks_before
), moments (unit, procedure_code, at, counter, n) AS (
    {_MOMENTS}
), by_counter AS (
    SELECT unit, procedure_code, date_trunc('month', at AT TIME ZONE 'Asia/Ho_Chi_Minh')::date AS month, counter,
        sum(n) AS n
    FROM moments GROUP BY 1, 2, 3, 4 HAVING sum(n) <> 0
), added AS (
    SELECT unit, procedure_code, month, {_SUMS} FROM by_counter GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
)
"""  # noqa: S608 (made of constants)
_ADDED_ON = ",\n    ".join(f"{name} = known.{name} + excluded.{name}" for name in COUNTERS)

# ── an event changes the facts of a dossier, and the counters by the difference ───────────────────────────────

FACTS = (
    "code", "version", "payment_version", "procedure_code", "receiving_unit", "competent_unit", "channel",
    "offered_online", "submitted_at", "accepted_at", "outcome", "ended_at", "result_electronic", "components",
    "from_store", "from_database", "papers", "papers_scanned", "reception_missed_at", "apologised_at", "span_class",
    "span_since", "span_due", "asked_stage", "asked_at", "asked_violation", "paid_at", "paid_online",
)  # fmt: skip

_TYPES: Mapping[str, str] = {
    "code": "text", "version": "int", "payment_version": "int", "procedure_code": "text", "receiving_unit": "text",
    "competent_unit": "text", "channel": "text", "offered_online": "boolean", "submitted_at": "timestamptz",
    "accepted_at": "timestamptz", "outcome": "text", "ended_at": "timestamptz", "result_electronic": "boolean",
    "components": "int", "from_store": "int", "from_database": "int", "papers": "int", "papers_scanned": "int",
    "reception_missed_at": "timestamptz", "apologised_at": "timestamptz", "paid_at": "timestamptz",
    "paid_online": "boolean",
}  # fmt: skip
_LISTS: Mapping[str, str] = {
    "span_version": "int[]", "span_class": "text[]", "span_since": "timestamptz[]", "span_due": "timestamptz[]",
    "asked_version": "int[]", "asked_stage": "text[]", "asked_at": "timestamptz[]", "asked_violation": "boolean[]",
}  # fmt: skip
"""What a change may say. Lists come written out: a list of lists would be an array of two dimensions."""
_SAID = (*_TYPES, *_LISTS)
_GIVEN = ", ".join(
    [f"${n}::{_TYPES.get(name, 'text')}[]" for n, name in enumerate(_SAID, 1)],
)
_READ = ", ".join([*_TYPES, *(f"{name}::{kind} AS {name}" for name, kind in _LISTS.items())])

_SET = ", ".join(f"{name} = excluded.{name}" for name in FACTS if name != "code")

_ALREADY = """
    b.submitted_at IS NULL AS is_new, coalesce(cardinality(b.span_class), 0) AS spans_before,
    coalesce(cardinality(b.asked_at), 0) AS asks_before
"""

_KEPT = f"""
-- facts and what they were
WITH given AS MATERIALIZED (
    SELECT {_READ} FROM unnest({_GIVEN}) AS given ({", ".join(_SAID)})
), before AS MATERIALIZED (
    SELECT * FROM dossier_facts WHERE code = ANY($1::text[])
), after AS MATERIALIZED (
    SELECT
        g.code,
        coalesce(g.version, b.version, 0) AS version,
        coalesce(g.payment_version, b.payment_version, 0) AS payment_version,
        coalesce(g.procedure_code, b.procedure_code) AS procedure_code,
        coalesce(g.receiving_unit, b.receiving_unit) AS receiving_unit,
        coalesce(g.competent_unit, b.competent_unit) AS competent_unit,
        coalesce(g.channel, b.channel) AS channel,
        coalesce(g.offered_online, b.offered_online) AS offered_online,
        coalesce(g.submitted_at, b.submitted_at) AS submitted_at,
        coalesce(b.accepted_at, g.accepted_at) AS accepted_at,
        coalesce(g.outcome, b.outcome) AS outcome,
        coalesce(g.ended_at, b.ended_at) AS ended_at,
        coalesce(g.result_electronic, b.result_electronic) AS result_electronic,
        coalesce(g.components, b.components) AS components,
        coalesce(g.from_store, b.from_store) AS from_store,
        coalesce(g.from_database, b.from_database) AS from_database,
        coalesce(g.papers, b.papers) AS papers,
        coalesce(g.papers_scanned, b.papers_scanned) AS papers_scanned,
        coalesce(b.reception_missed_at, g.reception_missed_at) AS reception_missed_at,
        coalesce(b.apologised_at, g.apologised_at) AS apologised_at,
        coalesce(b.span_class || g.span_class[new.spans:], g.span_class, b.span_class, '{{}}') AS span_class,
        coalesce(b.span_since || g.span_since[new.spans:], g.span_since, b.span_since, '{{}}') AS span_since,
        coalesce(b.span_due || g.span_due[new.spans:], g.span_due, b.span_due, '{{}}') AS span_due,
        coalesce(b.asked_stage || g.asked_stage[new.asks:], g.asked_stage, b.asked_stage, '{{}}') AS asked_stage,
        coalesce(b.asked_at || g.asked_at[new.asks:], g.asked_at, b.asked_at, '{{}}') AS asked_at,
        coalesce(b.asked_violation || g.asked_violation[new.asks:], g.asked_violation, b.asked_violation, '{{}}')
            AS asked_violation,
        coalesce(b.paid_at, g.paid_at) AS paid_at,
        coalesce(b.paid_online AND g.paid_online, g.paid_online, b.paid_online) AS paid_online
    FROM given AS g
    LEFT JOIN before AS b USING (code)
    CROSS JOIN LATERAL (SELECT
        width_bucket(coalesce(b.version, 0), g.span_version) + 1 AS spans,
        width_bucket(coalesce(b.version, 0), g.asked_version) + 1 AS asks) AS new
    WHERE g.version > coalesce(b.version, 0) OR g.payment_version > coalesce(b.payment_version, 0)
), kept AS (
    INSERT INTO dossier_facts ({", ".join(FACTS)}) SELECT {", ".join(FACTS)} FROM after
    ON CONFLICT (code) DO UPDATE SET {_SET}
)"""  # noqa: S608 (made of constants)

KEEP_FACTS = f"""
-- the facts of a batch, to be counted later
{_KEPT} -- and that is all
SELECT
"""
COUNT = f"""
-- the facts of a batch, and what they change
{_KEPT}, counted AS MATERIALIZED (
    SELECT {", ".join(f"a.{name}" for name in FACTS)}, 1 AS sign, {_ALREADY}
    FROM after AS a LEFT JOIN before AS b USING (code)
    UNION ALL
    SELECT {", ".join(f"b.{name}" for name in FACTS)}, -1, {_ALREADY}
    FROM before AS b JOIN after AS a USING (code)
), slot AS MATERIALIZED (
    SELECT i::smallint FROM generate_series(0, 63) AS i
    WHERE pg_try_advisory_xact_lock(hashtext('statistics'), i) LIMIT 1
), {_ADDED_UP} -- added to the counters
INSERT INTO statistics AS known (slot, unit, procedure_code, month, {_COLUMNS})
SELECT coalesce((SELECT i FROM slot), 0), * FROM added
ON CONFLICT (unit, procedure_code, month, slot) DO UPDATE SET
    {_ADDED_ON}
"""  # noqa: S608 (made of constants)


async def count(tx: Connection, facts: Sequence[Facts]) -> None:
    """Take these facts into account, each dossier once. The caller has locked their rows of dossier_view, so nobody
    else changes the same dossiers meanwhile.

    One statement: the facts before and after, kept, and the difference between what both add to the counters. The
    counters of a slot are written by one transaction at a time, and the first free slot is taken: nobody waits.
    """
    if facts:
        statement = KEEP_FACTS if counted_later.get() else COUNT
        await tx.execute(statement, *(_column(facts, name) for name in _SAID))


counted_later: ContextVar[bool] = ContextVar("counted_later", default=False)
"""True while a rebuild fills tables that nobody reads: it counts once, at the end (`recount`)."""


def _column(facts: Sequence[Facts], name: str) -> list[Any]:
    """One value a dossier; `unnest` fills a short list with nulls, so a column that nobody sets is not even sent."""
    if not any(name in each for each in facts):
        return []
    if name in _LISTS:
        return [_written(each[name]) if name in each else None for each in facts]
    return [each.get(name) for each in facts]


def _written(values: Sequence[Any]) -> str:
    """A list as PostgreSQL writes it; none of the words in ours needs more than quotes."""
    return "{" + ",".join("NULL" if value is None else f'"{value}"' for value in values) + "}"


RECOUNT = f"""
-- the facts of a batch, and what they change
WITH counted AS NOT MATERIALIZED (
    SELECT *, 1 AS sign, true AS is_new, 0 AS spans_before, 0 AS asks_before FROM dossier_facts
), {_ADDED_UP} -- added to the counters
INSERT INTO statistics (slot, unit, procedure_code, month, {_COLUMNS})
SELECT 0, * FROM added
"""  # noqa: S608 (made of constants)
FORGET = "DELETE FROM statistics"


async def recount(tx: Connection) -> None:
    """Count every dossier anew. For a rebuild that fills dossier_facts first; nobody may project meanwhile."""
    await tx.execute(FORGET)
    await tx.execute(RECOUNT)


KEEP_PROCEDURES = """
INSERT INTO procedure_view AS known (procedure_code, version, name)
SELECT given.* FROM unnest($1::text[], $2::int[], $3::text[]) AS given (code, version, name)
WHERE NOT EXISTS (
    SELECT FROM procedure_view AS known WHERE known.procedure_code = given.code AND known.version >= given.version)
ON CONFLICT (procedure_code) DO UPDATE SET version = excluded.version, name = excluded.name
WHERE known.version < excluded.version
"""


async def keep_procedures(tx: Connection, names: Mapping[str, tuple[int, str]]) -> None:
    """What procedures are called: code → (version, name). What is known already locks nothing."""
    codes = sorted(names)
    await tx.execute(KEEP_PROCEDURES, codes, [names[code][0] for code in codes], [names[code][1] for code in codes])
