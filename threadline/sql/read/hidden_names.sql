-- Returns the columns of a change that threadline.hiding() hides, under the names that they had
-- then. Called for each change that is read, so it must not contain a query.
CREATE OR REPLACE FUNCTION threadline.hidden_names(hiding jsonb, captured_at timestamptz) RETURNS text[]
LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, threadline, pg_temp AS $$
BEGIN
    FOR tl_part IN 0 .. jsonb_array_length(hiding) - 1 LOOP
        IF captured_at < (hiding -> tl_part ->> 'until')::timestamptz THEN
            RETURN (hiding -> tl_part ->> 'names')::text[];
        END IF;
    END LOOP;
    RETURN '{}';
END
$$;
