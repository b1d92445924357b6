-- Returns what of a table belongs to a person, {"columns", "subject", "gone", "dropped"}: by its policy, with
-- the generated columns that are made from personal ones, and what was dropped while personal,
-- because values of dropped columns are still on record. "gone" has the dropped columns whose name
-- another column has now, [{"name", "at", "subject"}], and "dropped" all dropped columns.
CREATE OR REPLACE FUNCTION threadline.personal_data(audited_table integer, target regclass, policy jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off AS $$
DECLARE
    tl_table threadline.audited_tables;
    tl_personal text[] := ARRAY(SELECT jsonb_array_elements_text(policy -> 'personal'));
    tl_subject jsonb := coalesce(policy -> 'subject', '{}');
    tl_gone jsonb;
    tl_dropped jsonb;
    -- The former policy's, under their present names.
    tl_still text[];
    tl_now timestamptz := clock_timestamp();
    tl_former record;
    tl_at timestamptz;
BEGIN
    SELECT t.* INTO tl_table FROM threadline.audited_tables AS t WHERE t.id = audited_table;
    tl_gone := coalesce(tl_table.personal_data -> 'gone', '[]');
    tl_personal := tl_personal || threadline.generated_from(target, tl_personal);
    tl_still := ARRAY(
        SELECT now.name
        FROM jsonb_to_recordset(tl_table.columns) AS k (number smallint, name text)
        JOIN threadline.columns_of(target) AS now ON CASE WHEN tl_table.relation = target THEN now.number = k.number ELSE now.name = k.name END
        WHERE tl_table.policy -> 'personal' ? k.name);
    FOR tl_former IN
        SELECT f.name, f.subject, now.name AS now,
               EXISTS (SELECT FROM threadline.columns_of(target) AS live WHERE live.name = f.name) AS is_taken,
               f.subject IS NULL AND NOT coalesce(tl_table.policy -> 'personal' ? f.name, false) AS is_made
        FROM (
            SELECT p.name, NULL AS subject FROM jsonb_array_elements_text(tl_table.personal_data -> 'columns') AS p (name)
            UNION ALL
            SELECT s.key, s.value FROM jsonb_each_text(tl_table.personal_data -> 'subject') AS s
        ) AS f
        LEFT JOIN jsonb_to_recordset(tl_table.columns) AS k (number smallint, name text, type text) ON k.name = f.name AND k.number < 20000
        LEFT JOIN threadline.columns_of(target) AS now
            -- In a table that was restored, or created anew, it has the name and the type.
            ON CASE WHEN tl_table.relation = target THEN now.number = k.number ELSE now.name = f.name AND now.type::text = coalesce(k.type, now.type::text) END
    LOOP
        IF tl_former.now IS NOT NULL THEN
            -- Made from a personal column until its generation expression was altered.
            IF tl_former.is_made AND tl_former.now <> ALL (tl_personal) AND tl_still <@ tl_personal THEN
                tl_personal := tl_personal || tl_former.now;
            END IF;
        ELSIF tl_former.is_taken THEN
            SELECT max(r.renamed_at) INTO tl_at
            FROM threadline.renamed_columns AS r
            WHERE r.table_id = audited_table AND r.name = tl_former.name AND r.renamed_at > tl_table.built_at;
            tl_gone := tl_gone || jsonb_strip_nulls(jsonb_build_object('name', tl_former.name, 'at', coalesce(tl_at, tl_now), 'subject', tl_former.subject));
        ELSIF tl_former.subject IS NULL THEN
            tl_personal := tl_personal || tl_former.name;
        ELSE
            tl_subject := jsonb_build_object(tl_former.name, tl_former.subject) || tl_subject;
        END IF;
    END LOOP;
    SELECT coalesce(tl_table.personal_data -> 'dropped', '[]') || coalesce(jsonb_agg(jsonb_build_object('name', k.name, 'at', coalesce((
               SELECT max(r.renamed_at) FROM threadline.renamed_columns AS r
               WHERE r.table_id = audited_table AND r.name = k.name AND r.renamed_at > tl_table.built_at), tl_now))), '[]')
    INTO tl_dropped
    FROM jsonb_to_recordset(tl_table.columns) AS k (number smallint, name text, type text)
    WHERE k.number < 20000 AND NOT EXISTS (
        SELECT FROM threadline.columns_of(target) AS now
        WHERE CASE WHEN tl_table.relation = target THEN now.number = k.number ELSE now.name = k.name AND now.type::text = k.type END);
    RETURN jsonb_build_object(
        'columns', (SELECT coalesce(jsonb_agg(DISTINCT c ORDER BY c), '[]') FROM unnest(tl_personal) AS c),
        'subject', tl_subject,
        'gone', tl_gone,
        'dropped', tl_dropped);
END
$$;
