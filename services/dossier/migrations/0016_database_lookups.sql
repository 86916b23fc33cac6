-- Who asked a database, what for, by which law, when, and whether it could say: never what it said, nor about whom but
-- for a keyed digest. Lines are kept; only the outcome and the dossier they were for come later.
CREATE TABLE database_lookup (
    id uuid PRIMARY KEY,
    database_code text NOT NULL,
    kind text NOT NULL,
    asked_at timestamptz NOT NULL,
    asked_by uuid NOT NULL,
    purpose text NOT NULL,
    legal_basis text NOT NULL,
    subject_digest bytea NOT NULL CHECK (octet_length(subject_digest) = 32),
    draft_id uuid,
    dossier_code text,
    component_code text,
    outcome text NOT NULL CHECK (outcome IN ('asked', 'found', 'not_found', 'unavailable')),
    answered_at timestamptz
);
CREATE INDEX database_lookup_of_dossier ON database_lookup (dossier_code) WHERE dossier_code IS NOT NULL;

REVOKE DELETE ON database_lookup FROM :app_role;
