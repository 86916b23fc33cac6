-- How each published version is found, and on which days it counts: one narrow row, so that a search reads these alone.
-- A version is current from valid_from until the day before superseded_from. A version that is only proposed has no row.
CREATE TABLE procedure_listing (
    procedure_id uuid PRIMARY KEY REFERENCES procedure,
    code text NOT NULL,
    valid_from date NOT NULL,
    superseded_from date NOT NULL DEFAULT 'infinity',
    closes_after date NOT NULL DEFAULT 'infinity',
    retired boolean NOT NULL,
    name text NOT NULL,
    summary text NOT NULL,
    sort_name text NOT NULL,
    search_text text NOT NULL,
    field_code text NOT NULL,
    field_name text NOT NULL,
    agency_level text NOT NULL,
    service_level text NOT NULL,
    unit_levels jsonb NOT NULL,
    units text[] NOT NULL,
    audience text[] NOT NULL,
    life_events text[] NOT NULL
);
CREATE INDEX procedure_listing_code ON procedure_listing (code, valid_from);

-- What the release before knew. New versions are listed by the application; its next start lists those of the files.
INSERT INTO procedure_listing
SELECT id, code, '-infinity', CASE WHEN is_current THEN 'infinity'::date ELSE '-infinity'::date END, 'infinity', false,
    definition->>'name', coalesce(definition->>'summary', ''), search_text, search_text,
    definition->'field'->>'code', definition->'field'->>'name', coalesce(definition->>'competent_level', ''),
    definition->>'service_level', '{}', '{}',
    ARRAY(SELECT jsonb_array_elements_text(coalesce(definition->'audience', '[]'))), '{}'
FROM procedure;

-- procedure.is_current is written no more: replicas of the release before read it while they are being replaced. The
-- next release drops it.
ALTER TABLE procedure ALTER COLUMN is_current SET DEFAULT false;
ALTER TABLE procedure ADD COLUMN proposed_by uuid, ADD COLUMN published_by uuid;
