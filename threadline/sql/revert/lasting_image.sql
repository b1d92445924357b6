-- Returns the part of a record's image at an instant that can be written over the present row,
-- after commands that converted columns since. A column that did not change since is left out. A
-- value that a command altered cannot be restored: `altered` names its column.
CREATE OR REPLACE FUNCTION threadline.lasting_image(
    audited_table integer, target regclass, record_key text, instant timestamptz, past jsonb, live jsonb,
    OUT image jsonb, OUT altered text[]
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_column record;
    tl_before jsonb;
    tl_after jsonb;
BEGIN
    image := past;
    altered := '{}';
    FOR tl_column IN
        SELECT a.name, min(a.at) AS first, max(a.at) AS last
        FROM jsonb_to_recordset(threadline.alterations_of(audited_table)) AS a (name text, what text, "at" timestamptz)
        WHERE a.what = 'converted' AND a.at > instant AND past ? a.name AND live ? a.name
        GROUP BY a.name
    LOOP
        tl_before := (SELECT r.image FROM threadline.final_record(audited_table, target, record_key,
            CASE WHEN isfinite(tl_column.first) THEN tl_column.first - interval '1 microsecond' ELSE clock_timestamp() END) AS r);
        tl_after := CASE WHEN isfinite(tl_column.last)
            THEN (SELECT r.image FROM threadline.final_record(audited_table, target, record_key, tl_column.last) AS r)
            ELSE live END;
        IF (past -> tl_column.name)::text = (tl_before -> tl_column.name)::text
           AND (live -> tl_column.name)::text = (tl_after -> tl_column.name)::text THEN
            image := image - tl_column.name;
        ELSIF (tl_before -> tl_column.name)::text IS DISTINCT FROM (tl_after -> tl_column.name)::text THEN
            altered := altered || tl_column.name;
        END IF;
    END LOOP;
END
$$;
