-- Procedures that are filed only as members of an interlinked group are not listed for people to choose.
ALTER TABLE procedure_listing ADD COLUMN member_only boolean NOT NULL DEFAULT false;
