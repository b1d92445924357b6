-- Returns the ids under which changes of some transactions are shown, where those are not the ids
-- of their capture. Writes of a trigger or a function are captured before those of the statement
-- around them, although many happened after. Entries are given in the order of their ids, but each
-- one first waits
--
-- * for the entry that wrote the row version which it replaces;
-- * for the end of the row that has its key: only one row has a key at a time. A row that is still
--   there at the end of the transaction is the last one under its key.
--
-- Changes exchange ids only with those of the same record, and of records linked to it by a changed
-- key.
--
-- A version has one place in its relation, unless a TRUNCATE, CLUSTER or ALTER TABLE wrote the
-- relation anew in the same transaction, which it never does inside a statement that writes to the
-- relation. Each of them updates pg_class. In a transaction that may have done so, a predecessor
-- that was captured before is preferred, and one with the same values.
--
-- A version without a predecessor is of a row from before the transaction, or it has another place
-- since an update without an entry: one that changed nothing, or only ignored columns. Where both
-- are possible, the ids of commands decide, then the depths of the triggers and the values.
CREATE OR REPLACE FUNCTION threadline.order_entries(transactions xid8[], up_to bigint, lowest tid, highest tid, OUT id bigint, OUT shown_id bigint, OUT shown_statement integer) RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 1
SET search_path = pg_catalog, threadline, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    -- Entries by number, 1 for the lowest id; other entries and keys by their number, or 0.
    tl_ids bigint[];
    tl_ops "char"[];
    tl_depths integer[];
    tl_certain boolean[];
    -- -1 if it is unknown.
    tl_commands bigint[];
    tl_before integer[];
    tl_after integer[];
    tl_relations oid[];
    tl_old_places tid[];
    tl_new_places tid[];
    tl_old_keys integer[];
    tl_new_keys integer[];
    tl_old_hashes bigint[];
    tl_new_hashes bigint[];
    tl_count integer;
    tl_key_count integer;
    -- The row that is there at the end of the transaction began with this entry.
    tl_lasts boolean[];
    tl_given boolean[];
    -- The number of the statement that moved this key and others at once, or NULL.
    tl_statements bigint[];
    -- The entry that ends what waits in a circle.
    tl_circle_end integer := 0;
    tl_circle bigint;
    tl_waits boolean[];
    -- Keys by number: the entry that wrote its row, 0 without a row, -1 for one from before.
    tl_holders integer[];
    tl_ends_left integer[];
    tl_births integer[];
    tl_first_births integer[];
    tl_first_found integer[];
    tl_birth_depths integer[];
    tl_birth_commands bigint[];
    tl_tails integer[];
    tl_first_waiting integer[];
    tl_last_waiting integer[];
    tl_next_waiting integer[];
    -- Keys that are linked: another key of the same set, at last itself.
    tl_sets integer[];
    tl_set integer;
    tl_other integer;
    tl_order integer[];
    tl_given_count integer := 0;
    tl_agenda integer[];
    tl_agenda_count integer;
    tl_forced integer := 0;
    tl_next_slots integer[];
    tl_slots integer[];
    tl_at integer;
    tl_last integer;
    tl_key integer;
    tl_new_key integer;
    tl_step integer;
    tl_was_there boolean;
    tl_is_free boolean;
