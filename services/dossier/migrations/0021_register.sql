-- The register of a unit (Mẫu 07): what it took in, by the day of acceptance.
CREATE INDEX dossier_register ON dossier (receiving_unit, accepted_at) WHERE accepted_at IS NOT NULL;
