-- A dossier may have had several clocks of a kind: each is kept, with the steps by which its end was computed.
ALTER TABLE clock DROP CONSTRAINT clock_pkey;
ALTER TABLE clock
    ADD COLUMN id uuid NOT NULL DEFAULT gen_random_uuid() PRIMARY KEY,
    ADD COLUMN key text NOT NULL DEFAULT '',
    ADD COLUMN unit text NOT NULL DEFAULT '',
    ADD COLUMN limit_rule jsonb NOT NULL DEFAULT '{"value": 0, "unit": "minute"}',
    ADD COLUMN steps jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN provisional boolean NOT NULL DEFAULT false,
    ADD COLUMN calendar_version text NOT NULL DEFAULT '',
    ADD COLUMN pauses jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN passed_at timestamptz;
ALTER TABLE clock ALTER COLUMN id DROP DEFAULT, ALTER COLUMN limit_rule DROP DEFAULT, ALTER COLUMN steps DROP DEFAULT;
UPDATE clock SET
    kind = CASE kind WHEN 'reception' THEN 'reception_sla' WHEN 'processing' THEN 'processing_deadline' ELSE kind END,
    unit = (SELECT current_unit FROM dossier WHERE code = dossier_code);
UPDATE timer SET kind = c.kind, payload = jsonb_build_object('clock', c.id) FROM clock c
WHERE timer.kind IN ('reception_deadline', 'processing_deadline') AND c.dossier_code = timer.key
  AND c.kind = CASE timer.kind WHEN 'reception_deadline' THEN 'reception_sla' ELSE 'processing_deadline' END;
CREATE UNIQUE INDEX clock_runs_once ON clock (dossier_code, kind, key) WHERE stopped_at IS NULL;
CREATE INDEX clock_of_dossier ON clock (dossier_code, started_at);
CREATE INDEX clock_passed ON clock (unit, due_at) WHERE passed_at IS NOT NULL AND stopped_at IS NULL;

-- Every policy profile that this installation was ever told of; a row never changes.
CREATE TABLE policy (
    version text PRIMARY KEY,
    effective_from date NOT NULL,
    effective_to date,
    definition jsonb NOT NULL,
    published_at timestamptz NOT NULL DEFAULT now()
);

-- What a dossier shows of its clocks, so that queues need not look at them.
ALTER TABLE dossier
    ADD COLUMN sla_state text NOT NULL DEFAULT 'on_time' CHECK (sla_state IN ('on_time', 'due_soon', 'overdue')),
    ADD COLUMN next_due_at timestamptz;
UPDATE dossier SET next_due_at = (
    SELECT min(due_at) FROM clock WHERE dossier_code = code AND stopped_at IS NULL
      AND kind IN ('reception_sla', 'processing_deadline'));
CREATE INDEX dossier_next_due ON dossier (current_unit, state, next_due_at, code)
    WHERE state NOT IN ('returned', 'rejected', 'withdrawn', 'stopped', 'closed_incomplete');
