-- Returns one record as it was at an instant: from the changes recorded by then and, where these
-- do not give the whole row, from its present or last state with every later change undone.
--
--   SELECT * FROM threadline.record_as_of('members', '42', '2026-11-23 09:00');
--
-- state: there; or why not: not_final, unaudited (before the audit began), purged (before the
-- retained period), never (no record of this key by then), deleted, moved (to another key),
-- incomplete (something was written bypassing the triggers). The change is the last one of
-- the key by then. Columns that are `unrecorded` are not in the image, because their values of
-- that time are not on record: a command (ALTER TABLE ... TYPE, a label of an enum) altered them
-- since, or the column was new in a table with redaction.
CREATE OR REPLACE FUNCTION threadline.record_as_of(
    target regclass, record_key text, instant timestamptz,
    OUT state text, OUT image jsonb, OUT transaction_id bigint, OUT change_id bigint, OUT unrecorded text[]
)
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_id integer := threadline.audited_table_of(target);
    tl_table threadline.audited_tables;
BEGIN
    SELECT * INTO tl_table FROM threadline.audited_tables AS t WHERE t.id = tl_id;
    IF tl_table.id IS NULL THEN
        RAISE EXCEPTION 'threadline: table % is not audited', target;
    ELSIF tl_table.key_columns = '{}' THEN
        RAISE EXCEPTION 'threadline: table % has no primary key, so the row of a change is unknown; add one, and call SELECT threadline.refresh(''%'')',
            target, target;
    ELSIF tl_table.policy ?| '{operations,condition}' OR NOT threadline.key_is_unique(tl_id, target) THEN
        -- The policy did not record all changes, or several rows have one key.
        state := 'incomplete';
    ELSIF NOT threadline.await_final(instant) THEN
        state := 'not_final';
    ELSIF instant < tl_table.audited_since THEN
        state := 'unaudited';
    ELSIF instant < tl_table.kept_since THEN
        state := 'purged';
    ELSIF instant < tl_table.chained_since THEN
        -- The row of then has another key now, or not all of its changes were recorded.
        state := 'incomplete';
    ELSE
        SELECT r.state, r.image, r.transaction_id, r.change_id, r.unrecorded
        INTO state, image, transaction_id, change_id, unrecorded
        FROM threadline.final_record(tl_table.id, target, threadline.canonical_key(tl_table.id, record_as_of.record_key), instant) AS r;
    END IF;
END
$$;
COMMENT ON FUNCTION threadline.record_as_of(regclass, text, timestamptz) IS
    'A record as it was at an instant, or the reason why it is not available';
