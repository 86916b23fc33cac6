-- What is known of a dossier to tell its news: who wants to hear it, and words of the events themselves. No name, no address.
CREATE TABLE correspondence (
    dossier_code   text    PRIMARY KEY,
    recipient_ref  uuid,    -- null: only its fees were heard of so far
    sms_opt_in     boolean NOT NULL DEFAULT false,
    procedure_name text    NOT NULL DEFAULT '',
    unit           text    NOT NULL DEFAULT ''
);

-- News that came before anybody knew whom to tell: fees may be heard of before their dossier.
CREATE TABLE early_news (
    dossier_code text  NOT NULL REFERENCES correspondence,
    event        text  NOT NULL,
    version      int   NOT NULL,
    body         jsonb NOT NULL,
    PRIMARY KEY (dossier_code, event, version)
);

-- One message to one recipient over one channel. The address is asked for when it is sent, and never stored.
CREATE TABLE message (
    id               uuid        PRIMARY KEY,
    dossier_code     text        NOT NULL,
    event            text        NOT NULL,
    version          int         NOT NULL,
    template         text        NOT NULL,
    template_version int         NOT NULL,
    recipient_ref    uuid        NOT NULL,
    channel          text        NOT NULL CHECK (channel IN ('in_app', 'email', 'sms')),
    words            jsonb       NOT NULL,
    subject          text,       -- the portal's inbox keeps what was said, whatever becomes of the template
    body             text,
    happened_at      timestamptz NOT NULL,
    state            text        NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sent', 'failed')),
    attempts         int         NOT NULL DEFAULT 0,
    reason           text        CHECK ((state = 'failed') = (reason IS NOT NULL)),
    settled_at       timestamptz CHECK ((state = 'queued') = (settled_at IS NULL)),
    -- Whatever Kafka repeats, the same news goes to the same person over the same channel once.
    CHECK ((channel = 'in_app') = (body IS NOT NULL)),
    UNIQUE (dossier_code, event, version, template, recipient_ref, channel)
);
CREATE INDEX message_inbox ON message (recipient_ref, happened_at DESC, id DESC) WHERE channel = 'in_app';
