-- Rebuilds the capture of every audited table under its recorded policy, and sets the sequences;
-- run it after a restore, an upgrade of the server or a switch-over. A table that was restored
-- without its triggers is audited again and continues its history. Returns for each table the
-- reason if that was not possible, or NULL.
--
--   SELECT * FROM threadline.refresh_all();
--
-- Writers of the tables that differ wait until the transaction ends; to avoid that, call
-- threadline.refresh() for one table at a time.
CREATE OR REPLACE FUNCTION threadline.refresh_all(OUT relation text, OUT error text) RETURNS SETOF record
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_command text;
BEGIN
    PERFORM threadline.set_sequences();
    FOR relation, tl_command IN
        SELECT at.relation, threadline.fix_for(t.id, at.relation)
        FROM threadline.audited_tables AS t
        CROSS JOIN LATERAL (SELECT threadline.locate_table(t.id) AS relation) AS at
        WHERE t.unaudited_at IS NULL AND at.relation IS NOT NULL
        ORDER BY t.schema_name COLLATE "C", t.table_name COLLATE "C", t.id
    LOOP
        error := NULL;
        BEGIN
            EXECUTE tl_command;
        EXCEPTION WHEN raise_exception OR insufficient_privilege OR undefined_column OR undefined_table THEN
            error := SQLERRM;
            RAISE WARNING 'threadline: table % was not refreshed: %', relation, error;
        END;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION threadline.refresh_all() IS
    'Rebuilds the capture of every audited table and sets the sequences, after a restore or a switch-over';
