-- What registers list, search and watch by: the units, the day it was received, whether it is over.
ALTER TABLE dossier_view
    ADD COLUMN receiving_unit text,
    ADD COLUMN competent_unit text,
    ADD COLUMN channel        text,
    ADD COLUMN ended_at       timestamptz,  -- issued, or over without a result: no appointment runs any more
    ADD COLUMN received_at    timestamptz GENERATED ALWAYS AS (coalesce(accepted_at, submitted_at)) STORED;

-- What an earlier version projected knows its receiving unit from its history, the rest from the next rebuild.
UPDATE dossier_view AS d SET receiving_unit = h.unit, competent_unit = h.unit
FROM history AS h
WHERE h.code = d.code AND h.type IN ('DossierAwaitingPayment', 'DossierSubmitted', 'InterlinkedSubmitted');

-- A unit's register, in order of the day received. Who takes in, who decides and who has it now are three lists that
-- share no dossier; the second and third are short, because mostly it is one and the same unit.
CREATE INDEX dossier_view_received ON dossier_view (receiving_unit, received_at, code);
CREATE INDEX dossier_view_decided ON dossier_view (competent_unit, received_at, code)
    WHERE competent_unit <> receiving_unit;
CREATE INDEX dossier_view_held ON dossier_view (unit, received_at, code)
    WHERE unit <> receiving_unit AND unit <> competent_unit;
CREATE INDEX dossier_view_received_anywhere ON dossier_view (received_at, code);

-- What still has to be settled, the most urgent first: a small part of all.
CREATE INDEX dossier_view_open ON dossier_view (receiving_unit, due_at, code) WHERE ended_at IS NULL;
CREATE INDEX dossier_view_open_decided ON dossier_view (competent_unit, due_at, code)
    WHERE ended_at IS NULL AND competent_unit <> receiving_unit;
CREATE INDEX dossier_view_open_held ON dossier_view (unit, due_at, code)
    WHERE ended_at IS NULL AND unit <> receiving_unit AND unit <> competent_unit;
CREATE INDEX dossier_view_open_anywhere ON dossier_view (due_at, code) WHERE ended_at IS NULL;

-- A code by how it begins, or by its last digits. Byte order, whatever the database's collation.
CREATE INDEX dossier_view_beginning ON dossier_view (code text_pattern_ops);
CREATE INDEX dossier_view_ending ON dossier_view (receiving_unit, reverse(code) text_pattern_ops);
CREATE INDEX dossier_view_ending_decided ON dossier_view (competent_unit, reverse(code) text_pattern_ops)
    WHERE competent_unit <> receiving_unit;
CREATE INDEX dossier_view_ending_held ON dossier_view (unit, reverse(code) text_pattern_ops)
    WHERE unit <> receiving_unit AND unit <> competent_unit;

-- From a person's number to their accounts.
CREATE INDEX account_view_of_person ON account_view (identity_digest) WHERE identity_digest IS NOT NULL;

-- Who looked at what. It is no projection: it cannot be made anew, and the application can only add to it.
CREATE TABLE access (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at           timestamptz NOT NULL DEFAULT now(),
    officer_ref  uuid        NOT NULL,
    unit         text        NOT NULL,
    roles        text[]      NOT NULL,
    what         text        NOT NULL,  -- dossier, control_sheet, register, search, export
    access_right text        NOT NULL,  -- unit or inspection
    reason       text,
    criteria     jsonb       NOT NULL,  -- what was asked for; never a person's number or name
    rows         int         NOT NULL,  -- how many dossiers were shown
    codes        text[]      NOT NULL   -- which; of an export, the first ones
);
CREATE INDEX access_of_dossier ON access USING gin (codes);
REVOKE UPDATE, DELETE ON access FROM :app_role;
