-- Returns the id from which on transactions began to write after an instant; NULL if none is known.
-- Ids are assigned in the order in which transactions first write, so one that has a later id than
-- another which began after the instant wrote after it, too.
CREATE OR REPLACE FUNCTION threadline.writers_since(instant timestamptz) RETURNS numeric
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp AS $$
BEGIN
    RETURN (
        SELECT min(opened.xact_id::text::numeric)
        FROM (
            SELECT x.xact_id
            FROM threadline.audit_transactions AS x
            WHERE x.opened_at > instant AND x.occurred_at > instant
            ORDER BY x.opened_at
            LIMIT 10
        ) AS opened);
END
$$;
