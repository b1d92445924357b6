-- Returns the settings on which the text of a relation's values depends: one value has one image,
-- independent of the session that writes it. Each pinned setting adds cost to every call of a
-- function, so a table has only those that its types need; a table with an unknown type has all.
CREATE OR REPLACE FUNCTION threadline.settings_needed(relation oid) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
BEGIN
    RETURN (
        SELECT coalesce(array_agg(setting.name ORDER BY setting.name), '{}')
        FROM (VALUES
            ('timezone', ARRAY['timestamptz', 'timetz']::regtype[]),
            ('datestyle', '{}'),
            ('intervalstyle', ARRAY['interval']::regtype[]),
            ('bytea_output', ARRAY['bytea']::regtype[]),
            ('extra_float_digits', ARRAY['float4', 'float8']::regtype[]),
            ('array_nulls', '{}'),
            ('quote_all_identifiers', '{}')
        ) AS setting (name, types)
        WHERE EXISTS (
            SELECT
            FROM threadline.present_columns(relation) AS c
            LEFT JOIN pg_type AS t ON t.oid = c.type
            WHERE CASE WHEN setting.name = 'quote_all_identifiers' THEN threadline.shows_names(c.type) IS NOT false
                  ELSE c.type = ANY (setting.types) OR NOT coalesce(
                      t.typtype = 'e'
                      -- In JSON, dates and times have ISO format under every setting.
                      OR c.type IN (
                          'bool'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype, 'oid'::regtype,
                          'text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'uuid'::regtype, 'json'::regtype, 'jsonb'::regtype,
                          'inet'::regtype, 'cidr'::regtype, 'macaddr'::regtype,
                          '_int2'::regtype, '_int4'::regtype, '_int8'::regtype, '_text'::regtype, '_varchar'::regtype, '_uuid'::regtype, '_bool'::regtype,
                          'date'::regtype, 'time'::regtype, 'timetz'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype,
                          'interval'::regtype, 'bytea'::regtype, 'float4'::regtype, 'float8'::regtype), false) END));
END
$$;
