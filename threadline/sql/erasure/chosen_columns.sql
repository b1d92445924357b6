-- Returns a plan of threadline.personal_tables() restricted to the named columns, under any name that
-- they had, and to the generated columns made from them.
CREATE OR REPLACE FUNCTION threadline.chosen_columns(target regclass, plan jsonb, columns text[]) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_schema text := (SELECT n.nspname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = target);
    tl_column text;
    tl_parts text[];
    tl_table threadline.audited_tables;
    tl_chosen jsonb := '{}';
    tl_gone jsonb := '{}';
    tl_relation regclass;
    tl_once jsonb;
    tl_named text[];
BEGIN
    FOREACH tl_column IN ARRAY columns LOOP
        tl_parts := parse_ident(tl_column);
        tl_table := NULL;
        SELECT t.* INTO tl_table
        FROM jsonb_array_elements(plan) AS p
        JOIN threadline.audited_tables AS t ON t.id = (p -> 'table_id')::integer
        WHERE CASE cardinality(tl_parts)
            WHEN 1 THEN (p -> 'itself')::boolean
            WHEN 2 THEN (t.schema_name, t.table_name) = (tl_schema, tl_parts[1])
            WHEN 3 THEN (t.schema_name, t.table_name) = (tl_parts[1], tl_parts[2]) END
        ORDER BY (p -> 'itself')::boolean DESC
        LIMIT 1;
        IF tl_table.id IS NULL THEN
            RAISE EXCEPTION 'threadline: no policy says which rows of the table of column % belong to a record of %', tl_column, target
                USING HINT = 'Say which column names the person: #[audited(subject(user_id = users))], subject => ''{"user_id": "users"}'' of threadline.audit().';
        END IF;
        tl_relation := threadline.locate_table(tl_table.id);
        IF EXISTS (SELECT FROM threadline.unnoted_renames(tl_table.id, tl_relation)) THEN
            RAISE EXCEPTION 'threadline: columns of table %.% were renamed, and the audit has not noted it', tl_table.schema_name, tl_table.table_name
                USING HINT = format('SELECT threadline.refresh(''%I.%I'');', tl_table.schema_name, tl_table.table_name);
        END IF;
        tl_column := tl_parts[cardinality(tl_parts)];
        tl_named := ARRAY[tl_column];
        tl_once := threadline.columns_once_named(tl_table.id, tl_column);
        IF NOT jsonb_path_exists(tl_table.columns, '$[*] ? (@.name == $name)', jsonb_build_object('name', tl_column)) THEN
            tl_named := tl_named || ARRAY(SELECT jsonb_array_elements_text(tl_once -> 'columns'));
        END IF;
        IF tl_named && tl_table.key_columns THEN
            RAISE EXCEPTION 'threadline: column % belongs to the primary key of %.%; a key identifies the record and cannot be erased', tl_column, tl_table.schema_name, tl_table.table_name;
        ELSIF NOT jsonb_path_exists(tl_table.columns, '$[*] ? (@.name == $name)', jsonb_build_object('name', tl_column))
              AND cardinality(tl_named) = 1 AND tl_once -> 'gone' = '[]'
              AND NOT EXISTS (
                  SELECT FROM threadline.ledger_changes AS c
                  WHERE c.table_id = tl_table.id AND (c.row_data ? tl_column OR c.changed_from ? tl_column OR c.changed_to ? tl_column))
              AND NOT EXISTS (SELECT FROM threadline.kept_images AS k WHERE k.table_id = tl_table.id AND k.image ? tl_column)
              AND NOT EXISTS (SELECT FROM threadline.unposted AS u WHERE u.table_id = tl_table.id AND (u.old_row ? tl_column OR u.new_row ? tl_column)) THEN
            RAISE EXCEPTION 'threadline: table %.% has no recorded column %', tl_table.schema_name, tl_table.table_name, tl_column;
        END IF;
        tl_chosen := tl_chosen || jsonb_build_object(tl_table.id::text,
            coalesce(tl_chosen -> tl_table.id::text, '[]') || to_jsonb(tl_named || threadline.generated_from(tl_relation, tl_named)));
        tl_gone := tl_gone || jsonb_build_object(tl_table.id::text, coalesce(tl_gone -> tl_table.id::text, '[]') || (tl_once -> 'gone'));
    END LOOP;
    RETURN (SELECT coalesce(jsonb_agg(p || jsonb_build_object(
            'columns', coalesce(tl_chosen -> (p ->> 'table_id'), '[]'), 'gone', coalesce(tl_gone -> (p ->> 'table_id'), '[]'))), '[]')
        FROM jsonb_array_elements(plan) AS p);
END
$$;
