-- What checking the digital signatures of an upload gave, and every later check of a file of a dossier.
ALTER TABLE upload ADD COLUMN report jsonb;

CREATE TABLE signature_check (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    file_id uuid NOT NULL REFERENCES component_file,
    status text NOT NULL CHECK (status IN ('not_signed', 'valid', 'invalid', 'indeterminate')),
    verified_by text NOT NULL CHECK (verified_by IN ('machine', 'officer')),
    verified_at timestamptz NOT NULL,
    officer_ref uuid,
    note text,
    report jsonb,
    CHECK ((verified_by = 'officer') = (officer_ref IS NOT NULL)),
    CHECK ((verified_by = 'machine') = (report IS NOT NULL))
);
CREATE INDEX signature_check_of_file ON signature_check (file_id, id);

REVOKE UPDATE, DELETE ON signature_check FROM :app_role;
