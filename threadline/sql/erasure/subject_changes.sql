-- Returns all changes of what belongs or belonged to a person, as in threadline.audit_changes,
-- without the sides of them that belong to others (GDPR, article 15). The policies name those
-- rows; without a policy, the changes of the record itself are returned.
CREATE OR REPLACE FUNCTION threadline.subject_changes(target regclass, record_key text) RETURNS SETOF threadline.audit_changes
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tl_id integer := coalesce(threadline.audited_table_of(target), threadline.known_table_of(target));
    tl_keys text[] := ARRAY[threadline.canonical_key(tl_id, subject_changes.record_key)];
    tl_plan jsonb;
    tl_names text[];
    tl_former jsonb;
    tl_type text;
    tl_named text[];
    tl_key text;
BEGIN
    IF tl_id IS NOT NULL THEN
        tl_keys := threadline.subject_keys(tl_id, tl_keys[1]);
    END IF;
    FOR tl_plan IN SELECT p FROM jsonb_array_elements(threadline.personal_tables(target)) AS p LOOP
        tl_former := threadline.owner_names(tl_plan);
        tl_names := threadline.all_owner_names(tl_former);
        tl_type := tl_plan ->> 'key_type';
        tl_named := threadline.keys_named(tl_keys, tl_type);
        FOR tl_key IN
            SELECT k FROM unnest(tl_keys) AS k WHERE (tl_plan -> 'itself')::boolean
            UNION
            SELECT k
            FROM threadline.audit_changes AS c
            CROSS JOIN unnest(ARRAY[c.record_key, c.previous_key]) AS k
            WHERE tl_names <> '{}' AND c.table_id = (tl_plan -> 'table_id')::integer AND k IS NOT NULL AND (
                threadline.names_person(c.row_data, tl_names, tl_named, tl_type)
                OR threadline.names_person(c.changed_from, tl_names, tl_named, tl_type)
                OR threadline.names_person(c.changed_to, tl_names, tl_named, tl_type))
            UNION
            SELECT k.record_key
            FROM threadline.kept_images AS k
            WHERE k.table_id = (tl_plan -> 'table_id')::integer AND threadline.names_person(k.image, tl_names, tl_named, tl_type)
            UNION
            SELECT l FROM threadline.live_records((tl_plan -> 'table_id')::integer, tl_former, tl_named, tl_type) AS l
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
