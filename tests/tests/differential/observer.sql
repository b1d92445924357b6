-- The test's view of a database, independent of the current role and of the settings of the
-- session.
CREATE SCHEMA observer;
GRANT USAGE ON SCHEMA observer TO PUBLIC;
CREATE TABLE observer.tables (label text PRIMARY KEY, relation oid NOT NULL);

CREATE FUNCTION observer.texts(image jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN jsonb_typeof(image) <> 'object' THEN jsonb_build_object('not an object', image::text)
    ELSE coalesce((SELECT jsonb_object_agg(key, value::text) FROM jsonb_each(image)), '{}') END;

CREATE FUNCTION observer.key(image jsonb, key_columns text[], key_types text[]) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN (
    SELECT CASE count(*) WHEN 0 THEN NULL WHEN 1 THEN min(part) ELSE jsonb_agg(part ORDER BY ordinal)::text END
    FROM (
        SELECT k.ordinal,
               CASE WHEN k.type = 'numeric' THEN trim_scale((image ->> k.name)::numeric)::text
                    WHEN k.type = 'character' THEN rtrim(image ->> k.name, ' ')
                    ELSE image ->> k.name END AS part
        FROM unnest(key_columns, key_types) WITH ORDINALITY AS k (name, type, ordinal)
    ) AS parts
);

CREATE FUNCTION observer.rows(relation regclass, alone boolean, key_columns text[], key_types text[]) RETURNS jsonb
LANGUAGE plpgsql
AS $$
DECLARE
    found jsonb;
BEGIN
    EXECUTE format(
        'SELECT coalesce(jsonb_agg(jsonb_build_object(''key'', observer.key(image, $1, $2), ''values'', observer.texts(image)) ORDER BY image::text), ''[]'')
         FROM (SELECT to_jsonb(target_row) AS image FROM %s %s AS target_row) AS images',
        CASE WHEN alone THEN 'ONLY' END, relation)
    INTO found
    USING key_columns, key_types;
    RETURN found;
END
$$;

CREATE FUNCTION observer.table_of(label text, relation oid) RETURNS jsonb
LANGUAGE plpgsql
AS $$
DECLARE
    class pg_class;
    key_columns text[];
    key_types text[];
BEGIN
    SELECT * INTO STRICT class FROM pg_class WHERE oid = relation;
    SELECT array_agg(a.attname ORDER BY k.ordinal), array_agg(a.atttypid::regtype::text ORDER BY k.ordinal)
    INTO key_columns, key_types
    FROM pg_index AS i
    CROSS JOIN unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (attnum, ordinal)
    JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
    WHERE i.indrelid = relation AND i.indisprimary;
    RETURN jsonb_build_object(
        'label', label,
        'schema', class.relnamespace::regnamespace::text,
        'name', class.relname,
        'path', relation::regclass::text,
        'partitioned', class.relkind = 'p',
        'key', coalesce(to_jsonb(key_columns), '[]'),
        'columns', (
            SELECT jsonb_agg(jsonb_build_object(
                'number', a.attnum, 'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
                'generated', a.attgenerated <> '') ORDER BY a.attnum)
            FROM pg_attribute AS a
            WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped),
        'rows', observer.rows(relation, class.relkind = 'r', key_columns, key_types));
END
$$;

CREATE FUNCTION observer.snapshot() RETURNS text
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET bytea_output = 'hex'
SET extra_float_digits = 1
SET quote_all_identifiers = off
SET row_security = on
AS $$
    SELECT jsonb_build_object(
        'tables', (SELECT jsonb_agg(observer.table_of(label, relation) ORDER BY label) FROM observer.tables),
        -- Partitions that are none at the moment.
        'loose', (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                'path', c.oid::regclass::text, 'rows', observer.rows(c.oid::regclass, true, '{}', '{}')) ORDER BY c.relname), '[]')
            FROM pg_class AS c
            WHERE c.relnamespace = to_regnamespace('parts') AND c.relkind = 'r' AND NOT c.relispartition))::text
$$;
