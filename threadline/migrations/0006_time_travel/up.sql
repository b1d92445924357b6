-- Whether no change captured up to an instant can still come to be seen: what
-- was the state then is asked of committed changes, and a transaction that
-- wrote before the instant may commit after the question.
--
-- Who wrote audited rows and is still open, holds a lock on their table; who
-- ended before the look at the locks, is seen by the snapshots after it. So ask
-- first and read then. Of those open, the ones that began after the instant do
-- not count, as transaction ids of later AuditTransactions prove: ids are given
-- in the order in which transactions first write.
CREATE FUNCTION threadline.settled(instant timestamptz) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_old_snapshot boolean := current_setting('transaction_isolation') IN ('repeatable read', 'serializable');
    tl_later numeric;
    tl_id xid8;
BEGIN
    IF instant > (CASE WHEN tl_old_snapshot THEN now() ELSE clock_timestamp() END) THEN
        RETURN false;
    END IF;
    SELECT min(xact_id::text::numeric) INTO tl_later
    FROM (
        SELECT xact_id
        FROM threadline.audit_transactions
        WHERE opened_at > instant AND occurred_at > instant
        ORDER BY opened_at
        LIMIT 10
    ) AS opened;
    IF tl_later <= pg_snapshot_xmin(pg_current_snapshot())::text::numeric THEN
        RETURN true;
    ELSIF pg_is_in_recovery() THEN
        -- The primary's locks are not to be seen here.
        RETURN false;
    ELSIF EXISTS (
        SELECT
        FROM pg_locks AS writes
        WHERE writes.locktype = 'relation' AND writes.mode = 'RowExclusiveLock'
          AND writes.relation = 'threadline.audit_changes'::regclass
          -- Another database may have the same number for another table.
          AND writes.database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND writes.pid IS DISTINCT FROM pg_backend_pid()
          AND NOT EXISTS (
              SELECT
              FROM pg_locks AS own
              WHERE own.locktype = 'transactionid' AND own.mode = 'ExclusiveLock'
                AND own.virtualtransaction = writes.virtualtransaction
                AND tl_later <= threadline.whole_xid(own.transactionid)::text::numeric)
    ) THEN
        RETURN false;
    ELSIF NOT tl_old_snapshot THEN
        RETURN true;
    END IF;

    -- What an old snapshot holds to be running, and has committed since, stays
    -- unseen; also if it was in another database, which nobody can tell any more.
    IF EXISTS (
        SELECT
        FROM pg_snapshot_xip(pg_current_snapshot()) AS running (xid)
        WHERE pg_xact_status(running.xid) = 'committed' AND (tl_later <= running.xid::text::numeric) IS NOT TRUE
    ) THEN
        RETURN false;
    END IF;
    tl_id := pg_snapshot_xmax(pg_current_snapshot());
    BEGIN
        WHILE (tl_later <= tl_id::text::numeric) IS NOT TRUE LOOP
            IF pg_xact_status(tl_id) = 'committed' THEN
                RETURN false;
            END IF;
            tl_id := (tl_id::text::numeric + 1)::text::xid8;
        END LOOP;
    EXCEPTION
        -- An id that nobody has yet.
        WHEN invalid_parameter_value THEN
    END;
    RETURN true;
END
$$;
COMMENT ON FUNCTION threadline.settled(timestamptz) IS
    'Whether what was the state at an instant is final: no transaction that wrote audited rows by then is still open';

-- When the database transaction of an AuditTransaction captured its last change.
-- A transaction counts as of then, whole or not at all, under however many
-- contexts it wrote: what it wrote earlier, nobody else could see.
CREATE FUNCTION threadline.last_captured(audit_transaction bigint) RETURNS timestamptz
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT max(last.captured_at)
    FROM threadline.audit_transactions AS x
    JOIN threadline.audit_transactions AS part USING (xact_id, occurred_at)
    CROSS JOIN LATERAL (
        SELECT c.captured_at
        FROM threadline.audit_changes AS c
        WHERE c.transaction_id = part.id
        ORDER BY c.id DESC
        LIMIT 1
    ) AS last
    WHERE x.id = audit_transaction;
