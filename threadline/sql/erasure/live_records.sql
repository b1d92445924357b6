-- Returns the keys of the live rows that name one of the given keys, as threadline.keys_named()
-- returns them, in a column of `former`, which is threadline.owner_names(); none if the caller may
-- not read them.
CREATE OR REPLACE FUNCTION threadline.live_records(audited_table integer, former jsonb, keys text[], key_type text) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_relation regclass := threadline.readable(threadline.locate_table(audited_table));
    tl_by text[] := ARRAY(SELECT unnest((f.value -> -1 ->> 'names')::text[]) FROM jsonb_each(former) AS f);
    tl_named text;
BEGIN
    SELECT string_agg(CASE
        -- By an index, if there is one.
        WHEN c.type IN ('text', 'varchar') AND key_type IN ('text', 'character varying')
             AND NOT EXISTS (SELECT FROM unnest(keys) AS k WHERE threadline.is_digest(k)) THEN format('tl_live.%I::text = ANY ($1)', c.name)
        WHEN c.type::oid < 16384 THEN format('threadline.key_named(to_jsonb(tl_live.%I), $2) = ANY ($1)', c.name)
        ELSE format('threadline.key_named((%s) -> %L, $2) = ANY ($1)', threadline.live_expression(audited_table, tl_relation, 'tl_live'), c.name) END, ' OR ')
    INTO tl_named
    FROM threadline.columns_of(tl_relation) AS c
    WHERE c.name = ANY (tl_by);
    IF tl_named IS NOT NULL THEN
        RETURN QUERY EXECUTE format('SELECT %s FROM %s AS tl_live WHERE %s',
            threadline.key_expression(audited_table, 'tl_live'), threadline.own_rows(tl_relation), tl_named)
        USING keys, key_type;
    END IF;
END
$$;
SELECT threadline.pin_settings('threadline.live_records(integer, jsonb, text[], text)');