BEGIN
    WITH RECURSIVE link AS MATERIALIZED (
        SELECT e.*, count(*) FILTER (WHERE e.op = 'T') OVER (PARTITION BY e.xact_id, e.occurred_at, e.relation ORDER BY e.id) AS era
        FROM (
            SELECT j.id, j.xact_id, j.occurred_at, j.table_id, j.relation, j.op, abs(j.depth) AS depth, j.depth < 0 AS is_replaced,
                   j.old_place, j.new_place, coalesce(r.written_at < j.xact_id, false) AS is_certain,
                   CASE WHEN j.depth > 0 AND j.command IS NOT NULL THEN j.command::text::bigint ELSE -1 END AS command,
                   jsonb_hash_extended(threadline.short_values(j.old_row - coalesce(g.names, '{}')), 0) AS old_hash,
                   jsonb_hash_extended(threadline.short_values(j.new_row - coalesce(g.names, '{}')), 0) AS new_hash,
                   CASE cardinality(t.key_columns) WHEN 1 THEN j.old_row ->> t.key_columns[1]
                        ELSE (SELECT nullif(jsonb_agg(j.old_row -> k), '[]')::text FROM unnest(t.key_columns) AS k WHERE j.old_row IS NOT NULL) END AS old_key,
                   CASE cardinality(t.key_columns) WHEN 1 THEN j.new_row ->> t.key_columns[1]
                        ELSE (SELECT nullif(jsonb_agg(j.new_row -> k), '[]')::text FROM unnest(t.key_columns) AS k WHERE j.new_row IS NOT NULL) END AS new_key
            FROM threadline.journal AS j
            LEFT JOIN threadline.audited_tables AS t ON t.id = j.table_id
            LEFT JOIN (
                -- Updates of these columns alone are not recorded.
                SELECT i.id, ARRAY(SELECT jsonb_array_elements_text(i.policy -> 'ignore')) AS names FROM threadline.audited_tables AS i WHERE i.policy ? 'ignore'
                OFFSET 0
            ) AS g ON g.id = j.table_id
            LEFT JOIN (
                SELECT c.oid, threadline.full_xid(c.xmin) AS written_at FROM pg_class AS c
                WHERE c.oid IN (
                    SELECT x.relation FROM threadline.journal AS x
                    WHERE x.ctid >= lowest AND x.ctid <= highest AND x.xact_id IN (SELECT unnest(transactions)))
                OFFSET 0
            ) AS r ON r.oid = j.relation
            WHERE j.id <= up_to AND j.ctid >= lowest AND j.ctid <= highest AND j.op <> 'C'
              AND j.xact_id IN (SELECT unnest(transactions))
            OFFSET 0
        ) AS e
    ), candidate AS (
        SELECT l.id, b.id AS before, l.old_hash = b.new_hash AS is_alike, coalesce(l.old_key = b.new_key, false) AS is_same
        FROM link AS l
        JOIN link AS b ON b.xact_id = l.xact_id AND b.occurred_at = l.occurred_at AND b.relation = l.relation AND b.era = l.era
                      AND b.new_place = l.old_place
        WHERE b.id < l.id
           OR b.id > l.id AND (
               l.is_certain
               OR l.depth > b.depth AND (l.old_key = b.new_key OR l.old_key IS NULL AND l.old_hash = b.new_hash)
               OR l.depth = b.depth AND b.is_replaced AND l.old_hash = b.new_hash)
    ), paired AS MATERIALIZED (
        -- A version has one predecessor, and one successor.
        SELECT DISTINCT ON (p.before) p.before, p.id
        FROM (
            SELECT DISTINCT ON (c.id) c.*
            FROM candidate AS c
            ORDER BY c.id, c.is_alike DESC, c.is_same DESC, c.before < c.id DESC, CASE WHEN c.before < c.id THEN -c.before ELSE c.before END
        ) AS p
        ORDER BY p.before, p.is_alike DESC, p.is_same DESC, p.id
    ), entry AS MATERIALIZED (
        -- A row without a key has that of its place.
        SELECT l.id, l.op, l.depth, l.is_certain, l.command, l.relation, l.old_place, l.new_place, p.before, l.old_hash, l.new_hash,
               CASE WHEN l.old_key IS NOT NULL THEN hashtextextended(concat_ws(' ', l.xact_id, l.occurred_at, l.table_id, 'key', l.old_key), 0)
                    WHEN l.old_place IS NOT NULL THEN hashtextextended(concat_ws(' ', l.xact_id, l.occurred_at, l.relation, l.era, l.old_place), 0) END AS old_key,
               CASE WHEN l.op = 'T' THEN NULL
                    WHEN l.new_key IS NOT NULL THEN hashtextextended(concat_ws(' ', l.xact_id, l.occurred_at, l.table_id, 'key', l.new_key), 0)
                    WHEN l.new_place IS NOT NULL THEN hashtextextended(concat_ws(' ', l.xact_id, l.occurred_at, l.relation, l.era, l.new_place), 0) END AS new_key
        FROM link AS l
        LEFT JOIN paired AS p ON p.id = l.id
    ), event AS (
        SELECT e.old_key AS key, e.id, e.before, e.op, true AS finds, e.old_key = e.new_key AS leaves FROM entry AS e WHERE e.old_key IS NOT NULL
        UNION ALL
        SELECT e.new_key, e.id, NULL, e.op, false, true FROM entry AS e WHERE e.new_key IS NOT NULL AND e.old_key IS DISTINCT FROM e.new_key
    ), disordered AS (
        SELECT DISTINCT s.key
        FROM (
            SELECT v.*, lag(v.id) OVER earlier AS previous, coalesce(lag(v.leaves) OVER earlier, false) AS was_there
            FROM event AS v
            WINDOW earlier AS (PARTITION BY v.key ORDER BY v.id)
        ) AS s
        WHERE CASE WHEN NOT s.finds THEN s.was_there
                   WHEN s.before IS NOT NULL THEN s.previous IS DISTINCT FROM s.before
                   WHEN s.op = 'T' THEN s.previous IS NOT NULL AND NOT s.was_there
                   ELSE s.previous IS NOT NULL END
    ), moved AS MATERIALIZED (
        SELECT DISTINCT k.key, CASE k.key WHEN e.old_key THEN e.new_key ELSE e.old_key END AS other
        FROM entry AS e
        CROSS JOIN LATERAL (VALUES (e.old_key), (e.new_key)) AS k (key)
        WHERE e.old_key <> e.new_key
    ), reached AS (
        SELECT d.key FROM disordered AS d
        UNION
        SELECT m.other FROM reached AS r JOIN moved AS m ON m.key = r.key
    ), numbered AS MATERIALIZED (
        SELECT e.*, (row_number() OVER (ORDER BY e.id))::integer AS number
        FROM entry AS e
        WHERE e.old_key IN (SELECT r.key FROM reached AS r) OR e.new_key IN (SELECT r.key FROM reached AS r)
    ), key AS MATERIALIZED (
        SELECT r.key, (row_number() OVER (ORDER BY r.key))::integer AS number FROM reached AS r
    )
    SELECT array_agg(n.id ORDER BY n.number), array_agg(n.op ORDER BY n.number), array_agg(n.depth ORDER BY n.number), array_agg(n.is_certain ORDER BY n.number),
           array_agg(n.command ORDER BY n.number), array_agg(n.relation ORDER BY n.number),
           array_agg(coalesce(n.old_place, '(0,0)') ORDER BY n.number), array_agg(coalesce(n.new_place, '(0,0)') ORDER BY n.number),
           array_agg(coalesce(b.number, 0) ORDER BY n.number), array_agg(coalesce(o.number, 0) ORDER BY n.number), array_agg(coalesce(w.number, 0) ORDER BY n.number),
           array_agg(coalesce(n.old_hash, 0) ORDER BY n.number), array_agg(coalesce(n.new_hash, 0) ORDER BY n.number),
           count(*), (SELECT count(*) FROM key)
    INTO tl_ids, tl_ops, tl_depths, tl_certain, tl_commands, tl_relations, tl_old_places, tl_new_places, tl_before, tl_old_keys, tl_new_keys, tl_old_hashes, tl_new_hashes, tl_count, tl_key_count
    FROM numbered AS n
    LEFT JOIN numbered AS b ON b.id = n.before
    LEFT JOIN key AS o ON o.key = n.old_key
    LEFT JOIN key AS w ON w.key = n.new_key;
    IF tl_count = 0 THEN
        RETURN;
    END IF;

    tl_after := array_fill(0, ARRAY[tl_count]);
    tl_next_waiting := tl_after;
    tl_order := tl_after;
    tl_slots := tl_after;
    tl_statements := array_fill(NULL::bigint, ARRAY[tl_count]);
    tl_lasts := array_fill(false, ARRAY[tl_count]);
    tl_given := tl_lasts;
    tl_waits := tl_lasts;
    tl_holders := array_fill(0, ARRAY[tl_key_count]);
    tl_ends_left := tl_holders;
    tl_births := tl_holders;
    tl_first_births := tl_holders;
    tl_first_found := tl_holders;
    tl_first_waiting := tl_holders;
    tl_last_waiting := tl_holders;
    tl_next_slots := tl_holders;
    tl_birth_depths := array_fill(1000000, ARRAY[tl_key_count]);
    tl_birth_commands := array_fill(-1::bigint, ARRAY[tl_key_count]);
    tl_tails := tl_holders;
    tl_sets := ARRAY(SELECT generate_series(1, tl_key_count));

    FOR n IN 1..tl_count LOOP
        IF tl_before[n] > 0 THEN
            tl_after[tl_before[n]] := n;
        END IF;
        IF tl_old_keys[n] > 0 AND tl_new_keys[n] <> tl_old_keys[n] THEN
            tl_ends_left[tl_old_keys[n]] := tl_ends_left[tl_old_keys[n]] + 1;
            IF tl_new_keys[n] > 0 THEN
                tl_set := tl_old_keys[n];
                WHILE tl_sets[tl_set] <> tl_set LOOP
                    tl_sets[tl_set] := tl_sets[tl_sets[tl_set]];
                    tl_set := tl_sets[tl_set];
                END LOOP;
                tl_other := tl_new_keys[n];
                WHILE tl_sets[tl_other] <> tl_other LOOP
                    tl_sets[tl_other] := tl_sets[tl_sets[tl_other]];
                    tl_other := tl_sets[tl_other];
                END LOOP;
                tl_sets[tl_other] := tl_set;
            END IF;
        END IF;
    END LOOP;

    -- Places that were used again can form a circle.
    FOR n IN 1..tl_count LOOP
        CONTINUE WHEN tl_before[n] > 0;
        tl_at := n;
        WHILE tl_at > 0 LOOP
            tl_waits[tl_at] := true;
            tl_at := tl_after[tl_at];
        END LOOP;
    END LOOP;
    FOR n IN 1..tl_count LOOP
        IF NOT tl_waits[n] THEN
            tl_before[n] := 0;
            tl_after[n] := 0;
        END IF;
        tl_waits[n] := false;
    END LOOP;

    FOR n IN 1..tl_count LOOP
        tl_key := tl_old_keys[n];
        IF tl_key > 0 AND tl_before[n] = 0 THEN
            -- A row from before the transaction, or the last one under the key, which got another
            -- place in between. A row that came under the key before can have been written after
            -- this one was gone.
            tl_other := tl_tails[tl_key];
            tl_last := n;
            WHILE tl_new_keys[tl_last] = tl_key AND tl_after[tl_last] > 0 LOOP
                tl_last := tl_after[tl_last];
            END LOOP;
            tl_at := tl_last;
            WHILE tl_after[tl_at] > 0 LOOP
                tl_at := tl_after[tl_at];
            END LOOP;
            tl_was_there := CASE
                WHEN tl_other = 0 OR tl_other = tl_at THEN true
                WHEN tl_births[tl_key] = 0 OR tl_holders[tl_key] = -1 OR tl_ops[n] = 'T' OR tl_new_keys[tl_last] = tl_key THEN false
                WHEN tl_last < tl_first_births[tl_key] THEN true
                WHEN tl_commands[n] >= 0 AND tl_birth_commands[tl_key] >= 0 THEN tl_commands[n] < tl_birth_commands[tl_key]
                WHEN tl_depths[tl_last] > tl_birth_depths[tl_key] THEN false
                WHEN tl_relations[n] <> tl_relations[tl_other] THEN true
                -- New places follow earlier ones, as a rule.
                WHEN tl_new_hashes[tl_other] = tl_old_hashes[n]
                THEN tl_certain[n] AND tl_depths[tl_last] < tl_birth_depths[tl_key] AND tl_old_places[n] < tl_new_places[tl_other]
                ELSE tl_certain[n] OR tl_depths[tl_last] < tl_birth_depths[tl_key] END;
            IF tl_was_there THEN
                tl_holders[tl_key] := -1;
                tl_first_found[tl_key] := n;
            ELSE
                tl_before[n] := tl_other;
                tl_after[tl_other] := n;
                tl_tails[tl_key] := 0;
            END IF;
        END IF;
        tl_key := tl_new_keys[n];
        IF tl_key > 0 THEN
            IF tl_old_keys[n] <> tl_key THEN
                tl_births[tl_key] := tl_births[tl_key] + 1;
                IF tl_births[tl_key] = 1 THEN
                    tl_first_births[tl_key] := n;
                END IF;
                tl_birth_depths[tl_key] := least(tl_birth_depths[tl_key], tl_depths[n]);
                IF tl_commands[n] >= 0 AND (tl_birth_commands[tl_key] < 0 OR tl_commands[n] < tl_birth_commands[tl_key]) THEN
                    tl_birth_commands[tl_key] := tl_commands[n];
                END IF;
            END IF;
            IF tl_after[n] = 0 THEN
                tl_tails[tl_key] := n;
            END IF;
        END IF;
    END LOOP;

    FOR n IN 1..tl_count LOOP
        IF tl_after[n] = 0 AND tl_new_keys[n] > 0 THEN
            -- Back to where this row began.
            tl_at := n;
            WHILE tl_at > 0 AND tl_old_keys[tl_at] = tl_new_keys[n] LOOP
                tl_at := tl_before[tl_at];
            END LOOP;
            IF tl_at > 0 THEN
                tl_lasts[tl_at] := true;
            END IF;
        END IF;
    END LOOP;

    tl_step := 0;
    LOOP
        IF tl_step < tl_count THEN
            tl_step := tl_step + 1;
            tl_at := tl_step;
        ELSE
            -- What waits in a circle.
            tl_forced := tl_forced + 1;
            EXIT WHEN tl_forced > tl_count;
            tl_at := tl_forced;
        END IF;
        tl_agenda[1] := tl_at;
        tl_agenda_count := 1;
        WHILE tl_agenda_count > 0 LOOP
            tl_at := tl_agenda[tl_agenda_count];
            tl_agenda_count := tl_agenda_count - 1;
            CONTINUE WHEN tl_given[tl_at];
            tl_key := tl_old_keys[tl_at];
            tl_new_key := CASE WHEN tl_new_keys[tl_at] <> tl_key THEN tl_new_keys[tl_at] ELSE 0 END;
            tl_is_free := CASE WHEN tl_before[tl_at] > 0 THEN tl_given[tl_before[tl_at]] ELSE tl_key = 0 OR tl_holders[tl_key] <> 0 END;
            IF tl_is_free AND tl_new_key > 0 THEN
                tl_is_free := tl_holders[tl_new_key] = 0 AND (NOT tl_lasts[tl_at] OR tl_ends_left[tl_new_key] = 0);
                IF tl_holders[tl_new_key] <> 0 AND tl_key > 0 AND (tl_commands[tl_at] >= 0 OR tl_at = tl_forced) THEN
                    -- Under a deferrable primary key, a statement moves several keys at once.
                    tl_last := CASE tl_holders[tl_new_key] WHEN -1 THEN tl_first_found[tl_new_key] ELSE tl_after[tl_holders[tl_new_key]] END;
                    WHILE tl_last > 0 AND tl_new_keys[tl_last] = tl_new_key LOOP
                        tl_last := tl_after[tl_last];
                    END LOOP;
                    IF tl_last > 0 AND tl_new_keys[tl_last] > 0 THEN
                        IF tl_commands[tl_last] >= 0 AND tl_commands[tl_at] = tl_commands[tl_last] THEN
                            tl_is_free := true;
                            tl_statements[tl_at] := tl_commands[tl_at] % 2147483648;
                            tl_statements[tl_last] := tl_statements[tl_at];
                        ELSIF tl_at = tl_forced THEN
                            tl_circle_end := tl_last;
                            tl_circle := -1 - tl_ids[tl_at] % 2147483648;
                        END IF;
                    END IF;
                END IF;
            END IF;
            IF NOT tl_is_free AND tl_at <> tl_forced THEN
                tl_other := CASE WHEN tl_new_key > 0 THEN tl_new_key WHEN tl_before[tl_at] = 0 THEN tl_key ELSE 0 END;
                IF tl_other > 0 AND NOT tl_waits[tl_at] THEN
                    IF tl_first_waiting[tl_other] = 0 THEN
                        tl_first_waiting[tl_other] := tl_at;
                    ELSE
                        tl_next_waiting[tl_last_waiting[tl_other]] := tl_at;
                    END IF;
                    tl_last_waiting[tl_other] := tl_at;
                END IF;
                tl_waits[tl_at] := true;
                CONTINUE;
            END IF;
            tl_given[tl_at] := true;
            tl_given_count := tl_given_count + 1;
            tl_order[tl_given_count] := tl_at;
            IF tl_circle_end > 0 AND tl_key > 0 AND tl_new_key > 0 THEN
                tl_statements[tl_at] := tl_circle;
                tl_circle_end := CASE WHEN tl_at <> tl_circle_end THEN tl_circle_end ELSE 0 END;
            END IF;
            IF tl_key > 0 AND tl_new_keys[tl_at] <> tl_key THEN
                tl_ends_left[tl_key] := tl_ends_left[tl_key] - 1;
                IF tl_holders[tl_key] = (CASE tl_before[tl_at] WHEN 0 THEN -1 ELSE tl_before[tl_at] END) THEN
                    tl_holders[tl_key] := 0;
                END IF;
            END IF;
            IF tl_new_keys[tl_at] > 0 THEN
                tl_holders[tl_new_keys[tl_at]] := tl_at;
            END IF;
            -- What waited for it. The last of the agenda is next.
            IF tl_after[tl_at] > 0 AND tl_waits[tl_after[tl_at]] THEN
                tl_agenda_count := tl_agenda_count + 1;
                tl_agenda[tl_agenda_count] := tl_after[tl_at];
            END IF;
            FOREACH tl_other IN ARRAY ARRAY[tl_new_key, CASE WHEN tl_new_keys[tl_at] <> tl_key THEN tl_key ELSE 0 END] LOOP
                CONTINUE WHEN tl_other = 0;
                WHILE tl_first_waiting[tl_other] > 0 AND tl_given[tl_first_waiting[tl_other]] LOOP
                    tl_first_waiting[tl_other] := tl_next_waiting[tl_first_waiting[tl_other]];
                END LOOP;
                tl_at := tl_first_waiting[tl_other];
                WHILE tl_at > 0 LOOP
                    -- One that begins a row under the key ends the search.
                    IF NOT tl_given[tl_at] AND (tl_before[tl_at] = 0 OR tl_given[tl_before[tl_at]])
                       AND (tl_new_keys[tl_at] <> tl_other OR NOT tl_lasts[tl_at] OR tl_ends_left[tl_other] = 0)
                    THEN
                        tl_agenda_count := tl_agenda_count + 1;
                        tl_agenda[tl_agenda_count] := tl_at;
                        EXIT;
                    END IF;
                    tl_at := tl_next_waiting[tl_at];
                END LOOP;
            END LOOP;
        END LOOP;
    END LOOP;

    -- Each takes the next id of its set.
    FOR n IN REVERSE tl_count..1 LOOP
        tl_set := greatest(tl_old_keys[n], tl_new_keys[n]);
        WHILE tl_sets[tl_set] <> tl_set LOOP
            tl_sets[tl_set] := tl_sets[tl_sets[tl_set]];
            tl_set := tl_sets[tl_set];
        END LOOP;
        tl_slots[n] := tl_next_slots[tl_set];
        tl_next_slots[tl_set] := n;
    END LOOP;
    FOR n IN 1..tl_count LOOP
        tl_at := tl_order[n];
        tl_set := greatest(tl_old_keys[tl_at], tl_new_keys[tl_at]);
        WHILE tl_sets[tl_set] <> tl_set LOOP
            tl_set := tl_sets[tl_set];
        END LOOP;
        tl_other := tl_next_slots[tl_set];
        tl_next_slots[tl_set] := tl_slots[tl_other];
        -- Else a key was moved alone: not at once with others, wherever those are now. The command
        -- of a version that was replaced is not its own.
        IF tl_other <> tl_at
           OR tl_old_keys[tl_at] > 0 AND tl_new_keys[tl_at] > 0 AND tl_old_keys[tl_at] <> tl_new_keys[tl_at]
              AND (tl_commands[tl_at] < 0 OR tl_statements[tl_at] < 0)
        THEN
            shown_statement := coalesce(tl_statements[tl_at], -1 - tl_ids[tl_at] % 2147483648);
            id := tl_ids[tl_at];
            shown_id := tl_ids[tl_other];
            RETURN NEXT;
        END IF;
    END LOOP;
END
$$;
