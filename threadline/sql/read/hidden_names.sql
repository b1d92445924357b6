-- What threadline.hiding() hides of a change, under the names that the columns had then.
-- Asked for each change that is read: a query in it would be what reading costs.
CREATE FUNCTION threadline.hidden_names(hiding jsonb, captured_at timestamptz) RETURNS text[]
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    FOR tl_part IN 0 .. jsonb_array_length(hiding) - 1 LOOP
        IF captured_at < (hiding -> tl_part ->> 'until')::timestamptz THEN
            RETURN (hiding -> tl_part ->> 'names')::text[];
        END IF;
    END LOOP;
    RETURN '{}';
END
$$;
