-- Local accounts beside those of VNeID; organisations and businesses; one-time passwords; second factors; consents.

ALTER TABLE account
    ADD COLUMN subject           text    NOT NULL DEFAULT 'citizen' CHECK (subject IN ('citizen', 'organisation', 'business')),
    ADD COLUMN issued_on         date,
    ADD COLUMN address           text,
    ADD COLUMN organisation_name text,
    ADD COLUMN tax_code          text    CHECK (tax_code ~ '^[0-9]{10}(-[0-9]{3})?$|^[0-9]{12}$'),
    ADD COLUMN own_contact       boolean NOT NULL DEFAULT false,
    ADD COLUMN lock_reason       text,
    ADD COLUMN superseded_by     uuid    REFERENCES account,
    ADD CHECK ((organisation_name IS NULL) = (tax_code IS NULL)),
    ADD CHECK (state <> 'closed' OR num_nonnulls(full_name, identity_number, birth_date, issued_on, phone, email,
                                                 address, organisation_name, tax_code) = 0);

-- I-A1: one verified account per person, and per organisation or business, whatever races.
DROP INDEX account_verified_number;
CREATE UNIQUE INDEX account_verified_person ON account (identity_number)
    WHERE state IN ('standardised', 'eid_linked') AND subject = 'citizen';
CREATE UNIQUE INDEX account_verified_organisation ON account (tax_code)
    WHERE state IN ('standardised', 'eid_linked') AND tax_code IS NOT NULL;
CREATE INDEX account_number ON account (identity_number) WHERE state IN ('pending_otp', 'active');
CREATE INDEX account_tax_code ON account (tax_code) WHERE state IN ('pending_otp', 'active');

-- The login of a local account: its phone, which was confirmed, and its own password.
CREATE TABLE credential (
    account_ref   uuid        PRIMARY KEY REFERENCES account ON DELETE CASCADE,
    phone         text        NOT NULL UNIQUE,
    password_hash text,
    changed_at    timestamptz NOT NULL DEFAULT now()
);

-- A one-time password that was sent: bound to what it confirms, stored as a keyed digest, gone when it was used.
CREATE TABLE otp_challenge (
    handle_digest bytea       PRIMARY KEY,
    purpose       text        NOT NULL,
    subject       uuid,
    facts         jsonb       NOT NULL,
    code_mac      bytea       NOT NULL,
    tries         integer     NOT NULL DEFAULT 0 CHECK (tries <= 5),
    expires_at    timestamptz NOT NULL
);
CREATE INDEX otp_challenge_expiry ON otp_challenge (expires_at);
CREATE INDEX otp_challenge_subject ON otp_challenge (subject);

-- A provider's login may be for an account that is logged in already, or ask for a fresh proof.
ALTER TABLE login ADD COLUMN account_ref uuid, ADD COLUMN fresh boolean NOT NULL DEFAULT false;

ALTER TABLE session
    ADD COLUMN begun_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN method   text        NOT NULL DEFAULT '';

ALTER TABLE login_audit ADD COLUMN actor uuid;
CREATE INDEX login_audit_at ON login_audit (at);

-- Agencies with their history: a closed one stays, with whoever took over its work.
CREATE TABLE unit (
    id         text NOT NULL,
    name       text NOT NULL,
    level      text NOT NULL,
    parent     text,
    valid_from date NOT NULL,
    valid_to   date CHECK (valid_to >= valid_from),
    successor  text,
    PRIMARY KEY (id, valid_from)
);
CREATE UNIQUE INDEX unit_open ON unit (id) WHERE valid_to IS NULL;

ALTER TABLE officer
    ALTER COLUMN password_hash DROP NOT NULL,
    ADD COLUMN title       text   NOT NULL DEFAULT '',
    ADD COLUMN phone       text,
    ADD COLUMN totp_secret bytea,
    ADD COLUMN totp_step   bigint NOT NULL DEFAULT 0;

-- What an officer was, when: roles and units are taken away, never forgotten.
CREATE TABLE officer_history (
    id          bigint      PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    officer_ref uuid        NOT NULL,
    at          timestamptz NOT NULL,
    unit        text        NOT NULL,
    roles       text[]      NOT NULL,
    active      boolean     NOT NULL,
    changed_by  uuid
);
CREATE INDEX officer_history_officer ON officer_history (officer_ref, id);

-- An officer who gave the right password and still owes the second factor.
CREATE TABLE officer_login (
    handle_digest bytea       PRIMARY KEY,
    officer_ref   uuid        NOT NULL REFERENCES officer ON DELETE CASCADE,
    challenge     bytea       NOT NULL,
    tries         integer     NOT NULL DEFAULT 0,
    expires_at    timestamptz NOT NULL
);
CREATE INDEX officer_login_expiry ON officer_login (expires_at);

CREATE TABLE passkey (
    credential_id bytea       PRIMARY KEY,
    officer_ref   uuid        NOT NULL REFERENCES officer ON DELETE CASCADE,
    public_key    bytea       NOT NULL,
    sign_count    bigint      NOT NULL,
    name          text        NOT NULL,
    added_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX passkey_officer ON passkey (officer_ref);

-- What somebody agreed to, in which words, and when they took it back.
CREATE TABLE consent (
    id           uuid        PRIMARY KEY,
    account_ref  uuid        NOT NULL,
    purpose      text        NOT NULL,
    categories   text[]      NOT NULL,
    text_version integer     NOT NULL,
    channel      text        NOT NULL,
    given_at     timestamptz NOT NULL,
    withdrawn_at timestamptz CHECK (withdrawn_at >= given_at)
);
CREATE UNIQUE INDEX consent_standing ON consent (account_ref, purpose) WHERE withdrawn_at IS NULL;
