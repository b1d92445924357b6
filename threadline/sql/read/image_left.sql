-- Returns the recorded state of a row after a change: the whole row after an insert or a change
-- of its key, the changed columns after an update, nothing after its end.
CREATE OR REPLACE FUNCTION threadline.image_left(op "char", previous_key text, row_data jsonb, changed_to jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN op IN ('D', 'T') THEN NULL
    WHEN op = 'I' THEN row_data
    WHEN previous_key IS NOT NULL THEN row_data || changed_to
    ELSE changed_to
END;
