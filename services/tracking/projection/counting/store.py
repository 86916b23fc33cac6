"""Every SQL statement of the counters: the facts of the dossiers, and what they add up to.

Statements that are put together begin with a comment that names them: no constant of its own is one, and the test that
counts everything plainly runs each of them.
"""

from collections.abc import Mapping, Sequence

from kit.db import Connection
from services.tracking.projection.counting.domain import Facts

# ── what one dossier adds to the counters ─────────────────────────────────────────────────────────────────────
# One definition, for what an event changes, for counting everything anew, and for tests that compare the two. `d` is a
# row of dossier_facts; `what` happened, at which unit it counts, when, and how often (-1: it left a stock). A dossier
# counts where its unit decides; what the desk answers for counts at the desk.

MOMENTS = """
    -- what one dossier adds
    SELECT what, unit, at, n FROM (VALUES
        ('received', d.competent_unit, d.submitted_at, 1),
        ('accepted', d.competent_unit, d.accepted_at, 1),
        ('ended', d.competent_unit, CASE WHEN d.submitted_at IS NOT NULL THEN d.ended_at END, 1),
        ('missed', d.receiving_unit, d.reception_missed_at, 1),
        ('apologised', d.competent_unit, d.apologised_at, 1),
        ('paid', d.competent_unit, d.paid_at, 1)
    ) AS dated (what, unit, at, n)
    UNION ALL
    SELECT change.what, d.competent_unit, change.at, change.n
    FROM unnest(d.span_class, d.span_since, d.span_due) WITH ORDINALITY AS span (class, since, due, i)
    CROSS JOIN LATERAL (SELECT coalesce(d.span_since[span.i + 1], d.ended_at) AS until) AS later
    CROSS JOIN LATERAL (VALUES
        (span.class, span.since, 1),
        (span.class, later.until, -1),
        ('over', CASE WHEN later.until IS NULL OR greatest(span.since, span.due) < later.until
                 THEN greatest(span.since, span.due) END, 1),
        ('over', CASE WHEN greatest(span.since, span.due) < later.until THEN later.until END, -1)
    ) AS change (what, at, n)
    WHERE change.what <> 'over' OR span.due IS NOT NULL
    UNION ALL
    SELECT kind.what, CASE asked.stage WHEN 'intake' THEN d.receiving_unit ELSE d.competent_unit END, asked.at, 1
    FROM unnest(d.asked_stage, d.asked_at, d.asked_violation) WITH ORDINALITY AS asked (stage, at, violation, i)
    CROSS JOIN LATERAL (VALUES
        ('asked', true), ('asked_again', asked.i = 2), ('violation', asked.violation)) AS kind (what, holds)
    WHERE kind.holds
"""

MEASURES: Mapping[str, str] = {
    "received_online": "what = 'received' AND channel = 'online'",
    "received_direct": "what = 'received' AND channel = 'direct'",
    "received_post": "what = 'received' AND channel = 'post'",
    "received_offered": "what = 'received' AND offered_online",
    "reusing": "what = 'received' AND from_store + from_database > 0",
    "accepted": "what = 'accepted'",
    "settled_early": "what = 'ended' AND outcome = 'early'",
    "settled_on_time": "what = 'ended' AND outcome = 'on_time'",
    "settled_late": "what = 'ended' AND outcome = 'late'",
    "results_digital": "what = 'ended' AND outcome IN ('early', 'on_time', 'late') AND result_electronic",
    "refused_intake": "what = 'ended' AND outcome = 'refused_intake'",
    "refused": "what = 'ended' AND outcome = 'refused'",
    "withdrawn": "what = 'ended' AND outcome = 'withdrawn'",
    "stopped": "what = 'ended' AND outcome = 'stopped'",
    "closed": "what = 'ended' AND outcome = 'closed'",
    "reception_missed": "what = 'missed'",
    "apologies": "what = 'apologised'",
    "supplements": "what = 'asked'",
    "supplemented_again": "what = 'asked_again'",
    "violations": "what = 'violation'",
    "paid": "what = 'paid'",
    "paid_online": "what = 'paid' AND paid_online",
    "reception_net": "what = 'reception'",
    "running_net": "what = 'running'",
    "supplement_net": "what = 'supplement'",
    "obligation_net": "what = 'obligation'",
    "over_net": "what = 'over'",
}
"""Counter → which moments it counts."""

