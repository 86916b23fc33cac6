-- A dossier that is a member of an interlinked one, and what the interlinked one consists of.
ALTER TABLE dossier_view
    ADD COLUMN parent_code text,
    ADD COLUMN members     jsonb;
