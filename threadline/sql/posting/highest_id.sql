-- Returns the highest id in the ledger, from its newest rows.
CREATE OR REPLACE FUNCTION threadline.highest_id() RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT greatest(
        (SELECT max(x.id) FROM threadline.ledger_transactions AS x),
        (SELECT max(c.id) FROM (SELECT l.id FROM threadline.ledger_changes AS l ORDER BY l.position DESC LIMIT 10000) AS c),
        0);
END;
