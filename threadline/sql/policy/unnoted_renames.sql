-- Returns the columns whose names differ from those that their table's capture function was built
-- for, and when the first image under the new names was captured; NULL if there is none yet. A
-- column without a new name is gone, and a renamed one has taken its name.
--
-- A rename leaves its transaction's id on the column. Writers before it have an older id. Images
-- by the same transaction came after it, unless they show a name that no column has any more.
CREATE OR REPLACE FUNCTION threadline.unnoted_renames(
    audited_table integer, target oid,
    OUT former_name text, OUT name text, OUT renamed_at timestamptz
) RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
#variable_conflict use_column
BEGIN
    IF NOT EXISTS (
        SELECT
        FROM threadline.audited_tables AS t
        CROSS JOIN jsonb_to_recordset(t.columns) AS k (number smallint, name text)
        JOIN pg_attribute AS a ON a.attrelid = target AND a.attnum = k.number AND NOT a.attisdropped
        WHERE t.id = audited_table AND t.relation = target AND a.attname <> k.name
    ) THEN
        RETURN;
    END IF;
    RETURN QUERY
    WITH former AS (
        SELECT k.name AS former_name, a.attname::text AS name, a.attrelid, t.built_at, a.xmin
        FROM threadline.audited_tables AS t
        CROSS JOIN jsonb_to_recordset(t.columns) AS k (number smallint, name text)
        LEFT JOIN pg_attribute AS a ON a.attrelid = t.relation AND a.attnum = k.number AND NOT a.attisdropped
        WHERE t.id = audited_table AND t.relation = target
    ), renamed AS (
        SELECT f.former_name, f.name, f.attrelid, f.built_at,
               -- It may be the id of a savepoint.
               CASE pg_xact_status(whole.id) WHEN 'in progress' THEN pg_current_xact_id_if_assigned() ELSE whole.id END AS xact_id
        FROM former AS f
        CROSS JOIN LATERAL threadline.full_xid(f.xmin) AS whole (id)
        WHERE f.name <> f.former_name
    ), since AS (
        SELECT renaming.xact_id, (
            SELECT min(first.captured_at)
            FROM (
                SELECT c.captured_at
                FROM threadline.audit_transactions AS x
                CROSS JOIN LATERAL (
                    SELECT c.captured_at
                    FROM threadline.audit_changes AS c
                    WHERE c.transaction_id = x.id AND c.table_id = audited_table AND c.captured_at > renaming.built_at
                      AND (x.xact_id > renaming.xact_id OR c.id > coalesce((
                          SELECT max(own.id)
                          FROM threadline.audit_transactions AS y
                          JOIN threadline.audit_changes AS own ON own.transaction_id = y.id
                          WHERE y.xact_id = renaming.xact_id AND own.table_id = audited_table
                            AND own.captured_at > renaming.built_at
                            AND coalesce(own.row_data, own.changed_from) ?| renaming.vacant_names), 0))
                    ORDER BY c.id
                    LIMIT 1
                ) AS c
                WHERE x.xact_id >= renaming.xact_id
                ORDER BY x.xact_id, x.id
                LIMIT 10
            ) AS first
        ) AS renamed_at
        FROM (
            SELECT r.xact_id, r.built_at, array_agg(r.former_name) FILTER (
                WHERE r.former_name NOT IN (SELECT attname FROM pg_attribute WHERE attrelid = r.attrelid AND NOT attisdropped)
            ) AS vacant_names
            FROM renamed AS r
            GROUP BY r.xact_id, r.built_at
        ) AS renaming
    )
    SELECT r.former_name, r.name, since.renamed_at
    FROM renamed AS r
    JOIN since USING (xact_id)
    UNION ALL
    SELECT gone.former_name, NULL, since.renamed_at
    FROM former AS gone
    JOIN renamed AS taker ON taker.name = gone.former_name
    JOIN since USING (xact_id)
    WHERE gone.name IS NULL;
END
$$;
