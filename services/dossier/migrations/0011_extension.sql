-- Decisions to move an appointment: by an apology, at most as often as the law lets, or by more time that the law gives.
CREATE TABLE deadline_extension (
    id uuid PRIMARY KEY,
    dossier_code text NOT NULL REFERENCES dossier,
    kind text NOT NULL CHECK (kind IN ('apology', 'by_law')),
    reason text NOT NULL,
    legal_basis text NOT NULL,
    new_due_at timestamptz NOT NULL,
    decided_by uuid NOT NULL,
    decided_unit text NOT NULL,
    decided_at timestamptz NOT NULL,
    old_due_at timestamptz,
    published_by uuid,
    published_at timestamptz,
    mau04_ref text,
    CHECK ((published_at IS NULL) = (published_by IS NULL)),
    CHECK (new_due_at > old_due_at)
);
CREATE UNIQUE INDEX extension_decided_once ON deadline_extension (dossier_code) WHERE published_at IS NULL;
CREATE INDEX extension_of_dossier ON deadline_extension (dossier_code, decided_at);
