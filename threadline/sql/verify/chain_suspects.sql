-- Returns the records of a table that threadline.chain_drift() must look at: all whose changes do
-- not agree with each other or with the live row, and perhaps others. NULL if there are too many.
--
-- Most records agree, and this shows it in one pass: with the values that a change found, those
-- that the one before it left are mostly equal byte by byte. Values are compared as they were
-- recorded, so no column may have had another name. A record that had another key is a suspect.
--
-- live_rows, live_key, live_image: what is read of the table as `tl_live`. not_compared: columns
-- whose values may differ.
CREATE OR REPLACE FUNCTION threadline.chain_suspects(
    audited_table integer, since timestamptz, after text, up_to text,
    live_rows text, live_key text, live_image text, not_compared text[], at_most integer
) RETURNS text[]
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp AS $chain_suspects$
DECLARE
    tl_suspects text[];
    tl_range text := concat_ws(' AND ', 'true', CASE WHEN after IS NOT NULL THEN '%1$s COLLATE "C" > $4' END, CASE WHEN up_to IS NOT NULL THEN '%1$s COLLATE "C" <= $5' END);
    tl_next text := CASE WHEN not_compared = '{}' THEN 'w.next' ELSE '(w.next - $6)' END;
    tl_live text := CASE WHEN not_compared = '{}' THEN 'live.live_image' ELSE '(live.live_image - $6)' END;
BEGIN
    EXECUTE threadline.filled(
        $query$
        WITH change AS (
            -- `shows` is what a change found, `leaves` what it left; false stands for no row, and true
            -- for an update that cannot be read.
            SELECT c.record_key, c.id,
                   CASE WHEN c.op = 'U' THEN CASE WHEN jsonb_typeof(c.changed_from) = 'object' AND jsonb_typeof(c.changed_to) = 'object' THEN c.changed_from ELSE 'true' END
                        WHEN c.op = 'I' THEN 'false'
                        WHEN jsonb_typeof(c.row_data) = 'object' THEN c.row_data ELSE '{}' END AS shows,
                   CASE WHEN c.op = 'U' THEN CASE WHEN jsonb_typeof(c.changed_to) = 'object' THEN c.changed_to ELSE '{}' END
                        WHEN c.op = 'I' THEN CASE WHEN jsonb_typeof(c.row_data) = 'object' THEN c.row_data ELSE '{}' END
                        ELSE 'false' END AS leaves
            FROM threadline.audit_changes AS c
            WHERE c.table_id = $1 AND c.transaction_id >= $2 AND c.captured_at >= $3 AND c.record_key IS NOT NULL AND {range: c.record_key}
            -- Computed once, and not again after the sort.
            OFFSET 0
        ), followed AS (
            -- `next` is what the next change found; NULL for the last change.
            SELECT c.*, lead(c.shows) OVER (PARTITION BY c.record_key ORDER BY c.id) AS next
            FROM change AS c
        ), walked AS (
            -- Without changes whose values the next one replaced, exactly as they were left.
            SELECT f.*,
                   threadline.overlay(f.leaves) FILTER (WHERE f.leaves <> 'false') OVER (
                       PARTITION BY f.record_key ORDER BY f.id ROWS UNBOUNDED PRECEDING) AS known
            FROM followed AS f
            WHERE (f.next = f.leaves) IS NOT true OR f.shows = 'true'
        ), told AS (
            SELECT w.record_key, w.leaves = 'false' AS is_end, w.next IS NULL AS is_last, w.known,
                   -- Mostly the state is known in full. Otherwise objects agree about the columns that
                   -- both have if they merge to the same either way.
                   CASE WHEN 'true' IN (w.shows, w.next) THEN true
                        WHEN w.next IS NULL THEN false
                        WHEN 'false' IN (w.leaves, w.next) THEN true
                        WHEN w.known || {next} = w.known THEN false
                        ELSE (w.known || {next} = {next} || w.known) IS NOT true END AS is_broken
            FROM walked AS w
        ), doubtful AS (
            SELECT t.record_key
            FROM (SELECT * FROM told AS t WHERE t.is_broken OR t.is_last OFFSET 0) AS t
            LEFT JOIN (
                SELECT {live key} COLLATE "C" AS live_key, {live image} AS live_image FROM {live rows} AS tl_live WHERE {range: live}
            ) AS live ON live.live_key = t.record_key
            WHERE t.is_broken OR CASE
                WHEN t.is_end THEN live.live_key IS NOT NULL
                WHEN live.live_key IS NULL THEN true
                WHEN t.known = live.live_image THEN false
                ELSE (t.known || {live} = {live} || t.known) IS NOT true END
            UNION
            SELECT k.key
            FROM threadline.audit_changes AS c
            CROSS JOIN LATERAL unnest(ARRAY[c.record_key, c.previous_key]) AS k (key)
            WHERE c.table_id = $1 AND c.previous_key IS NOT NULL AND c.transaction_id >= $2 AND {range: k.key}
            LIMIT $7 + 1
        )
        SELECT CASE WHEN count(*) <= $7 THEN coalesce(array_agg(d.record_key), '{}') END FROM doubtful AS d
        $query$, jsonb_build_object(
            'range: c.record_key', format(tl_range, 'c.record_key'),
            'range: k.key', format(tl_range, 'k.key'),
            'range: live', format(tl_range, '(' || live_key || ')'),
            'live rows', live_rows, 'live key', live_key, 'live image', live_image, 'live', tl_live, 'next', tl_next))
    INTO tl_suspects
    USING audited_table, threadline.first_transaction_since(since), since, after, up_to, not_compared, at_most;
    RETURN tl_suspects;
END
$chain_suspects$;
