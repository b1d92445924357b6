-- Whether changes follow from each other, and the live row, if it is known, from the
-- last: what one left of the row with a key, the next one found. What has no form in
-- jsonb is kept as its text, and so are the other values of its row.
CREATE FUNCTION public.is_chain(changes threadline.audit_changes[], record_key text, live jsonb, live_known boolean DEFAULT true) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_change threadline.audit_changes;
    tl_there boolean;
    tl_row jsonb := '{}';
    tl_found jsonb;
    tl_left jsonb;
BEGIN
    FOREACH tl_change IN ARRAY changes LOOP
        tl_found := CASE
            WHEN tl_change.op = 'U' AND tl_change.previous_key IS NULL THEN tl_change.changed_from
            WHEN tl_change.op IN ('D', 'T') OR tl_change.previous_key = record_key THEN tl_change.row_data END;
        tl_left := CASE
            WHEN tl_change.op = 'I' THEN tl_change.row_data
            WHEN tl_change.op = 'U' AND tl_change.previous_key IS NULL THEN tl_row || tl_change.changed_to
            WHEN tl_change.op = 'U' AND tl_change.record_key = record_key THEN tl_change.row_data || tl_change.changed_to END;
        IF tl_there = (tl_found IS NULL) OR EXISTS (
            SELECT FROM jsonb_each(tl_found) AS f JOIN jsonb_each(tl_row) AS r USING (key) WHERE f.value #>> '{}' IS DISTINCT FROM r.value #>> '{}'
        ) THEN
            RETURN false;
        END IF;
        tl_there := tl_left IS NOT NULL;
        tl_row := coalesce(tl_left, '{}');
    END LOOP;
    RETURN NOT live_known OR tl_there = (live IS NOT NULL) AND NOT EXISTS (
        SELECT FROM jsonb_each(live) AS f JOIN jsonb_each(tl_row) AS r USING (key) WHERE f.value #>> '{}' IS DISTINCT FROM r.value #>> '{}');
END
$$;
