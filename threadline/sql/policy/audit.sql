-- Audits a table, or changes its policy. Can be called repeatedly: the table keeps its id, and
-- with it its history.
--
--   SELECT threadline.audit('users', mask => ARRAY['email'], exclude => ARRAY['password_hash']);
--
-- columns: records only these columns and the primary key; columns added later are left out.
-- operations: some of insert, update, delete and truncate, instead of all.
-- condition: SQL over OLD and NEW as in the WHEN clause of a trigger; rows for which it is
-- not true are not recorded. The state of a record at an instant is then not available.
-- Like a CHECK it is evaluated for each row that is written: if it fails, so does the write.
-- plain: columns that are not secret although their names suggest it. A column whose name
-- suggests a secret needs an explicit policy: mask, exclude, hash or plain.
-- hash: columns stored as keyed hashes, so that equal values have equal hashes.
-- ignore: columns that are recorded along with changes of others; a change of only these
-- leaves no record. For counters and ranks.
-- keep: how long changes are kept, such as '7 years'; threadline.purge() removes older
-- ones. Without it all are kept.
-- personal: columns of a person, which threadline.begin_erasure() makes unreadable on that
-- person's request. They belong to the record itself: users:42.
-- subject: columns that name the person to whom the row belongs, and the table of the
-- records that they name: subject => '{"user_id": "users"}'.
-- continues: the audited table that this one replaces, as when a copy was made, changed and
-- renamed: its history continues here, and ends there. Differences are recorded.
-- keyless: the table may have no primary key. Its changes are then found by their content;
-- its records have no history.
CREATE OR REPLACE FUNCTION threadline.audit(
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
    PERFORM threadline.check_auditable(target);
    PERFORM threadline.ask_about_secrets(target, tl_policy);
    PERFORM threadline.ask_about_renamed(target, tl_policy);
    RETURN threadline.enforce_policy(target, tl_policy, keyless, continues);
END
$$;
