-- What an interlinked dossier consists of. `plan` is the member as its group's file said when the parent was sent: a changed file
-- changes no dossier that is under way. `state` is what the parent last said of it.
CREATE TABLE interlinked_member (
    parent_code text NOT NULL REFERENCES dossier,
    position int NOT NULL,
    code text NOT NULL,
    plan jsonb NOT NULL,
    procedure_id uuid NOT NULL REFERENCES procedure,
    procedure_name text NOT NULL,
    unit text NOT NULL,
    state text NOT NULL,
    dossier_code text UNIQUE REFERENCES dossier,
    not_started text,
    acknowledged_at timestamptz,
    acknowledged_by text,
    PRIMARY KEY (parent_code, code),
    UNIQUE (parent_code, position),
    CHECK (dossier_code IS NULL OR not_started IS NULL)
);
CREATE INDEX interlinked_member_of_unit ON interlinked_member (unit) WHERE acknowledged_at IS NULL;

-- An error that a later member's agency found in an earlier member's result, returned to whoever issued it.
CREATE TABLE interlinked_question (
    id uuid PRIMARY KEY,
    parent_code text NOT NULL REFERENCES dossier,
    asking_dossier text NOT NULL REFERENCES dossier,
    about_dossier text NOT NULL REFERENCES dossier,
    asking_unit text NOT NULL,
    unit text NOT NULL,
    reason text NOT NULL,
    asked_by uuid NOT NULL,
    asked_at timestamptz NOT NULL,
    answered_by uuid,
    answered_at timestamptz,
    outcome text CHECK (outcome IN ('corrected', 'confirmed')),
    CHECK ((answered_at IS NULL) = (outcome IS NULL))
);
CREATE UNIQUE INDEX interlinked_question_open ON interlinked_question (asking_dossier, about_dossier)
    WHERE answered_at IS NULL;
CREATE INDEX interlinked_question_of_unit ON interlinked_question (unit, asked_at);
