-- Returns a table with rows that the deletion of a row would affect, by cascade or by losing
-- their reference; NULL if there is none. A row's reference to itself does not count.
CREATE OR REPLACE FUNCTION threadline.referencing(target regclass, key_condition text) RETURNS regclass
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_key record;
    tl_found boolean;
BEGIN
    FOR tl_key IN
        SELECT k.conrelid::regclass AS child,
               string_agg(format('tl_child.%I = tl_row.%I', child.attname, parent.attname), ' AND ') AS joined
        FROM pg_constraint AS k
        CROSS JOIN ROWS FROM (unnest(k.conkey), unnest(k.confkey)) AS pair (child, parent)
        JOIN pg_attribute AS child ON child.attrelid = k.conrelid AND child.attnum = pair.child
        JOIN pg_attribute AS parent ON parent.attrelid = k.confrelid AND parent.attnum = pair.parent
        WHERE k.contype = 'f' AND k.confrelid = target AND k.conparentid = 0 AND k.confdeltype IN ('c', 'n', 'd')
        GROUP BY k.oid, k.conrelid
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s AS tl_row JOIN %s AS tl_child ON %s WHERE %s AND (tl_child.tableoid, tl_child.ctid) <> (tl_row.tableoid, tl_row.ctid))',
            target, tl_key.child, tl_key.joined, key_condition)
        INTO tl_found;
        IF tl_found THEN
            RETURN tl_key.child;
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
