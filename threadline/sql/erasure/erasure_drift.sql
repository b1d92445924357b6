-- Returns erasures that are not done, values of their persons that were recorded since, and changes
-- that may be of their persons.
CREATE OR REPLACE FUNCTION threadline.erasure_drift() RETURNS SETOF threadline.finding
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off AS $$
DECLARE
    tl_run record;
    tl_again record;
    tl_plan record;
BEGIN
    FOR tl_run IN
        SELECT e.* FROM threadline.erasures AS e WHERE e.ended_at IS NULL ORDER BY e.id
    LOOP
        RETURN NEXT ROW('erasure-unfinished', tl_run.subject_table,
            format('erasure %s of %s:%s, begun at %s, is not done; call it until it returns 0', tl_run.id, tl_run.subject_table, tl_run.record_key, tl_run.begun_at),
            format('SELECT threadline.erase(%s);', tl_run.id))::threadline.finding;
    END LOOP;
    FOR tl_run IN
        SELECT DISTINCT ON (e.subject_table, e.record_key, of.plan) e.*
        FROM threadline.erasures AS e
        -- Names of different times may be those of the same columns.
        CROSS JOIN LATERAL (SELECT jsonb_agg(p - 'at') AS plan FROM jsonb_array_elements(e.plan) AS p) AS of
        WHERE e.ended_at IS NOT NULL AND NOT EXISTS (
            SELECT FROM threadline.erasures AS again
            WHERE again.ended_at IS NULL AND again.subject_table = e.subject_table AND again.record_key = e.record_key)
        ORDER BY e.subject_table, e.record_key, of.plan, e.id DESC
    LOOP
        SELECT count(*) AS changes, min(a.id) AS id INTO tl_again FROM threadline.recorded_again(tl_run.id) AS a;
        IF tl_again.changes > 0 THEN
            RETURN NEXT ROW('erased-recorded-again', tl_run.subject_table,
                format('personal values of %s:%s were recorded after they had been erased, in %s changes, the first %s; erase them again, and call threadline.erase() with the number that comes until it returns 0',
                    tl_run.subject_table, tl_run.record_key, tl_again.changes, tl_again.id),
                format('SELECT threadline.begin_erasure(%L, %L, reason => %L%s);', tl_run.subject_table, tl_run.record_key, tl_run.reason,
                    ', columns => ' || quote_literal(tl_run.chosen_columns) || '::text[]'))::threadline.finding;
        END IF;
    END LOOP;
    FOR tl_run IN
        SELECT e.*
        FROM threadline.erasures AS e
        WHERE e.ended_at IS NOT NULL AND e.unreached <> '{}' AND NOT EXISTS (
            SELECT FROM threadline.erasures AS later
            WHERE later.id > e.id AND later.ended_at IS NOT NULL AND later.subject_table = e.subject_table AND later.record_keys && e.record_keys)
        ORDER BY e.id
    LOOP
        RETURN NEXT ROW('erasure-unreached', tl_run.subject_table,
            format('values of %s:%s under the names %s belong to no column that the audit knows; erasure %s left them',
                tl_run.subject_table, tl_run.record_key, array_to_string(tl_run.unreached, ', '), tl_run.id),
            format('SELECT threadline.begin_erasure(%L, %L, reason => %L, columns => %L::text[]);', tl_run.subject_table, tl_run.record_key, tl_run.reason, tl_run.unreached))::threadline.finding;
    END LOOP;
    FOR tl_plan IN
        SELECT DISTINCT ON (p -> 'table_id') p AS plan, format('%I.%I', t.schema_name, t.table_name) AS name
        FROM threadline.erasures AS e
        CROSS JOIN jsonb_array_elements(e.plan) AS p
        JOIN threadline.audited_tables AS t ON t.id = (p -> 'table_id')::integer
        WHERE e.ended_at IS NOT NULL
        ORDER BY p -> 'table_id', e.id DESC
    LOOP
        SELECT count(*) AS changes, min(c.id) AS id INTO tl_again FROM threadline.ownerless_changes(tl_plan.plan) AS c (id);
        IF tl_again.changes > 0 THEN
            RETURN NEXT ROW('erasure-unreached', tl_plan.name,
                format('%s changes of %s, the first %s, may contain values of erased persons: a legal hold kept them, and the changes that named their owner were purged; a purge removes them after the hold is released',
                    tl_again.changes, tl_plan.name, tl_again.id),
                'SELECT threadline.purge();')::threadline.finding;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION threadline.erasure_drift() IS
    'Unfinished erasures, values of their persons that were recorded since, and changes that may be of their persons';
