-- One row a dossier: whoever changes anything about its money locks this row first. `version` counts its events.
CREATE TABLE bill (
    dossier_code  text    PRIMARY KEY,
    version       int     NOT NULL CHECK (version >= 0),
    over          boolean NOT NULL,
    unit          text,
    owner_ref     uuid,
    submitter_ref uuid
);

CREATE TABLE assessment (
    id           uuid   PRIMARY KEY,
    dossier_code text   NOT NULL REFERENCES bill,
    place        int    NOT NULL, -- the order in which they were asked for
    timing       text   NOT NULL,
    lines        jsonb  NOT NULL,
    amount       bigint NOT NULL CHECK (amount > 0),
    due_at       timestamptz,
    state        text   NOT NULL CHECK (state IN ('requested', 'paid', 'cancelled')),
    UNIQUE (dossier_code, place)
);
CREATE UNIQUE INDEX one_living_assessment ON assessment (dossier_code, timing) WHERE state <> 'cancelled';

CREATE TABLE attempt (
    id            uuid        PRIMARY KEY,
    assessment_id uuid        NOT NULL REFERENCES assessment,
    provider      text        NOT NULL,
    reference     text        NOT NULL,
    amount        bigint      NOT NULL CHECK (amount > 0),
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL CHECK (expires_at > created_at),
    state         text        NOT NULL CHECK (state IN ('redirected', 'succeeded', 'failed', 'cancelled', 'expired')),
    UNIQUE (provider, reference)
);

-- The ledger: each movement of money once, in two or more entries that add up to zero. Debits are positive.
CREATE TABLE posting (
    posting_id    uuid        PRIMARY KEY,
    dossier_code  text        NOT NULL REFERENCES bill,
    assessment_id uuid        NOT NULL REFERENCES assessment,
    attempt_id    uuid        NOT NULL REFERENCES attempt,
    provider      text        NOT NULL,
    transaction   text        NOT NULL CHECK (transaction <> ''),
    moved_at      timestamptz NOT NULL,
    pays          boolean     NOT NULL,
    booked_at     timestamptz NOT NULL DEFAULT now(),
    UNIQUE (provider, transaction)
);
CREATE UNIQUE INDEX paid_once ON posting (assessment_id) WHERE pays;
CREATE INDEX posting_of_dossier ON posting (dossier_code);

CREATE TABLE ledger_entry (
    posting_id uuid   NOT NULL REFERENCES posting,
    account    text   NOT NULL,
    amount     bigint NOT NULL CHECK (amount <> 0),
    PRIMARY KEY (posting_id, account)
);

CREATE FUNCTION posting_must_balance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT sum(amount) FROM ledger_entry WHERE posting_id = NEW.posting_id) IS DISTINCT FROM 0 THEN
        RAISE EXCEPTION 'posting % does not add up to zero', NEW.posting_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER balance AFTER INSERT ON posting
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION posting_must_balance();
CREATE CONSTRAINT TRIGGER balance AFTER INSERT ON ledger_entry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION posting_must_balance();

-- Receipt numbers have no gap: the number is taken in the transaction that uses it, under this row's lock.
CREATE TABLE receipt_series (
    symbol text NOT NULL,
    year   int  NOT NULL,
    last   int  NOT NULL CHECK (last BETWEEN 1 AND 9999999),
    PRIMARY KEY (symbol, year)
);

CREATE TABLE receipt (
    symbol        text        NOT NULL,
    year          int         NOT NULL,
    number        int         NOT NULL CHECK (number BETWEEN 1 AND 9999999),
    form_symbol   text        NOT NULL,
    kind          text        NOT NULL CHECK (kind IN ('phi', 'le_phi')),
    dossier_code  text        NOT NULL REFERENCES bill,
    assessment_id uuid        NOT NULL REFERENCES assessment,
    attempt_id    uuid        NOT NULL REFERENCES attempt,
    lines         jsonb       NOT NULL,
    amount        bigint      NOT NULL CHECK (amount > 0),
    issued_at     timestamptz NOT NULL,
    PRIMARY KEY (symbol, year, number),
    UNIQUE (attempt_id, kind)
);
CREATE INDEX receipt_of_dossier ON receipt (dossier_code);

-- Money that pays nothing and has to go back: work for a person.
CREATE TABLE refund_case (
    provider     text        NOT NULL,
    transaction  text        NOT NULL,
    dossier_code text        NOT NULL REFERENCES bill,
    attempt_id   uuid        NOT NULL REFERENCES attempt,
    amount       bigint      NOT NULL CHECK (amount > 0),
    reason       text        NOT NULL,
    opened_at    timestamptz NOT NULL,
    PRIMARY KEY (provider, transaction),
    FOREIGN KEY (provider, transaction) REFERENCES posting (provider, transaction)
);

-- Every call of a provider, believed or not, and what we answered.
CREATE TABLE provider_call (
    id        bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    called_at timestamptz NOT NULL DEFAULT now(),
    provider  text        NOT NULL,
    fields    jsonb       NOT NULL,
    answer    text        NOT NULL
);

-- What proves something is written once. The trigger stops mistakes, the missing right stops the application.
CREATE FUNCTION written_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER written_once BEFORE UPDATE OR DELETE ON posting FOR EACH ROW EXECUTE FUNCTION written_once();
CREATE TRIGGER written_once BEFORE UPDATE OR DELETE ON ledger_entry FOR EACH ROW EXECUTE FUNCTION written_once();
CREATE TRIGGER written_once BEFORE UPDATE OR DELETE ON provider_call FOR EACH ROW EXECUTE FUNCTION written_once();
CREATE TRIGGER written_once BEFORE DELETE ON receipt FOR EACH ROW EXECUTE FUNCTION written_once();
REVOKE UPDATE, DELETE ON posting, ledger_entry, provider_call FROM :app_role;
REVOKE DELETE ON receipt FROM :app_role;
