-- Returns whether a legal hold keeps what belongs to a record, an actor or a correlation id.
CREATE OR REPLACE FUNCTION threadline.held(
    table_id integer, record_key text, previous_key text, actor_type text, actor_id text, correlation_id text
) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT EXISTS (
        SELECT
        FROM threadline.legal_holds AS h
        WHERE h.released_at IS NULL
          AND (h.table_id IS NULL OR h.table_id = held.table_id)
          AND (h.record_keys IS NULL OR h.record_keys && ARRAY[held.record_key, held.previous_key])
          AND (h.actor_type IS NULL OR (h.actor_type = held.actor_type AND h.actor_id IS NOT DISTINCT FROM held.actor_id))
          AND (h.correlation_id IS NULL OR h.correlation_id = held.correlation_id));
END;
