-- Returns the key that a record had before the primary key of its table changed, and the first id of
-- its changes of that time, or one before them; NULL if these are not surely its own: their birth
-- is among them, and what they leave is the row that had the present key then. Without `surely`, the
-- key that its row had then; changes of another record may have it, too.
CREATE OR REPLACE FUNCTION threadline.former_key_of(
    audited_table integer, present_key text, surely boolean DEFAULT true, OUT record_key text, OUT since bigint
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tl_table threadline.audited_tables;
    tl_target regclass := threadline.relation_of(audited_table);
    tl_former record;
    tl_since bigint;
    tl_renames jsonb;
    tl_alterations jsonb;
    tl_names text[];
    tl_then record;
    tl_key text;
    tl_birth bigint;
    tl_is_inserted boolean;
    tl_left jsonb;
BEGIN
    SELECT * INTO tl_table FROM threadline.audited_tables AS t WHERE t.id = audited_table;
    SELECT f.* INTO tl_former
    FROM jsonb_to_record(tl_table.former_keys -> -1) AS f (columns text[], types text[], until timestamptz, last_id bigint);
    IF tl_former.last_id IS NULL OR tl_target IS NULL OR tl_former.columns = '{}' OR tl_table.key_columns = '{}'
        OR greatest(tl_table.audited_since, tl_table.chained_since) > tl_former.until
        OR tl_table.policy ?| '{operations,condition}'
        OR NOT has_table_privilege(tl_target, 'SELECT') OR row_security_active(tl_target) THEN
        RETURN;
    END IF;
    tl_since := coalesce((tl_table.former_keys #>> '{-2,last_id}')::bigint, 0);
    tl_renames := threadline.renames_of(audited_table);
    tl_alterations := threadline.alterations_of(audited_table);
    tl_names := ARRAY(
        SELECT threadline.renamed_column(tl_renames, c.name, tl_former.until)
        FROM unnest(tl_former.columns) WITH ORDINALITY AS c (name, place)
        ORDER BY c.place);
    SELECT * INTO tl_then FROM threadline.final_record(audited_table, tl_target, present_key, tl_former.until);
    IF tl_then.state <> 'there' OR (tl_then.image ?& (tl_names || tl_table.key_columns)) IS NOT TRUE
        OR EXISTS (
            SELECT FROM threadline.column_policy(audited_table, tl_target) AS p
            WHERE p.name = ANY (tl_names || tl_table.key_columns) AND p.column_policy <> 'plain') THEN
        RETURN;
    END IF;
    tl_key := threadline.key_in_image(tl_then.image, tl_names, tl_former.types);

    IF NOT surely THEN
        record_key := tl_key;
        RETURN;
    END IF;

    -- The last life under the key, after the end of any life before it.
    SELECT c.id, c.op = 'I' INTO tl_birth, tl_is_inserted
    FROM threadline.ledger_changes AS c
    WHERE c.table_id = audited_table AND c.record_key = tl_key AND c.id > tl_since AND c.id <= tl_former.last_id
      AND (c.op = 'I' OR c.previous_key IS NOT NULL)
    ORDER BY c.id DESC
    LIMIT 1;
    IF tl_birth IS NULL
        OR EXISTS (
            SELECT
            FROM threadline.ledger_changes AS c
            WHERE c.table_id = audited_table AND c.id > tl_birth AND c.id <= tl_former.last_id
              AND (c.record_key = tl_key AND c.op IN ('D', 'T') OR c.previous_key = tl_key))
        OR EXISTS (
            SELECT FROM threadline.blind_truncates(audited_table) AS c WHERE c.id > tl_birth AND c.id <= tl_former.last_id)
        OR (
            SELECT c.op IN ('D', 'T') OR c.leaves
            FROM (
                (SELECT c.id, c.op, false AS leaves FROM threadline.ledger_changes AS c
                 WHERE c.table_id = audited_table AND c.record_key = tl_key AND c.id > tl_since AND c.id < tl_birth
                 ORDER BY c.id DESC LIMIT 1)
                UNION ALL
                (SELECT c.id, c.op, true FROM threadline.ledger_changes AS c
                 WHERE c.table_id = audited_table AND c.previous_key = tl_key AND c.id > tl_since AND c.id < tl_birth
                 ORDER BY c.id DESC LIMIT 1)
            ) AS c
            ORDER BY c.id DESC
            LIMIT 1) IS FALSE THEN
        RETURN;
    END IF;
    SELECT threadline.laid(tl_alterations, threadline.lay(
               tl_alterations,
               threadline.renamed_image(tl_renames, threadline.image_left(c.op, c.previous_key, c.row_data, c.changed_to), c.captured_at),
               c.captured_at ORDER BY c.id), tl_former.until)
    INTO tl_left
    FROM threadline.ledger_changes AS c
    WHERE c.table_id = audited_table AND c.record_key = tl_key AND c.id >= tl_birth AND c.id <= tl_former.last_id;
    IF tl_left ?& tl_table.key_columns AND NOT EXISTS (
        SELECT
        FROM jsonb_each(tl_left) AS was
        JOIN jsonb_each(tl_then.image) AS now USING (key)
        JOIN threadline.column_policy(audited_table, tl_target) AS p ON p.name = was.key AND p.column_policy = 'plain'
        WHERE was.value::text <> now.value::text AND NOT coalesce(tl_table.policy -> 'ignore' ? was.key, false)) THEN
        record_key := tl_key;
        since := CASE WHEN tl_is_inserted THEN tl_birth ELSE tl_since END;
    END IF;
END
$$;
