-- ── the journal: every public event once, as it goes out to other systems ──

-- What a dossier's filing tells about who may hear of it.
CREATE TABLE journal_dossier (
    dossier_code   text PRIMARY KEY,
    procedure_code text NOT NULL,
    receiving_unit text NOT NULL,
    competent_unit text NOT NULL
);

-- Commits follow `seq`: writers hold an advisory lock from their first number to their commit.
CREATE TABLE journal (
    seq            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id       uuid        NOT NULL,
    type           text        NOT NULL,
    channel        text        NOT NULL,
    dossier_code   text        NOT NULL,
    version        int         NOT NULL,
    occurred_at    timestamptz NOT NULL,
    recorded_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    traceparent    text,
    body           bytea       NOT NULL, -- the structured CloudEvent
    procedure_code text        NOT NULL,
    receiving_unit text        NOT NULL,
    competent_unit text        NOT NULL,
    UNIQUE (channel, dossier_code, version)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);
CREATE INDEX journal_age ON journal (recorded_at);
CREATE INDEX journal_event ON journal (event_id);

-- What was heard before its dossier's filing: nobody can say yet who may hear it.
CREATE TABLE journal_early (
    event_id     uuid        NOT NULL,
    type         text        NOT NULL,
    channel      text        NOT NULL,
    dossier_code text        NOT NULL,
    version      int         NOT NULL,
    occurred_at  timestamptz NOT NULL,
    traceparent  text,
    body         bytea       NOT NULL,
    heard_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (dossier_code, channel, version)
);

-- ── who wants to hear what ──

CREATE TABLE subscription (
    id                 uuid        PRIMARY KEY,
    subscriber         text        NOT NULL, -- its name in the tenant's subscribers.yaml
    kind               text        NOT NULL DEFAULT 'webhook',
    description        text        NOT NULL DEFAULT '',
    url                text        NOT NULL DEFAULT '',
    types              text[]      NOT NULL DEFAULT '{}', -- ce_type; empty: all
    procedures         text[]      NOT NULL DEFAULT '{}',
    units              text[]      NOT NULL DEFAULT '{}',
    at_once            smallint    NOT NULL DEFAULT 16 CHECK (at_once BETWEEN 1 AND 64),
    state              text        NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'paused', 'disabled')),
    reason             text        CHECK ((state = 'disabled') = (reason IS NOT NULL)),
    version            int         NOT NULL DEFAULT 1, -- counts every change
    key                bytea,      -- sealed
    previous_key       bytea,      -- sealed; signs beside the new one for a while
    previous_key_until timestamptz,
    authentication     bytea,      -- sealed: OAuth2 client or client certificate, where the subscriber asks for one
    authority          text        NOT NULL DEFAULT '', -- PEM of the root that its certificate leads to
    created_at         timestamptz NOT NULL,
    changed_at         timestamptz NOT NULL
);
CREATE INDEX subscription_of ON subscription (subscriber, id);

-- ── where each subscription stands ──

-- Everything in the journal up to `position` was delivered, does not concern it, or has a row in `delivery`.
-- `epoch` grows when another process takes the line or a replay turns it back: who has an old one may not write.
CREATE TABLE delivery_line (
    subscription_id uuid        PRIMARY KEY REFERENCES subscription ON DELETE CASCADE,
    position        bigint      NOT NULL,
    replay_until    bigint      NOT NULL DEFAULT 0, -- up to here everything was sent before
    epoch           bigint      NOT NULL DEFAULT 0,
    failing_since   timestamptz, -- nothing was accepted since then
    courier         uuid,
    leased_until    timestamptz
) WITH (fillfactor = 50);

-- The processes that deliver; they share the lines.
CREATE TABLE courier (
    id      uuid        PRIMARY KEY,
    seen_at timestamptz NOT NULL
);

-- Only what is not done: it failed and is tried again, waits behind such a one of its dossier, was asked for again, or
-- was given up. `due_at` is null for what waits behind another.
CREATE TABLE delivery (
    subscription_id uuid        NOT NULL REFERENCES subscription ON DELETE CASCADE,
    seq             bigint      NOT NULL,
    channel         text        NOT NULL,
    dossier_code    text        NOT NULL,
    attempts        int         NOT NULL DEFAULT 0,
    failing_since   timestamptz,
    due_at          timestamptz,
    given_up_at     timestamptz,
    replayed        boolean     NOT NULL DEFAULT false,
    PRIMARY KEY (subscription_id, seq),
    CHECK (given_up_at IS NULL OR due_at IS NULL)
) WITH (fillfactor = 80);
CREATE INDEX delivery_due ON delivery (subscription_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX delivery_of_dossier ON delivery (subscription_id, channel, dossier_code, seq) WHERE given_up_at IS NULL;

-- One row for each request that was sent. Never a body.
CREATE TABLE attempt (
    id              bigint      GENERATED ALWAYS AS IDENTITY,
    subscription_id uuid        NOT NULL REFERENCES subscription ON DELETE CASCADE,
    seq             bigint      NOT NULL,
    event_id        uuid        NOT NULL,
    attempt         int         NOT NULL,
    at              timestamptz NOT NULL,
    took_ms         int         NOT NULL,
    status          smallint,
    trouble         text,       -- null: it was accepted
    next_at         timestamptz,
    PRIMARY KEY (subscription_id, id)
);
CREATE INDEX attempt_of_event ON attempt (subscription_id, event_id);
CREATE INDEX attempt_age ON attempt (at);
