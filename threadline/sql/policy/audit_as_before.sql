-- Restores a former policy of a table, for the down.sql of a migration: as threadline.audit(),
-- but columns that the policy names may have been renamed since, and keep their policy, or may be
-- missing, because a later migration dropped them. If a redacted one comes back, it is redacted.
-- continues: as in threadline.audit(), to return a history after tables were renamed back; ignored
-- if that table is gone or not audited, or if the table has a history of its own. known: the columns that the table had when
-- the policy was decided. If the policy redacts any, other columns are left unrecorded: the policy
-- did not decide about them.
CREATE OR REPLACE FUNCTION threadline.audit_as_before(
    target        regclass,
    mask          text[]  DEFAULT '{}',
    exclude       text[]  DEFAULT '{}',
    require_actor boolean DEFAULT false,
    keyless       boolean DEFAULT false,
    columns       text[]  DEFAULT NULL,
    operations    text[]  DEFAULT NULL,
    condition     text    DEFAULT NULL,
    plain         text[]  DEFAULT '{}',
    hash         text[]  DEFAULT '{}',
    ignore        text[]  DEFAULT '{}',
    keep          text    DEFAULT NULL,
    personal      text[]  DEFAULT '{}',
    subject       jsonb   DEFAULT NULL,
    continues     regclass DEFAULT NULL,
    known         text[]  DEFAULT NULL
) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_id integer;
    tl_policy jsonb := threadline.under_present_names(target, threadline.policy(
        mask, exclude, require_actor, columns, operations, condition, plain, hash, ignore, keep, personal, subject));
    tl_known text[] := ARRAY(SELECT coalesce(threadline.present_name(target, k), k) FROM unnest(known) AS k);
    tl_undecided smallint[];
    tl_former regclass := CASE WHEN threadline.audited_table_of(continues) IS NOT NULL AND threadline.audited_table_of(target) IS NULL THEN continues END;
BEGIN
    WHILE tl_id IS NULL LOOP
        BEGIN
            tl_id := threadline.enforce_policy(target, threadline.present_part(target, tl_policy), keyless, tl_former);
        EXCEPTION WHEN undefined_column THEN
            IF NOT tl_policy ? 'condition' THEN
                RAISE;
            END IF;
            RAISE NOTICE 'threadline: the condition of table % names a column that is gone; all rows are recorded: %', target, condition;
            tl_policy := tl_policy - 'condition';
        END;
    END LOOP;
    IF EXISTS (
        SELECT FROM threadline.column_policies(tl_policy) AS p
        WHERE p.column_policy <> 'plain' AND p.name NOT IN (SELECT c.name FROM threadline.columns_of(target) AS c)
    ) THEN
        PERFORM threadline.hand_over(target);
        PERFORM threadline.note_absent(target, tl_policy);
        PERFORM threadline.take_back(target, 'proof');
    END IF;
    IF known IS NOT NULL AND threadline.redacts(tl_policy) AND NOT tl_policy ? 'columns' THEN
        tl_undecided := ARRAY(
            SELECT c.number
            FROM threadline.columns_of(target) AS c
            WHERE c.name <> ALL (tl_known)
              AND c.name NOT IN (SELECT p.name FROM threadline.column_policies(tl_policy) AS p)
              AND c.name NOT IN (SELECT k.name FROM threadline.key_columns_of(target) AS k)
              AND threadline.policy_of_column(target, c.number, tl_policy) = 'plain');
        IF tl_undecided <> '{}' THEN
            PERFORM threadline.hand_over(target);
            PERFORM threadline.withhold_columns(target, tl_undecided);
            PERFORM threadline.take_back(target, 'proof');
        END IF;
    END IF;
    RETURN tl_id;
END
$$;
