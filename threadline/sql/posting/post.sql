-- Moves visible entries of the journal into the ledger, oldest first, and returns their number; 0
-- if there is nothing to do, or another session is posting. Call it until it returns 0, in
-- transactions of isolation level READ COMMITTED; in others it does nothing:
--
--   SELECT threadline.post();
--
-- Correct results never depend on it: readers see journal and ledger as one. A call does all its
-- work in one statement, so that every snapshot sees each change once.
--
-- A call reads all waiting entries several times, because the journal has no index. So it moves
-- 10,000 entries or, if more than 100,000 wait, a tenth of them, up to 200,000. Writes of which the
-- order differs from that of their capture are moved together, so that it can be more.
CREATE OR REPLACE FUNCTION threadline.post(at_most integer DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, threadline, pg_temp
SET jit = off
SET enable_nestloop = on
-- A batch fits.
SET work_mem = '64MB' AS $$
#variable_conflict use_column
DECLARE
    tl_limit bigint := greatest(at_most, 1);
    tl_last bigint;
    tl_position bigint;
    tl_moved bigint;
    tl_posted bigint;
    tl_error text;
    tl_whole boolean := true;
BEGIN
    IF pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'
       OR current_setting('transaction_isolation') <> 'read committed'
       -- In a transaction of its own, because its locks last until the end.
       OR pg_current_xact_id_if_assigned() IS NOT NULL
    THEN
        RETURN 0;
    END IF;
    -- They are visible, so they have ended.
    UPDATE threadline.suspended_writes AS w
    SET ended_at = clock_timestamp()
    FROM (
        SELECT o.table_id, o.xact_id, o.occurred_at FROM threadline.suspended_writes AS o
        WHERE o.ended_at IS NULL
        FOR UPDATE SKIP LOCKED
    ) AS o
    WHERE (w.table_id, w.xact_id, w.occurred_at) = (o.table_id, o.xact_id, o.occurred_at);
    IF NOT EXISTS (SELECT FROM threadline.journal) THEN
        RETURN 0;
    END IF;
    SELECT p.last_position INTO tl_position FROM threadline.posting AS p FOR UPDATE SKIP LOCKED;
    IF NOT FOUND AND NOT EXISTS (SELECT FROM threadline.posting) THEN
        -- A restore left it out.
        INSERT INTO threadline.posting (last_position)
        SELECT coalesce(max(c.position), 0) FROM threadline.ledger_changes AS c
        ON CONFLICT DO NOTHING;
        SELECT p.last_position INTO tl_position FROM threadline.posting AS p FOR UPDATE SKIP LOCKED;
    END IF;
    IF tl_position IS NULL THEN
        RETURN 0;
    END IF;
    -- A restore of data alone filled the ledger and left this row unchanged.
    tl_position := greatest(tl_position, (SELECT max(c.position) FROM threadline.ledger_changes AS c));
    IF at_most IS NULL THEN
        tl_limit := (SELECT greatest(10000, least(count(*) / 10, 200000)) FROM threadline.journal);
    END IF;
    -- The sequence of ids began again: new entries would come before older ones.
    IF coalesce(pg_sequence_last_value('threadline.entry_ids'), 0)
       < (SELECT max(n.id) FROM (SELECT c.id FROM threadline.ledger_changes AS c ORDER BY c.position DESC LIMIT 100) AS n)
    THEN
        PERFORM threadline.set_sequences();
    END IF;
    LOOP
        tl_last := (
            SELECT max(e.id)
            FROM (
                SELECT j.id FROM threadline.journal AS j
                WHERE j.op = 'C' OR j.table_id IN (SELECT t.id FROM threadline.audited_tables AS t)
                ORDER BY j.id LIMIT tl_limit
            ) AS e);
        IF tl_last IS NULL THEN
            RETURN 0;
        END IF;
        BEGIN
            SELECT b.moved, b.posted INTO tl_moved, tl_posted FROM threadline.post_batch(tl_last, tl_position, whole => tl_whole) AS b;
        EXCEPTION
            WHEN unique_violation THEN
                -- The first renumbers the entries itself, if a sequence was behind.
                tl_error := CASE WHEN threadline.set_sequences() THEN NULL WHEN threadline.renumber_entries() THEN NULL ELSE SQLERRM END;
            WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded OR internal_error
              OR undefined_object OR undefined_function OR raise_exception THEN
                tl_error := SQLERRM;
        END;
        IF tl_moved IS NOT NULL THEN
            -- Outside of the handler, whose subtransaction would need a MultiXact for a locked row.
            UPDATE threadline.posting AS p SET last_position = tl_position + tl_posted, posted_at = clock_timestamp();
            RETURN tl_moved;
        ELSIF tl_error IS NOT NULL AND NOT tl_whole THEN
            -- It blocks no other session.
            WITH gone AS (DELETE FROM threadline.journal AS j WHERE j.id = tl_last RETURNING j.*)
            INSERT INTO threadline.unposted (
                id, transaction_id, xact_id, occurred_at, captured_at, op, table_id, relation, depth,
                old_place, new_place, command, old_row, new_row, changed, context, session_user_name, application_name, error)
            SELECT gone.*, tl_error FROM gone;
            RETURN 1;
        ELSIF tl_error IS NOT NULL THEN
            -- What cannot be posted is found entry by entry.
            tl_whole := tl_limit > 1;
            tl_limit := greatest(tl_limit / 16, 1);
            tl_error := NULL;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION threadline.post(integer) IS
    'Moves entries of the journal into the ledger, where they are indexed; returns their number';
