-- A document in place of a published one, on its way; and the documents that were replaced, which never change.
CREATE TABLE correction (
    dossier_code text PRIMARY KEY REFERENCES dossier,
    proposer_ref uuid NOT NULL,
    reason text NOT NULL,
    legal_basis text NOT NULL,
    document jsonb NOT NULL
);
CREATE TABLE replaced_result (
    dossier_code text NOT NULL REFERENCES dossier,
    sha256 text NOT NULL,
    document jsonb NOT NULL,
    replaced_by text NOT NULL,
    reason text NOT NULL,
    legal_basis text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (dossier_code, sha256)
);
REVOKE UPDATE, DELETE ON replaced_result FROM :app_role;
