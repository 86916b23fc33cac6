-- Official forms (Mẫu 01–05): the facts are kept with the change they belong to; the signed document follows.
CREATE TABLE official_form (
    dossier_code text NOT NULL REFERENCES dossier,
    name text NOT NULL,
    form text NOT NULL CHECK (form IN ('mau-01', 'mau-02', 'mau-03', 'mau-04', 'mau-05')),
    facts jsonb NOT NULL,
    number int,
    ordered_at timestamptz NOT NULL,
    sha256 text CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    PRIMARY KEY (dossier_code, name)
);
