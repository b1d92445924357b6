-- Returns the record key in the image of an entry. A key column that was renamed since the policy
-- was written has its new name in the image.
CREATE OR REPLACE FUNCTION threadline.entry_key(audited_table integer, image jsonb, key_columns text[], key_types text[]) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
BEGIN
    IF image ?& key_columns IS NOT true THEN
        SELECT array_agg(k.name ORDER BY k.ordinal), array_agg(k.type ORDER BY k.ordinal)
        INTO key_columns, key_types
        FROM threadline.live_key(audited_table) AS k;
        IF image ?& key_columns IS NOT true THEN
            RETURN NULL;
        END IF;
    END IF;
    RETURN threadline.key_in_image(image, key_columns, key_types);
END
$$;
