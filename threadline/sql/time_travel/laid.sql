-- What images laid over each other with threadline.lay() say of an instant.
CREATE FUNCTION threadline.laid(alterations jsonb, state jsonb, instant timestamptz) RETURNS jsonb
LANGUAGE sql STABLE
RETURN CASE
    WHEN alterations IS NULL THEN state -> 'image'
    ELSE threadline.still_true(alterations, state -> 'image', (state ->> 'at')::timestamptz, instant)
END;
