-- Results that were signed on paper first, handing over, and delivery by post.
ALTER TABLE result
    ADD COLUMN on_paper boolean NOT NULL DEFAULT false,
    ADD COLUMN signature_asked_at timestamptz,
    DROP CONSTRAINT result_check,
    ADD CONSTRAINT result_check CHECK (
        state <> 'published' OR ((verification = 'valid' OR on_paper) AND number IS NOT NULL AND signer_ref IS NOT NULL));
CREATE INDEX result_unsigned ON result (signature_asked_at) WHERE signature_asked_at IS NOT NULL;

-- How each result came into somebody's hand; one row for a dossier, never changed.
CREATE TABLE handover (
    dossier_code text PRIMARY KEY REFERENCES dossier,
    channel text NOT NULL,
    receiver text NOT NULL CHECK (receiver IN ('owner', 'submitter', 'authorised')),
    receiver_name text,
    authorisation text,
    originals_returned text[] NOT NULL,
    papers_archived text[] NOT NULL,
    override_reason text,
    officer_ref uuid,
    unit text,
    at timestamptz NOT NULL,
    CHECK (receiver <> 'authorised' OR (receiver_name IS NOT NULL AND authorisation IS NOT NULL))
);
REVOKE UPDATE, DELETE ON handover FROM :app_role;

-- A result on its way by post: the address as it was when the result was ready, and what the post office said.
CREATE TABLE postal_address (
    dossier_code text PRIMARY KEY REFERENCES dossier,
    receiver_name text NOT NULL,
    address text NOT NULL,
    phone text NOT NULL,
    given_at timestamptz NOT NULL
);
CREATE TABLE shipment (
    dossier_code text PRIMARY KEY REFERENCES dossier,
    state text NOT NULL CHECK (state IN ('ready', 'ordered', 'shipped', 'delivered', 'at_desk')),
    receiver_name text NOT NULL,
    address text NOT NULL,
    phone text NOT NULL,
    item_code text,
    why text,
    changed_at timestamptz NOT NULL
);