WEIGHTS: Mapping[str, str] = {
    "components": "components",
    "components_store": "from_store",
    "components_database": "from_database",
    "papers": "papers",
    "papers_digitised": "papers_scanned",
}
"""Counter of components → how many a received dossier adds."""

COUNTERS = (*MEASURES, *WEIGHTS)

_SUMS = ",\n    ".join(
    [f"coalesce(sum(sign * n) FILTER (WHERE {holds}), 0) AS {name}" for name, holds in MEASURES.items()]
    + [f"coalesce(sum(sign * {n}) FILTER (WHERE what = 'received'), 0) AS {name}" for name, n in WEIGHTS.items()]
)

_ADDED_UP = f"""
-- moments added up
SELECT moment.unit, d.procedure_code, date_trunc('month', moment.at AT TIME ZONE 'Asia/Ho_Chi_Minh')::date AS month,
    {_SUMS}
FROM counted AS d CROSS JOIN LATERAL ({MOMENTS}) AS moment
WHERE moment.at IS NOT NULL AND moment.unit IS NOT NULL
GROUP BY 1, 2, 3
"""  # noqa: S608 (made of constants)

_COLUMNS = ", ".join(COUNTERS)
_ADDED_ON = ",\n    ".join(f"{name} = known.{name} + excluded.{name}" for name in COUNTERS)

# ── an event changes the facts of a dossier, and the counters by the difference ───────────────────────────────

FACTS = (
    "code", "version", "payment_version", "procedure_code", "receiving_unit", "competent_unit", "channel",
    "offered_online", "submitted_at", "accepted_at", "outcome", "ended_at", "result_electronic", "components",
    "from_store", "from_database", "papers", "papers_scanned", "reception_missed_at", "apologised_at", "span_class",
    "span_since", "span_due", "asked_stage", "asked_at", "asked_violation", "paid_at", "paid_online",
)  # fmt: skip

_GIVEN = """
    code text, version int, payment_version int, procedure_code text, receiving_unit text, competent_unit text,
    channel text, offered_online boolean, submitted_at timestamptz, accepted_at timestamptz, outcome text,
    ended_at timestamptz, result_electronic boolean, components int, from_store int, from_database int, papers int,
    papers_scanned int, reception_missed_at timestamptz, apologised_at timestamptz, span_version int[],
    span_class text[], span_since timestamptz[], span_due timestamptz[], asked_version int[], asked_stage text[],
    asked_at timestamptz[], asked_violation boolean[], paid_at timestamptz, paid_online boolean
"""

_SET = ", ".join(f"{name} = excluded.{name}" for name in FACTS if name != "code")

COUNT = f"""
-- the facts of a batch, and what they change
WITH given AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($1::jsonb) AS given ({_GIVEN})
), before AS MATERIALIZED (
    SELECT d.* FROM dossier_facts AS d JOIN given USING (code)
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
), counted AS (
    SELECT {", ".join(FACTS)}, 1 AS sign FROM after
    UNION ALL
    SELECT {", ".join(f"b.{name}" for name in FACTS)}, -1 FROM before AS b JOIN after USING (code)
), slot AS MATERIALIZED (
    SELECT i::smallint FROM generate_series(0, 63) AS i
    WHERE pg_try_advisory_xact_lock(hashtext('statistics'), i) LIMIT 1
)
INSERT INTO statistics AS known (slot, unit, procedure_code, month, {_COLUMNS})
SELECT coalesce((SELECT i FROM slot), 0), * FROM ({_ADDED_UP}) AS added
WHERE ({_COLUMNS}) IS DISTINCT FROM ({", ".join("0" for _ in COUNTERS)})
ORDER BY unit, procedure_code, month
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
        await tx.execute(COUNT, facts)


RECOUNT = f"""
-- the facts of a batch, and what they change
WITH counted AS (SELECT *, 1 AS sign FROM dossier_facts)
INSERT INTO statistics (slot, unit, procedure_code, month, {_COLUMNS})
SELECT 0, * FROM ({_ADDED_UP}) AS added
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
