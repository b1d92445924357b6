-- Returns the columns of a table that a command altered since its capture was built: see
-- threadline.altered_columns. A command that rewrote no row and kept the type changed no value,
-- unless it dropped an attribute of a composite type. If
-- one transaction altered the values of several columns and kept their types, only the first is
-- known. After a restore only names, types and modifiers can be compared. An entry without an
-- instant: no transaction has written since.
CREATE OR REPLACE FUNCTION threadline.unnoted_alterations(
    audited_table integer, target oid,
    OUT name text, OUT what text, OUT altered_at timestamptz, OUT labels jsonb
) RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH known AS (
        SELECT k.*, t.built_at, t.relation = target AS is_same,
               CASE WHEN t.relation = target THEN k.number::text ELSE k.name END AS identity
        FROM threadline.audited_tables AS t
        CROSS JOIN jsonb_to_recordset(t.columns) AS k (
            number smallint, name text, type text, typmod integer, altered_by text, stored_in text, labels jsonb)
        -- The others belong to no column: see threadline.note_absent().
        WHERE t.id = audited_table AND k.number < 20000
    ), live AS (
        SELECT a.attnum, a.attname::text AS name, a.atttypid, a.atttypid::regtype::text AS type, a.atttypmod, a.xmin,
               CASE WHEN noted.is_same THEN a.attnum::text ELSE a.attname::text END AS identity
        FROM (SELECT bool_or(k.is_same) AS is_same FROM known AS k) AS noted
        CROSS JOIN pg_attribute AS a
        WHERE a.attrelid = target AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v'
    ), compared AS (
        SELECT k.name AS former_name, l.name, k.number, l.attnum, k.is_same, k.labels, l.atttypid, l.xmin, lost.attribute AS lost_attribute,
               CASE WHEN l.identity IS NULL THEN 'dropped'
                    WHEN k.identity IS NULL THEN 'added'
                    WHEN k.type <> l.type AND NOT (
                             '{text,"character varying"}'::text[] @> ARRAY[k.type, l.type] AND k.is_same
                             AND k.stored_in = threadline.stored_in(target))
                         OR (k.typmod <> l.atttypmod
                             OR k.is_same AND k.altered_by <> l.xmin::text
                             -- Altering a column also writes those after it in the catalog.
                             AND NOT EXISTS (SELECT FROM live AS left_of WHERE left_of.xmin = l.xmin AND left_of.attnum < l.attnum))
                             AND (NOT k.is_same OR k.stored_in <> threadline.stored_in(target))
                         OR lost.attribute
                        THEN 'converted'
                    WHEN l.atttypid >= 16384 AND EXISTS (
                             SELECT
                             FROM jsonb_each_text(k.labels) AS former
                             WHERE threadline.type_labels(l.atttypid) ->> former.key <> former.value)
                        THEN 'relabelled' END AS what
        FROM known AS k
        FULL JOIN live AS l ON l.identity = k.identity
        CROSS JOIN LATERAL (
            SELECT l.atttypid >= 16384 AND k.is_same AND EXISTS (
                SELECT FROM jsonb_object_keys(k.labels) AS former (key) WHERE NOT threadline.type_labels(l.atttypid) ? former.key) AS attribute
        ) AS lost
    ), altered AS (
        SELECT c.*,
               CASE WHEN c.what = 'relabelled' OR c.lost_attribute THEN threadline.labels_since(c.atttypid)
                    WHEN c.what = 'dropped' THEN (
                        SELECT threadline.full_xid(a.xmin) FROM pg_attribute AS a
                        WHERE c.is_same AND a.attrelid = target AND a.attnum = c.number)
                    ELSE threadline.full_xid(c.xmin) END AS altered_by
        FROM compared AS c
        WHERE c.what IS NOT NULL
          -- Earlier images show the renamed column under the name.
          AND NOT (c.what = 'dropped' AND EXISTS (
              SELECT FROM compared AS taker WHERE taker.name = c.former_name AND taker.former_name <> taker.name))
    )
    SELECT coalesce(a.name, a.former_name), a.what, threadline.altered_at(a.altered_by, noted.built_at),
           CASE WHEN a.what = 'relabelled' THEN (
               SELECT jsonb_object_agg(former.value, threadline.type_labels(a.atttypid) ->> former.key)
               FROM jsonb_each_text(a.labels) AS former
               WHERE threadline.type_labels(a.atttypid) ->> former.key <> former.value) END
    FROM altered AS a
    CROSS JOIN (SELECT max(k.built_at) AS built_at FROM known AS k) AS noted;
END
$$;
