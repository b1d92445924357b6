-- Returns today's name of a column that had another one at an instant; NULL if it was dropped,
-- and images of that time show another column under the name.
CREATE OR REPLACE FUNCTION threadline.renamed_column(renames jsonb, name text, named_at timestamptz) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_batch jsonb;
    tl_names jsonb;
BEGIN
    FOR tl_batch IN SELECT * FROM jsonb_array_elements(renames) LOOP
        CONTINUE WHEN (tl_batch ->> 'at')::timestamptz <= named_at;
        tl_names := tl_batch -> 'names';
        IF tl_names ? name THEN
            name := tl_names ->> name;
        ELSIF EXISTS (SELECT FROM jsonb_each_text(tl_names) AS taken WHERE taken.value = name) THEN
            name := NULL;
        END IF;
        EXIT WHEN name IS NULL;
    END LOOP;
    RETURN name;
END
$$;
