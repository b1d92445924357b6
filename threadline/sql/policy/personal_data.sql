-- Returns the columns of a table that belong to a person: by its policy, and those dropped while
-- personal, because values of dropped columns are still on record.
CREATE OR REPLACE FUNCTION threadline.personal_data(audited_table integer, target regclass, policy jsonb) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT jsonb_build_object(
        'columns', (
            SELECT coalesce(jsonb_agg(DISTINCT c.name ORDER BY c.name), '[]')
            FROM (
                SELECT jsonb_array_elements_text(personal_data.policy -> 'personal')
                UNION
                SELECT f.name
                FROM threadline.audited_tables AS t
                CROSS JOIN jsonb_array_elements_text(t.personal_data -> 'columns') AS f (name)
                WHERE t.id = audited_table AND f.name NOT IN (SELECT live.name FROM threadline.columns_of(target) AS live)
            ) AS c (name)),
        'subject', coalesce((
            SELECT jsonb_object_agg(f.key, f.value)
            FROM threadline.audited_tables AS t
            CROSS JOIN jsonb_each(t.personal_data -> 'subject') AS f
            WHERE t.id = audited_table AND f.key NOT IN (SELECT live.name FROM threadline.columns_of(target) AS live)), '{}')
            || coalesce(personal_data.policy -> 'subject', '{}'));
END;
