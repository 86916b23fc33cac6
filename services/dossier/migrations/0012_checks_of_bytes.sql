-- A check of signatures belongs to the bytes: copies and links of a file, in other dossiers, share it.
ALTER TABLE signature_check ADD COLUMN sha256 text;
UPDATE signature_check SET sha256 = f.sha256 FROM component_file f WHERE f.id = file_id;
ALTER TABLE signature_check ALTER COLUMN sha256 SET NOT NULL, DROP COLUMN file_id;
CREATE INDEX signature_check_of_bytes ON signature_check (sha256, id);
