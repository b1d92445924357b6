-- Returns the ids under which changes are shown, where those are not the ids of their capture, up
-- to an entry and within a range of places. See threadline.order_entries().
--
-- In PL/pgSQL, so that the query is only prepared if there are such changes.
CREATE OR REPLACE FUNCTION threadline.reordered_entries(up_to bigint, lowest tid, highest tid, OUT id bigint, OUT shown_id bigint, OUT shown_statement integer) RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 1
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_transactions xid8[] := ARRAY(SELECT threadline.disordered_transactions(up_to, lowest, highest));
BEGIN
    IF tl_transactions <> '{}' THEN
        RETURN QUERY SELECT * FROM threadline.order_entries(tl_transactions, up_to, lowest, highest);
    END IF;
END
$$;
