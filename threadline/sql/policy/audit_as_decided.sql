-- Runs threadline.audit() without the check for columns that suggest a secret: it ran where the
-- policy was written, for a model or earlier. Only the database knows which column was renamed.
CREATE OR REPLACE FUNCTION threadline.audit_as_decided(
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
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp
SET jit = off AS $$
DECLARE
    tl_policy jsonb := threadline.policy(
        mask, exclude, require_actor, columns, operations, condition, plain, hash, ignore, keep, personal, subject);
BEGIN
    PERFORM threadline.ask_about_renamed(target, tl_policy);
    RETURN threadline.enforce_policy(target, tl_policy, keyless, continues);
END
$$;
