-- What statistics need of one dossier, and nothing else: `statistics` is counted from these rows alone. Beside
-- dossier_view, because these columns are indexed and that row changes with every event.
CREATE TABLE dossier_facts (
    code               text        PRIMARY KEY,
    version            int         NOT NULL DEFAULT 0,
    payment_version    int         NOT NULL DEFAULT 0,
    procedure_code     text,
    receiving_unit     text,
    competent_unit     text,
    channel            text,         -- online, direct or post
    offered_online     boolean,
    submitted_at       timestamptz,
    accepted_at        timestamptz,  -- the first time
    outcome            text,         -- how it ended: early, on_time, late, refused_intake, refused, withdrawn, stopped, closed
    ended_at           timestamptz,
    result_electronic  boolean,      -- the result's file has a valid digital signature
    components         int,          -- as it was sent
    from_store         int,
    from_database      int,
    papers             int,
    papers_scanned     int,
    reception_missed_at timestamptz, -- the first time
    apologised_at      timestamptz,
    -- Where it was since when, in order; the last one until it ended. Classes: reception, running, supplement,
    -- obligation. `span_due` is until when a result counts as in time, of `running` alone.
    span_class         text[]        NOT NULL DEFAULT '{}',
    span_since         timestamptz[] NOT NULL DEFAULT '{}',
    span_due           timestamptz[] NOT NULL DEFAULT '{}',
    -- Every supplement request, in order.
    asked_stage        text[]        NOT NULL DEFAULT '{}',
    asked_at           timestamptz[] NOT NULL DEFAULT '{}',
    asked_violation    boolean[]     NOT NULL DEFAULT '{}',
    paid_at            timestamptz,  -- a fee was paid in full, the first time
    paid_online        boolean,      -- and no payment went another way
    asked_last timestamptz GENERATED ALWAYS AS (asked_at[cardinality(asked_at)]) STORED,
    pending text GENERATED ALWAYS AS (
        CASE WHEN ended_at IS NULL THEN span_class[cardinality(span_class)] END) STORED,
    due_at timestamptz GENERATED ALWAYS AS (
        CASE WHEN ended_at IS NULL THEN span_due[cardinality(span_due)] END) STORED
) WITH (fillfactor = 80);

-- A figure is opened down to its dossiers: one index for each moment that figures are dated by.
CREATE INDEX dossier_facts_received ON dossier_facts (competent_unit, channel, submitted_at, code);
CREATE INDEX dossier_facts_accepted ON dossier_facts (competent_unit, accepted_at, code) WHERE accepted_at IS NOT NULL;
CREATE INDEX dossier_facts_ended ON dossier_facts (competent_unit, outcome, ended_at, code) WHERE ended_at IS NOT NULL;
CREATE INDEX dossier_facts_pending ON dossier_facts (competent_unit, pending, submitted_at, code)
    WHERE pending IS NOT NULL;
CREATE INDEX dossier_facts_due ON dossier_facts (competent_unit, due_at, code) INCLUDE (procedure_code)
    WHERE pending = 'running';
CREATE INDEX dossier_facts_paid ON dossier_facts (competent_unit, paid_at, code) WHERE paid_at IS NOT NULL;
CREATE INDEX dossier_facts_missed ON dossier_facts (receiving_unit, reception_missed_at, code)
    WHERE reception_missed_at IS NOT NULL;
CREATE INDEX dossier_facts_apologised ON dossier_facts (competent_unit, apologised_at, code)
    WHERE apologised_at IS NOT NULL;
CREATE INDEX dossier_facts_asked ON dossier_facts (asked_last, code) WHERE asked_last IS NOT NULL;

-- The counters: what dossier_facts adds up to, for each unit, procedure and month of Viet Nam's calendar. The columns
-- that end in `_net` are changes of a stock: what was pending at the end of a month is their sum up to that month.
-- A transaction writes rows of a slot that no other is writing, so projections never wait for each other here; a figure
-- is the sum over the slots.
CREATE TABLE statistics (
    slot               smallint NOT NULL,
    unit               text NOT NULL,
    procedure_code     text NOT NULL,
    month              date NOT NULL,  -- its first day
    received_online    bigint NOT NULL DEFAULT 0,
    received_direct    bigint NOT NULL DEFAULT 0,
    received_post      bigint NOT NULL DEFAULT 0,
    received_offered   bigint NOT NULL DEFAULT 0,
    components         bigint NOT NULL DEFAULT 0,
    components_store   bigint NOT NULL DEFAULT 0,
    components_database bigint NOT NULL DEFAULT 0,
    reusing            bigint NOT NULL DEFAULT 0,
    papers             bigint NOT NULL DEFAULT 0,
    papers_digitised   bigint NOT NULL DEFAULT 0,
    accepted           bigint NOT NULL DEFAULT 0,
    settled_early      bigint NOT NULL DEFAULT 0,
    settled_on_time    bigint NOT NULL DEFAULT 0,
    settled_late       bigint NOT NULL DEFAULT 0,
    results_digital    bigint NOT NULL DEFAULT 0,
    refused_intake     bigint NOT NULL DEFAULT 0,
    refused            bigint NOT NULL DEFAULT 0,
    withdrawn          bigint NOT NULL DEFAULT 0,
    stopped            bigint NOT NULL DEFAULT 0,
    closed             bigint NOT NULL DEFAULT 0,
    reception_missed   bigint NOT NULL DEFAULT 0,
    apologies          bigint NOT NULL DEFAULT 0,
    supplements        bigint NOT NULL DEFAULT 0,
    supplemented_again bigint NOT NULL DEFAULT 0,
    violations         bigint NOT NULL DEFAULT 0,
    paid               bigint NOT NULL DEFAULT 0,
    paid_online        bigint NOT NULL DEFAULT 0,
    reception_net      bigint NOT NULL DEFAULT 0,
    running_net        bigint NOT NULL DEFAULT 0,
    supplement_net     bigint NOT NULL DEFAULT 0,
    obligation_net     bigint NOT NULL DEFAULT 0,
    over_net           bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (unit, procedure_code, month, slot)
) WITH (fillfactor = 50);  -- the same few rows change all the time: they stay on their page

-- What procedures are called, as their newest version says.
CREATE TABLE procedure_view (
    procedure_code text PRIMARY KEY,
    version        int  NOT NULL,
    name           text NOT NULL
);
