-- What is said of a message is counted: sent, failed, sent again, delivered.
ALTER TABLE message
    ADD COLUMN said       int  NOT NULL DEFAULT 0,
    ADD COLUMN delivery   text CHECK (delivery IN ('delivered', 'undelivered')),   -- what the provider reports; null: nothing
    ADD COLUMN unit       text NOT NULL DEFAULT '',   -- that received the dossier
    ADD COLUMN attachment text;                       -- the document that goes with the letter: slip, or a receipt's reference
UPDATE message m SET unit = c.unit, said = CASE WHEN m.state = 'queued' THEN 0 ELSE 1 END
FROM correspondence c WHERE c.dossier_code = m.dossier_code;

-- What was given up, newest first: of the province, and of one unit.
CREATE INDEX message_failed ON message (settled_at DESC, id DESC) WHERE state = 'failed';
CREATE INDEX message_failed_of_unit ON message (unit, settled_at DESC, id DESC) WHERE state = 'failed';

-- The bucket of tokens of each unit: when it is full again.
CREATE TABLE sms_turn (
    unit    text        PRIMARY KEY,
    full_at timestamptz NOT NULL
);
