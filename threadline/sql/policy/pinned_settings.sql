-- The settings that decide how values of a relation become text, as clauses of a
-- function: one value has one image, whoever writes it. Each costs something at
-- every call, so a table has those that its types need; all for a type that is
-- not known here.
CREATE FUNCTION threadline.pinned_settings(target regclass) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(string_agg(format('SET %s = %L', setting.name, setting.value), ' '), '')
    FROM (VALUES
        ('timezone', 'UTC', ARRAY['timestamptz', 'timetz']::regtype[]),
        ('datestyle', 'ISO, YMD', '{}'),
        ('intervalstyle', 'postgres', ARRAY['interval']::regtype[]),
        ('bytea_output', 'hex', ARRAY['bytea']::regtype[]),
        ('extra_float_digits', '1', ARRAY['float4', 'float8']::regtype[]),
        ('array_nulls', 'on', '{}')
    ) AS setting (name, value, types)
    WHERE EXISTS (
        SELECT
        FROM threadline.columns_of(target) AS c
        JOIN pg_type AS t ON t.oid = c.type
        WHERE c.type = ANY (setting.types) OR NOT (
            t.typtype = 'e'
            -- As JSON, dates and times are in ISO format whatever is set.
            OR c.type IN (
                'bool'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype,
                'text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'uuid'::regtype, 'json'::regtype, 'jsonb'::regtype,
                'date'::regtype, 'time'::regtype, 'timetz'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype,
                'interval'::regtype, 'bytea'::regtype, 'float4'::regtype, 'float8'::regtype)));
END;
