-- Returns the changes of rows that referred to a record at the time, along the requested paths:
-- 'posts.user_id' returns those of posts, 'versions.crate_id/dependencies.version_id' those of
-- versions and of the rows that referred to these. The record is given by the keys that it had,
-- in the form that threadline.referring_spans() takes. `moved`: in, if the change made its row
-- refer to the record; out, if it ended the reference.
--
-- Limit per row, the newest before a change: as many as a page takes, and more.
CREATE OR REPLACE FUNCTION threadline.associated_changes(
    referred integer, referents jsonb, paths text[], before bigint, at_most bigint
) RETURNS TABLE (
    id bigint, transaction_id bigint, captured_at timestamptz, table_id integer, statement integer, op "char",
    record_key text, previous_key text, changed_from jsonb, changed_to jsonb, row_data jsonb, through text, moved text
)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    tl_path text;
    tl_step text;
    tl_through text;
    tl_way text;
    tl_seen text[] := '{}';
    tl_from integer;
    tl_spans jsonb;
    tl_reference record;
BEGIN
    FOREACH tl_path IN ARRAY paths LOOP
        tl_from := referred;
        tl_spans := referents;
        tl_through := NULL;
        tl_way := NULL;
        FOR tl_step IN SELECT s.step FROM pg_catalog.regexp_split_to_table(tl_path, '/(?=(?:[^"]*"[^"]*")*[^"]*$)') AS s (step) LOOP
            SELECT * INTO tl_reference FROM threadline.reference_in(tl_from, pg_catalog.btrim(tl_step)) AS r;
            SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(s)), '[]') INTO tl_spans
            FROM threadline.referring_spans(tl_reference.table_id, tl_reference.relation, tl_reference.columns, tl_from, tl_spans) AS s;
            tl_from := tl_reference.table_id;
            tl_through := pg_catalog.concat_ws('/', tl_through, threadline.reference_name(tl_reference.table_id, tl_reference.columns));
            -- Two paths may share their first step.
            tl_way := pg_catalog.concat_ws('/', tl_way, tl_from || tl_reference.columns::text);
            CONTINUE WHEN tl_way = ANY (tl_seen);
            tl_seen := tl_seen || tl_way;
            RETURN QUERY
            -- A change that shows one row under two keys, or two references to the record, moves
            -- nothing.
            SELECT DISTINCT ON (x.id) x.id, x.transaction_id, x.captured_at, x.table_id, x.statement, x.op,
                   x.record_key, x.previous_key, x.changed_from, x.changed_to, x.row_data, tl_through,
                   CASE WHEN x.op <> 'U' OR x.begins AND x.ends THEN NULL WHEN x.begins THEN 'in' WHEN x.ends THEN 'out' END
            FROM (
                SELECT c.id, c.transaction_id, c.captured_at, c.table_id, c.statement, c.op, c.record_key, c.previous_key,
                       c.changed_from, c.changed_to, c.row_data,
                       pg_catalog.bool_or(c.begins) OVER (PARTITION BY c.id) AS begins, pg_catalog.bool_or(c.ends) OVER (PARTITION BY c.id) AS ends
                FROM threadline.changes_in_spans(tl_from, tl_spans, before, at_most) AS c
            ) AS x
            ORDER BY x.id DESC
            LIMIT at_most;
        END LOOP;
    END LOOP;
END
$$;
