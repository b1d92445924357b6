-- One value of a record key as JSON: a number where the column is one.
CREATE FUNCTION threadline.key_value(key_type text, value text) RETURNS jsonb
LANGUAGE sql STABLE
RETURN CASE WHEN key_type IN ('smallint', 'integer', 'bigint') AND value ~ '^-?[0-9]{1,19}$'
    THEN pg_catalog.to_jsonb(value::pg_catalog.numeric)
    ELSE pg_catalog.to_jsonb(value)
END;

-- A record key of several columns, or of none that are known, as JSON.
CREATE FUNCTION threadline.composite_key_json(key_columns text[], key_types text[], record_key text) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pg_catalog.jsonb_object_agg(
        k.name,
        threadline.key_value(k.type, threadline.json_array_or_null(record_key) ->> (k.position::integer - 1)))
    FROM ROWS FROM (pg_catalog.unnest(key_columns), pg_catalog.unnest(key_types)) WITH ORDINALITY AS k (name, type, position);
END;

-- A record key as JSON: {"id": 42}, {"tenant": "a", "no": 7}.
CREATE FUNCTION threadline.key_json(key_columns text[], key_types text[], record_key text) RETURNS jsonb
LANGUAGE sql STABLE
RETURN CASE
    WHEN record_key IS NULL THEN NULL
    WHEN pg_catalog.cardinality(key_columns) = 1
        THEN pg_catalog.jsonb_build_object(key_columns[1], threadline.key_value(key_types[1], record_key))
    ELSE threadline.composite_key_json(key_columns, key_types, record_key)
END;

-- The image with the numbers of the given columns as strings.
CREATE FUNCTION threadline.exact_members(image jsonb, numeric_columns text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN pg_catalog.jsonb_typeof(image) <> 'object' THEN image
    ELSE image || coalesce((
        SELECT pg_catalog.jsonb_object_agg(c.name, image ->> c.name)
        FROM pg_catalog.unnest(numeric_columns) AS c (name)
        WHERE pg_catalog.jsonb_typeof(image -> c.name) = 'number'), '{}')
END;

-- The image with the values of numeric columns as strings, digit for digit:
-- most JSON readers would take them for binary floats. Becomes part of the
-- query that calls it, so that an image without such a column costs nothing.
CREATE FUNCTION threadline.exact_numbers(image jsonb, numeric_columns text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN image OPERATOR(pg_catalog.?|) numeric_columns
    THEN threadline.exact_members(image, numeric_columns)
    ELSE image
END;

-- jsonb_populate_record() that does not fail the whole query when one image no
-- longer fits the table's types. A placeholder that its column's type does not
-- take (a masked date) reads as NULL; a row that does not fit is all NULL.
CREATE FUNCTION threadline.populate(base anyelement, image jsonb, redacted text[]) RETURNS anyelement
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN pg_catalog.jsonb_populate_record(base, image);
EXCEPTION WHEN OTHERS THEN
    BEGIN
        RETURN pg_catalog.jsonb_populate_record(base, image - redacted);
    EXCEPTION WHEN OTHERS THEN
        RETURN NULL;
    END;
END
$$;

-- Lays objects over each other; as a window aggregate it turns the undo values
-- of a record's updates into the image of every version.
CREATE AGGREGATE threadline.jsonb_merge(jsonb) (
    SFUNC = pg_catalog.jsonb_concat,
    STYPE = jsonb,
    INITCOND = '{}'
);

CREATE VIEW threadline.changes AS
SELECT c.id,
       c.captured_at,
       t.schema_name,
       t.table_name,
       CASE c.op WHEN 'I' THEN 'insert' WHEN 'U' THEN 'update' WHEN 'D' THEN 'delete' WHEN 'T' THEN 'truncate'
                 ELSE c.op::text END AS op,
       threadline.key_json(t.key_columns, t.key_types, c.record_key) AS key,
       threadline.key_json(t.key_columns, t.key_types, c.previous_key) AS previous_key,
       c.changed_from,
       c.changed_to,
       c.row_data,
       x.actor_type,
       x.actor_id,
       x.actor_origin,
       x.request_id,
       x.correlation_id,
       x.job_id,
       x.source,
       x.remote_ip,
       x.meta,
       x.session_user_name,
       x.context_error,
       c.transaction_id,
       x.xact_id,
       x.occurred_at
FROM threadline.audit_changes AS c
LEFT JOIN threadline.audited_tables AS t ON t.id = c.table_id
LEFT JOIN threadline.audit_transactions AS x ON x.id = c.transaction_id;
COMMENT ON VIEW threadline.changes IS
    'Every recorded change with its table, key, actor and context, for reading in psql; the newest with ORDER BY transaction_id DESC, id DESC';

CREATE VIEW threadline.transactions AS
SELECT x.*,
       (SELECT count(*) FROM threadline.audit_changes AS c WHERE c.transaction_id = x.id) AS changes
FROM threadline.audit_transactions AS x;
COMMENT ON VIEW threadline.transactions IS
    'Every AuditTransaction with the number of its changes';

INSERT INTO threadline.schema_patches (version) VALUES (3);
