-- Every time a service was told how to reach the people of a dossier, as identity keeps it for accounts.
CREATE TABLE contact_disclosure (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dossier_code text NOT NULL REFERENCES dossier,
    told text NOT NULL,
    purpose text NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX contact_disclosure_of_dossier ON contact_disclosure (dossier_code);
