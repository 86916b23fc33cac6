-- What several people need to work on one dossier: the step of its workflow, who reads, who is asked, who looked.
ALTER TABLE dossier
    ADD COLUMN step text,
    ADD COLUMN step_role text,
    ADD COLUMN step_due_at timestamptz,
    ADD COLUMN refusal_proposed boolean NOT NULL DEFAULT false,
    ADD COLUMN approved_at timestamptz,
    ADD COLUMN consulted_unit text,
    ADD COLUMN reader_units text[] NOT NULL DEFAULT '{}',
    ADD COLUMN search_text text NOT NULL DEFAULT '';

-- Dossiers that were under way before: whose turn it is follows from their state.
UPDATE dossier SET step_role = CASE
    WHEN state IN ('accepted', 'assigned', 'in_process', 'consulting') THEN 'specialist'
    WHEN state = 'result_signed' THEN 'clerk'
    WHEN state = 'pending_approval' AND EXISTS (
        SELECT FROM result WHERE dossier_code = code AND signer_ref IS NOT NULL) THEN 'clerk'
    WHEN state = 'pending_approval' THEN 'leader' END;
UPDATE dossier SET approved_at = (SELECT signed_at FROM result WHERE dossier_code = code);

CREATE INDEX dossier_consulted ON dossier (consulted_unit, code) WHERE consulted_unit IS NOT NULL;

CREATE TABLE consultation (
    id uuid PRIMARY KEY,
    dossier_code text NOT NULL REFERENCES dossier,
    asking_unit text NOT NULL,
    consulted_unit text NOT NULL,
    question text NOT NULL,
    asked_by uuid NOT NULL,
    asked_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    outcome text,
    answer text,
    answered_by uuid,
    answered_at timestamptz,
    CHECK (due_at >= asked_at AND (answered_at IS NULL) = (outcome IS NULL))
);
CREATE INDEX consultation_of_dossier ON consultation (dossier_code, asked_at);
CREATE UNIQUE INDEX consultation_open ON consultation (dossier_code) WHERE answered_at IS NULL;
CREATE INDEX consultation_of_unit ON consultation (consulted_unit, due_at);

-- Which specialist of a unit gets new dossiers of a procedure (of any, without a code) without being asked.
CREATE TABLE standing_assignment (
    unit text NOT NULL,
    procedure_code text NOT NULL,
    officer_ref uuid NOT NULL,
    since timestamptz NOT NULL,
    ordered_by uuid NOT NULL,
    PRIMARY KEY (unit, procedure_code, officer_ref)
);

-- Inspections: who may read what beyond their unit, why, until when.
CREATE TABLE inspection (
    id uuid PRIMARY KEY,
    dossier_code text NOT NULL REFERENCES dossier,
    officer_ref uuid NOT NULL,
    unit text NOT NULL,
    reason text NOT NULL,
    opened_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL
);
CREATE INDEX inspection_of_dossier ON inspection (dossier_code, officer_ref, ends_at);

-- Every reading of a dossier by an officer.
CREATE TABLE reading (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dossier_code text NOT NULL REFERENCES dossier,
    officer_ref uuid NOT NULL,
    unit text NOT NULL,
    right_to_read text NOT NULL,
    what text NOT NULL,
    reason text,
    at timestamptz NOT NULL
);
CREATE INDEX reading_of_dossier ON reading (dossier_code, id);

-- A supervisor let a named rule be passed over, once.
CREATE TABLE exception_granted (
    id uuid PRIMARY KEY,
    dossier_code text NOT NULL REFERENCES dossier,
    rule text NOT NULL,
    reason text NOT NULL,
    granted_by uuid NOT NULL,
    unit text NOT NULL,
    granted_at timestamptz NOT NULL,
    used_at timestamptz,
    used_by uuid
);
CREATE UNIQUE INDEX exception_unused ON exception_granted (dossier_code, rule) WHERE used_at IS NULL;

-- Append-only: nobody takes back that they looked.
REVOKE UPDATE, DELETE ON reading, inspection FROM :app_role;
