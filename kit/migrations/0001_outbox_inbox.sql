-- The outbox is also the archive of every event this service ever said: rows are never deleted by the relay, only marked.
CREATE SEQUENCE outbox_id;

CREATE TABLE outbox (
    id           bigint      NOT NULL DEFAULT nextval('outbox_id'),
    created_at   timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz,
    slot         smallint    NOT NULL CHECK (slot BETWEEN 0 AND 15),
    channel      text        NOT NULL,
    key          text        NOT NULL,
    version      int         NOT NULL,
    event_id     uuid        NOT NULL,
    type         text        NOT NULL,
    headers      jsonb       NOT NULL,
    payload      bytea       CHECK (octet_length(payload) <= 900000), -- NULL is a tombstone; Kafka's own limit is 1 MB
    PRIMARY KEY (created_at, id)
) PARTITION BY RANGE (created_at);

CREATE INDEX outbox_pending ON outbox (id) WHERE published_at IS NULL;
CREATE INDEX outbox_by_key ON outbox (channel, key, version);
CREATE TABLE outbox_rest PARTITION OF outbox DEFAULT;

-- The application role may not change the schema; this one change it may ask for.
CREATE FUNCTION outbox_month(month date) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    first date := date_trunc('month', month);
    part  text := 'outbox_' || to_char(first, 'YYYYMM');
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('outbox_month'));
    IF to_regclass(part) IS NULL THEN
        EXECUTE format('CREATE TABLE %I PARTITION OF outbox FOR VALUES FROM (%L) TO (%L)',
                       part, first::timestamp AT TIME ZONE 'UTC', (first + interval '1 month')::timestamp AT TIME ZONE 'UTC');
        EXECUTE format('ALTER TABLE %I SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0)', part);
    END IF;
END $$;

SELECT outbox_month(now()::date), outbox_month((now() + interval '1 month')::date);

-- One row: whether the relay sleeps and wants to be woken by NOTIFY. An awake relay polls, and writers do not notify:
-- a NOTIFY takes a lock at commit that would make all commits of the server queue.
CREATE TABLE outbox_relay (
    one    boolean PRIMARY KEY DEFAULT true CHECK (one),
    asleep boolean NOT NULL DEFAULT false
);
INSERT INTO outbox_relay DEFAULT VALUES;

-- A row that can never be sent holds back its whole key, so that nothing overtakes it.
CREATE TABLE outbox_quarantine (
    channel text        NOT NULL,
    key     text        NOT NULL,
    id      bigint      NOT NULL,
    reason  text        NOT NULL,
    at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (channel, key)
);

-- How far each aggregate was heard: the last version applied. Hearing it again is known by this, and so is a hole.
CREATE TABLE inbox_position (
    consumer text NOT NULL,
    channel  text NOT NULL,
    key      text NOT NULL,
    version  int  NOT NULL DEFAULT 0,
    parked   int  NOT NULL DEFAULT 0, -- later events that wait for a missing one
    PRIMARY KEY (consumer, channel, key)
) WITH (fillfactor = 80);

CREATE TABLE inbox_parked (
    consumer  text        NOT NULL,
    channel   text        NOT NULL,
    key       text        NOT NULL,
    version   int         NOT NULL,
    headers   jsonb       NOT NULL,
    payload   bytea       NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, channel, key, version)
);

CREATE TABLE timer (
    kind        text        NOT NULL,
    key         text        NOT NULL,
    due_at      timestamptz NOT NULL,
    payload     jsonb       NOT NULL DEFAULT '{}',
    attempt     int         NOT NULL DEFAULT 0,
    traceparent text,
    given_up_at timestamptz,
    last_error  text,
    PRIMARY KEY (kind, key)
);
CREATE INDEX timer_due ON timer (due_at) WHERE given_up_at IS NULL;

CREATE TABLE idempotency_key (
    caller       text        NOT NULL,
    key          text        NOT NULL,
    request_hash text        NOT NULL,
    status       int         NOT NULL,
    headers      jsonb       NOT NULL,
    body         bytea       NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (caller, key)
);
CREATE INDEX idempotency_key_age ON idempotency_key (created_at);
