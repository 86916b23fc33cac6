-- Every try to hand a message to a provider; never an address. No outcome: it began, and nothing was heard of it.
CREATE TABLE sending_attempt (
    message_id uuid        NOT NULL REFERENCES message,
    no         int         NOT NULL,
    at         timestamptz NOT NULL,
    provider   text        NOT NULL,
    outcome    text        CHECK (outcome IN ('taken', 'not_taken', 'unclear', 'refused')),
    code       text,
    ended_at   timestamptz CHECK ((outcome IS NULL) = (ended_at IS NULL)),
    PRIMARY KEY (message_id, no)
);

-- Since when its attempts count: somebody who sends a message again decided that no provider has it.
ALTER TABLE message ADD COLUMN resent_at timestamptz NOT NULL DEFAULT '-infinity';
