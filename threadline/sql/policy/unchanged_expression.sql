-- SQL for an array of the columns in which two rows do not differ; with NULL for
-- each of the others.
CREATE FUNCTION threadline.unchanged_expression(audited_table integer, target regclass, old_row text, new_row text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT format('ARRAY[%s]::text[]', string_agg(
        format(
            CASE WHEN live.bitwise
                THEN 'CASE WHEN %1$s.%3$I%4$s IS NOT DISTINCT FROM %2$s.%3$I THEN %3$L END'
                ELSE 'CASE WHEN record_image_eq(ROW(%1$s.%3$I), ROW(%2$s.%3$I)) THEN %3$L END'
            END, old_row, new_row, c.name, CASE WHEN live.type IN ('text'::regtype, 'varchar'::regtype) THEN ' COLLATE "C"' END),
        E',\n' ORDER BY c.number))
    FROM threadline.audited_tables AS t
    CROSS JOIN jsonb_to_recordset(t.columns) AS c (number smallint, name text, treatment text)
    JOIN threadline.columns_of(target) AS live ON live.number = c.number
    WHERE t.id = audited_table AND c.treatment <> 'exclude';
END;
