-- Members of an interlinked group (liên thông) are dossiers of their own that name their parent, which is one too.
ALTER TABLE dossier ADD COLUMN parent_code text REFERENCES dossier CHECK (parent_code <> code);
CREATE INDEX dossier_of_parent ON dossier (parent_code) WHERE parent_code IS NOT NULL;
