-- Returns the columns by which rows of a table refer to those of another: for 'posts' the columns
-- of its only foreign key, for 'posts.user_id' or 'posts(tenant, author)' the named ones. Fails
-- if the recorded data cannot give the answer.
CREATE OR REPLACE FUNCTION threadline.reference_in(
    referred integer, reference text,
    OUT table_id integer, OUT relation regclass, OUT columns text[]
)
LANGUAGE plpgsql STABLE
SET quote_all_identifiers = off
SET standard_conforming_strings = on AS $$
#variable_conflict use_column
DECLARE
    tl_referred text := (SELECT pg_catalog.quote_ident(t.table_name) FROM threadline.audited_tables AS t WHERE t.id = referred);
    tl_table text := reference;
    tl_parts text[];
    tl_match text[];
    tl_key text[];
    tl_keys jsonb;
    tl_refused record;
BEGIN
    -- Names are looked up under the caller's search_path, as in the caller's own queries.
    SELECT pg_catalog.array_agg(k.name ORDER BY k.ordinal) INTO tl_key FROM threadline.live_key(referred) AS k;
    IF tl_key IS NULL THEN
        RAISE EXCEPTION USING CONSTRAINT = 'threadline_reference',
            MESSAGE = pg_catalog.format('threadline: table %s has no primary key that rows could refer to', tl_referred);
    END IF;
    BEGIN
        tl_match := pg_catalog.regexp_match(reference, '^((?:[^"(]|"[^"]*")+)\(([^()]+)\)\s*$');
        IF tl_match IS NOT NULL THEN
            tl_table := tl_match[1];
            SELECT pg_catalog.array_agg((pg_catalog.parse_ident(part.name))[1] ORDER BY part.place) INTO columns
            FROM pg_catalog.regexp_split_to_table(tl_match[2], ',(?=(?:[^"]*"[^"]*")*[^"]*$)') WITH ORDINALITY AS part (name, place);
        END IF;
        tl_parts := pg_catalog.parse_ident(tl_table);
    EXCEPTION WHEN invalid_parameter_value THEN
        RAISE EXCEPTION USING CONSTRAINT = 'threadline_reference',
            MESSAGE = pg_catalog.format('threadline: %L names no reference; give it as in SQL: posts, posts.user_id, app.posts.user_id, posts(tenant, author)', reference);
    END;
    IF pg_catalog.cardinality(tl_parts) < 3 THEN
        table_id := threadline.find_audited_table(tl_table);
    END IF;
    IF table_id IS NULL AND columns IS NULL AND pg_catalog.cardinality(tl_parts) > 1 THEN
        columns := tl_parts[pg_catalog.cardinality(tl_parts):];
        SELECT pg_catalog.string_agg(pg_catalog.quote_ident(part.name), '.' ORDER BY part.place) INTO tl_table
        FROM pg_catalog.unnest(tl_parts[:pg_catalog.cardinality(tl_parts) - 1]) WITH ORDINALITY AS part (name, place);
        IF pg_catalog.cardinality(tl_parts) < 4 THEN
            table_id := threadline.find_audited_table(tl_table);
        END IF;
    END IF;
    IF table_id IS NULL THEN
        RAISE EXCEPTION USING CONSTRAINT = 'threadline_reference',
            MESSAGE = pg_catalog.format('threadline: no table of the name %s is or was audited (in %L); audited are %s', tl_table, reference,
                (SELECT pg_catalog.string_agg(pg_catalog.format('%I.%I', t.schema_name, t.table_name), ', ' ORDER BY t.schema_name, t.table_name)
                 FROM threadline.audited_tables AS t));
    END IF;
    relation := threadline.relation_of(table_id);

    IF columns IS NULL THEN
        SELECT pg_catalog.jsonb_agg(k.named ORDER BY k.oid) INTO tl_keys
        FROM (
            SELECT c.oid,
                   pg_catalog.jsonb_agg(child.attname ORDER BY pg_catalog.array_position(tl_key, parent.attname::text)) AS named,
                   pg_catalog.bool_and(parent.attname = ANY (tl_key)) AND pg_catalog.count(*) = pg_catalog.cardinality(tl_key) AS by_key
            FROM pg_catalog.pg_constraint AS c
            CROSS JOIN ROWS FROM (pg_catalog.unnest(c.conkey), pg_catalog.unnest(c.confkey)) AS pair (child, parent)
            JOIN pg_catalog.pg_attribute AS child ON child.attrelid = c.conrelid AND child.attnum = pair.child
            JOIN pg_catalog.pg_attribute AS parent ON parent.attrelid = c.confrelid AND parent.attnum = pair.parent
            WHERE c.contype = 'f' AND c.conparentid = 0 AND c.conrelid = relation AND c.confrelid = threadline.relation_of(referred)
              -- A row that refers to a period names a part of it, and not the key.
              AND pg_catalog.strpos(pg_catalog.pg_get_constraintdef(c.oid), ', PERIOD ') = 0
            GROUP BY c.oid
        ) AS k
        WHERE k.by_key;
        IF tl_keys IS NULL THEN
            RAISE EXCEPTION USING CONSTRAINT = 'threadline_reference',
                MESSAGE = pg_catalog.format('threadline: no foreign key of %s refers to the primary key of %s; name the column: %s.column', tl_table, tl_referred, tl_table);
        ELSIF pg_catalog.jsonb_array_length(tl_keys) > 1 THEN
            RAISE EXCEPTION USING CONSTRAINT = 'threadline_reference',
                MESSAGE = pg_catalog.format('threadline: several foreign keys of %s refer to %s; name one: %s', tl_table, tl_referred, (
                    SELECT pg_catalog.string_agg(
                        CASE pg_catalog.jsonb_array_length(k.named)
                            WHEN 1 THEN pg_catalog.format('%s.%I', tl_table, k.named ->> 0)
                            ELSE pg_catalog.format('%s(%s)', tl_table, (
                                SELECT pg_catalog.string_agg(pg_catalog.quote_ident(n.name), ', ') FROM pg_catalog.jsonb_array_elements_text(k.named) AS n (name)))
                        END, ', ')
                    FROM pg_catalog.jsonb_array_elements(tl_keys) AS k (named)));
        END IF;
        columns := ARRAY(SELECT pg_catalog.jsonb_array_elements_text(tl_keys -> 0));
    ELSIF pg_catalog.cardinality(columns) <> pg_catalog.cardinality(tl_key) THEN
        RAISE EXCEPTION USING CONSTRAINT = 'threadline_reference',
            MESSAGE = pg_catalog.format('threadline: a record of %s is known by %s columns (%s), and %L names %s; name as many, in this order: %s(%s)',
                tl_referred, pg_catalog.cardinality(tl_key), pg_catalog.array_to_string(tl_key, ', '), reference, pg_catalog.cardinality(columns),
                tl_table, pg_catalog.array_to_string(tl_key, ', '));
    END IF;
    SELECT pg_catalog.array_agg(coalesce(known.name, threadline.column_now(threadline.renames_of(table_id), given.name), given.name) ORDER BY given.place)
    INTO columns
    FROM pg_catalog.unnest(columns) WITH ORDINALITY AS given (name, place)
    LEFT JOIN threadline.referring_columns(table_id, relation) AS known ON known.name = given.name;

    SELECT given.name, known.column_policy INTO tl_refused
    FROM pg_catalog.unnest(columns) AS given (name)
    LEFT JOIN threadline.referring_columns(table_id, relation) AS known ON known.name = given.name
    WHERE known.column_policy IS DISTINCT FROM 'plain'
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING CONSTRAINT = 'threadline_reference',
            MESSAGE = CASE coalesce(tl_refused.column_policy, 'unknown')
                WHEN 'unknown' THEN pg_catalog.format('threadline: table %s has no column %I', tl_table, tl_refused.name)
                WHEN 'ignore' THEN pg_catalog.format('threadline: by the policy of %s, not every change of %I is recorded, so the rows that referred to a record are unknown', tl_table, tl_refused.name)
                WHEN 'hash' THEN pg_catalog.format('threadline: %s.%I is recorded as keyed hashes, which do not reveal the value; rows cannot be found by it', tl_table, tl_refused.name)
                ELSE pg_catalog.format('threadline: the values of %s.%I are not recorded (%s), so the rows that referred to a record are unknown', tl_table, tl_refused.name,
                    CASE tl_refused.column_policy WHEN 'mask' THEN 'masked' ELSE 'excluded' END)
            END;
    END IF;
END
$$;
