-- Returns SQL for the rows of a table that now refer to records with given keys: the record key
-- of each, and its reference as {"column": value}. For a reference by one column, an index on it
-- is used.
CREATE OR REPLACE FUNCTION threadline.referring_rows(
    referring integer, target regclass, columns text[], types regtype[], key_types text[], record_keys text[]
) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_texts text[];
    tl_compared_as text;
    tl_conditions text[] := '{}';
    tl_values text[] := '{}';
    tl_form text;
BEGIN
    FOR tl_place IN 1..cardinality(columns) LOOP
        -- The table or the column is gone.
        IF target IS NULL OR types[tl_place] IS NULL THEN
            RETURN 'SELECT NULL::text AS live_key, NULL::jsonb AS reference WHERE false';
        END IF;
        tl_texts := threadline.key_parts(record_keys, cardinality(columns), tl_place);
        tl_compared_as := threadline.compared_as(types[tl_place], key_types[tl_place], tl_texts);
        tl_form := threadline.json_form(types[tl_place], format('tl_live.%I', columns[tl_place]));
        tl_values := tl_values || format('%L, %s', columns[tl_place], tl_form);
        tl_conditions := tl_conditions || CASE
            WHEN tl_compared_as = 'text' THEN format('tl_live.%I::text = ANY (%L::text[])', columns[tl_place], tl_texts)
            WHEN tl_compared_as IS NOT NULL THEN format('tl_live.%I = ANY (%L::%s[])', columns[tl_place], tl_texts, tl_compared_as)
            ELSE format('threadline.key_in_image(jsonb_build_object(''value'', %s), ''{value}'', %L) = ANY (%L)',
                tl_form, ARRAY[key_types[tl_place]], tl_texts) END;
    END LOOP;
    RETURN format('SELECT %s COLLATE "C" AS live_key, jsonb_build_object(%s) AS reference FROM %s AS tl_live WHERE %s',
        threadline.key_expression(referring, 'tl_live'), array_to_string(tl_values, ', '), threadline.own_rows(target),
        array_to_string(tl_conditions, ' AND '));
END
$$;
