-- Returns SQL for the name that a column of a table had when a change was captured.
CREATE OR REPLACE FUNCTION threadline.name_then(renames jsonb, name text, row_name text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_batch jsonb;
    tl_former text;
    tl_sql text := quote_literal(name);
    tl_name text := name;
BEGIN
    FOR tl_batch IN
        SELECT b.value FROM jsonb_array_elements(renames) WITH ORDINALITY AS b (value, place) ORDER BY b.place DESC
    LOOP
        SELECT n.key INTO tl_former FROM jsonb_each_text(tl_batch -> 'names') AS n WHERE n.value = tl_name;
        IF NOT FOUND THEN
            -- Another column had the name.
            CONTINUE WHEN NOT tl_batch -> 'names' ? tl_name;
            tl_former := NULL;
        END IF;
        tl_name := tl_former;
        tl_sql := format('CASE WHEN %I.captured_at < %L::timestamptz THEN %s ELSE %s END', row_name, tl_batch ->> 'at', coalesce(quote_literal(tl_name), 'NULL::text'), tl_sql);
        EXIT WHEN tl_name IS NULL;
    END LOOP;
    RETURN tl_sql;
END
$$;
