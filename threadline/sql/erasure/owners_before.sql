-- Returns the persons that columns of a record named before its first kept change: from the image
-- that a purge left of it, from the state before its changes, or from the live row. With `since`,
-- before its first change after that one: before, the primary key of the table was another, and
-- the key that of another record.
CREATE OR REPLACE FUNCTION threadline.owners_before(audited_table integer, record_key text, former jsonb, key_type text, since bigint DEFAULT 0) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    tl_owners jsonb := '{}';
    tl_count bigint := (SELECT count(*) FROM jsonb_object_keys(former));
    tl_change record;
    tl_relation regclass;
    -- Of changes under a former primary key, no row is known.
    tl_until bigint := (
        SELECT min(threadline.key_since(audited_table)) FROM threadline.ledger_changes AS c
        WHERE c.table_id = audited_table AND c.record_key = owners_before.record_key
          AND c.id > since AND c.id <= threadline.key_since(audited_table));
BEGIN
    SELECT threadline.named_in(k.image, former, k.captured_at, key_type) INTO tl_owners
    FROM threadline.kept_images AS k
    WHERE k.table_id = audited_table AND k.record_key = owners_before.record_key AND k.id > since;
    tl_owners := coalesce(tl_owners, '{}');
    FOR tl_change IN
        SELECT c.op, c.row_data, c.changed_from, c.captured_at
        FROM threadline.record_changes(audited_table, owners_before.record_key, since) AS c
        WHERE c.record_key = owners_before.record_key AND (c.id <= tl_until) IS NOT FALSE
        ORDER BY c.id
    LOOP
        EXIT WHEN tl_change.op = 'I' OR tl_count = (SELECT count(*) FROM jsonb_object_keys(tl_owners));
        -- Earlier owners take precedence.
        tl_owners := threadline.named_in(coalesce(tl_change.row_data, tl_change.changed_from), former, tl_change.captured_at, key_type) || tl_owners;
        -- These are of another record that took this key.
        EXIT WHEN tl_change.row_data IS NOT NULL;
    END LOOP;
    IF tl_until IS NULL AND (NOT FOUND OR tl_change.op = 'U' AND tl_change.row_data IS NULL) THEN
        tl_relation := threadline.readable(threadline.locate_table(audited_table));
        IF tl_relation IS NOT NULL AND tl_count > (SELECT count(*) FROM jsonb_object_keys(tl_owners)) THEN
            tl_owners := threadline.live_owners(threadline.live_image(audited_table, tl_relation, record_key), former, key_type) || tl_owners;
        END IF;
    END IF;
    RETURN tl_owners;
END
$$;
