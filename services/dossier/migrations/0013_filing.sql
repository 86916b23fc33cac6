-- A draft has a keeper: the citizen who fills it in, or the desk officer who does so for somebody.
ALTER TABLE draft RENAME COLUMN owner_ref TO keeper_ref;
ALTER TABLE draft
    ADD COLUMN keeper_unit text,
    ADD COLUMN unit_confirmed boolean NOT NULL DEFAULT true,
    ADD COLUMN on_behalf boolean NOT NULL DEFAULT false,
    ADD COLUMN submitter jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN owner jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN reach jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN copied_from text REFERENCES dossier;
ALTER INDEX draft_unsent RENAME TO draft_unsent_of_keeper;

-- A file of the draft that is not sent but taken from the document store, or from the dossier the draft is a copy of.
CREATE TABLE draft_link (
    id uuid PRIMARY KEY,
    draft_id uuid NOT NULL REFERENCES draft ON DELETE CASCADE,
    component_code text NOT NULL,
    document_id uuid REFERENCES document ON DELETE CASCADE,
    file_name text NOT NULL,
    content_type text NOT NULL,
    size bigint NOT NULL CHECK (size >= 1),
    sha256 text NOT NULL,
    pages int NOT NULL CHECK (pages >= 1),
    UNIQUE (draft_id, component_code, sha256)
);

ALTER TABLE dossier
    ADD COLUMN originals_by_post boolean NOT NULL DEFAULT false,
    ADD COLUMN assisted_by uuid;
CREATE INDEX dossier_of_submitter ON dossier (submitter_ref) WHERE submitter_ref <> owner_ref;

-- Who is behind a dossier, and how to reach them: private data that no event carries.
CREATE TABLE particulars (
    dossier_code text PRIMARY KEY REFERENCES dossier,
    details jsonb NOT NULL
);

-- Which documents of the store a dossier rests on, so that their validity is checked again when it is accepted. The
-- document may leave the store; what was filed stays filed.
CREATE TABLE document_use (
    file_id uuid PRIMARY KEY REFERENCES component_file,
    dossier_code text NOT NULL REFERENCES dossier,
    document_id uuid NOT NULL,
    valid_to date
);
CREATE INDEX document_use_of_dossier ON document_use (dossier_code);

-- What identity says of accounts: enough to give somebody the dossiers that were filed under their identity number.
CREATE TABLE account (
    ref uuid PRIMARY KEY,
    version int NOT NULL,
    identity_digest text,
    standardised_at timestamptz,
    is_open boolean NOT NULL
);
CREATE INDEX account_of_person ON account (identity_digest) WHERE identity_digest IS NOT NULL;
