-- Everything here can be thrown away and rebuilt from the events: no clock and no sequence decides what is shown of a dossier.

-- What the look-up shows of one dossier. Two sources write it, each its own columns and its own version, so that their
-- order against each other does not matter; version 0 = the dossier's own channel has not spoken yet, the row is not shown.
CREATE TABLE dossier_view (
    code             text        PRIMARY KEY,
    version          int         NOT NULL DEFAULT 0,
    procedure_code   text,
    procedure_name   text,
    state            text,
    unit             text,
    owner_ref        uuid,
    submitter_ref    uuid,
    delivery         text,
    submitted_at     timestamptz,
    accepted_at      timestamptz,
    due_at           timestamptz,
    supplement_due_at timestamptz,
    issued_at        timestamptz,
    returned_at      timestamptz,
    punctuality      text,
    result_ref       text,
    payment_version  int         NOT NULL DEFAULT 0,
    fee_state        text,
    fee_amount       bigint,
    fee_timing       text,
    fee_due_at       timestamptz,

    -- The national status, 1 to 10, is a function of the state and of whether the desk had accepted it.
    status smallint GENERATED ALWAYS AS (
        CASE
            WHEN state = 'submitted' THEN 1
            WHEN state = 'supplement_submitted' THEN CASE WHEN accepted_at IS NULL THEN 1 ELSE 4 END
            WHEN state = 'accepted' THEN 2
            WHEN state = 'rejected' THEN CASE WHEN accepted_at IS NULL THEN 3 ELSE 8 END
            WHEN state IN ('supplement_requested_intake', 'supplement_requested_processing') THEN 5
            WHEN state IN ('awaiting_prepayment', 'awaiting_financial_obligation') THEN 6
            WHEN state = 'withdrawn' THEN 7
            WHEN state IN ('stopped', 'closed_incomplete') THEN 8
            WHEN state = 'result_ready' THEN 9
            WHEN state = 'returned' THEN 10
            WHEN state IS NOT NULL THEN 4
        END
    ) STORED,

    -- The citizen's folder. A fee that holds the dossier up moves it to the folder where the code to pay is found.
    folder text GENERATED ALWAYS AS (
        CASE
            WHEN state IN ('rejected', 'withdrawn', 'stopped', 'closed_incomplete') THEN 'sent_back'
            WHEN state = 'returned' THEN 'result_returned'
            WHEN state IN ('supplement_requested_intake', 'supplement_requested_processing') THEN 'supplement_requested'
            WHEN state IN ('awaiting_prepayment', 'awaiting_financial_obligation') THEN 'awaiting_payment'
            WHEN fee_state = 'requested' AND (fee_timing <> 'at_result' OR state = 'result_ready') THEN 'awaiting_payment'
            WHEN state = 'submitted' OR (state = 'supplement_submitted' AND accepted_at IS NULL) THEN 'sent'
            WHEN state IS NOT NULL THEN 'in_progress'
        END
    ) STORED
) WITH (fillfactor = 80);  -- no column that changes is indexed, so an update stays on its page

CREATE INDEX dossier_view_of_owner ON dossier_view (owner_ref, submitted_at DESC, code DESC);
CREATE INDEX dossier_view_of_submitter ON dossier_view (submitter_ref, submitted_at DESC, code DESC)
    WHERE submitter_ref <> owner_ref;

-- Every fact that was heard about a dossier, for "Xem quá trình xử lý hồ sơ".
CREATE TABLE history (
    code    text        NOT NULL,
    source  text        NOT NULL,  -- which service said it: its versions count apart
    version int         NOT NULL,
    type    text        NOT NULL,
    at      timestamptz NOT NULL,
    unit    text,
    detail  jsonb,                 -- what the citizen reads of it, if there is more than its name
    PRIMARY KEY (code, source, version)
);

-- What became of the messages about a dossier: which way, which text, never what it said or where it went.
CREATE TABLE message_view (
    message_id uuid PRIMARY KEY,
    code       text        NOT NULL,
    template   text        NOT NULL,
    channel    text        NOT NULL,
    reason     text,       -- why it was given up; null when it arrived
    at         timestamptz NOT NULL
);
CREATE INDEX message_view_of_dossier ON message_view (code, at);

-- Who may prove to be somebody by an identity number: the mask to show and the digest to compare, nothing to read.
CREATE TABLE account_view (
    account_ref     uuid PRIMARY KEY,
    version         int  NOT NULL,
    masked_name     text,
    identity_digest text
);

-- When the projection last took something in. Several rows, so that parallel projections do not queue for one.
CREATE TABLE freshness (
    slot     smallint    PRIMARY KEY,
    heard_at timestamptz NOT NULL
) WITH (fillfactor = 20);
