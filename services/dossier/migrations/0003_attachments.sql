-- An upload belongs to a draft, or to a dossier that is to be supplemented or gets scans of the desk; and it keeps what
-- examining it found.
ALTER TABLE upload
    ALTER COLUMN draft_id DROP NOT NULL,
    ADD COLUMN dossier_code text REFERENCES dossier,
    ADD COLUMN uploaded_by uuid,
    ADD COLUMN verdict text NOT NULL DEFAULT 'pending'
        CHECK (verdict IN ('pending', 'clean', 'infected', 'refused')),
    ADD COLUMN rule text,
    ADD COLUMN message text,
    ADD COLUMN pages int,
    ADD COLUMN examined_at timestamptz,
    ADD CONSTRAINT upload_of_one CHECK (num_nonnulls(draft_id, dossier_code) = 1),
    ADD CONSTRAINT upload_clean_has_pages CHECK (verdict <> 'clean' OR pages >= 1);
CREATE INDEX upload_of_dossier ON upload (dossier_code) WHERE dossier_code IS NOT NULL;
