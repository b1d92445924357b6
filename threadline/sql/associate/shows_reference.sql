-- Returns SQL that is true of a change called c if an image of it shows that its row referred to
-- a record with one of the given keys: the image after it or, with `as_it_went`, before it. For a
-- reference by several columns it is true if nothing in the image contradicts it. For one column
-- it has the form of the indexes that threadline.index_reference() creates.
CREATE OR REPLACE FUNCTION threadline.shows_reference(
    columns text[], types regtype[], key_types text[], renames jsonb, record_keys text[], as_it_went boolean
) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_image text := format('(%s)', threadline.image_shown(as_it_went, 'c'));
    tl_name text;
    tl_texts text[];
    tl_parts text[] := '{}';
    tl_any text[] := '{}';
BEGIN
    FOR tl_place IN 1..cardinality(columns) LOOP
        tl_name := threadline.name_then(renames, columns[tl_place], 'c');
        tl_texts := threadline.key_parts(record_keys, cardinality(columns), tl_place);
        tl_any := tl_any || format('%s ? %s', tl_image, tl_name);
        tl_parts := tl_parts || CASE
            WHEN threadline.compared_as(types[tl_place], key_types[tl_place], tl_texts) IS NOT NULL
                THEN format(CASE cardinality(columns) WHEN 1 THEN '%s ->> %s = ANY (%L)' ELSE 'coalesce(%s ->> %s = ANY (%L), true)' END,
                    tl_image, tl_name, tl_texts)
            WHEN cardinality(columns) = 1
                THEN format('threadline.key_in_image(jsonb_build_object(''value'', %s -> %s), ''{value}'', %L) = ANY (%L)',
                    tl_image, tl_name, ARRAY[key_types[tl_place]], tl_texts)
            ELSE 'true' END;
    END LOOP;
    RETURN array_to_string(tl_parts, ' AND ')
        || CASE WHEN cardinality(columns) > 1 THEN format(' AND (%s)', array_to_string(tl_any, ' OR ')) ELSE '' END;
END
$$;
