-- Who somebody is. The only database of the installation that holds identity numbers and contact details.

CREATE TABLE account (
    ref                 uuid        PRIMARY KEY,
    state               text        NOT NULL CHECK (state IN ('pending_otp', 'active', 'standardised', 'eid_linked',
                                                              'locked_duplicate', 'locked_security', 'closed')),
    version             integer     NOT NULL CHECK (version >= 0),
    full_name           text,
    identity_number     text        CHECK (identity_number ~ '^[0-9]{12}$'),
    birth_date          date,
    phone               text,
    email               text,
    verification_source text,
    standardised_at     timestamptz,
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    CHECK (state NOT IN ('standardised', 'eid_linked')
           OR (full_name IS NOT NULL AND identity_number IS NOT NULL
               AND verification_source IS NOT NULL AND standardised_at IS NOT NULL))
);
-- I-A1: one verified account per identity number, whatever races.
CREATE UNIQUE INDEX account_verified_number ON account (identity_number)
    WHERE state IN ('standardised', 'eid_linked');

CREATE TABLE provider_link (
    provider    text        NOT NULL,
    subject     text        NOT NULL,
    account_ref uuid        NOT NULL REFERENCES account ON DELETE CASCADE,
    linked_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (provider, subject)
);
CREATE INDEX provider_link_account ON provider_link (account_ref);

-- A login under way at a provider. Removed when it is answered; `state` is stored as its SHA-256.
CREATE TABLE login (
    state_digest  bytea       PRIMARY KEY,
    provider      text        NOT NULL,
    nonce         text        NOT NULL,
    code_verifier text        NOT NULL,
    callback_url  text        NOT NULL,
    expires_at    timestamptz NOT NULL
);
CREATE INDEX login_expiry ON login (expires_at);

CREATE TABLE officer (
    ref           uuid        PRIMARY KEY,
    username      text        NOT NULL UNIQUE CHECK (username = lower(username)),
    display_name  text        NOT NULL,
    unit          text        NOT NULL,
    roles         text[]      NOT NULL CHECK (cardinality(roles) > 0),
    password_hash text        NOT NULL,
    active        boolean     NOT NULL DEFAULT true,
    updated_at    timestamptz NOT NULL DEFAULT now()
);

-- The secret itself is known to the gateway's cookie only.
CREATE TABLE session (
    secret_digest bytea       PRIMARY KEY,
    kind          text        NOT NULL CHECK (kind IN ('citizen', 'officer')),
    subject       uuid        NOT NULL,
    acr           integer     NOT NULL,
    auth_time     timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL
);
CREATE INDEX session_subject ON session (subject);
CREATE INDEX session_expiry ON session (expires_at);

-- Guesses at officers' passwords; the name is stored as its SHA-256 because people type passwords into the wrong box.
CREATE TABLE login_attempt (
    id          bigint      PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    name_digest bytea       NOT NULL,
    at          timestamptz NOT NULL
);
CREATE INDEX login_attempt_name ON login_attempt (name_digest, at);

-- Append-only. References and outcomes, never a name, number or address.
CREATE TABLE login_audit (
    id      bigint      PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    at      timestamptz NOT NULL,
    realm   text        NOT NULL CHECK (realm IN ('citizen', 'officer')),
    method  text        NOT NULL,
    subject uuid,
    outcome text        NOT NULL
);
CREATE INDEX login_audit_subject ON login_audit (subject, at);

-- Who was given somebody's contact details, and what for.
CREATE TABLE contact_disclosure (
    id          bigint      PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    at          timestamptz NOT NULL,
    account_ref uuid        NOT NULL,
    told        text        NOT NULL,
    purpose     text        NOT NULL
);
CREATE INDEX contact_disclosure_account ON contact_disclosure (account_ref, at);
