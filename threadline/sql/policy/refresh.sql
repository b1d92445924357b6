-- Rebuilds a table's capture for its present columns, under the same policy. Call it in the
-- migration that changes the columns. A redacted column stays redacted through a rename; so does
-- a column that is dropped and added again, or that was generated from a redacted one. Fails if a
-- new column of a table with redaction has a name that suggests a secret: it is not recorded until
-- a policy decides about it.
CREATE OR REPLACE FUNCTION threadline.refresh(target regclass) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp
SET jit = off AS $$
DECLARE
    tl_table threadline.audited_tables;
    tl_mask text[];
    tl_exclude text[];
    tl_columns text[];
    tl_plain text[];
    tl_hash text[];
    tl_ignore text[];
    tl_personal text[];
    tl_subject jsonb;
    tl_policy jsonb;
    tl_undecided text[];
BEGIN
    PERFORM threadline.set_sequences();
    SELECT * INTO tl_table FROM threadline.audited_tables WHERE id = threadline.audited_table_of(target);
    IF tl_table.id IS NULL AND threadline.audited_table_of(target) IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: the policy of table % was not restored with it; set it again with SELECT threadline.audit(''%'', ...)',
            target, target;
    ELSIF tl_table.id IS NULL THEN
        RAISE EXCEPTION 'threadline: table % is not audited; start with SELECT threadline.audit(''%'')', target, target;
    END IF;
    IF tl_table.relation <> target::oid AND EXISTS (
        SELECT FROM jsonb_to_recordset(tl_table.columns) AS c (name text, column_policy text)
        WHERE c.column_policy <> 'plain' AND c.name NOT IN (SELECT name FROM threadline.columns_of(target))
    ) THEN
        RAISE EXCEPTION 'threadline: table % was restored or created anew, and a redacted column of it has another name now; say which with SELECT threadline.audit(''%'', mask => ..., exclude => ...)',
            target, target;
    END IF;
    IF tl_table.policy ? 'condition' AND tl_table.deparsed_condition IS NULL THEN
        RAISE EXCEPTION 'threadline: the condition of table % was never installed; set it again with SELECT threadline.audit(''%'', condition => ...)',
            target, target;
    END IF;
    WITH decided AS (
        SELECT live.name,
               bool_or(tl_table.policy -> 'mask' ? c.name OR made.secret AND c.column_policy <> 'exclude') AS mask,
               bool_or(tl_table.policy -> 'exclude' ? c.name OR made.secret AND c.column_policy = 'exclude') AS exclude,
               bool_or(tl_table.policy -> 'hash' ? c.name) AS hash,
               bool_or(tl_table.policy -> 'ignore' ? c.name AND is_it) AS ignore,
               bool_or(tl_table.policy -> 'plain' ? c.name AND is_it) AS plain,
               bool_or(tl_table.policy -> 'personal' ? c.name AND is_it) AS personal,
               max(tl_table.policy -> 'subject' ->> c.name) FILTER (WHERE is_it) AS subject,
               bool_or(tl_table.policy -> 'columns' ? c.name AND is_it) AS chosen
        FROM jsonb_to_recordset(tl_table.columns) AS c (number smallint, name text, column_policy text)
        JOIN threadline.columns_of(target) AS live
          ON CASE WHEN tl_table.relation = target::oid AND live.number IN (
                 SELECT k.number FROM jsonb_to_recordset(tl_table.columns) AS k (number smallint)
             ) THEN live.number = c.number
             -- A new column is redacted if a former one of its name was.
             ELSE live.name = c.name END
        CROSS JOIN LATERAL (
            SELECT tl_table.relation <> target::oid OR live.number = c.number
        ) AS same (is_it)
        -- A column that was generated from a secret still holds it after its generation
        -- expression is dropped.
        CROSS JOIN LATERAL (
            SELECT c.column_policy <> 'plain'
               AND NOT coalesce(tl_table.policy -> 'hash' ? c.name, false)
               AND NOT (tl_table.policy -> 'mask' ? c.name OR tl_table.policy -> 'exclude' ? c.name)
               AND coalesce(tl_table.policy -> 'columns' ? c.name, true)
               AND EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = target AND a.attnum = live.number AND a.attgenerated = '')
        ) AS made (secret)
        GROUP BY live.name
    )
    SELECT coalesce(array_agg(name) FILTER (WHERE mask AND NOT coalesce(exclude, false)), '{}'),
           coalesce(array_agg(name) FILTER (WHERE exclude), '{}'),
           array_agg(name) FILTER (WHERE chosen),
           coalesce(array_agg(name) FILTER (WHERE plain AND NOT coalesce(mask OR exclude OR hash, false)), '{}'),
           coalesce(array_agg(name) FILTER (WHERE hash AND NOT coalesce(mask, false) AND NOT coalesce(exclude, false)), '{}'),
           coalesce(array_agg(name) FILTER (WHERE ignore AND NOT coalesce(exclude, false)), '{}'),
           coalesce(array_agg(name) FILTER (WHERE personal), '{}'),
           jsonb_object_agg(name, subject) FILTER (WHERE subject IS NOT NULL)
    INTO tl_mask, tl_exclude, tl_columns, tl_plain, tl_hash, tl_ignore, tl_personal, tl_subject
    FROM decided;
    tl_policy := threadline.policy(tl_mask, tl_exclude, (tl_table.policy -> 'require_actor')::boolean, tl_columns,
        ARRAY(SELECT jsonb_array_elements_text(tl_table.policy -> 'operations')), tl_table.policy ->> 'condition',
        tl_plain, tl_hash, tl_ignore, tl_table.policy ->> 'keep', tl_personal, tl_subject);
    tl_undecided := threadline.undecided_columns(tl_table.id, target, tl_policy);
    IF tl_undecided <> '{}' THEN
        RAISE EXCEPTION USING
            MESSAGE = format(CASE cardinality(tl_undecided)
                WHEN 1 THEN 'threadline: new column %s of table %s needs an explicit policy, because its name suggests a secret; it is not recorded until then'
                ELSE 'threadline: new columns %s of table %s need an explicit policy, because their names suggest secrets; they are not recorded until then'
            END, array_to_string(tl_undecided, ', '), target),
            HINT = 'Name it in exclude, mask, hash or plain of the model, and generate and run migrations; without a model, of threadline.audit().';
    END IF;
    RETURN threadline.enforce_policy(target, tl_policy, keyless => tl_table.key_columns = '{}');
END
$$;