END;

-- What images of a table are to be read by: the columns that got other names,
-- those that threadline.audit() saw and those of which it has not been told.
-- [{"at": ..., "names": {"former": "now"}}], oldest first, NULL if there are
-- none. What was renamed at once is exchanged at once.
CREATE FUNCTION threadline.renames_of(audited_table integer) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_relation oid;
BEGIN
    SELECT t.relation INTO tl_relation FROM threadline.audited_tables AS t WHERE t.id = audited_table;
    IF threadline.audited_table_of(tl_relation) IS DISTINCT FROM audited_table THEN
        tl_relation := NULL;
    END IF;
    RETURN (
        SELECT jsonb_agg(jsonb_build_object('at', batch.renamed_at, 'names', batch.names) ORDER BY batch.renamed_at)
        FROM (
            SELECT r.renamed_at, jsonb_object_agg(r.former_name, r.name) AS names
            FROM (
                SELECT noted.former_name, noted.name, noted.renamed_at
                FROM threadline.renamed_columns AS noted
                WHERE noted.table_id = audited_table
                UNION ALL
                SELECT unnoted.former_name, unnoted.name, coalesce(unnoted.renamed_at, 'infinity')
                FROM threadline.unnoted_renames(audited_table, tl_relation) AS unnoted
            ) AS r
            GROUP BY r.renamed_at
        ) AS batch);
END
$$;

-- An image captured at an instant, its columns under the names of today.
CREATE FUNCTION threadline.renamed_image(renames jsonb, image jsonb, captured_at timestamptz) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_batch jsonb;
    tl_names jsonb;
    tl_image jsonb := image;
BEGIN
    IF renames IS NULL OR jsonb_typeof(image) IS DISTINCT FROM 'object' THEN
        RETURN image;
    END IF;
    FOR tl_batch IN SELECT * FROM jsonb_array_elements(renames) LOOP
        CONTINUE WHEN (tl_batch ->> 'at')::timestamptz <= captured_at;
        tl_names := tl_batch -> 'names';
        SELECT coalesce(jsonb_object_agg(coalesce(tl_names ->> field.key, field.key), field.value ORDER BY tl_names ? field.key), '{}')
        INTO tl_image
        FROM jsonb_each(tl_image) AS field
        WHERE tl_names -> field.key IS DISTINCT FROM 'null';
    END LOOP;
    RETURN tl_image;
END
$$;

-- An image captured at an instant, its columns under the names of today. For
-- many images of one table, ask for its renames once.
CREATE FUNCTION threadline.current_names(audited_table integer, image jsonb, captured_at timestamptz) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
RETURN threadline.renamed_image(threadline.renames_of(audited_table), image, captured_at);

-- The columns of a table as they are called now, and how each is treated: clear,
-- mask or exclude. Fails closed like capture_changed_table(): on a table with
-- redaction a column is clear only if it can be traced to one that the policy
-- left clear, by number while the table is the one it was, by name after a
-- restore. A token is a mask to who reads: it tells no value.
CREATE FUNCTION threadline.column_policy(
    audited_table integer, target regclass,
    OUT name text, OUT type regtype, OUT treatment text, OUT clear_since timestamptz
) RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH known AS (
        SELECT k.number, k.name, k.treatment, k.clear_since, t.relation
        FROM threadline.audited_tables AS t
        CROSS JOIN jsonb_to_recordset(t.columns) AS k (number smallint, name text, treatment text, clear_since timestamptz)
        WHERE t.id = audited_table
    )
    SELECT live.name, live.type,
           CASE WHEN NOT EXISTS (SELECT FROM known AS k WHERE k.treatment <> 'clear') THEN 'clear'
                WHEN 'exclude' IN (itself.treatment, namesake.treatment) THEN 'exclude'
                WHEN itself.treatment IN ('mask', 'token') OR namesake.treatment IN ('mask', 'token') THEN 'mask'
                WHEN itself.treatment = 'clear' THEN 'clear'
                ELSE 'exclude' END,
           itself.clear_since
    FROM (
        -- As threadline.columns_of() has them, but planned once.
        SELECT a.attnum AS number, a.atttypid::regtype AS type,
               (pg_identify_object_as_address('pg_class'::regclass, target, a.attnum)).object_names[3] AS name
        FROM pg_attribute AS a
        WHERE a.attrelid = target AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v'
    ) AS live
    LEFT JOIN known AS itself
        ON CASE WHEN itself.relation = target THEN itself.number = live.number ELSE itself.name = live.name END
    LEFT JOIN known AS namesake ON namesake.name = live.name;
