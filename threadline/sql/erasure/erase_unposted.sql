-- Erases in the entries that could not be posted: in their images, which are of whole rows, and
-- the text of their contexts, if the erasure is also of an actor.
CREATE OR REPLACE FUNCTION threadline.erase_unposted(run threadline.erasures) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_mark jsonb := to_jsonb('erased:' || run.id);
BEGIN
    WITH of_table AS (
        SELECT (p -> 'table_id')::integer AS table_id, (p -> 'itself')::boolean AS itself, threadline.erased_names(p) AS names,
               threadline.names_over_time(t.id, t.key_columns, '[]', t.built_at) AS key_names, t.key_types,
               threadline.owner_names(p) AS former, p ->> 'key_type' AS type, threadline.keys_named(run.record_keys, p ->> 'key_type') AS keys
        FROM jsonb_array_elements(run.plan) AS p
        JOIN threadline.audited_tables AS t ON t.id = (p -> 'table_id')::integer
    ), erased AS (
        SELECT u.id, side.old_mine, side.new_mine, threadline.hidden_names(o.names, u.captured_at) AS names
        FROM threadline.unposted AS u
        JOIN of_table AS o ON o.table_id = u.table_id
        CROSS JOIN LATERAL (
            SELECT coalesce(o.itself AND threadline.key_in_image(u.old_row, threadline.hidden_names(o.key_names, u.captured_at), o.key_types) = ANY (run.record_keys), false)
                   OR threadline.names_one_of(threadline.named_in(u.old_row, o.former, u.captured_at, o.type), o.keys) AS old_mine,
                   coalesce(o.itself AND threadline.key_in_image(u.new_row, threadline.hidden_names(o.key_names, u.captured_at), o.key_types) = ANY (run.record_keys), false)
                   OR threadline.names_one_of(threadline.named_in(u.new_row, o.former, u.captured_at, o.type), o.keys) AS new_mine
        ) AS side
        WHERE side.old_mine OR side.new_mine
    )
    UPDATE threadline.unposted AS u
    SET old_row = CASE WHEN e.old_mine THEN threadline.erased_image(u.old_row, e.names, tl_mark) ELSE u.old_row END,
        new_row = CASE WHEN e.new_mine THEN threadline.erased_image(u.new_row, e.names, tl_mark) ELSE u.new_row END,
        -- It may repeat a value.
        error = 'erased:' || run.id
    FROM erased AS e
    WHERE u.id = e.id;
    IF run.actor_type IS NOT NULL THEN
        UPDATE threadline.unposted AS u
        SET context = threadline.erased_context(u.context, u.occurred_at, 'erased:' || run.id)
        FROM (
            SELECT o.id, c.actor_type, c.actor_id, c.meta
            FROM threadline.unposted AS o
            CROSS JOIN LATERAL threadline.read_context(o.context, o.occurred_at) AS c
            WHERE o.context IS NOT NULL
        ) AS read
        WHERE u.id = read.id AND (
            (read.actor_type = run.actor_type AND read.actor_id = run.actor_id)
            OR (read.actor_type IS NULL
                AND threadline.names_actor(coalesce(read.meta ->> 'unreadable_context', read.meta ->> 'untrusted_context'), run.actor_id)));
    END IF;
END
$$;
REVOKE ALL ON FUNCTION threadline.erase_unposted(threadline.erasures) FROM PUBLIC;
