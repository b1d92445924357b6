-- Where the triggers of an audited table, and of its partitions, are not those
-- that threadline.audit() installs.
CREATE FUNCTION threadline.trigger_drift(audited_table integer, target regclass) RETURNS SETOF threadline.finding
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
SET standard_conforming_strings = on
AS $$
DECLARE
    tl_class pg_class;
    tl_mend text := threadline.mending(audited_table, target);
    -- How it should be captured, and how it is.
    tl_suits boolean := threadline.captures_by_statement(audited_table, target);
    tl_by_statement boolean;
    tl_finding threadline.finding;
BEGIN
    SELECT * INTO STRICT tl_class FROM pg_class WHERE oid = target;
    SELECT count(*) FILTER (WHERE g.tgname ~ '^!threadline_(insert|update|delete|attached)$') > 0
        OR (tl_suits AND coalesce(bool_and(g.tgenabled = 'R') FILTER (WHERE g.tgname = '!threadline_capture_' || audited_table), true))
    INTO tl_by_statement
    FROM pg_trigger AS g
    WHERE g.tgrelid = target;

    IF tl_class.relispartition THEN
        IF EXISTS (
            SELECT FROM pg_partition_ancestors(target) AS a
            WHERE a.relid <> target AND threadline.audited_table_of(a.relid) IS NOT NULL
        ) THEN
            tl_finding := ROW('table-attached', target::text,
                format('it became a partition of %s, which is audited, too; its changes are recorded twice', pg_partition_root(target)),
                format('SELECT threadline.unaudit(%L);', target));
        ELSE
            tl_finding := ROW('table-attached', target::text,
                format('it became a partition of %s; its changes are recorded, but asked for by its own name they are not found', pg_partition_root(target)),
                format('ALTER TABLE %s DETACH PARTITION %s;', (SELECT inhparent::regclass FROM pg_inherits WHERE inhrelid = target), target));
        END IF;
        RETURN NEXT tl_finding;
    ELSIF tl_by_statement AND NOT tl_suits THEN
        RETURN NEXT ROW('inherited-since', target::text,
            'it has got ancestors or heirs: what is written through one of them is recorded of the wrong table, or not at all', tl_mend)::threadline.finding;
    ELSIF tl_suits AND NOT tl_by_statement THEN
        RETURN NEXT ROW('captured-by-row', target::text,
            'it has no ancestors or heirs any more, and could be recorded by statement, which is quicker', tl_mend)::threadline.finding;
    END IF;

    RETURN QUERY
    WITH expected AS (
        SELECT * FROM threadline.expected_triggers(audited_table, target, tl_by_statement)
    ), present AS (
        SELECT g.tgrelid::regclass AS relation, g.tgname::text AS name, g.tgenabled AS fires,
               pg_get_triggerdef(g.oid) AS definition, g.tgparentid <> 0 AS inherited,
               p.pronamespace = 'threadline'::regnamespace AND p.proname ~ '^capture_[0-9]+(_insert|_update|_delete)?$'
                   AND g.tgparentid = 0
                   -- That parent and partition are both audited is said by table-attached.
                   AND NOT EXISTS (
                       SELECT FROM pg_partition_ancestors(g.tgrelid) AS a
                       WHERE a.relid <> target
                         AND threadline.audited_table_of(a.relid) = substring(p.proname FROM '^capture_([0-9]{1,9})')::integer
                   ) AS captures
        FROM pg_trigger AS g
        JOIN pg_proc AS p ON p.oid = g.tgfoid
        WHERE g.tgrelid IN (SELECT e.relation FROM expected AS e)
    ), compared AS (
        SELECT coalesce(e.relation, p.relation) AS relation, coalesce(e.name, p.name) AS name,
               CASE
                   WHEN p.name IS NULL THEN 'missing'
                   WHEN e.name IS NULL THEN 'duplicated'
                   WHEN p.fires = 'D' OR (p.fires = 'R' AND e.fires <> 'R' AND e.definition = p.definition) THEN 'disabled'
                   WHEN e.definition <> p.definition OR p.fires <> e.fires THEN 'altered'
               END AS drift,
               p.fires, e.fires AS to_fire, p.definition = e.definition AS only_fires
        FROM expected AS e
        FULL JOIN present AS p ON p.relation = e.relation AND p.name = e.name
        WHERE e.name IS NOT NULL OR p.captures
    )
    SELECT CASE WHEN c.relation <> target AND c.drift IN ('missing', 'disabled')
                THEN CASE WHEN c.name ~ '^!threadline_truncate_' THEN 'partition-truncate-unseen' ELSE 'partition-unseen' END
                ELSE 'trigger-' || c.drift END,
           c.relation::text,
           CASE c.drift
               WHEN 'missing' THEN format('trigger %I is missing', c.name)
               WHEN 'duplicated' THEN format('trigger %I records what others record already', c.name)
               WHEN 'disabled' THEN format(
                   CASE c.fires WHEN 'R' THEN 'trigger %I fires for replicated changes only' ELSE 'trigger %I is disabled' END, c.name)
               ELSE format(
                   CASE WHEN NOT c.only_fires THEN 'trigger %I is not as it was made'
                        WHEN c.fires = 'A' AND c.to_fire = 'R' THEN 'trigger %I is called at every write, though it records replicated ones only'
                        WHEN c.fires = 'A' THEN 'trigger %I fires for replicated changes, too, which another records'
                        ELSE 'trigger %I does not fire for replicated changes' END, c.name)
           END,
           CASE WHEN c.drift = 'duplicated' THEN format('DROP TRIGGER %I ON %s;', c.name, c.relation) ELSE tl_mend END
    FROM compared AS c
    WHERE c.drift IS NOT NULL
    ORDER BY c.relation::text COLLATE "C", c.name COLLATE "C";
END
$$;
