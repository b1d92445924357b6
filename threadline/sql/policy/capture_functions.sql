-- The functions that capture an audited table: for each row, and for the statements
-- of each kind.
CREATE FUNCTION threadline.capture_functions(audited_table integer, OUT name text, OUT operation text) RETURNS SETOF record
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT concat_ws('_', 'capture', audited_table, lower(o.operation)), o.operation
    FROM unnest(ARRAY[NULL, 'INSERT', 'UPDATE', 'DELETE']) AS o (operation);
END;
