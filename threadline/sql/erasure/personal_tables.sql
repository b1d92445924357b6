-- Returns the tables in which something belongs to the records of a table, by their policies:
-- [{"table_id", "columns": the personal ones, "by": those that name the record, "itself": whether
-- it is the table of the record}].
CREATE OR REPLACE FUNCTION threadline.personal_tables(target regclass) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_id integer := coalesce(threadline.audited_table_of(target), threadline.known_table_of(target));
    tl_named record;
    tl_by jsonb := '{}';
BEGIN
    FOR tl_named IN
        SELECT t.id, t.schema_name, t.table_name, f.key AS name, f.value AS table_named
        FROM threadline.audited_tables AS t
        CROSS JOIN jsonb_each_text(t.personal_data -> 'subject') AS f
    LOOP
        IF threadline.subject_table_of(tl_named.schema_name, tl_named.table_named) IS NULL THEN
            RAISE EXCEPTION 'threadline: column % of table %.% names the records of %, and there is no such table any more',
                tl_named.name, tl_named.schema_name, tl_named.table_name, tl_named.table_named
                USING HINT = format('Declare its present name with SELECT threadline.audit(''%s.%s'', ..., subject => ''{"%s": "..."}'').',
                    tl_named.schema_name, tl_named.table_name, tl_named.name);
        ELSIF threadline.subject_table_of(tl_named.schema_name, tl_named.table_named) = target THEN
            tl_by := tl_by || jsonb_build_object(tl_named.id::text, coalesce(tl_by -> tl_named.id::text, '[]') || to_jsonb(tl_named.name));
        END IF;
    END LOOP;
    RETURN (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'table_id', t.id, 'columns', t.personal_data -> 'columns',
            'by', coalesce(tl_by -> t.id::text, '[]'), 'itself', coalesce(t.id = tl_id, false)) ORDER BY t.id), '[]')
        FROM threadline.audited_tables AS t
        WHERE t.id = tl_id OR tl_by ? t.id::text);
END
$$;
