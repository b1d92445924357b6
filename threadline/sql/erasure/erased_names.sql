-- Returns the names that the personal columns of a plan had, as threadline.names_over_time() does.
CREATE OR REPLACE FUNCTION threadline.erased_names(plan jsonb) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
RETURN threadline.names_over_time((plan -> 'table_id')::integer,
    ARRAY(SELECT jsonb_array_elements_text(plan -> 'columns')), coalesce(plan -> 'gone', '[]'), (plan ->> 'at')::timestamptz);
