-- Returns a template with its holes, {name}, filled.
CREATE OR REPLACE FUNCTION threadline.filled(template text, holes jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_parts text[] := string_to_array(template, '{');
    tl_name text;
    tl_filled text := tl_parts[1];
BEGIN
    -- In one pass: a filling may contain braces.
    FOR tl_number IN 2..cardinality(tl_parts) LOOP
        tl_name := split_part(tl_parts[tl_number], '}', 1);
        tl_filled := tl_filled || CASE
            WHEN holes ? tl_name AND strpos(tl_parts[tl_number], '}') > 0
            THEN (holes ->> tl_name) || substr(tl_parts[tl_number], length(tl_name) + 2)
            ELSE '{' || tl_parts[tl_number] END;
    END LOOP;
    RETURN tl_filled;
END
$$;
