-- What was pending at a moment of the past ended later, and was received before: both are looked at in the index alone.
DROP INDEX dossier_facts_ended;
CREATE INDEX dossier_facts_ended ON dossier_facts (competent_unit, outcome, ended_at, code, submitted_at)
    WHERE ended_at IS NOT NULL;
