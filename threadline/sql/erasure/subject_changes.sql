-- Returns all changes of what belongs or belonged to a person, as in threadline.audit_changes,
-- without the sides of them that belong to others (GDPR, article 15). The policies name those
-- rows; without a policy, the changes of the record itself are returned.
CREATE OR REPLACE FUNCTION threadline.subject_changes(target regclass, record_key text) RETURNS SETOF threadline.audit_changes
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    tl_id integer := coalesce(threadline.audited_table_of(target), threadline.known_table_of(target));
    tl_key text := threadline.canonical_key(tl_id, subject_changes.record_key);
    tl_keys text[] := ARRAY[tl_key];
    tl_plan jsonb;
    tl_names text[];
    tl_by text[];
BEGIN
    IF tl_id IS NOT NULL THEN
        tl_keys := threadline.subject_keys(tl_id, tl_key);
    END IF;
    FOR tl_plan IN SELECT p FROM jsonb_array_elements(threadline.personal_tables(target)) AS p LOOP
        tl_by := ARRAY(SELECT jsonb_array_elements_text(tl_plan -> 'by'));
        tl_names := threadline.all_names((tl_plan -> 'table_id')::integer, tl_by);
        FOR tl_key IN
            SELECT k FROM unnest(tl_keys) AS k WHERE (tl_plan -> 'itself')::boolean
            UNION
            SELECT k
            FROM threadline.audit_changes AS c
            CROSS JOIN unnest(ARRAY[c.record_key, c.previous_key]) AS k
            WHERE tl_by <> '{}' AND c.table_id = (tl_plan -> 'table_id')::integer AND k IS NOT NULL AND EXISTS (
                SELECT FROM unnest(tl_names) AS n
                WHERE c.row_data ->> n = ANY (tl_keys) OR c.changed_from ->> n = ANY (tl_keys) OR c.changed_to ->> n = ANY (tl_keys))
            UNION
            SELECT k.record_key
            FROM threadline.kept_images AS k
            WHERE k.table_id = (tl_plan -> 'table_id')::integer AND EXISTS (SELECT FROM unnest(tl_names) AS n WHERE k.image ->> n = ANY (tl_keys))
            UNION
            SELECT l FROM threadline.live_records((tl_plan -> 'table_id')::integer, tl_by, tl_keys) AS l
        LOOP
            RETURN QUERY
            SELECT (p.change).id, (p.change).transaction_id, (p.change).captured_at, (p.change).table_id, (p.change).statement,
                   (p.change).op, (p.change).record_key, (p.change).previous_key,
                   CASE WHEN p.before THEN (p.change).changed_from END,
                   CASE WHEN p.after THEN (p.change).changed_to END,
                   CASE WHEN CASE (p.change).op WHEN 'I' THEN p.after ELSE p.before END THEN (p.change).row_data END
            FROM threadline.changes_of_person(tl_plan, tl_keys, tl_key, NULL, -1, 9223372036854775807, true) AS p
            WHERE p.before OR p.after;
        END LOOP;
    END LOOP;
END
$$;
COMMENT ON FUNCTION threadline.subject_changes(regclass, text) IS
    'All changes of values that belong or belonged to a person, without values of others';
