-- Returns the part of an image captured at one instant that holds at another: without the columns
-- that a command altered between the two. A command that only renamed labels of an enum, or
-- attributes of a composite type, changed no value: it is written as at the other instant.
CREATE OR REPLACE FUNCTION threadline.still_true(alterations jsonb, image jsonb, captured_at timestamptz, instant timestamptz) RETURNS jsonb
LANGUAGE sql STABLE
RETURN CASE
    WHEN alterations IS NULL OR pg_catalog.jsonb_typeof(image) <> 'object' THEN image
    ELSE threadline.relabelled_between(alterations, captured_at, instant, image - ARRAY(
        SELECT a.name
        FROM pg_catalog.jsonb_to_recordset(alterations) AS a (name text, what text, "at" timestamptz, cuts boolean)
        WHERE a.cuts AND a.what <> 'relabelled' AND CASE
            WHEN captured_at <= instant THEN a.at > captured_at AND a.at <= instant
            ELSE a.at <= captured_at AND a.at > instant END))
END;
