-- Returns the keys of the live rows that name one of the given keys in one of the given columns;
-- none if the caller may not read them.
CREATE OR REPLACE FUNCTION threadline.live_records(audited_table integer, by text[], keys text[]) RETURNS SETOF text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET bytea_output = 'hex'
SET extra_float_digits = 1
AS $$
DECLARE
    tl_relation regclass := threadline.readable(threadline.locate_table(audited_table));
    tl_named text;
BEGIN
    SELECT string_agg(CASE WHEN c.type::oid < 16384 THEN format('tl_live.%I::text = ANY ($1)', c.name)
        ELSE format('(%s) ->> %L = ANY ($1)', threadline.live_expression(audited_table, tl_relation, 'tl_live'), c.name) END, ' OR ')
    INTO tl_named
    FROM threadline.columns_of(tl_relation) AS c
    WHERE c.name = ANY (by);
    IF tl_named IS NOT NULL THEN
        RETURN QUERY EXECUTE format('SELECT %s FROM %s AS tl_live WHERE %s',
            threadline.key_expression(audited_table, 'tl_live'), threadline.own_rows(tl_relation), tl_named)
        USING keys;
    END IF;
END
$$;
