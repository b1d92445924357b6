-- Searches the changes posted since for more changes of the person of an erasure and returns the
-- number of changes it read.
CREATE OR REPLACE FUNCTION threadline.find_new_changes(run threadline.erasures, at_most bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_seen bigint;
    tl_position bigint;
    tl_type text := run.plan -> 0 ->> 'key_type';
    tl_named text[] := threadline.keys_named(run.record_keys, tl_type);
    tl_by jsonb := (
        SELECT coalesce(jsonb_object_agg(p ->> 'table_id', to_jsonb(threadline.all_owner_names(threadline.owner_names(p)))), '{}')
        FROM jsonb_array_elements(run.plan) AS p);
BEGIN
    WITH seen AS MATERIALIZED (
        SELECT c.* FROM threadline.ledger_changes AS c
        WHERE c.position > run.reached_position
        ORDER BY c.position
        LIMIT at_most
    ), found AS (
        SELECT s.table_id, k AS record_key, max(s.id) AS id
        FROM seen AS s
        CROSS JOIN unnest(ARRAY[s.record_key, s.previous_key]) AS k
        CROSS JOIN LATERAL (SELECT ARRAY(SELECT jsonb_array_elements_text(tl_by -> s.table_id::text)) AS names) AS n
        WHERE k IS NOT NULL AND tl_by ? s.table_id::text AND (
            EXISTS (
                SELECT FROM threadline.erased_records AS r
                WHERE r.erasure_id = run.id AND r.table_id = s.table_id AND r.record_key = k COLLATE "C")
            OR threadline.names_person(s.row_data, n.names, tl_named, tl_type)
            OR threadline.names_person(s.changed_from, n.names, tl_named, tl_type)
            OR threadline.names_person(s.changed_to, n.names, tl_named, tl_type))
        GROUP BY s.table_id, k
    ), added AS (
        INSERT INTO threadline.erased_records AS r (erasure_id, table_id, record_key)
        SELECT run.id, f.table_id, f.record_key FROM found AS f
        ON CONFLICT (erasure_id, table_id, record_key) DO UPDATE SET done = false
        WHERE r.reached_id < (SELECT f.id FROM found AS f WHERE f.table_id = r.table_id AND f.record_key COLLATE "C" = r.record_key)
    )
    SELECT count(*), max(s.position) INTO tl_seen, tl_position FROM seen AS s;
    UPDATE threadline.erasures AS e SET reached_position = coalesce(tl_position, e.reached_position) WHERE e.id = run.id;
    RETURN tl_seen;
END
$$;
REVOKE ALL ON FUNCTION threadline.find_new_changes(threadline.erasures, bigint) FROM PUBLIC;
