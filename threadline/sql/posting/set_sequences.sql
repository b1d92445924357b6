-- Sets the sequences of ids that are behind the recorded ids, after a load of data alone or a
-- switch-over by logical replication, and the ids of entries that were written meanwhile. Returns
-- whether any was.
CREATE OR REPLACE FUNCTION threadline.set_sequences() RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_entries regclass := pg_get_serial_sequence('threadline.journal', 'id');
    tl_keys regclass := pg_get_serial_sequence('threadline.hash_keys', 'id');
    tl_behind record;
    tl_any boolean := false;
BEGIN
    FOR tl_behind IN
        SELECT b.sequence, b.highest FROM threadline.sequences_behind() AS b
        UNION ALL
        -- Only for roles that may read it.
        SELECT tl_keys, max(k.id) FROM threadline.hash_keys AS k
        HAVING coalesce(pg_sequence_last_value(tl_keys), 0) < max(k.id)
    LOOP
        tl_any := true;
        IF tl_behind.sequence <> tl_entries THEN
            PERFORM setval(tl_behind.sequence, tl_behind.highest);
            CONTINUE;
        END IF;
        -- Uncommitted entries may have slightly higher ids.
        PERFORM setval(tl_entries, greatest(tl_behind.highest, (SELECT max(j.id) FROM threadline.journal AS j)) + 1000);
        -- A session that is posting has seen to it itself.
        IF EXISTS (SELECT FROM threadline.posting FOR UPDATE SKIP LOCKED) THEN
            PERFORM threadline.renumber_entries();
        END IF;
    END LOOP;
    RETURN tl_any;
END
$$;
