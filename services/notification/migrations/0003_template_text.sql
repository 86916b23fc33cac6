-- Every version of every template that this service ever started with: what was sent as version 2 can be read later.
CREATE TABLE template_text (
    key           text        NOT NULL,
    version       int         NOT NULL CHECK (version >= 1),
    sha256        text        NOT NULL,
    texts         jsonb       NOT NULL,   -- language → part → as the tenant wrote it
    first_used_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (key, version)
);
