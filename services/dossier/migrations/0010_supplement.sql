-- What the applicant is asked to put right. Issued requests count, whatever became of them.
CREATE TABLE supplement_request (
    id uuid PRIMARY KEY,
    dossier_code text NOT NULL REFERENCES dossier,
    stage text NOT NULL CHECK (stage IN ('intake', 'processing')),
    state text NOT NULL CHECK (state IN ('drafted', 'approved', 'open', 'answered', 'expired', 'discarded')),
    round int CHECK (round >= 1),
    ask jsonb NOT NULL CHECK (jsonb_array_length(ask -> 'items') >= 1),
    reply jsonb NOT NULL CHECK (octet_length(reply::text) <= 262144),
    requested_by uuid NOT NULL,
    requested_unit text NOT NULL,
    drafted_at timestamptz NOT NULL,
    approved_by uuid,
    issued_by uuid,
    issued_unit text,
    issued_at timestamptz,
    due_at timestamptz,
    answered_at timestamptz,
    violations text[] NOT NULL DEFAULT '{}',
    mau02_ref text,
    answers_before jsonb,
    CHECK (state NOT IN ('open', 'answered', 'expired') OR (round IS NOT NULL AND issued_at IS NOT NULL)),
    CHECK (state <> 'answered' OR answered_at IS NOT NULL)
);
CREATE UNIQUE INDEX supplement_open_once ON supplement_request (dossier_code) WHERE state = 'open';
CREATE UNIQUE INDEX supplement_drafted_once ON supplement_request (dossier_code) WHERE state IN ('drafted', 'approved');
CREATE UNIQUE INDEX supplement_round ON supplement_request (dossier_code, round) WHERE round IS NOT NULL;

-- Requests that broke the once-only rule or came too late, for oversight. Never changed, never removed.
CREATE TABLE supplement_violation (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request_id uuid NOT NULL UNIQUE REFERENCES supplement_request,
    dossier_code text NOT NULL REFERENCES dossier,
    round int NOT NULL,
    why text[] NOT NULL CHECK (cardinality(why) >= 1),
    officer_ref uuid NOT NULL,
    unit text NOT NULL,
    issued_by uuid NOT NULL,
    override_reason text,
    at timestamptz NOT NULL
);
CREATE INDEX supplement_violation_of_unit ON supplement_violation (unit, id);
REVOKE UPDATE, DELETE ON supplement_violation FROM :app_role;
