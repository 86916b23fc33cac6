-- Each dossier's history becomes a hash chain: a line names the hash of the line before it. The database links the
-- lines itself, whoever inserts them. The format, and an independent check: services/dossier/history/domain.py.
ALTER TABLE history
    ADD COLUMN v int,
    ADD COLUMN no int,
    ADD COLUMN prev text,
    ADD COLUMN salt text,
    ADD COLUMN reason_digest text,
    ADD COLUMN hash text;

-- The canonical JSON of a line (RFC 8785): keys in order, no spaces. A reason takes part as a salted digest only.
CREATE FUNCTION history_canonical(line history) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT '{"act":' || to_json(line.act)
        || ',"actor":' || coalesce(to_json(line.actor_ref)::text, 'null')
        || ',"at":"' || to_char(line.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
        || '","dossier":' || to_json(line.dossier_code)
        || ',"from":' || coalesce(to_json(line.from_state)::text, 'null')
        || ',"label":' || to_json(line.label)
        || ',"no":' || line.no
        || ',"prev":"' || line.prev
        || '","reason_digest":' || coalesce(to_json(line.reason_digest)::text, 'null')
        || ',"to":' || to_json(line.to_state)
        || ',"unit":' || coalesce(to_json(line.unit)::text, 'null')
        || ',"v":' || line.v || '}'
$$;

-- The line as the next one of its dossier. Whoever inserts holds the dossier's row, so there is one next line.
CREATE FUNCTION history_linked(line history) RETURNS history LANGUAGE plpgsql AS $$
DECLARE
    last history;
BEGIN
    SELECT * INTO last FROM history h
    WHERE h.dossier_code = line.dossier_code AND h.no IS NOT NULL ORDER BY h.no DESC LIMIT 1;
    line.v := 1;
    line.no := coalesce(last.no, 0) + 1;
    line.prev := coalesce(last.hash, repeat('0', 64));
    IF line.reason IS NOT NULL THEN
        line.salt := replace(gen_random_uuid()::text, '-', '');
        line.reason_digest := encode(sha256(convert_to(line.salt || ':' || line.reason, 'UTF8')), 'hex');
    END IF;
    line.hash := encode(sha256(convert_to(history_canonical(line), 'UTF8')), 'hex');
    RETURN line;
END
$$;

CREATE UNIQUE INDEX history_line ON history (dossier_code, no);

-- What was written before gets its chain now.
DO $$
DECLARE
    old history;
BEGIN
    FOR old IN SELECT * FROM history ORDER BY dossier_code, id LOOP
        old := history_linked(old);
        UPDATE history h
        SET v = old.v, no = old.no, prev = old.prev, salt = old.salt, reason_digest = old.reason_digest, hash = old.hash
        WHERE h.id = old.id;
    END LOOP;
END
$$;

ALTER TABLE history
    ALTER COLUMN v SET NOT NULL,
    ALTER COLUMN no SET NOT NULL,
    ALTER COLUMN prev SET NOT NULL,
    ALTER COLUMN hash SET NOT NULL;

CREATE FUNCTION history_link() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RETURN history_linked(NEW);
END
$$;
CREATE TRIGGER history_link BEFORE INSERT ON history FOR EACH ROW EXECUTE FUNCTION history_link();

-- A form shows how far the history was when it was issued.
ALTER TABLE official_form ADD COLUMN head text;
