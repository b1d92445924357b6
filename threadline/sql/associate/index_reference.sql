-- Creates an index by which rows that referred to a record by a column are found without reading
-- all changes of the table. For the owner of the audit. Posting waits meanwhile; writers do not.
CREATE OR REPLACE FUNCTION threadline.index_reference(target regclass, column_name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_id integer := threadline.audited_table_of(target);
    tl_name text;
    tl_index text;
BEGIN
    IF tl_id IS NULL THEN
        RAISE EXCEPTION 'threadline: table % is not audited', target;
    ELSIF NOT EXISTS (
        SELECT FROM threadline.referring_columns(tl_id, target) AS c WHERE c.name = column_name AND c.column_policy = 'plain')
    THEN
        RAISE EXCEPTION 'threadline: rows of % cannot be found by a column %: there is no such column, or its values are not recorded', target, column_name;
    END IF;
    tl_name := threadline.name_then(threadline.renames_of(tl_id), column_name, 'ledger_changes');
    FOR tl_went IN 0..1 LOOP
        tl_index := format('ledger_reference_%s_%s_%s', tl_id, left(md5(column_name), 8), (ARRAY['came', 'went'])[tl_went + 1]);
        -- An index under an earlier name of the column would not be used.
        EXECUTE format('DROP INDEX IF EXISTS threadline.%I', tl_index);
        EXECUTE format('CREATE INDEX %I ON threadline.ledger_changes (((%2$s) ->> %3$s)) WHERE table_id = %4$s AND ((%2$s) ->> %3$s) IS NOT NULL',
            tl_index, threadline.image_shown(tl_went = 1, 'ledger_changes'), tl_name, tl_id);
    END LOOP;
    ANALYZE threadline.ledger_changes;
END
$$;
COMMENT ON FUNCTION threadline.index_reference(regclass, text) IS
    'Creates an index for finding rows that referred to a record by a column';