END
$$;

-- What of a table's images as of an instant must not be seen, or is not known:
-- `hidden` columns are not in the answer, `masks` have placeholders there. A
-- model's row gets `filled` and goes without `unreadable`: a placeholder that is
-- no text would be taken for a value.
CREATE FUNCTION threadline.redaction(
    audited_table integer, target regclass, instant timestamptz,
    OUT columns text[], OUT hidden text[], OUT masks jsonb, OUT filled jsonb, OUT unreadable text[]
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    SELECT coalesce(array_agg(c.name ORDER BY c.name) FILTER (WHERE c.treatment <> 'clear'), '{}'),
           coalesce(array_agg(c.name) FILTER (WHERE c.treatment = 'exclude'), '{}'),
           coalesce(jsonb_object_agg(c.name, threadline.placeholder(c.type)) FILTER (WHERE c.treatment = 'mask'), '{}'),
           coalesce(jsonb_object_agg(c.name, '***'::text) FILTER (WHERE c.treatment = 'exclude' AND p.typcategory = 'S'), '{}'),
           coalesce(array_agg(c.name) FILTER (WHERE c.treatment <> 'clear' AND p.typcategory <> 'S'), '{}')
    INTO columns, hidden, masks, filled, unreadable
    FROM (
        SELECT policy.name, policy.type,
               -- What it was before it became clear, the audit does not have.
               CASE WHEN policy.clear_since > instant THEN 'exclude' ELSE policy.treatment END AS treatment
        FROM threadline.column_policy(audited_table, target) AS policy
    ) AS c
    JOIN pg_type AS p ON p.oid = c.type;
END
$$;

-- An image with what redaction() says taken from it. What is NULL stays NULL.
CREATE FUNCTION threadline.redacted(image jsonb, hidden text[], masks jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN masks = '{}' THEN image - hidden
    ELSE (image - hidden) || coalesce((
        SELECT pg_catalog.jsonb_object_agg(mask.key, mask.value)
        FROM pg_catalog.jsonb_each(masks) AS mask
        WHERE image -> mask.key <> 'null'), '{}')
END;

-- SQL for the image of a live row called row_name, as the table's policy lets
-- it be seen in the audit. To be run with capture's settings.
CREATE FUNCTION threadline.live_expression(audited_table integer, target regclass, row_name text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    RETURN (
        SELECT CASE WHEN bool_and(live.treatment = 'clear') THEN format('(%s)', live.image)
                    ELSE format('threadline.redacted_image(%s, %L, %L)', live.image,
                        coalesce(array_agg(live.name) FILTER (WHERE live.treatment = 'clear'), '{}'),
                        jsonb_object_agg(live.name, threadline.placeholder(live.type)) FILTER (WHERE live.treatment = 'mask'))
               END
        FROM (
            SELECT c.*,
                   CASE WHEN bool_or(value.form <> value.reference) OVER ()
                             OR EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = target AND a.attgenerated = 'v')
                        THEN format('(SELECT to_jsonb(tl_image.*) FROM (SELECT %s) AS tl_image)',
                                    string_agg(format('%s AS %I', value.form, c.name), ', ') OVER ())
                        ELSE format('to_jsonb(%s.*)', row_name) END AS image
            FROM threadline.column_policy(audited_table, target) AS c
            CROSS JOIN LATERAL (SELECT format('%s.%I', row_name, c.name) AS reference) AS named
            CROSS JOIN LATERAL (SELECT named.reference, threadline.json_form(c.type, named.reference) AS form) AS value
        ) AS live
        GROUP BY live.image);
END
$$;

-- The image of the live row with a record key, as the audit would show it; NULL
-- if there is none.
CREATE FUNCTION threadline.live_image(audited_table integer, target regclass, record_key text) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET bytea_output = 'hex'
SET extra_float_digits = 1
SET array_nulls = on
AS $$
DECLARE
    tl_image jsonb;
BEGIN
    EXECUTE format('SELECT %s FROM %s AS tl_live WHERE %s',
        threadline.live_expression(audited_table, target, 'tl_live'), threadline.own_rows(target),
        threadline.key_condition(audited_table, record_key, 'tl_live'))
    INTO tl_image;
    RETURN tl_image;
END
$$;

-- The same, with a little patience: what is not settled only because a short
-- transaction is open, is settled a moment later. What is read afterwards has a
-- later snapshot, in which everything that was settled is there.
CREATE FUNCTION threadline.settle(instant timestamptz) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    FOR tl_wait IN 0..6 LOOP
        IF threadline.settled(instant) THEN
            RETURN true;
        END IF;
        EXIT WHEN instant > clock_timestamp();
        PERFORM pg_sleep(0.002 * tl_wait * tl_wait);
    END LOOP;
    RETURN false;
END
$$;

-- Whether rows of a table went after a change without being recorded one by one: a
-- TRUNCATE above the limit, or of rows that its snapshot did not see.
CREATE FUNCTION threadline.truncated_unseen(audited_table integer, after_change bigint) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT EXISTS (
        SELECT
        FROM threadline.audit_changes AS c
        WHERE c.table_id = audited_table AND c.record_key IS NULL AND c.op = 'T' AND c.id > after_change);
END;

-- The answer of record_as_of() for an instant that is settled and audited; in
-- one snapshot.
CREATE FUNCTION threadline.settled_record(
    audited_table integer, target regclass, record_key text, instant timestamptz,
    OUT state text, OUT image jsonb, OUT transaction_id bigint, OUT change_id bigint
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    tl_here threadline.audit_changes;
    tl_left threadline.audit_changes;
    tl_before threadline.audit_changes;
    tl_end threadline.audit_changes;
    tl_birth threadline.audit_changes;
    tl_cut bigint;
    tl_renames jsonb;
    tl_undo jsonb;
    tl_unseen boolean;
BEGIN
    -- The last change under the key, and the last that took a record away from
    -- it, that count as of then. A transaction never falls on both sides.
    SELECT * INTO tl_here
    FROM threadline.audit_changes AS c
    WHERE c.table_id = audited_table AND c.record_key = settled_record.record_key
      AND c.captured_at <= instant AND threadline.last_captured(c.transaction_id) <= instant
    ORDER BY c.id DESC
    LIMIT 1;
    SELECT * INTO tl_left
    FROM threadline.audit_changes AS c
    WHERE c.table_id = audited_table AND c.previous_key = settled_record.record_key
      AND c.captured_at <= instant AND threadline.last_captured(c.transaction_id) <= instant
    ORDER BY c.id DESC
    LIMIT 1;
    tl_cut := greatest(tl_here.id, tl_left.id, 0);
    -- In a statement that shifts keys, who leaves makes room for who comes.
    tl_before := CASE
        WHEN tl_left.id IS NULL OR tl_left.id < tl_here.id
            OR (tl_left.transaction_id, tl_left.statement) = (tl_here.transaction_id, tl_here.statement)
        THEN tl_here ELSE tl_left END;
    transaction_id := tl_before.transaction_id;
    change_id := tl_before.id;
    IF tl_before.op IN ('D', 'T') THEN
        state := 'deleted';
        RETURN;
    ELSIF tl_before.previous_key = settled_record.record_key THEN
        state := 'moved';
        RETURN;
    END IF;

    tl_unseen := threadline.truncated_unseen(audited_table, (
        SELECT coalesce(max(c.id), 0)
        FROM threadline.audit_changes AS c
        WHERE c.table_id = audited_table AND c.record_key IS NULL AND c.op = 'T'
          AND c.captured_at <= instant AND threadline.last_captured(c.transaction_id) <= instant));

    -- What ended the record that had the key then, and what began another.
    SELECT * INTO tl_end
    FROM (
        (SELECT * FROM threadline.audit_changes AS c
         WHERE c.table_id = audited_table AND c.record_key = settled_record.record_key
           AND c.id > tl_cut AND c.op IN ('D', 'T')
         ORDER BY c.id LIMIT 1)
        UNION ALL
        (SELECT * FROM threadline.audit_changes AS c
         WHERE c.table_id = audited_table AND c.previous_key = settled_record.record_key
           AND c.id > tl_cut
         ORDER BY c.id LIMIT 1)
    ) AS either
    ORDER BY either.id
    LIMIT 1;
    SELECT * INTO tl_birth
    FROM threadline.audit_changes AS c
    WHERE c.table_id = audited_table AND c.record_key = settled_record.record_key
      AND c.id > tl_cut AND (c.op = 'I' OR c.previous_key IS NOT NULL)
    ORDER BY c.id
    LIMIT 1;
    IF tl_birth.id IS NOT NULL AND NOT coalesce(
        tl_end.id < tl_birth.id
        OR (tl_end.transaction_id, tl_end.statement) = (tl_birth.transaction_id, tl_birth.statement), false)
    THEN
        state := CASE WHEN tl_before.id IS NULL AND NOT tl_unseen THEN 'never' ELSE 'incomplete' END;
        RETURN;
    END IF;

    tl_renames := threadline.renames_of(audited_table);
    image := CASE
        WHEN tl_end.id IS NULL THEN threadline.live_image(audited_table, target, settled_record.record_key)
        ELSE threadline.renamed_image(tl_renames, tl_end.row_data, tl_end.captured_at) END;
    SELECT threadline.jsonb_merge(
               threadline.renamed_image(tl_renames, c.changed_from, c.captured_at) ORDER BY c.id DESC)
    INTO tl_undo
    FROM threadline.audit_changes AS c
    WHERE c.table_id = audited_table AND c.record_key = settled_record.record_key
      AND c.id > tl_cut AND c.id < least(tl_end.id, tl_birth.id, 9223372036854775807)
      AND c.op = 'U' AND c.previous_key IS NULL AND jsonb_typeof(c.changed_from) = 'object';
    IF image IS NULL THEN
        state := CASE WHEN tl_before.id IS NULL AND tl_undo = '{}' AND NOT tl_unseen THEN 'never' ELSE 'incomplete' END;
        RETURN;
    END IF;
    SELECT threadline.redacted(image || tl_undo, r.hidden, r.masks)
    INTO image
    FROM threadline.redaction(audited_table, target, instant) AS r;
    state := 'there';
END
$$;

-- One record as it was at an instant: what it is now, or was when it went, with
-- every later change undone.
--
--   SELECT * FROM threadline.record_as_of('members', '42', '2026-11-23 09:00');
--
-- state: there; or why not: unsettled, unaudited (before the audit began),
-- never (nothing of this key by then), deleted, moved (to another key),
-- incomplete (something wrote past the triggers). The change is the last one of
-- the key by then.
CREATE FUNCTION threadline.record_as_of(
    target regclass, record_key text, instant timestamptz,
    OUT state text, OUT image jsonb, OUT transaction_id bigint, OUT change_id bigint
)
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_table threadline.audited_tables;
BEGIN
    SELECT * INTO tl_table FROM threadline.audited_tables AS t WHERE t.id = threadline.audited_table_of(target);
    IF tl_table.id IS NULL THEN
        RAISE EXCEPTION 'threadline: table % is not audited', target;
    ELSIF tl_table.key_columns = '{}' THEN
        RAISE EXCEPTION 'threadline: table % has no primary key, so nobody can say which row a change was made to; add one, and call SELECT threadline.refresh(''%'')',
            target, target;
    ELSIF tl_table.policy ?| '{operations,condition}' THEN
        -- Some of what happened was not to be recorded.
        state := 'incomplete';
    ELSIF NOT threadline.settle(instant) THEN
        state := 'unsettled';
    ELSIF instant < tl_table.audited_since THEN
        state := 'unaudited';
    ELSE
        SELECT r.state, r.image, r.transaction_id, r.change_id
        INTO state, image, transaction_id, change_id
        FROM threadline.settled_record(tl_table.id, target, record_as_of.record_key, instant) AS r;
    END IF;
END
$$;
COMMENT ON FUNCTION threadline.record_as_of(regclass, text, timestamptz) IS
    'A record as it was at an instant, or why it was not there';

-- Every row of a table as it was at an instant, also those that went since.
--
--   SELECT * FROM threadline.rows_as_of('members', '2026-11-23 09:00');
CREATE FUNCTION threadline.rows_as_of(
    target regclass, instant timestamptz,
    OUT record_key text, OUT key jsonb, OUT image jsonb
) RETURNS SETOF record
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET bytea_output = 'hex'
SET extra_float_digits = 1
SET array_nulls = on
AS $rows_as_of$
DECLARE
    tl_table threadline.audited_tables;
    tl_renames jsonb;
    tl_redaction record;
    tl_first bigint;
BEGIN
    SELECT * INTO tl_table FROM threadline.audited_tables AS t WHERE t.id = threadline.audited_table_of(target);
    IF tl_table.id IS NULL THEN
        RAISE EXCEPTION USING
            CONSTRAINT = 'threadline_not_audited',
            MESSAGE = format('threadline: table %s is not audited', target);
    ELSIF tl_table.key_columns = '{}' THEN
        RAISE EXCEPTION 'threadline: table % has no primary key, so nobody can say which row a change was made to; add one, and call SELECT threadline.refresh(''%'')',
            target, target;
    ELSIF tl_table.policy ?| '{operations,condition}' THEN
        RAISE EXCEPTION USING
            CONSTRAINT = 'threadline_incomplete',
            MESSAGE = format('threadline: what %s was cannot be said: by its policy, not every change is recorded', target);
    ELSIF NOT threadline.settle(instant) THEN
        RAISE EXCEPTION USING
            CONSTRAINT = 'threadline_unsettled',
            MESSAGE = format('threadline: what %s was at %s is not settled yet: a transaction that wrote audited rows by then is still open', target, instant),
            HINT = 'Ask again when it has ended, or for an earlier instant.';
    ELSIF instant < tl_table.audited_since THEN
        RAISE EXCEPTION USING
            CONSTRAINT = 'threadline_unaudited',
            MESSAGE = format('threadline: table %s is audited since %s only', target, tl_table.audited_since),
            DETAIL = tl_table.audited_since;
    ELSIF threadline.truncated_unseen(tl_table.id, (
        SELECT coalesce(max(c.id), 0)
        FROM threadline.audit_changes AS c
        WHERE c.table_id = tl_table.id AND c.record_key IS NULL AND c.op = 'T'
          AND c.captured_at <= instant AND threadline.last_captured(c.transaction_id) <= instant))
    THEN
        RAISE EXCEPTION USING
            CONSTRAINT = 'threadline_incomplete',
            MESSAGE = format('threadline: rows of %s went since %s in a TRUNCATE that recorded their number alone', target, instant),
            HINT = 'Ask for a later instant, or for single records that are there again.';
    END IF;
    tl_renames := threadline.renames_of(tl_table.id);
    SELECT * INTO tl_redaction FROM threadline.redaction(tl_table.id, target, instant);
    -- What a transaction wrote by then counts as of its last change, which may
    -- have come much later, under another context.
    tl_first := threadline.first_transaction_since(instant);
    SELECT least(tl_first, min(part.id)) INTO tl_first
    FROM threadline.audit_transactions AS x
    JOIN threadline.audit_transactions AS part USING (xact_id, occurred_at)
    WHERE x.id >= tl_first AND occurred_at <= instant;

    RETURN QUERY EXECUTE format(
        $query$
        WITH later AS (
            SELECT c.*
            FROM threadline.audit_changes AS c
            WHERE c.table_id = $1
              AND c.transaction_id >= $3
              AND (c.captured_at > $2 OR c.transaction_id IN (
                  -- A transaction never falls on both sides.
                  SELECT x.id
                  FROM threadline.audit_transactions AS x
                  WHERE x.id >= $3 AND x.opened_at <= $2 AND threadline.last_captured(x.id) > $2))
        ), event AS (
            SELECT l.record_key AS event_key, l.id, l.transaction_id, l.statement, l.captured_at, l.row_data, l.changed_from,
                   CASE WHEN l.op IN ('D', 'T') THEN 'end'
                        WHEN l.op = 'I' OR l.previous_key IS NOT NULL THEN 'birth'
                        ELSE 'update' END AS kind
            FROM later AS l
            WHERE l.record_key IS NOT NULL
            UNION ALL
            SELECT l.previous_key, l.id, l.transaction_id, l.statement, l.captured_at, l.row_data, NULL, 'end'
            FROM later AS l
            WHERE l.previous_key IS NOT NULL
        ), ends AS (
            SELECT DISTINCT ON (event_key) * FROM event WHERE kind = 'end' ORDER BY event_key, id
        ), births AS (
            SELECT DISTINCT ON (event_key) * FROM event WHERE kind = 'birth' ORDER BY event_key, id
        ), touched AS (
            SELECT e.event_key,
                   threadline.jsonb_merge(%1$s ORDER BY e.id DESC) FILTER (
                       WHERE e.kind = 'update'
                         AND e.id < least(ends.id, births.id, 9223372036854775807)
                         AND jsonb_typeof(e.changed_from) = 'object') AS undo,
                   (array_agg(%2$s) FILTER (WHERE e.id = ends.id AND e.kind = 'end'))[1] AS last_image,
                   min(ends.id) AS ended,
                   -- In a statement that shifts keys, who leaves makes room for who comes.
                   bool_or(births.id IS NULL OR ends.id < births.id
                           OR (ends.transaction_id, ends.statement) = (births.transaction_id, births.statement)) AS existed
            FROM event AS e
            LEFT JOIN ends USING (event_key)
            LEFT JOIN births USING (event_key)
            GROUP BY e.event_key
        ), live AS (
            SELECT %3$s COLLATE "C" AS live_key, %4$s AS live_image
            FROM %5$s AS tl_live
        ), past AS (
            SELECT coalesce(t.event_key, live_key) AS past_key,
                   t.event_key IS NULL AS untouched,
                   CASE WHEN t.ended IS NULL THEN live_image ELSE t.last_image END || coalesce(t.undo, '{}') AS past_image
            FROM live
            FULL JOIN touched AS t ON t.event_key = live_key
            WHERE t.event_key IS NULL OR t.existed
        )
        SELECT past_key, threadline.key_json($4, $5, past_key), %6$s
        FROM past
        WHERE past_image IS NOT NULL
        $query$,
        CASE WHEN tl_renames IS NULL THEN 'e.changed_from' ELSE 'threadline.renamed_image($6, e.changed_from, e.captured_at)' END,
        CASE WHEN tl_renames IS NULL THEN 'e.row_data' ELSE 'threadline.renamed_image($6, e.row_data, e.captured_at)' END,
        threadline.key_expression(tl_table.id, 'tl_live'),
        threadline.live_expression(tl_table.id, target, 'tl_live'),
        threadline.own_rows(target),
        CASE WHEN (tl_redaction.hidden, tl_redaction.masks) = ('{}'::text[], '{}'::jsonb) THEN 'past_image'
             ELSE 'CASE WHEN untouched THEN past_image - $7 ELSE threadline.redacted(past_image, $7, $8) END' END)
    USING tl_table.id, instant, tl_first, tl_table.key_columns, tl_table.key_types,
          tl_renames, tl_redaction.hidden, tl_redaction.masks;
END
$rows_as_of$;
COMMENT ON FUNCTION threadline.rows_as_of(regclass, timestamptz) IS
    'Every row of an audited table as it was at an instant';

INSERT INTO threadline.schema_patches (version) VALUES (6);
