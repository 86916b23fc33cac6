-- Money moves in more ways than into the ledger: refunds, reversals and settlements have provider's numbers of their own.
ALTER TABLE posting ADD COLUMN movement text NOT NULL DEFAULT 'capture'
    CHECK (movement IN ('capture', 'refund', 'reversal', 'settlement'));
ALTER TABLE posting ADD COLUMN amount bigint;
ALTER TABLE posting DISABLE TRIGGER written_once;
UPDATE posting SET amount = (SELECT sum(amount) FROM ledger_entry e WHERE e.posting_id = posting.posting_id AND amount > 0);
ALTER TABLE posting ENABLE TRIGGER written_once;
ALTER TABLE posting ALTER COLUMN amount SET NOT NULL;
ALTER TABLE posting ALTER COLUMN dossier_code DROP NOT NULL;
ALTER TABLE posting ALTER COLUMN assessment_id DROP NOT NULL;
ALTER TABLE posting ALTER COLUMN attempt_id DROP NOT NULL;
ALTER TABLE posting ADD CHECK (movement = 'settlement' OR num_nulls(dossier_code, assessment_id, attempt_id) = 0);

ALTER TABLE refund_case DROP CONSTRAINT refund_case_provider_transaction_fkey;
ALTER TABLE posting DROP CONSTRAINT posting_provider_transaction_key;
CREATE UNIQUE INDEX moved_once ON posting (provider, transaction, movement);
CREATE INDEX posting_by_day ON posting (provider, moved_at);
-- What an assessment was paid with can be given back once.
CREATE UNIQUE INDEX given_back_once ON posting (attempt_id, movement) WHERE movement IN ('refund', 'reversal');

ALTER TABLE assessment DROP CONSTRAINT assessment_state_check;
ALTER TABLE assessment ADD CHECK (state IN ('requested', 'paid', 'waived', 'refunded', 'cancelled'));
ALTER TABLE attempt DROP CONSTRAINT attempt_state_check;
ALTER TABLE attempt
    ADD CHECK (state IN ('created', 'redirected', 'succeeded', 'failed', 'cancelled', 'expired'));

-- Who lifted a fee, and who took cash.
CREATE TABLE waiver (
    assessment_id uuid PRIMARY KEY REFERENCES assessment,
    officer_ref   uuid NOT NULL,
    reason        text NOT NULL,
    document_ref  text,
    at            timestamptz NOT NULL
);
CREATE TABLE cashier_entry (
    attempt_id  uuid PRIMARY KEY REFERENCES attempt,
    cashier_ref uuid NOT NULL,
    unit        text NOT NULL,
    method      text NOT NULL CHECK (method IN ('cash', 'transfer')),
    at          timestamptz NOT NULL
);

-- Money that goes back: by itself where the provider can, through two persons otherwise.
ALTER TABLE refund_case
    ADD COLUMN id           uuid        NOT NULL DEFAULT gen_random_uuid() UNIQUE,
    ADD COLUMN assessment_id uuid       REFERENCES assessment,
    ADD COLUMN state        text        NOT NULL DEFAULT 'requested'
        CHECK (state IN ('requested', 'approved', 'done', 'declined')),
    ADD COLUMN surplus      boolean     NOT NULL DEFAULT true,
    ADD COLUMN by_hand      boolean     NOT NULL DEFAULT true,
    ADD COLUMN proposer_ref uuid,
    ADD COLUMN approver_ref uuid,
    ADD COLUMN payer_ref    uuid,
    ADD COLUMN provider_txn text,
    ADD COLUMN refunded_at  timestamptz,
    ADD COLUMN note         text,
    ADD CHECK (state <> 'done' OR (provider_txn IS NOT NULL AND refunded_at IS NOT NULL)),
    ADD CHECK (NOT (surplus = false AND state IN ('approved', 'done') AND approver_ref IS NOT DISTINCT FROM proposer_ref)),
    ADD CHECK (NOT (by_hand AND state = 'done' AND approver_ref IS NOT DISTINCT FROM payer_ref));
UPDATE refund_case SET assessment_id = (SELECT assessment_id FROM attempt WHERE attempt.id = attempt_id);
CREATE INDEX refund_open ON refund_case (opened_at) WHERE state IN ('requested', 'approved');

-- A receipt that is cancelled keeps its number. Its file is made after the payment.
ALTER TABLE receipt
    ADD COLUMN state         text NOT NULL DEFAULT 'issued' CHECK (state IN ('issued', 'cancelled')),
    ADD COLUMN cancelled_at  timestamptz,
    ADD COLUMN cancel_reason text,
    ADD COLUMN canceller_ref uuid,
    ADD COLUMN sha256        text,
    ADD CHECK ((state = 'cancelled') = (cancelled_at IS NOT NULL));

-- What a provider or the bank says about a period, as it was imported, line by line.
CREATE TABLE statement (
    id          uuid        PRIMARY KEY,
    provider    text        NOT NULL,
    sha256      text        NOT NULL,
    file_name   text        NOT NULL,
    from_day    date        NOT NULL,
    to_day      date        NOT NULL CHECK (to_day >= from_day),
    officer_ref uuid        NOT NULL,
    imported_at timestamptz NOT NULL,
    done_at     timestamptz,
    UNIQUE (provider, sha256)
);
CREATE TABLE statement_line (
    statement_id uuid        NOT NULL REFERENCES statement,
    place        int         NOT NULL,
    movement     text        NOT NULL CHECK (movement IN ('capture', 'refund', 'reversal')),
    transaction  text        NOT NULL,
    reference    text        NOT NULL,
    amount       bigint      NOT NULL CHECK (amount > 0),
    moved_at     timestamptz NOT NULL,
    settled_on   date,
    bucket       text        CHECK (bucket IN ('matched', 'found', 'theirs_only', 'differs')),
    PRIMARY KEY (statement_id, place)
);
CREATE INDEX statement_line_open ON statement_line (statement_id, place) WHERE bucket IS NULL;
CREATE INDEX statement_line_transaction ON statement_line (transaction, movement);

-- What a machine cannot decide.
CREATE TABLE review_case (
    id           uuid        PRIMARY KEY,
    kind         text        NOT NULL,
    provider     text        NOT NULL,
    transaction  text        NOT NULL,
    reference    text        NOT NULL DEFAULT '',
    dossier_code text,
    amount       bigint      NOT NULL,
    expected     bigint,
    opened_at    timestamptz NOT NULL,
    resolved_at  timestamptz,
    resolver_ref uuid,
    note         text,
    UNIQUE (kind, provider, transaction),
    CHECK ((resolved_at IS NULL) = (resolver_ref IS NULL))
);
CREATE INDEX review_open ON review_case (opened_at) WHERE resolved_at IS NULL;

CREATE TRIGGER written_once BEFORE UPDATE OR DELETE ON waiver FOR EACH ROW EXECUTE FUNCTION written_once();
CREATE TRIGGER written_once BEFORE UPDATE OR DELETE ON cashier_entry FOR EACH ROW EXECUTE FUNCTION written_once();
REVOKE UPDATE, DELETE ON waiver, cashier_entry FROM :app_role;
REVOKE DELETE ON statement, statement_line, review_case FROM :app_role;
