-- Returns the tables in which something belongs to the records of a table, by their policies:
-- [{"table_id", "columns": the personal ones, "gone": those whose name another column has since,
-- "by" and "by_gone": those that name the record, "itself": whether it is the table of the record,
-- "at": when these were the names, "key_type": see threadline.key_type()}].
CREATE OR REPLACE FUNCTION threadline.personal_tables(target regclass) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off AS $$
DECLARE
    tl_id integer := coalesce(threadline.audited_table_of(target), threadline.known_table_of(target));
    tl_type text := threadline.key_type(target);
    tl_wrong text := threadline.not_nameable(target);
    tl_table record;
    tl_named record;
    tl_by jsonb;
    tl_by_gone jsonb;
    tl_plan jsonb := '[]';
BEGIN
    FOR tl_table IN SELECT t.id, t.schema_name, t.table_name, t.personal_data, t.built_at FROM threadline.audited_tables AS t ORDER BY t.id LOOP
        tl_by := '[]';
        tl_by_gone := '[]';
        FOR tl_named IN
            SELECT f.key AS name, NULL AS at, f.value AS table_named FROM jsonb_each_text(tl_table.personal_data -> 'subject') AS f
            UNION ALL
            SELECT g ->> 'name', g ->> 'at', g ->> 'subject' FROM jsonb_array_elements(tl_table.personal_data -> 'gone') AS g WHERE g ? 'subject'
        LOOP
            IF threadline.subject_table_of(tl_table.schema_name, tl_named.table_named) IS NULL THEN
                -- Its declaration cannot be corrected any more.
                CONTINUE WHEN threadline.locate_table(tl_table.id) IS NULL OR tl_named.at IS NOT NULL;
                RAISE EXCEPTION 'threadline: column % of table %.% names the records of %, and there is no such table any more',
                    tl_named.name, tl_table.schema_name, tl_table.table_name, tl_named.table_named
                    USING HINT = format('Declare its present name with SELECT threadline.audit(''%s.%s'', ..., subject => ''{"%s": "..."}'').',
                        tl_table.schema_name, tl_table.table_name, tl_named.name);
            ELSIF threadline.subject_table_of(tl_table.schema_name, tl_named.table_named) = target THEN
                IF tl_wrong IS NOT NULL THEN
                    RAISE EXCEPTION 'threadline: column % of table %.% cannot name the records of %: %',
                        tl_named.name, tl_table.schema_name, tl_table.table_name, target, tl_wrong
                        USING HINT = 'A column can name a record by a primary key of one column that is recorded as it is.';
                ELSIF tl_named.at IS NULL THEN
                    tl_by := tl_by || to_jsonb(tl_named.name);
                ELSE
                    tl_by_gone := tl_by_gone || jsonb_build_object('name', tl_named.name, 'at', tl_named.at);
                END IF;
            END IF;
        END LOOP;
        IF tl_table.id = tl_id OR tl_by <> '[]' OR tl_by_gone <> '[]' THEN
            tl_plan := tl_plan || jsonb_build_object(
                'table_id', tl_table.id, 'columns', tl_table.personal_data -> 'columns', 'by', tl_by, 'itself', coalesce(tl_table.id = tl_id, false),
                'gone', (SELECT coalesce(jsonb_agg(g), '[]') FROM jsonb_array_elements(tl_table.personal_data -> 'gone') AS g WHERE NOT g ? 'subject'),
                'by_gone', tl_by_gone, 'at', tl_table.built_at, 'key_type', tl_type);
        END IF;
    END LOOP;
    RETURN tl_plan;
END
$$;
