"""Finding procedures: one statement reads the narrow listing once for the page and for the counts of every filter.

Procedures that no filter tells apart are counted together first, so that seven counts cost little more than one.
"""

from dataclasses import asdict
from datetime import date
from typing import Any
from uuid import UUID

from kit.db import Database
from services.dossier.catalogue.domain import fold
from services.dossier.catalogue.search.domain import Count, Found, Hit, Search

SEARCH = """
WITH known AS (
    SELECT l.procedure_id, l.code, l.sort_name, l.field_code, l.field_name, l.agency_level, l.units, l.audience,
        l.life_events, coalesce(l.unit_levels->>$3, l.service_level) AS level,
        CASE WHEN l.code LIKE $2 || '%' THEN 0
             WHEN l.sort_name LIKE $2 || '%' THEN 1
             WHEN l.sort_name LIKE '%' || $2 || '%' THEN 2
             WHEN l.search_text LIKE '%' || $2 || '%' THEN 3
             WHEN l.sort_name LIKE ALL ($1::text[]) THEN 4
             ELSE 5 END AS rank
    FROM procedure_listing l
    WHERE l.valid_from <= $10 AND l.superseded_from > $10 AND NOT l.retired AND l.closes_after >= $10
        AND NOT l.member_only AND l.search_text LIKE ALL ($1::text[])
), judged AS MATERIALIZED (
    SELECT *,
        ($3::text IS NULL OR units = '{}' OR $3 = ANY (units)) AS of_unit,
        ($4::text IS NULL OR level = $4) AS of_level,
        ($5::text IS NULL OR agency_level = $5) AS of_agency,
        ($6::text IS NULL OR field_code = $6) AS of_field,
        ($7::text IS NULL OR $7 = ANY (audience)) AS of_audience,
        ($8::text IS NULL OR $8 = ANY (life_events)) AS of_event
    FROM known
), found AS (
    SELECT * FROM judged WHERE of_unit AND of_level AND of_agency AND of_field AND of_audience AND of_event
), page AS (
    SELECT * FROM found f
    WHERE $9::text IS NULL
        OR (f.rank, f.sort_name, f.code) > (SELECT rank, sort_name, code FROM found WHERE code = $9)
    ORDER BY rank, sort_name, code LIMIT $11 + 1
), alike AS (
    SELECT level, agency_level, field_code, field_name, audience, life_events, units,
        of_unit, of_level, of_agency, of_field, of_audience, of_event, count(*) AS n
    FROM judged GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13
), counted AS (
    SELECT 'total' AS filter, '' AS value, '' AS label, coalesce(sum(n), 0)::int AS count FROM alike
        WHERE of_unit AND of_level AND of_agency AND of_field AND of_audience AND of_event
    UNION ALL SELECT 'level', level, '', sum(n)::int FROM alike
        WHERE of_unit AND of_agency AND of_field AND of_audience AND of_event GROUP BY 2
    UNION ALL SELECT 'agency_level', agency_level, '', sum(n)::int FROM alike
        WHERE of_unit AND of_level AND of_field AND of_audience AND of_event GROUP BY 2
    UNION ALL SELECT 'field', field_code, min(field_name), sum(n)::int FROM alike
        WHERE of_unit AND of_level AND of_agency AND of_audience AND of_event GROUP BY 2
    UNION ALL SELECT 'audience', each, '', sum(n)::int FROM alike, unnest(audience) each
        WHERE of_unit AND of_level AND of_agency AND of_field AND of_event GROUP BY 2
    UNION ALL SELECT 'life_event', each, '', sum(n)::int FROM alike, unnest(life_events) each
        WHERE of_unit AND of_level AND of_agency AND of_field AND of_audience GROUP BY 2
    UNION ALL SELECT 'unit', coalesce(each, ''), '', sum(n)::int FROM alike LEFT JOIN unnest(units) each ON true
        WHERE of_level AND of_agency AND of_field AND of_audience AND of_event GROUP BY 2
)
SELECT
    (SELECT coalesce(jsonb_agg(to_jsonb(c)), '[]') FROM counted c) AS counts,
    (SELECT coalesce(jsonb_agg(jsonb_build_object(
        'id', l.procedure_id, 'code', l.code, 'name', l.name, 'field', l.field_name, 'field_code', l.field_code,
        'service_level', page.level, 'agency_level', l.agency_level, 'audience', l.audience, 'summary', l.summary,
        'version', p.version
    ) ORDER BY page.rank, page.sort_name, page.code), '[]')
    FROM page JOIN procedure_listing l USING (procedure_id) JOIN procedure p ON p.id = procedure_id) AS hits
"""


async def search(db: Database, wanted: Search, on: date, *, after: str | None = None, limit: int = 50) -> Found:
    """Procedures that can be filed on that day: those whose code or name begins with the words come first, then those
    that have them together in the name, together anywhere (a keyword), apart in the name, apart anywhere; each by name.

    `after` is the code of the last one of the page before.
    """
    words = _literal(fold(wanted.words).strip())
    patterns = [f"%{word}%" for word in words.split()] or ["%"]
    filters = asdict(wanted)
    named = [filters[name] for name in ("unit", "level", "agency_level", "field", "audience", "life_event")]
    row = await db.fetchrow(SEARCH, patterns, words, *named, after, on, limit)
    hits = [_hit(hit) for hit in row["hits"]] if row else []
    counts = row["counts"] if row else []
    return Found(
        hits=tuple(hits[:limit]),
        total=next((each["count"] for each in counts if each["filter"] == "total"), 0),
        more=len(hits) > limit,
        counts=_counts(counts),
        everywhere=next((each["count"] for each in counts if (each["filter"], each["value"]) == ("unit", "")), 0),
    )


def _hit(hit: dict[str, Any]) -> Hit:
    return Hit(**{**hit, "id": UUID(hit["id"]), "audience": tuple(hit["audience"])})


def _counts(rows: list[dict[str, Any]]) -> dict[str, list[Count]]:
    counts: dict[str, list[Count]] = {}
    for row in rows:
        if row["filter"] != "total" and row["value"]:
            counts.setdefault(row["filter"], []).append(Count(row["value"], row["count"], row["label"]))
    return counts


def _literal(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
