-- Audits a table under a policy, as threadline.policy() returns it. Changes nothing if the policy
-- is in force.
CREATE OR REPLACE FUNCTION threadline.enforce_policy(
    target regclass, policy jsonb, keyless boolean DEFAULT false, continues regclass DEFAULT NULL
) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp
SET jit = off AS $$
DECLARE
    tl_id integer;
    tl_part regclass;
    tl_condition text := policy ->> 'condition';
BEGIN
    PERFORM threadline.check_auditable(target);
    tl_id := threadline.as_decided(target, policy);
    IF tl_id IS NOT NULL THEN
        -- Triggers that already match are not replaced, so no writer waits for them.
        IF (SELECT t.policy FROM threadline.audited_tables AS t WHERE t.id = tl_id) <> policy THEN
            PERFORM threadline.hand_over(target);
            PERFORM threadline.set_terms(target, policy);
            PERFORM threadline.take_back(target, 'proof');
        END IF;
        RETURN tl_id;
    END IF;
    IF EXISTS (
        SELECT
        FROM (SELECT target AS relation UNION SELECT p.relid FROM pg_partition_tree(target) AS p) AS part
        JOIN pg_class AS c ON c.oid = part.relation
        WHERE c.relkind = 'r' AND c.relpersistence = 'u'
    ) THEN
        RAISE WARNING 'threadline: table % is unlogged: after a crash of the server its rows are gone, and their record stays', target
            USING HINT = format('To keep its rows: ALTER TABLE %s SET LOGGED;', target);
    END IF;
    PERFORM threadline.check_condition(target, tl_condition);
    PERFORM threadline.lock_policies();
    -- The writes so far are visible here and were recorded by the old function; the triggers
    -- block further writers in any case.
    EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', target);
    PERFORM threadline.hand_over(target);
    IF continues IS NOT NULL THEN
        EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', continues);
        PERFORM threadline.hand_over(continues);
        PERFORM threadline.give_history(continues, target);
        FOR tl_part IN SELECT continues UNION SELECT p.relid FROM pg_partition_tree(continues) AS p LOOP
            PERFORM threadline.drop_triggers(tl_part);
        END LOOP;
    END IF;
    tl_id := threadline.write_policy(target, policy, keyless, continues);
    -- Left over from when the table was a partition of another.
    PERFORM threadline.drop_triggers(target, but_of => tl_id);
    PERFORM threadline.install_triggers(tl_id, target, tl_condition);
    IF tl_condition IS NOT NULL THEN
        PERFORM threadline.note_condition(target);
    END IF;
    IF continues IS NOT NULL THEN
        PERFORM threadline.record_replacement(continues, target);
        PERFORM threadline.take_back(continues, 'all');
    END IF;
    PERFORM threadline.take_back(target, 'proof');
    RETURN tl_id;
END
$$;
