-- Restores a former policy of a table, for the down.sql of a migration: as threadline.audit(),
-- but columns that the policy names may be missing, because a later migration dropped them. If a
-- redacted one comes back, it is redacted. continues: as in threadline.audit(), to return a
-- history after tables were renamed back; ignored if the table is gone or its history was given
-- away.
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
    continues     regclass DEFAULT NULL
) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    tl_id integer;
    tl_there text[] := ARRAY(SELECT c.name FROM threadline.columns_of(target) AS c);
    tl_mask text[] := ARRAY(SELECT c FROM unnest(mask || hash) AS c WHERE c <> ALL (tl_there));
    tl_exclude text[] := ARRAY(SELECT c FROM unnest(exclude) AS c WHERE c <> ALL (tl_there));
BEGIN
    WHILE tl_id IS NULL LOOP
        BEGIN
            tl_id := threadline.audit_as_decided(target,
                mask => ARRAY(SELECT c FROM unnest(mask) AS c WHERE c = ANY (tl_there)),
                exclude => ARRAY(SELECT c FROM unnest(exclude) AS c WHERE c = ANY (tl_there)),
                require_actor => require_actor,
                keyless => keyless,
                -- The key is recorded in any case, so naming it chooses no further column.
                columns => CASE WHEN cardinality(columns) > 0 THEN coalesce(
                    (SELECT array_agg(c) FROM unnest(columns) AS c WHERE c = ANY (tl_there)),
                    ARRAY(SELECT k.name FROM threadline.key_columns_of(target) AS k)) END,
                operations => operations,
                condition => condition,
                plain => ARRAY(SELECT c FROM unnest(plain) AS c WHERE c = ANY (tl_there)),
                hash => ARRAY(SELECT c FROM unnest(hash) AS c WHERE c = ANY (tl_there)),
                ignore => ARRAY(SELECT c FROM unnest(ignore) AS c WHERE c = ANY (tl_there)),
                keep => keep,
                personal => ARRAY(SELECT c FROM unnest(personal) AS c WHERE c = ANY (tl_there)),
                subject => (SELECT jsonb_object_agg(f.key, f.value) FROM jsonb_each(subject) AS f WHERE f.key = ANY (tl_there)),
                continues => CASE WHEN threadline.audited_table_of(continues) IS NOT NULL THEN continues END);
        EXCEPTION WHEN undefined_column THEN
            IF condition IS NULL THEN
                RAISE;
            END IF;
            RAISE NOTICE 'threadline: the condition of table % names a column that is gone; all rows are recorded: %', target, condition;
            condition := NULL;
        END;
    END LOOP;
    IF tl_mask || tl_exclude <> '{}' THEN
        PERFORM threadline.hand_over(target);
        PERFORM threadline.note_absent(target, tl_mask, tl_exclude);
        PERFORM threadline.take_back(target, 'proof');
    END IF;
    RETURN tl_id;
END
$$;
