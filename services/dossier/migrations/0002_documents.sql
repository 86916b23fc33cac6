-- The document store holds results and, only with consent, papers that somebody provided once.
CREATE TABLE consent (
    id uuid PRIMARY KEY,
    subject_ref uuid NOT NULL,
    purpose text NOT NULL CHECK (purpose IN ('document_reuse', 'autofill')),
    data_categories text[] NOT NULL CHECK (cardinality(data_categories) > 0),
    text_version text NOT NULL,
    channel text NOT NULL,
    given_at timestamptz NOT NULL,
    withdrawn_at timestamptz CHECK (withdrawn_at >= given_at)
);
CREATE UNIQUE INDEX consent_in_force ON consent (subject_ref, purpose) WHERE withdrawn_at IS NULL;

ALTER TABLE document
    DROP CONSTRAINT document_dossier_code_key,
    ALTER COLUMN result_code DROP NOT NULL,
    ALTER COLUMN issuer_unit DROP NOT NULL,
    ALTER COLUMN number DROP NOT NULL,
    ADD COLUMN component_code text,
    ADD COLUMN content_type text NOT NULL DEFAULT 'application/pdf',
    ADD COLUMN consent_id uuid REFERENCES consent,
    ADD COLUMN revoked_at timestamptz,
    ADD CONSTRAINT document_is_result_or_provided CHECK (num_nonnulls(result_code, component_code) = 1),
    ADD CONSTRAINT document_provided_with_consent CHECK (component_code IS NULL OR consent_id IS NOT NULL);
CREATE UNIQUE INDEX document_of_result ON document (dossier_code, number) WHERE result_code IS NOT NULL;
CREATE UNIQUE INDEX document_provided ON document (owner_ref, component_code, sha256) WHERE component_code IS NOT NULL;
CREATE INDEX document_of_consent ON document (consent_id) WHERE consent_id IS NOT NULL;
