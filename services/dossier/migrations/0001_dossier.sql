-- The catalogue: one row per version of a procedure; a row is never changed but for what is current.
CREATE TABLE procedure (
    id uuid PRIMARY KEY,
    code text NOT NULL,
    version int NOT NULL CHECK (version >= 1),
    content_hash text NOT NULL,
    definition jsonb NOT NULL,
    search_text text NOT NULL,
    is_current boolean NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (code, version),
    UNIQUE (code, content_hash)
);
CREATE UNIQUE INDEX procedure_current ON procedure (code) WHERE is_current;

CREATE TABLE draft (
    id uuid PRIMARY KEY,
    owner_ref uuid NOT NULL,
    procedure_id uuid NOT NULL REFERENCES procedure,
    case_code text NOT NULL,
    receiving_unit text NOT NULL,
    answers jsonb NOT NULL DEFAULT '{}' CHECK (octet_length(answers::text) <= 262144),
    delivery text CHECK (delivery IN ('online', 'desk', 'post')),
    sms_opt_in boolean NOT NULL DEFAULT false,
    version int NOT NULL DEFAULT 1,
    dossier_code text UNIQUE,
    updated_at timestamptz NOT NULL
);
CREATE INDEX draft_unsent ON draft (owner_ref, updated_at) WHERE dossier_code IS NULL;

-- What somebody said they would send. What counts is decided when the draft is sent.
CREATE TABLE upload (
    id uuid PRIMARY KEY,
    draft_id uuid NOT NULL REFERENCES draft ON DELETE CASCADE,
    component_code text NOT NULL,
    file_name text NOT NULL,
    content_type text NOT NULL,
    size bigint NOT NULL CHECK (size BETWEEN 1 AND 20971520),
    sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    created_at timestamptz NOT NULL
);
CREATE INDEX upload_of_draft ON upload (draft_id);

CREATE TABLE code_counter (
    agency text NOT NULL,
    day date NOT NULL,
    last int NOT NULL,
    PRIMARY KEY (agency, day)
);

CREATE TABLE dossier (
    code text PRIMARY KEY,
    version int NOT NULL CHECK (version >= 1),
    state text NOT NULL,
    current_unit text NOT NULL,
    procedure_id uuid NOT NULL REFERENCES procedure,
    procedure_code text NOT NULL,
    procedure_version int NOT NULL,
    procedure_name text NOT NULL,
    case_code text NOT NULL,
    level text NOT NULL,
    receiving_unit text NOT NULL,
    competent_unit text NOT NULL,
    owner_ref uuid NOT NULL,
    owner_type text NOT NULL,
    owner_name text NOT NULL,
    submitter_ref uuid NOT NULL,
    channel text NOT NULL,
    delivery text NOT NULL,
    sms_opt_in boolean NOT NULL,
    answers jsonb NOT NULL,
    payment_state text NOT NULL,
    fee_timing text NOT NULL,
    fee_lines jsonb NOT NULL,
    submitted_at timestamptz,
    accepted_at timestamptz,
    due_at timestamptz,
    original_due_at timestamptz,
    policy_version text NOT NULL,
    acceptor_ref uuid,
    assignee_ref uuid,
    proposer_ref uuid,
    result_at timestamptz,
    outcome text,
    returned_at timestamptz,
    CHECK (submitted_at <= accepted_at AND accepted_at <= result_at AND result_at <= returned_at),
    CHECK (state <> 'returned' OR returned_at IS NOT NULL)
);
CREATE INDEX dossier_of_owner ON dossier (owner_ref);
CREATE INDEX dossier_queue ON dossier (current_unit, state, due_at, code)
    WHERE state NOT IN ('returned', 'rejected', 'withdrawn', 'stopped', 'closed_incomplete');

-- The exact files that were sent; a changed file is a new row.
CREATE TABLE component_file (
    id uuid PRIMARY KEY,
    dossier_code text NOT NULL REFERENCES dossier,
    component_code text NOT NULL,
    file_name text NOT NULL,
    content_type text NOT NULL,
    size bigint NOT NULL,
    sha256 text NOT NULL,
    pages int NOT NULL,
    source text NOT NULL,
    since_version int NOT NULL
);
CREATE INDEX component_file_of_dossier ON component_file (dossier_code);

CREATE TABLE history (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dossier_code text NOT NULL REFERENCES dossier,
    act text NOT NULL,
    label text NOT NULL,
    at timestamptz NOT NULL,
    actor_ref uuid,
    unit text,
    from_state text,
    to_state text NOT NULL,
    reason text
);
CREATE INDEX history_of_dossier ON history (dossier_code, id);

-- Each running or ended time limit, with the edition of the rules it was computed by.
CREATE TABLE clock (
    dossier_code text NOT NULL REFERENCES dossier,
    kind text NOT NULL,
    started_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    stopped_at timestamptz,
    policy_version text NOT NULL,
    PRIMARY KEY (dossier_code, kind),
    CHECK (due_at >= started_at)
);

CREATE TABLE result (
    dossier_code text PRIMARY KEY REFERENCES dossier,
    state text NOT NULL CHECK (state IN ('draft', 'signed_by_leader', 'numbered', 'published')),
    document_type text NOT NULL,
    symbol text NOT NULL,
    sha256 text NOT NULL,
    drafted_at timestamptz NOT NULL,
    signer_ref uuid,
    signed_at timestamptz,
    number int,
    number_year int,
    numbered_at timestamptz,
    verification text NOT NULL,
    issued_at timestamptz,
    valid_to date,
    CHECK (state <> 'published' OR (verification = 'valid' AND number IS NOT NULL AND signer_ref IS NOT NULL))
);

CREATE TABLE document_counter (
    unit text NOT NULL,
    year int NOT NULL,
    symbol text NOT NULL,
    last int NOT NULL,
    PRIMARY KEY (unit, year, symbol)
);

-- The citizen's document store (kho quản lý dữ liệu điện tử).
CREATE TABLE document (
    id uuid PRIMARY KEY,
    owner_ref uuid NOT NULL,
    dossier_code text NOT NULL UNIQUE REFERENCES dossier,
    result_code text NOT NULL,
    name text NOT NULL,
    issuer_unit text NOT NULL,
    number text NOT NULL,
    sha256 text NOT NULL,
    issued_at timestamptz NOT NULL,
    valid_to date
);
CREATE INDEX document_of_owner ON document (owner_ref, issued_at);

-- Append-only: the application may add lines and files, never change or remove them.
REVOKE UPDATE, DELETE ON history, component_file FROM :app_role;
