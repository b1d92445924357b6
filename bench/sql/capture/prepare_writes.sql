-- What one connection prepares for writes of one row, for tables of so many
-- columns. The limit writes the row and its change in one statement. As two
-- statements, or as one together with the transaction row, it costs the same.
CREATE FUNCTION bench.prepare_writes(width int) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    variant text;
    audited int := (SELECT id FROM threadline.audited_tables WHERE table_name = 'limit_' || width);
BEGIN
    FOREACH variant IN ARRAY ARRAY['unaudited', 'ours', 'textbook'] LOOP
        EXECUTE format(
            'PREPARE insert_%1$s_%2$s (bigint) AS
             INSERT INTO bench.%1$s_%2$s SELECT s.* FROM bench.source_%2$s AS s WHERE s.id = $1', variant, width);
        EXECUTE format(
            'PREPARE update_%1$s_%2$s (bigint, int, int) AS
             UPDATE bench.%1$s_%2$s SET quantity = $3 WHERE id = $1', variant, width);
    END LOOP;

    EXECUTE format(
        'PREPARE insert_limit_%1$s (bigint) AS
         WITH row AS (
             INSERT INTO bench.limit_%1$s SELECT s.* FROM bench.source_%1$s AS s WHERE s.id = $1 RETURNING *
         )
         INSERT INTO threadline.audit_changes (transaction_id, captured_at, table_id, op, record_key, row_data)
         SELECT currval(''threadline.audit_transactions_id_seq''), clock_timestamp(), %2$s, ''I'', row.id::text, to_jsonb(row)
         FROM row', width, audited);
    -- The application has read the row before, and knows what it was.
    EXECUTE format(
        'PREPARE update_limit_%1$s (bigint, int, int) AS
         WITH row AS (
             UPDATE bench.limit_%1$s SET quantity = $3 WHERE id = $1 RETURNING id
         )
         INSERT INTO threadline.audit_changes (transaction_id, captured_at, table_id, op, record_key, changed_from, changed_to)
         SELECT currval(''threadline.audit_transactions_id_seq''), clock_timestamp(), %2$s, ''U'', row.id::text,
                jsonb_build_object(''quantity'', $2), jsonb_build_object(''quantity'', $3)
         FROM row', width, audited);
END
$$;
