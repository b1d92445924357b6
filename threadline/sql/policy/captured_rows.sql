-- SQL for what capture takes from the rows of a statement, out of its transition
-- tables. Both tables of an update have the rows in one order: where a key changed,
-- or is that of several, a row is found again by its position; that takes longer.
CREATE FUNCTION threadline.captured_rows(audited_table integer, target regclass, operation text, by_position boolean DEFAULT false) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $captured_rows$
DECLARE
    tl_old_key text := threadline.key_expression(audited_table, 'tl_before');
    tl_new_key text := threadline.key_expression(audited_table, 'tl_after');
    tl_old_image text := threadline.image_expression(audited_table, target, 'tl_before');
    tl_new_image text := threadline.image_expression(audited_table, target, 'tl_after');
    tl_old_values text := threadline.changes_expression(audited_table, target, 'tl_before', 'tl_after', 'tl_before');
    tl_new_values text := threadline.changes_expression(audited_table, target, 'tl_before', 'tl_after', 'tl_after');
    tl_keys text[] := (SELECT t.key_columns FROM threadline.audited_tables AS t WHERE t.id = audited_table);
    tl_same_key text := (
        SELECT string_agg(format('tl_before.%1$I = tl_after.%1$I', k.name), ' AND ' ORDER BY k.ordinal)
        FROM unnest(tl_keys) WITH ORDINALITY AS k (name, ordinal));
BEGIN
    RETURN CASE
        WHEN operation = 'INSERT' THEN format(
            $rows$SELECT %s AS record_key, NULL::text AS previous_key, NULL::jsonb AS changed_from, NULL::jsonb AS changed_to, %s AS row_data
            FROM tl_new AS tl_after$rows$,
            tl_new_key, tl_new_image)
        WHEN operation = 'DELETE' THEN format(
            $rows$SELECT %s AS record_key, NULL::text AS previous_key, NULL::jsonb AS changed_from, NULL::jsonb AS changed_to, %s AS row_data
            FROM tl_old AS tl_before$rows$,
            tl_old_key, tl_old_image)
        WHEN by_position OR tl_same_key IS NULL OR NOT threadline.key_is_comparable(audited_table) THEN format(
            $rows$SELECT record_key, previous_key, changed_from, changed_to,
                   CASE WHEN previous_key IS NOT NULL%6$s THEN row_data - 'tl_position' END AS row_data
            FROM (
                SELECT %2$s AS record_key, nullif(%1$s, %2$s) AS previous_key, %3$s AS changed_from, %4$s AS changed_to,
                       %5$s AS row_data
                FROM (SELECT *, row_number() OVER () AS tl_position FROM tl_old) AS tl_before
                JOIN (SELECT *, row_number() OVER () AS tl_position FROM tl_new) AS tl_after USING (tl_position)
                ORDER BY tl_position
                OFFSET 0
            ) AS pair
            WHERE changed_from <> '{}' OR previous_key IS NOT NULL$rows$,
            tl_old_key, tl_new_key, tl_old_values, tl_new_values, tl_old_image,
            -- Nothing but the whole row says which one it was.
            CASE WHEN tl_same_key IS NULL THEN ' OR true' END)
        ELSE format(
            $rows$SELECT * FROM (
                SELECT %s AS record_key, NULL::text AS previous_key, %s AS changed_from, %s AS changed_to, NULL::jsonb AS row_data
                FROM tl_old AS tl_before
                JOIN tl_new AS tl_after ON %s
                OFFSET 0
            ) AS pair
            WHERE changed_from <> '{}'$rows$,
            tl_new_key, tl_old_values, tl_new_values, tl_same_key)
    END;
END
$captured_rows$;
