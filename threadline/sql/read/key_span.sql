-- Returns the changes that have the primary key of a change: those after one id and up to another.
-- In others, the same record key is that of another record.
CREATE OR REPLACE FUNCTION threadline.key_span(audited_table integer, change_id bigint, OUT after bigint, OUT up_to bigint)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT coalesce(max(f.last_id) FILTER (WHERE f.last_id < change_id), 0),
           coalesce(min(f.last_id) FILTER (WHERE f.last_id >= change_id), 9223372036854775807)
    FROM threadline.audited_tables AS t
    CROSS JOIN LATERAL pg_catalog.jsonb_to_recordset(t.former_keys) AS f (last_id bigint)
    WHERE t.id = audited_table;
END;
