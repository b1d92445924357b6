-- Audits a table from now on, or changes how. Safe to call again: the table
-- keeps its id, and with it its history.
--
--   SELECT threadline.audit('users', mask => ARRAY['email'], exclude => ARRAY['password_hash']);
--
-- columns: these alone, and the primary key; whatever comes later is left out.
-- operations: some of insert, update, delete and truncate, instead of all.
-- condition: SQL over OLD and NEW as in the WHEN clause of a trigger; rows of which
-- it is not true are not recorded. What a record was can then not be said.
-- Like a CHECK it is evaluated for each row that is written: if it fails, so does the
-- write.
-- plain: columns that are no secret though their names look like it. Of one that looks
-- secret, something has to be said: mask, exclude, hash or plain.
-- hash: columns stored as keyed hashes, so that equal values can be seen to be equal.
-- ignore: columns that are recorded with what else changes; a change of these alone
-- leaves no record. For counters and ranks.
-- keep: how long changes are kept, such as '7 years'; threadline.purge() removes older
-- ones. Without it all are kept.
-- personal: columns of a person, which threadline.begin_erasure() makes unreadable when that
-- person asks for it. They are the record's own: of users:42.
-- subject: columns that name the person to whom the row belongs, and the table of which
-- they name the records: subject => '{"user_id": "users"}'.
-- continues: the audited table that this one takes the place of, as when a copy was made,
-- changed and renamed: its history goes on here, and ends there. What differs is recorded.
-- keyless: the table may have no primary key. What happened to it is found by its
-- content then; no record of it has a history.
CREATE FUNCTION threadline.audit(
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
SET jit = off
AS $$
BEGIN
    PERFORM threadline.check_auditable(target);
    PERFORM threadline.ask_about_secrets(target, threadline.policy(
        mask, exclude, require_actor, columns, operations, condition, plain, hash, ignore, keep, personal, subject));
    RETURN threadline.audit_as_decided(target, mask, exclude, require_actor, keyless, columns, operations, condition,
        plain, hash, ignore, keep, personal, subject, continues);
END
$$;
