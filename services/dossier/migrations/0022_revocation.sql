-- A published result may be revoked: its file and number stay, it serves nobody any more.
ALTER TABLE result
    DROP CONSTRAINT result_state_check,
    ADD CONSTRAINT result_state_check CHECK (state IN ('draft', 'signed_by_leader', 'numbered', 'published', 'revoked'));

-- Who revoked which document, and why; never changed.
CREATE TABLE result_revocation (
    dossier_code text PRIMARY KEY REFERENCES dossier,
    sha256 text NOT NULL,
    number text NOT NULL,
    reason text NOT NULL,
    legal_basis text NOT NULL,
    officer_ref uuid NOT NULL,
    unit text NOT NULL,
    at timestamptz NOT NULL
);
REVOKE UPDATE, DELETE ON result_revocation FROM :app_role;
