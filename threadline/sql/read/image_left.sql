-- What a change left of its row, as far as it is on record: the whole row where it came
-- or its key moved, what an update changed, nothing where it went.
CREATE FUNCTION threadline.image_left(op "char", previous_key text, row_data jsonb, changed_to jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN op IN ('D', 'T') THEN NULL
    WHEN op = 'I' THEN row_data
    WHEN previous_key IS NOT NULL THEN row_data || changed_to
    ELSE changed_to
END;
