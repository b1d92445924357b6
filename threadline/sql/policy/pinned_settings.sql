-- The settings that a table's capture function pins, as clauses of the function.
CREATE FUNCTION threadline.pinned_settings(settings text[]) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN (
    SELECT coalesce(pg_catalog.string_agg(pg_catalog.format('SET %s = %L', setting.name, setting.value), ' ' ORDER BY setting.name), '')
    FROM (VALUES
        ('array_nulls', 'on'), ('bytea_output', 'hex'), ('datestyle', 'ISO, YMD'), ('extra_float_digits', '1'),
        ('intervalstyle', 'postgres'), ('timezone', 'UTC')
    ) AS setting (name, value)
    WHERE setting.name = ANY (settings)
);
