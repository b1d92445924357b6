-- Returns erasures that are not done, and values of their persons that were recorded since.
CREATE OR REPLACE FUNCTION threadline.erasure_drift() RETURNS SETOF threadline.finding
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_run record;
    tl_again record;
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
END
$$;
COMMENT ON FUNCTION threadline.erasure_drift() IS
    'Unfinished erasures, and values of their persons that were recorded since';
