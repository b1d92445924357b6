-- Returns the state of a record at an instant, from images merged with threadline.lay().
CREATE OR REPLACE FUNCTION threadline.laid(alterations jsonb, state jsonb, instant timestamptz) RETURNS jsonb
LANGUAGE sql STABLE
RETURN CASE
    WHEN alterations IS NULL THEN state -> 'image'
    ELSE threadline.still_true(alterations, state -> 'image', (state ->> 'at')::timestamptz, instant)
END;
