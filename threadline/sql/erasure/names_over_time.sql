-- Returns the names under which images contain columns, [{"until": ..., "names": "{...}"}], oldest
-- first: those of `names`, which the columns had at `named_at`, through the renames before and
-- after; and those of `gone`, [{"name", "at"}], which were dropped before another column got the
-- name at this instant. The last entry has the names of the table itself.
CREATE OR REPLACE FUNCTION threadline.names_over_time(audited_table integer, names text[], gone jsonb, named_at timestamptz) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    tl_steps jsonb;
    tl_step jsonb;
    tl_then text[] := names;
    tl_gone text[] := '{}';
    -- By the step at which they end.
    tl_names jsonb := '{}';
    tl_count integer;
    tl_first integer;
BEGIN
    SELECT coalesce(jsonb_agg(to_jsonb(s) ORDER BY s.at), '[]') INTO tl_steps
    FROM (
        SELECT step.at, coalesce(jsonb_object_agg(step.former_name, step.name) FILTER (WHERE step.kind = 'renamed'), '{}') AS renamed,
               coalesce(array_agg(step.name) FILTER (WHERE step.kind = 'added'), '{}') AS added,
               coalesce(array_agg(step.name) FILTER (WHERE step.kind = 'gone'), '{}') AS gone
        FROM (
            SELECT (batch ->> 'at')::timestamptz AS at, 'renamed' AS kind, n.key AS former_name, n.value AS name
            FROM jsonb_array_elements(threadline.renames_of(audited_table)) AS batch
            CROSS JOIN jsonb_each_text(batch -> 'names') AS n
            UNION ALL
            -- A column of that name was dropped before.
            SELECT a.altered_at, 'added', NULL, a.name FROM threadline.altered_columns AS a
            WHERE a.table_id = audited_table AND a.what = 'added' AND a.altered_at > named_at
            UNION ALL
            SELECT (g ->> 'at')::timestamptz, 'gone', NULL, g ->> 'name' FROM jsonb_array_elements(gone) AS g
        ) AS step
        GROUP BY step.at
    ) AS s;
    tl_count := jsonb_array_length(tl_steps);
    tl_first := (SELECT count(*) FROM jsonb_array_elements(tl_steps) AS s WHERE (s ->> 'at')::timestamptz <= named_at);
    FOR tl_number IN tl_first .. tl_count LOOP
        tl_names := tl_names || jsonb_build_object(tl_number::text, to_jsonb(tl_then));
        tl_step := tl_steps -> tl_number;
        tl_then := ARRAY(
            SELECT coalesce(tl_step -> 'renamed' ->> h.name, h.name)
            FROM unnest(tl_then) WITH ORDINALITY AS h (name, place)
            WHERE CASE WHEN tl_step -> 'renamed' ? h.name THEN tl_step -> 'renamed' ->> h.name IS NOT NULL
                ELSE NOT coalesce(tl_step -> 'added' ? h.name, false)
                     -- It was dropped, and another column has its name.
                     AND NOT EXISTS (SELECT FROM jsonb_each_text(tl_step -> 'renamed') AS taken WHERE taken.value = h.name) END
            ORDER BY h.place);
    END LOOP;
    tl_then := names;
    FOR tl_number IN REVERSE tl_count - 1 .. 0 LOOP
        tl_step := tl_steps -> tl_number;
        IF tl_number < tl_first THEN
            tl_then := threadline.names_before(tl_then, tl_step -> 'renamed');
            tl_names := tl_names || jsonb_build_object(tl_number::text, to_jsonb(tl_then));
        END IF;
        tl_gone := threadline.names_before(tl_gone, tl_step -> 'renamed') || ARRAY(SELECT jsonb_array_elements_text(tl_step -> 'gone'));
        tl_names := tl_names || jsonb_build_object(tl_number::text, tl_names -> tl_number::text || to_jsonb(tl_gone));
    END LOOP;
    RETURN (
        SELECT jsonb_agg(jsonb_build_object(
            'until', coalesce((tl_steps -> n ->> 'at')::timestamptz, 'infinity'),
            'names', ARRAY(SELECT jsonb_array_elements_text(tl_names -> n::text))::text) ORDER BY n)
        FROM generate_series(0, tl_count) AS n);
END
$$;
