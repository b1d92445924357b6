-- Returns where the triggers of an audited table, and of its partitions, differ from those that
-- threadline.audit() installs.
CREATE OR REPLACE FUNCTION threadline.trigger_drift(audited_table integer, target regclass) RETURNS SETOF threadline.finding
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
SET standard_conforming_strings = on AS $$
DECLARE
    tl_class pg_class;
    tl_fix text := threadline.fix_for(audited_table, target);
    tl_finding threadline.finding;
BEGIN
    SELECT * INTO STRICT tl_class FROM pg_class WHERE oid = target;
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
                format('it became a partition of %s; its changes are recorded under the parent, and a query by its own name does not find them', pg_partition_root(target)),
                format('ALTER TABLE %s DETACH PARTITION %s;', (SELECT inhparent::regclass FROM pg_inherits WHERE inhrelid = target), target));
        END IF;
        RETURN NEXT tl_finding;
    END IF;

    RETURN QUERY
    WITH expected AS (
        SELECT * FROM threadline.expected_triggers(audited_table, target)
    ), present AS (
        SELECT g.tgrelid::regclass AS relation, g.tgname::text AS name, g.tgenabled AS fires,
               threadline.deparsed_trigger(g.oid) AS definition, g.tgparentid <> 0 AS inherited,
               p.pronamespace = 'threadline'::regnamespace AND p.proname ~ '^capture_[0-9]+$'
                   AND g.tgparentid = 0
                   -- unaudit() leaves its triggers like this.
                   AND g.tgenabled <> 'D'
                   -- table-attached reports that parent and partition are both audited.
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
                   WHEN e.name IS NULL THEN CASE WHEN p.fires <> 'D' THEN 'duplicated' END
                   WHEN p.fires = 'D' OR (p.fires = 'R' AND e.definition = p.definition) THEN 'disabled'
                   WHEN e.definition <> p.definition OR p.fires <> 'A' THEN 'altered'
               END AS drift,
               p.fires, p.definition = e.definition AS only_fires
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
               WHEN 'duplicated' THEN format('trigger %I calls the capture function and records nothing', c.name)
               WHEN 'disabled' THEN format(
                   CASE c.fires WHEN 'R' THEN 'trigger %I fires for replicated changes only' ELSE 'trigger %I is disabled' END, c.name)
               ELSE format(
                   CASE WHEN NOT c.only_fires THEN 'trigger %I was altered'
                        ELSE 'trigger %I does not fire for replicated changes' END, c.name)
           END,
           CASE WHEN c.drift = 'duplicated' THEN format('DROP TRIGGER %I ON %s;', c.name, c.relation) ELSE tl_fix END
    FROM compared AS c
    WHERE c.drift IS NOT NULL
    ORDER BY c.relation::text COLLATE "C", c.name COLLATE "C";
END
$$;
