-- Returns the keys to which held records have moved since the hold was placed, or since
-- threadline.purge() last noted them.
CREATE OR REPLACE FUNCTION threadline.held_moves(OUT hold bigint, OUT table_id integer, OUT record_keys text[]) RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp
-- Moves are few, and have an index of their own.
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH RECURSIVE keys AS (
        SELECT h.id, h.table_id, k.key
        FROM threadline.legal_holds AS h
        CROSS JOIN LATERAL unnest(h.record_keys) AS k (key)
        WHERE h.released_at IS NULL
          AND EXISTS (
              SELECT FROM threadline.ledger_changes AS c
              WHERE c.table_id = h.table_id AND c.previous_key IS NOT NULL)
        UNION
        SELECT k.id, k.table_id, c.record_key
        FROM keys AS k
        JOIN threadline.ledger_changes AS c ON c.table_id = k.table_id AND c.previous_key = k.key
        WHERE c.previous_key IS NOT NULL
    )
    SELECT k.id, k.table_id, array_agg(k.key ORDER BY k.key)
    FROM keys AS k
    JOIN threadline.legal_holds AS h ON h.id = k.id
    WHERE k.key <> ALL (h.record_keys)
    GROUP BY k.id, k.table_id;
END
$$;
