-- The canonical text of one key value. Numbers that are equal have one text
-- (1.10 and 1.1), everything else is its JSON text without quotes.
CREATE FUNCTION threadline.key_text(value jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE pg_catalog.jsonb_typeof(value)
    WHEN 'number' THEN pg_catalog.trim_scale((value #>> '{}')::pg_catalog.numeric)::pg_catalog.text
    ELSE value #>> '{}'
END;

-- A key value, one of so many, as it fits into the index by record: of what is longer,
-- the beginning and a digest. Two long keys are told apart all the same; what they
-- were is in the images.
CREATE FUNCTION threadline.bounded_key(value text, parts integer) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN pg_catalog.octet_length(CASE parts WHEN 1 THEN value ELSE pg_catalog.to_json(value)::text END) <= 2000 / parts THEN value
    ELSE pg_catalog.left(value, 200 / parts) || '... sha256:'
         || pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(value, 'UTF8')), 'hex')
END;

-- The record key of a row of key values: record_key(ROW(42)) is '42',
-- record_key(ROW(7, 'x')) is '["7", "x"]'. Pinned like capture is, so that
-- both sides write one instant, interval or byte string the same way. Blanks
-- at the end of a char(n) are not part of its value.
CREATE FUNCTION threadline.record_key(key_values record, key_types text[] DEFAULT '{}') RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, threadline, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET bytea_output = 'hex'
SET extra_float_digits = 1
SET array_nulls = on
AS $$
DECLARE
    tl_texts text[];
BEGIN
    SELECT array_agg(threadline.bounded_key(part, parts) ORDER BY position)
    INTO tl_texts
    FROM (
        SELECT position, count(*) OVER ()::integer AS parts,
               CASE WHEN key_types[position] = 'character'
                    THEN rtrim(threadline.key_text(value), ' ') ELSE threadline.key_text(value) END AS part
        FROM jsonb_each(to_jsonb(key_values)) AS field (name, value)
        CROSS JOIN LATERAL (SELECT substr(name, 2)::integer AS position) AS place
    ) AS parts;
    RETURN CASE cardinality(tl_texts)
        WHEN 1 THEN tl_texts[1]
        ELSE to_jsonb(tl_texts)::text
    END;
END
$$;

-- The record key read from a row's image. Blanks at the end of a char(n) are not part
-- of its value.
CREATE FUNCTION threadline.key_in_image(image jsonb, key_columns text[], key_types text[]) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN (
    SELECT CASE pg_catalog.count(*)
        WHEN 0 THEN NULL
        WHEN 1 THEN threadline.bounded_key(pg_catalog.min(part), 1)
        ELSE pg_catalog.jsonb_agg(threadline.bounded_key(part, pg_catalog.cardinality(key_columns)) ORDER BY position)::pg_catalog.text
    END
    FROM (
        SELECT k.position,
               CASE k.type WHEN 'character' THEN pg_catalog.rtrim(threadline.key_text(image -> k.name), ' ')
                           ELSE threadline.key_text(image -> k.name) END AS part
        FROM ROWS FROM (pg_catalog.unnest(key_columns), pg_catalog.unnest(key_types)) WITH ORDINALITY AS k (name, type, position)
    ) AS parts
);

-- json as it enters an image. \u0000 is legal in json and not in jsonb; such a
-- value is kept as the text that it is.
CREATE FUNCTION threadline.json_image(value json) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN value::pg_catalog.text LIKE '%\\u0000%'
    THEN pg_catalog.to_jsonb(value::pg_catalog.text)
    ELSE value::pg_catalog.jsonb
END;

-- The columns of a relation as its catalog has them now. `bitwise` says that
-- two values are stored alike when = says so, which spares a comparison of the
-- stored bytes (numeric 1.0 = 1.00, citext, floats and intervals are not; text is
-- compared under collation "C").
-- Names come through the catalog cache: under REPEATABLE READ the catalog itself
-- may show those of before a rename, and columns that are gone.
-- A virtual column is none: there is no value of it in a row that a trigger sees.
CREATE FUNCTION threadline.columns_of(target regclass)
RETURNS TABLE (number smallint, name text, type regtype, bitwise boolean)
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT a.attnum,
           (pg_identify_object_as_address('pg_class'::regclass, target, a.attnum)).object_names[3],
           a.atttypid::regtype,
           t.typtype = 'e'
           OR (a.atttypid IN (
                   'int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'bool'::regtype, 'uuid'::regtype,
                   'text'::regtype, 'varchar'::regtype, 'date'::regtype, 'timestamp'::regtype,
                   'timestamptz'::regtype, 'bytea'::regtype, 'oid'::regtype))
           -- The scale that the column has is that of every value.
           OR (a.atttypid = 'numeric'::regtype AND a.atttypmod <> -1)
    FROM pg_attribute AS a
    JOIN pg_type AS t ON t.oid = a.atttypid
    WHERE a.attrelid = target AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v'
      AND has_column_privilege(target, a.attnum, 'SELECT') IS NOT NULL
    ORDER BY a.attnum;
END;

-- The type under a domain, however many of them are on each other; else the type
-- itself.
CREATE FUNCTION threadline.base_type(type oid) RETURNS oid
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    WITH RECURSIVE under AS (
        SELECT t.oid, t.typtype, t.typbasetype FROM pg_type AS t WHERE t.oid = type
        UNION ALL
        SELECT t.oid, t.typtype, t.typbasetype FROM under JOIN pg_type AS t ON t.oid = under.typbasetype AND under.typtype = 'd'
    )
    SELECT u.oid FROM under AS u WHERE u.typtype <> 'd';
END;

-- SQL for what to_jsonb() is given in place of a value, so that nobody's code runs
-- with the rights of who records it: for a type that is not PostgreSQL's own it
-- calls whatever cast to json the type's owner made. Such a value is recorded as the
-- text that its output function writes. That of json is kept where jsonb has no form
-- for it, and money, written otherwise in each locale, is a number.
CREATE FUNCTION threadline.json_form(type oid, reference text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT format(
        CASE
            WHEN base.oid = 'json'::regtype THEN 'threadline.json_image(%1$s)'
            WHEN base.oid = 'money'::regtype THEN '%1$s::numeric'
            -- PostgreSQL's own have lower OIDs, and it looks for no cast of them.
            WHEN base.oid < 16384 OR element.oid < 16384 THEN '%1$s'
            WHEN base.typtype = 'c' THEN 'threadline.row_image(%1$s)'
            WHEN element.typtype = 'c' THEN
                'CASE WHEN array_ndims(%1$s) > 1 THEN to_jsonb(concat(%1$s)::text[]) WHEN %1$s IS NOT NULL THEN '
                '(SELECT coalesce(jsonb_agg(threadline.row_image(tl_element)), ''[]'') FROM (SELECT unnest(%1$s) AS tl_element) AS tl_elements) END'
            WHEN element.oid IS NOT NULL THEN 'CASE WHEN %1$s IS NOT NULL THEN concat(%1$s)::text[] END'
            ELSE 'CASE WHEN %1$s IS NOT NULL THEN concat(%1$s) END'
        END, reference)
    FROM pg_type AS base
    LEFT JOIN pg_type AS element ON element.oid = threadline.base_type(base.typelem) AND base.typsubscript = 'array_subscript_handler'::regproc
    WHERE base.oid = threadline.base_type(type);
END;

-- Sets what decides how values become text, for the rest of the transaction, and
-- returns what it was; for a function that is not declared with all of them.
CREATE FUNCTION threadline.pin_settings(settings text[] DEFAULT ARRAY['UTC', 'ISO, YMD', 'postgres', 'hex', '1', 'on']) RETURNS text[]
LANGUAGE sql
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    WITH former AS MATERIALIZED (
        SELECT s.name, s.value, s.ordinality, current_setting(s.name) AS former
        FROM ROWS FROM (
            unnest(ARRAY['timezone', 'datestyle', 'intervalstyle', 'bytea_output', 'extra_float_digits', 'array_nulls']),
            unnest(settings)
        ) WITH ORDINALITY AS s (name, value, ordinality)
    )
    SELECT array_agg(f.former ORDER BY f.ordinality) FROM former AS f WHERE set_config(f.name, f.value, true) IS NOT NULL;
END;

-- The columns of a relation as they are at this moment, for a write that goes on:
-- under REPEATABLE READ its snapshot shows the catalog as it was, and what PostgreSQL
-- looks up by itself, the names of a row's fields and the types of expressions, is of
-- now. No type is known where the schema is closed to who asks.
CREATE FUNCTION threadline.present_columns(
    target regclass, OUT number smallint, OUT name text, OUT type regtype
) RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
AS $$
DECLARE
    tl_numbers smallint[] := '{}';
    tl_names text[] := '{}';
    tl_types regtype[];
BEGIN
    number := 1;
    LOOP
        name := (pg_identify_object_as_address('pg_class'::regclass, target, number)).object_names[3];
        EXIT WHEN name IS NULL;
        -- NULL of a column that was dropped.
        IF has_column_privilege(target, number, 'SELECT') IS NOT NULL THEN
            tl_numbers := tl_numbers || number;
            tl_names := tl_names || name;
        END IF;
        number := number + 1;
    END LOOP;
    BEGIN
        EXECUTE format('SELECT ARRAY[%s]::regtype[] FROM (SELECT NULL::%s AS tl_row) AS tl_rows',
            (SELECT string_agg(format('pg_typeof((tl_row).%I)', n.name), ', ' ORDER BY n.ordinality)
             FROM unnest(tl_names) WITH ORDINALITY AS n (name)), target)
        INTO tl_types;
    EXCEPTION WHEN insufficient_privilege THEN
        tl_types := '{}';
    END;
    RETURN QUERY
    SELECT c.number, c.name, c.type
    FROM ROWS FROM (unnest(tl_numbers), unnest(tl_names), unnest(tl_types)) AS c (number, name, type)
    -- A column is virtual from the beginning, or never.
    WHERE c.number <> ALL (ARRAY(SELECT a.attnum FROM pg_attribute AS a WHERE a.attrelid = target AND a.attgenerated = 'v'));
END
$$;

-- What stands in an image for a value that has no room there. The digest tells two of
-- them apart, so that a change from one to the other is seen.
CREATE FUNCTION threadline.too_large(bytes integer, digest bytea) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN '[too large to record: ' || bytes || ' bytes, sha256:' || pg_catalog.encode(digest, 'hex') || ']';

-- SQL for the image of a row of a relation, with the columns that it has now, whatever
-- is decided for them. An exact one fails where a value has no form in jsonb (\u0000
-- inside json[]). The other never does: all but numbers and the like are kept as their
-- text, and of what is beyond the 200 MB that fit in only length and digest.
CREATE FUNCTION threadline.whole_image(relation regclass, row_name text, exact boolean) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT CASE
        WHEN exact THEN format('(SELECT to_jsonb(tl_image.*) FROM (SELECT %s) AS tl_image)',
            string_agg(format('%s AS %I', form.sql, c.name), ', ' ORDER BY c.number))
        ELSE format(
            $image$(SELECT jsonb_object_agg(tl_field.name, CASE
                WHEN tl_field.text IS NULL THEN tl_field.short
                WHEN octet_length(tl_field.text) > 100000000 OR tl_field.total > 200000000
                THEN to_jsonb(threadline.too_large(octet_length(tl_field.text), sha256(convert_to(tl_field.text, 'UTF8'))))
                ELSE to_jsonb(tl_field.text) END)
            FROM (
                SELECT name, short, text, sum(octet_length(text)) OVER (ORDER BY number) AS total
                FROM (VALUES %s) AS tl_value (number, name, short, text)
            ) AS tl_field)$image$,
            string_agg(
                format(
                    CASE WHEN base.oid = 'bytea'::regtype
                        -- Its text is twice as long, and may be none any more.
                        THEN '(%s, %L, NULL::jsonb, CASE WHEN octet_length(%4$s) > 50000000 '
                             'THEN threadline.too_large(octet_length(%4$s), sha256(%4$s)) WHEN %4$s IS NOT NULL THEN concat(%4$s) END)'
                        WHEN base.oid < 16384 AND (base.typlen > 0 OR base.oid = 'numeric'::regtype)
                        THEN '(%s, %L, to_jsonb(%s), NULL::text)'
                        ELSE '(%s, %L, NULL::jsonb, %5$s)' END,
                    c.number, c.name, form.sql, value.reference, as_text.sql),
                ', ' ORDER BY c.number))
    END
    FROM threadline.present_columns(relation) AS c
    LEFT JOIN pg_type AS base ON base.oid = threadline.base_type(c.type)
    CROSS JOIN LATERAL (SELECT format('%s.%I', row_name, c.name) AS reference) AS value
    CROSS JOIN LATERAL (
        SELECT format('CASE WHEN %1$s IS DISTINCT FROM NULL THEN concat(%1$s) END', value.reference) AS sql
    ) AS as_text
    CROSS JOIN LATERAL (
        SELECT coalesce(
            threadline.json_form(c.type, value.reference),
            -- A type that only the snapshot knows is asked for once more, of the value.
            (SELECT format('CASE WHEN pg_typeof(%s) = %L::regtype THEN to_jsonb(%s) ELSE to_jsonb(%s) END',
                 value.reference, a.atttypid, threadline.json_form(a.atttypid, value.reference), as_text.sql)
             FROM pg_attribute AS a
             WHERE c.type IS NULL AND a.attrelid = relation AND a.attnum = c.number
               AND threadline.json_form(a.atttypid, value.reference) IS NOT NULL),
            as_text.sql) AS sql
    ) AS form;
END;

-- Any row, or value of a composite type, as JSON, without ever failing.
CREATE FUNCTION threadline.row_image(image_of anyelement) RETURNS jsonb
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
    tl_relation regclass := (SELECT t.typrelid FROM pg_type AS t WHERE t.oid = threadline.base_type(pg_typeof(image_of)));
    tl_image jsonb;
BEGIN
    IF image_of IS NOT DISTINCT FROM NULL THEN
        RETURN NULL;
    END IF;
    BEGIN
        EXECUTE 'SELECT ' || threadline.whole_image(tl_relation, '($1)', exact => true) INTO tl_image USING image_of;
    EXCEPTION WHEN OTHERS THEN
        EXECUTE 'SELECT ' || threadline.whole_image(tl_relation, '($1)', exact => false) INTO tl_image USING image_of;
    END;
    RETURN tl_image;
END
$$;

-- A table as FROM, UPDATE or DELETE take it, for the rows that are its own: what an heir
-- holds is the heir's, what a partition holds is the table's.
CREATE FUNCTION threadline.own_rows(target regclass) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT CASE WHEN c.relkind = 'p' THEN target::text ELSE 'ONLY ' || target END FROM pg_class AS c WHERE c.oid = target;
END;

-- What a masked value is stored as: of the JSON type that to_jsonb gives the column's
-- values, so that readers meet no surprise. NULL stays NULL.
CREATE FUNCTION threadline.placeholder(type regtype) RETURNS jsonb
LANGUAGE sql STABLE
RETURN (
    SELECT CASE
        WHEN t.oid IN ('json'::pg_catalog.regtype, 'jsonb'::pg_catalog.regtype) OR t.typtype = 'c' THEN '{}'::pg_catalog.jsonb
        WHEN t.typcategory = 'A' THEN '[]'::pg_catalog.jsonb
        WHEN t.oid = 'bool'::pg_catalog.regtype THEN 'false'::pg_catalog.jsonb
        WHEN t.oid IN ('int2'::pg_catalog.regtype, 'int4'::pg_catalog.regtype, 'int8'::pg_catalog.regtype,
                       'float4'::pg_catalog.regtype, 'float8'::pg_catalog.regtype, 'numeric'::pg_catalog.regtype) THEN '0'::pg_catalog.jsonb
        ELSE '"***"'::pg_catalog.jsonb
    END
    FROM pg_catalog.pg_type AS t
    WHERE t.oid = threadline.base_type(type)
);

-- A row's image reduced to the clear columns, with placeholders for the masked.
CREATE FUNCTION threadline.redacted_image(image jsonb, clear text[], masks jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN image IS NOT NULL THEN (
    SELECT coalesce(
        pg_catalog.jsonb_object_agg(
            field.key,
            CASE WHEN pg_catalog.jsonb_typeof(field.value) = 'null' OR NOT coalesce(masks, '{}') ? field.key
                 THEN field.value ELSE masks -> field.key END),
        '{}')
    FROM pg_catalog.jsonb_each(image) AS field
    WHERE field.key = ANY (clear) OR coalesce(masks, '{}') ? field.key
) END;

-- A key of up to 64 bytes, each exclusive-or a byte, as HMAC mixes it in.
CREATE FUNCTION threadline.token_pad(key bytea, pad integer) RETURNS bytea
LANGUAGE sql IMMUTABLE
RETURN (
    SELECT pg_catalog.string_agg(
        pg_catalog.set_byte('\x00', 0, pad # CASE WHEN i < pg_catalog.length(key) THEN pg_catalog.get_byte(key, i) ELSE 0 END), ''
        ORDER BY i)
    FROM pg_catalog.generate_series(0, 63) AS i
);

-- Makes a key of 32 random bytes, and says under which id it is kept. UUIDs come from
-- PostgreSQL's strong random source, 122 bits of each.
CREATE FUNCTION threadline.new_token_key() RETURNS integer
LANGUAGE sql
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    INSERT INTO threadline.token_keys (inner_key, outer_key)
    SELECT threadline.token_pad(key, 54), threadline.token_pad(key, 92)
    FROM (
        SELECT sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) AS key OFFSET 0
    ) AS new
    RETURNING id;
END;
REVOKE ALL ON FUNCTION threadline.new_token_key() FROM PUBLIC;

-- What a value is recorded as under a key: the first half of HMAC-SHA-256 of its text.
-- Equal values have equal tokens, also after the type of the column changed. NULL stays
-- NULL. Without the key, in a restore that left out the rows, all are alike. Not one
-- expression, which would become part of the expressions of capture and have each of
-- them planned as a query: three times as long for a single row.
CREATE FUNCTION threadline.token(key_id integer, value jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_text text := value #>> '{}';
    tl_token text;
BEGIN
    IF tl_text IS NULL THEN
        RETURN 'null';
    END IF;
    SELECT encode(substr(sha256(k.outer_key || sha256(k.inner_key || convert_to(tl_text, 'UTF8'))), 1, 16), 'hex')
    INTO tl_token
    FROM threadline.token_keys AS k
    WHERE k.id = key_id;
    RETURN to_jsonb('token:' || coalesce(tl_token, 'unknown'));
END
$$;
REVOKE ALL ON FUNCTION threadline.token(integer, jsonb) FROM PUBLIC;

-- A row's redacted image with tokens where it has placeholders. `tokens` names the key
-- of each column.
CREATE FUNCTION threadline.with_tokens(image jsonb, whole jsonb, tokens jsonb) RETURNS jsonb
LANGUAGE sql STABLE
RETURN image || coalesce((
    SELECT pg_catalog.jsonb_object_agg(t.key, threadline.token(t.value::pg_catalog.int4, whole -> t.key))
    FROM pg_catalog.jsonb_each(tokens) AS t
    WHERE image ? t.key), '{}');

-- The primary key of a relation, in key order; empty when it has none.
CREATE FUNCTION threadline.key_columns_of(target regclass)
RETURNS TABLE (name text, type regtype)
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT a.attname::text, a.atttypid::regtype
    FROM pg_index AS i
    CROSS JOIN unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (attnum, position)
    JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
    WHERE i.indrelid = target AND i.indisprimary AND k.position <= i.indnkeyatts
    ORDER BY k.position;
END;

-- Numbers, names and types of a relation's columns, how they are compared, and what
-- they are generated from: another one now asks for threadline.refresh(). A dump and
-- restore does, too, if it closes the gap that a dropped column left in the numbers.
CREATE FUNCTION threadline.fingerprint(target regclass) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
BEGIN ATOMIC
    SELECT md5(coalesce(
        string_agg(
            c.number || ' ' || quote_ident(c.name) || ' ' || c.type::oid::regtype::text || CASE WHEN c.bitwise THEN '' ELSE ' by image' END
                || coalesce((
                    SELECT ' generated as ' || pg_get_expr(d.adbin, d.adrelid)
                    FROM pg_attrdef AS d
                    JOIN pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
                    WHERE d.adrelid = target AND d.adnum = c.number AND a.attgenerated <> ''), ''),
            ',' ORDER BY c.number), ''))
    FROM threadline.columns_of(target) AS c;
END;

-- The relation whose columns a capture function was built for, seen from one of
-- its partitions. `built_for` is its OID then; after a restore OIDs are others,
-- and the partition's root is taken.
CREATE FUNCTION threadline.audited_relation(target oid, built_for oid) RETURNS regclass
LANGUAGE sql STABLE
RETURN CASE
    WHEN target = built_for THEN target
    WHEN EXISTS (
        SELECT FROM pg_catalog.pg_partition_ancestors(target) AS ancestor WHERE ancestor.relid::pg_catalog.oid = built_for
    ) THEN built_for
    ELSE coalesce(pg_catalog.pg_partition_root(target)::pg_catalog.oid, target)
END::pg_catalog.regclass;

-- Whether a column is still generated by the expression with an OID, for a write that
-- goes on: the catalog's cache is asked, not the snapshot. True if it never was.
CREATE FUNCTION threadline.made_as_before(column_name text, made_by oid) RETURNS boolean
LANGUAGE sql STABLE
RETURN CASE
    WHEN made_by <> 0::pg_catalog.oid
    THEN (pg_catalog.pg_identify_object_as_address('pg_catalog.pg_attrdef'::pg_catalog.regclass, made_by, 0)).object_names[3]
         IS NOT DISTINCT FROM column_name
    ELSE true END;

-- Do the columns of a relation stand as they did when its capture was built: the same
-- ones, each under its number and name, and of its type? Not if one is generated from
-- something else since, where others are redacted.
CREATE FUNCTION threadline.columns_match(relation oid, built_for jsonb) RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
AS $$
BEGIN
    RETURN NOT EXISTS (
        SELECT
        FROM threadline.present_columns(relation) AS now
        FULL JOIN jsonb_to_recordset(built_for -> 'columns') AS k (number smallint, name text, type text, scaled boolean, made_by oid)
            ON k.number = now.number AND k.name = now.name AND k.type = now.type::text
        WHERE now.number IS NULL OR k.number IS NULL
           OR NOT threadline.made_as_before(k.name, k.made_by)
           OR k.scaled AND (SELECT a.atttypmod FROM pg_attribute AS a WHERE a.attrelid = relation AND a.attnum = k.number) = -1);
EXCEPTION WHEN OTHERS THEN
    RETURN false;
END
$$;

-- threadline.columns_match(), and, for what is captured by statement, that the table is
-- no partition. Declared immutable and called with constants alone, so that PostgreSQL
-- answers it once, when it plans what it stands in, and again after any change of the
-- relation, which has all plans that name its OID or read its rows made anew.
CREATE FUNCTION threadline.columns_stand(relation oid, built_for jsonb, by_statement boolean) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN threadline.columns_match(relation, built_for)
    AND NOT (by_statement AND pg_catalog.pg_partition_root(relation::pg_catalog.regclass) IS NOT NULL);

-- What capture takes from a row.
CREATE TYPE threadline.captured AS (
    record_key   text,
    previous_key text,
    changed_from jsonb,
    changed_to   jsonb,
    row_data     jsonb
);

-- The table that a capture function belongs to: the one it was built for, or, after a
-- restore, when OIDs are others, the one whose trigger calls it. Declared immutable, so
-- that PostgreSQL asks when it plans and not for every write.
CREATE FUNCTION threadline.captured_relation(audited_table integer, built_for oid) RETURNS oid
LANGUAGE sql IMMUTABLE
RETURN coalesce((
    SELECT g.tgrelid
    FROM pg_catalog.pg_trigger AS g
    JOIN pg_catalog.pg_class AS c ON c.oid = g.tgrelid
    LEFT JOIN threadline.audited_tables AS t ON t.id = audited_table
    WHERE g.tgfoid = pg_catalog.to_regproc('threadline.capture_' || audited_table) AND g.tgparentid = 0
      AND g.tgname = '!threadline_capture_' || audited_table AND c.relpersistence <> 't'
    ORDER BY c.oid = built_for DESC, c.oid = t.relation DESC, c.relname = t.table_name DESC, g.oid
    LIMIT 1
), 0::pg_catalog.oid);

-- The action by which capture was suspended in this session; NULL if it is not.
CREATE FUNCTION threadline.suspended_session() RETURNS bigint
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT s.action_id
    FROM threadline.session_suspensions AS s
    WHERE s.resumed_at IS NULL AND s.pid = pg_backend_pid()
      AND s.secret_hash = sha256(convert_to(current_setting('threadline.suspended', true), 'UTF8'));
END;

-- Whether capture is suspended in the running database transaction, or its session.
-- That threadline.suspended is set only says that there is something to look for.
CREATE FUNCTION threadline.suspended() RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(current_setting('threadline.suspended', true), '') <> '' AND (
        threadline.suspended_session() IS NOT NULL
        OR EXISTS (
            SELECT FROM threadline.suspensions AS s
            WHERE s.xact_id = pg_current_xact_id() AND s.occurred_at = now()));
END;

-- Whether a write is not to be recorded, because capture is suspended. Fails for a
-- trigger that somebody put on another table than the one the capture function was
-- built for, or its partitions: what happens there did not happen here. The one for
-- TRUNCATE stays on a partition that was detached, and is silent.
CREATE FUNCTION threadline.withheld(audited_table integer, target oid, built_for oid, operation text) RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_captured oid := threadline.captured_relation(audited_table, built_for);
BEGIN
    IF target NOT IN (built_for, tl_captured) AND NOT EXISTS (
        SELECT FROM pg_partition_ancestors(target) AS ancestor WHERE ancestor.relid IN (built_for, tl_captured)
    ) THEN
        IF operation = 'TRUNCATE' THEN
            RETURN true;
        END IF;
        RAISE EXCEPTION 'threadline: a trigger of table % calls the capture function of %; drop it, and audit the table with SELECT threadline.audit(''%'')',
            target::regclass, tl_captured::regclass, target::regclass
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN threadline.suspended();
END
$$;

-- Whether PostgreSQL, to plan a query of a table, may call a function that somebody
-- else than a superuser or the owner of the audit wrote: it works out what is constant
-- in the expressions of indexes, statistics and partition keys, as whoever asks.
CREATE FUNCTION threadline.plans_foreign_code(target regclass) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    WITH relation AS (
        SELECT target::oid AS oid
        UNION
        SELECT p.relid FROM pg_partition_tree(target) AS p
    ), planned AS (
        SELECT 'pg_class'::regclass AS class, r.oid FROM relation AS r
        UNION ALL
        SELECT 'pg_class'::regclass, i.indexrelid FROM relation AS r JOIN pg_index AS i ON i.indrelid = r.oid
        UNION ALL
        SELECT 'pg_statistic_ext'::regclass, s.oid FROM relation AS r JOIN pg_statistic_ext AS s ON s.stxrelid = r.oid
    )
    SELECT EXISTS (
        SELECT
        FROM planned AS p
        JOIN pg_depend AS d ON d.classid = p.class AND d.objid = p.oid
        JOIN pg_roles AS author ON author.oid = CASE d.refclassid
            WHEN 'pg_proc'::regclass THEN (SELECT f.proowner FROM pg_proc AS f WHERE f.oid = d.refobjid)
            WHEN 'pg_operator'::regclass THEN (SELECT o.oprowner FROM pg_operator AS o WHERE o.oid = d.refobjid) END
        WHERE NOT author.rolsuper AND author.rolname <> current_user);
END;

-- Where the owner of the audit may read the rows of a table: there, or through the
-- parent of a partition that came later and that nobody let it read. NULL if
-- nowhere, or if what would run with the rights of the owner is a row-level policy
-- or a function of somebody else.
CREATE FUNCTION threadline.readable(target regclass) RETURNS regclass
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT c.oid::regclass
    FROM (VALUES (target, 1), (pg_partition_root(target), 2)) AS candidate (relation, ordinal)
    JOIN pg_class AS c ON c.oid = candidate.relation
    WHERE has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(c.relnamespace, 'USAGE')
      AND (c.relowner = current_user::regrole OR NOT (row_security_active(c.oid) OR threadline.plans_foreign_code(c.oid)))
    ORDER BY candidate.ordinal
    LIMIT 1;
END;

-- A number that no other statement of the transaction has.
CREATE FUNCTION threadline.statement_number() RETURNS integer
LANGUAGE sql VOLATILE
RETURN (pg_catalog.nextval('threadline.audit_changes_id_seq'::pg_catalog.regclass) % 2147483648)::integer;

-- Opens the AuditTransaction of the running database transaction under the
-- given context and remembers it for the changes that follow. Both settings
-- are transaction-local: a rolled-back savepoint takes them back together with
-- the row. A context that cannot be read never fails the application's write.
-- The row's place goes with its id: found by place, it costs no index lookup,
-- and takes no predicate lock that would make unrelated SERIALIZABLE
-- transactions conflict. Every database transaction that writes pays for this, so
-- nothing is evaluated that need not be; whoever calls it has pinned search_path.
CREATE FUNCTION threadline.open_transaction(context text) RETURNS bigint
LANGUAGE plpgsql
AS $$
DECLARE
    tl_context jsonb;
    tl_actor jsonb;
    tl_error text;
    tl_ip inet;
    tl_long record;
    tl_id bigint;
    tl_place tid;
    tl_remembered text;
BEGIN
    IF context <> '' THEN
        BEGIN
            tl_context := context::jsonb;
            IF jsonb_typeof(tl_context) = 'object' THEN
                tl_actor := nullif(tl_context -> 'actor', 'null');
                IF octet_length(context) > 1000 THEN
                    -- What does not fit into an index would fail the write.
                    IF octet_length(tl_actor ->> 'type') > 1000 OR octet_length(tl_actor ->> 'id') > 1000 THEN
                        tl_error := 'the type or id of the actor is longer than 1,000 bytes';
                        tl_actor := NULL;
                    END IF;
                    FOR tl_long IN
                        SELECT key, left(value #>> '{}', 200) AS beginning FROM jsonb_each(tl_context)
                        WHERE key IN ('request_id', 'correlation_id', 'job_id', 'source') AND octet_length(value #>> '{}') > 1000
                    LOOP
                        tl_error := concat_ws('; ', tl_error, tl_long.key || ' was cut: it is longer than 1,000 bytes');
                        tl_context := tl_context || jsonb_build_object(tl_long.key, tl_long.beginning);
                    END LOOP;
                END IF;
                -- Last, because it may fail, and nothing after it is done then.
                tl_ip := tl_context ->> 'remote_ip';
            ELSE
                tl_error := 'the context is not a JSON object but a JSON ' || jsonb_typeof(tl_context);
                tl_context := NULL;
            END IF;
        EXCEPTION WHEN OTHERS THEN
            tl_error := CASE WHEN tl_context IS NULL THEN 'the context is not JSON: ' || SQLERRM
                             ELSE concat_ws('; ', tl_error, 'remote_ip is not an address') END;
        END;
        IF tl_actor IS NOT NULL AND (
            coalesce(tl_actor ->> 'type', '') = ''
            OR (tl_actor ->> 'type' <> 'anonymous' AND coalesce(tl_actor ->> 'id', '') = '')
        ) THEN
            tl_error := 'the actor has no type or no id';
            tl_actor := NULL;
        END IF;
        INSERT INTO threadline.audit_transactions (
            xact_id, occurred_at, actor_type, actor_id, actor_origin, request_id,
            correlation_id, job_id, source, remote_ip, meta, session_user_name, context_error
        ) VALUES (
            pg_current_xact_id(), now(), tl_actor ->> 'type', tl_actor ->> 'id',
            CASE WHEN tl_error IS NOT NULL AND tl_actor IS NULL THEN 'unreadable'
                 WHEN tl_actor IS NULL THEN 'none'
                 ELSE coalesce(tl_context ->> 'origin', 'sql') END,
            tl_context ->> 'request_id', tl_context ->> 'correlation_id', tl_context ->> 'job_id',
            tl_context ->> 'source', tl_ip,
            CASE WHEN tl_context IS NULL
                 THEN jsonb_build_object('unreadable_context', left(context, 1000))
                 ELSE nullif(tl_context -> 'metadata', 'null') END,
            session_user, tl_error
        ) RETURNING id, ctid INTO tl_id, tl_place;
    ELSE
        INSERT INTO threadline.audit_transactions (xact_id, occurred_at, actor_origin, session_user_name)
        VALUES (pg_current_xact_id(), now(), 'none', session_user)
        RETURNING id, ctid INTO tl_id, tl_place;
    END IF;

    -- Assigned, because a query would cost more.
    tl_remembered := set_config('threadline.transaction', tl_id || ' ' || tl_place, true)
        || set_config('threadline.transaction_context', coalesce(context, ''), true);
    RETURN tl_id;
END
$$;

-- The AuditTransaction that a change made now belongs to. What the settings
-- say is believed only if such a row was opened by this very database
-- transaction, so a stale or forged id finds nothing and a row is opened. A row
-- says until when at most it was in use, within an hour: readers by time know
-- from that which transactions can have changes in a given hour.
CREATE FUNCTION threadline.current_transaction() RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_transaction threadline.audit_transactions;
    tl_place tid;
    tl_context text := coalesce(current_setting('threadline.context', true), '');
    tl_cached text := current_setting('threadline.transaction', true);
BEGIN
    IF tl_cached ~ '^[0-9]{1,18} [(][0-9]{1,9},[0-9]{1,4}[)]$'
       AND tl_context = current_setting('threadline.transaction_context', true) THEN
        SELECT * INTO tl_transaction
        FROM threadline.audit_transactions
        WHERE ctid = split_part(tl_cached, ' ', 2)::tid AND id = split_part(tl_cached, ' ', 1)::bigint
          AND xact_id = pg_current_xact_id() AND occurred_at = now();
    END IF;
    IF tl_transaction.id IS NULL THEN
        RETURN threadline.open_transaction(tl_context);
    END IF;
    IF clock_timestamp() >= coalesce(tl_transaction.extended_until, tl_transaction.opened_at + interval '1 hour') THEN
        UPDATE threadline.audit_transactions
        SET extended_until = clock_timestamp() + interval '1 hour'
        WHERE ctid = split_part(tl_cached, ' ', 2)::tid
        RETURNING ctid INTO tl_place;
        PERFORM set_config('threadline.transaction', tl_transaction.id || ' ' || tl_place, true);
    END IF;
    RETURN tl_transaction.id;
END
$$;

-- Refuses a write without an actor on a table audited with require_actor.
CREATE FUNCTION threadline.require_actor(audited_table integer, audit_transaction bigint) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_table threadline.audited_tables;
    tl_transaction threadline.audit_transactions;
BEGIN
    SELECT * INTO tl_transaction
    FROM threadline.audit_transactions
    WHERE ctid = split_part(current_setting('threadline.transaction'), ' ', 2)::tid AND id = audit_transaction;
    IF tl_transaction.actor_type IS NOT NULL THEN
        RETURN;
    END IF;
    SELECT * INTO tl_table FROM threadline.audited_tables WHERE id = audited_table;
    RAISE EXCEPTION USING
        ERRCODE = 'integrity_constraint_violation',
        SCHEMA = tl_table.schema_name,
        TABLE = tl_table.table_name,
        CONSTRAINT = 'threadline_actor_required',
        MESSAGE = format(
            'threadline: table %I.%I takes no write without an actor%s',
            tl_table.schema_name, tl_table.table_name,
            coalesce(', and the context was unreadable: ' || tl_transaction.context_error, '')),
        HINT = 'Write inside conn.audited_transaction(&context, ...), or set the context with set_config(''threadline.context'', ''{"actor": {"type": "user", "id": "..."}}'', true) in the same transaction.';
END
$$;

-- The slow and careful way to the same result, for a table whose columns are
-- no longer those its capture function was built for, until
-- threadline.refresh() builds it anew. What the policy redacts stays redacted:
-- on a table with redaction a value is stored in clear only if its column can
-- be traced to one that the policy left clear, by column number while the
-- table is the one it was, by name after a restore. A column added since could
-- hold anything and is left out, and so is one that is generated from something
-- else. On a table without redaction nothing is.
-- `built_for` is written into the capture function: nothing here depends on
-- rows that may be missing.
CREATE FUNCTION threadline.capture_changed_table(
    target oid, built_for jsonb, old_row jsonb, new_row jsonb,
    OUT record_key text, OUT previous_key text, OUT old_image jsonb, OUT new_image jsonb,
    OUT moved_row jsonb
)
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_relation regclass := threadline.audited_relation(target, (built_for ->> 'relation')::oid);
    tl_same boolean := tl_relation::oid = (built_for ->> 'relation')::oid;
    tl_clear text[];
    tl_masks jsonb;
    tl_tokens jsonb;
    tl_keys text[];
    tl_key_types text[];
BEGIN
    WITH known AS (
        SELECT * FROM jsonb_to_recordset(built_for -> 'columns') AS c (number smallint, name text, treatment text, token_key integer, made_by oid)
    ), traced AS (
        SELECT live.name, live.type, namesake.treatment AS by_name,
               CASE WHEN tl_same THEN former.treatment END AS by_number,
               threadline.made_as_before(live.name, former.made_by) AS made_as_before,
               former.name AS known_name,
               CASE WHEN former.treatment = 'token' THEN former.token_key END AS token_key
        FROM threadline.present_columns(tl_relation) AS live
        LEFT JOIN known AS namesake ON namesake.name = live.name
        LEFT JOIN known AS former ON CASE WHEN tl_same THEN former.number = live.number ELSE former.name = live.name END
    )
    SELECT array_agg(name) FILTER (
               WHERE coalesce(by_number, CASE WHEN NOT tl_same THEN by_name END) = 'clear'
                 AND coalesce(by_name, 'clear') = 'clear' AND made_as_before),
           jsonb_object_agg(name, coalesce(threadline.placeholder(type), '"***"')) FILTER (
               WHERE ARRAY[by_number, by_name] && '{mask,token}'
                 AND 'exclude' NOT IN (coalesce(by_number, 'mask'), coalesce(by_name, 'mask'))),
           jsonb_object_agg(name, token_key) FILTER (WHERE token_key IS NOT NULL AND by_name IS DISTINCT FROM 'mask'),
           -- The key that the function was built for, under the names of now.
           array_agg(name ORDER BY array_position(
               ARRAY(SELECT jsonb_array_elements_text(built_for -> 'key')), known_name)
           ) FILTER (WHERE built_for -> 'key' ? known_name),
           array_agg(type::text ORDER BY array_position(
               ARRAY(SELECT jsonb_array_elements_text(built_for -> 'key')), known_name)
           ) FILTER (WHERE built_for -> 'key' ? known_name)
    INTO tl_clear, tl_masks, tl_tokens, tl_keys, tl_key_types
    FROM traced;

    record_key := threadline.key_in_image(coalesce(new_row, old_row), tl_keys, tl_key_types);
    IF old_row IS NOT NULL AND new_row IS NOT NULL THEN
        previous_key := nullif(threadline.key_in_image(old_row, tl_keys, tl_key_types), record_key);
    END IF;
    IF built_for @? '$.columns[*] ? (@.treatment != "clear")' THEN
        old_image := threadline.redacted_image(old_row, tl_clear, tl_masks);
        new_image := threadline.redacted_image(new_row, tl_clear, tl_masks);
        IF tl_tokens IS NOT NULL THEN
            old_image := threadline.with_tokens(old_image, old_row, tl_tokens);
            new_image := threadline.with_tokens(new_image, new_row, tl_tokens);
        END IF;
    ELSE
        old_image := old_row;
        new_image := new_row;
    END IF;

    IF old_row IS NOT NULL AND new_row IS NOT NULL THEN
        moved_row := old_image;
        SELECT coalesce(jsonb_object_agg(key, old_image -> key), '{}'),
               coalesce(jsonb_object_agg(key, new_image -> key), '{}')
        INTO old_image, new_image
        FROM jsonb_object_keys(new_image) AS key
        WHERE old_row -> key IS DISTINCT FROM new_row -> key
           OR (old_row -> key)::text <> (new_row -> key)::text;
    END IF;
END
$$;

-- Records every row that a TRUNCATE is about to remove from a relation. Runs
-- for each relation that the statement names or reaches and that carries the
-- trigger; partitions without one are covered by their parent's. Of more rows than
-- audited_tables.truncate_limit, one record says how many there were: TRUNCATE is
-- called because it is quick.
CREATE FUNCTION threadline.capture_truncate(
    audited_table integer, target oid, key_expression text, image_expression text, built_for jsonb
) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
-- With it, what a CHECK calls would run as the owner of the audit.
SET constraint_exclusion = off
SET jit = off
AS $$
DECLARE
    tl_transaction bigint;
    tl_part regclass;
    tl_limit bigint := coalesce((SELECT t.truncate_limit FROM threadline.audited_tables AS t WHERE t.id = audited_table), 100000);
    tl_count bigint;
    tl_readable regclass;
    tl_from text;
    tl_where text;
BEGIN
    FOR tl_part IN
        SELECT c.oid
        FROM pg_class AS c
        WHERE c.relkind IN ('r', 'p') AND (
            c.oid = target
            OR (c.oid IN (SELECT relid FROM pg_partition_tree(target)) AND NOT EXISTS (
                SELECT FROM pg_trigger AS t
                WHERE t.tgrelid = c.oid AND t.tgfoid = format('threadline.capture_%s', audited_table)::regproc
                  AND t.tgtype & 32 <> 0))
        )
    LOOP
        tl_transaction := coalesce(tl_transaction, threadline.current_transaction());
        tl_readable := threadline.readable(tl_part);
        IF tl_readable IS NULL THEN
            INSERT INTO threadline.audit_changes (transaction_id, captured_at, table_id, op)
            VALUES (tl_transaction, clock_timestamp(), audited_table, 'T');
            CONTINUE;
        END IF;
        BEGIN
            tl_from := format(CASE WHEN tl_readable = tl_part THEN 'ONLY %s AS tl_row' ELSE '%s AS tl_row' END, tl_readable);
            tl_where := CASE WHEN tl_readable <> tl_part THEN format('WHERE tl_row.tableoid = %s', tl_part::oid) END;
            EXECUTE format('SELECT count(*) FROM (SELECT FROM %s %s LIMIT %s) AS tl_some', tl_from, tl_where, tl_limit + 1) INTO tl_count;
            IF tl_count > tl_limit THEN
                EXECUTE format('SELECT count(*) FROM %s %s', tl_from, tl_where) INTO tl_count;
                INSERT INTO threadline.audit_changes (transaction_id, captured_at, table_id, op, changed_from)
                VALUES (tl_transaction, clock_timestamp(), audited_table, 'T', jsonb_build_object('rows', tl_count));
                CONTINUE;
            END IF;
            BEGIN
                IF NOT threadline.columns_match(threadline.audited_relation(target, (built_for ->> 'relation')::oid), built_for) THEN
                    RAISE 'the columns have changed';
                END IF;
                EXECUTE format(
                    'INSERT INTO threadline.audit_changes (transaction_id, captured_at, table_id, op, record_key, row_data)
                     SELECT $1, clock_timestamp(), $2, ''T'', %s, %s FROM %s %s',
                    key_expression, image_expression, tl_from, tl_where)
                USING tl_transaction, audited_table;
            EXCEPTION WHEN OTHERS THEN
                EXECUTE format(
                    'INSERT INTO threadline.audit_changes (transaction_id, captured_at, table_id, op, record_key, row_data)
                     SELECT $1, clock_timestamp(), $2, ''T'', c.record_key, c.old_image
                     FROM %s
                     CROSS JOIN LATERAL threadline.capture_changed_table($3, $4, threadline.row_image(tl_row.*), NULL) AS c %s',
                    tl_from, tl_where)
                USING tl_transaction, audited_table, target, built_for;
            END;
        EXCEPTION WHEN OTHERS THEN
            -- A row-level policy failed, or may not be applied: that rows are gone is all that can be said.
            INSERT INTO threadline.audit_changes (transaction_id, captured_at, table_id, op)
            VALUES (tl_transaction, clock_timestamp(), audited_table, 'T');
            CONTINUE;
        END;
        -- TRUNCATE removes rows that this transaction cannot see. That they
        -- are not all here is said, by a record without a key.
        IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable')
           OR row_security_active(tl_part) THEN
            INSERT INTO threadline.audit_changes (transaction_id, captured_at, table_id, op)
            VALUES (tl_transaction, clock_timestamp(), audited_table, 'T');
        END IF;
    END LOOP;
    IF tl_transaction IS NOT NULL AND (
        SELECT (policy -> 'require_actor')::boolean FROM threadline.audited_tables WHERE id = audited_table
    ) THEN
        PERFORM threadline.require_actor(audited_table, tl_transaction);
    END IF;
END
$$;

-- Whether changes follow from each other, and the live row, if it is known, from the
-- last: what one left of the row with a key, the next one found. What has no form in
-- jsonb is kept as its text, and so is whatever else stood in its row.
CREATE FUNCTION threadline.is_chain(changes threadline.audit_changes[], record_key text, live jsonb, live_known boolean DEFAULT true) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_change threadline.audit_changes;
    tl_there boolean;
    tl_row jsonb := '{}';
    tl_found jsonb;
    tl_left jsonb;
BEGIN
    FOREACH tl_change IN ARRAY changes LOOP
        tl_found := CASE
            WHEN tl_change.op = 'U' AND tl_change.previous_key IS NULL THEN tl_change.changed_from
            WHEN tl_change.op IN ('D', 'T') OR tl_change.previous_key = record_key THEN tl_change.row_data END;
        tl_left := CASE
            WHEN tl_change.op = 'I' THEN tl_change.row_data
            WHEN tl_change.op = 'U' AND tl_change.previous_key IS NULL THEN tl_row || tl_change.changed_to
            WHEN tl_change.op = 'U' AND tl_change.record_key = record_key THEN tl_change.row_data || tl_change.changed_to END;
        IF tl_there = (tl_found IS NULL) OR EXISTS (
            SELECT FROM jsonb_each(tl_found) AS f JOIN jsonb_each(tl_row) AS r USING (key) WHERE f.value #>> '{}' IS DISTINCT FROM r.value #>> '{}'
        ) THEN
            RETURN false;
        END IF;
        tl_there := tl_left IS NOT NULL;
        tl_row := coalesce(tl_left, '{}');
    END LOOP;
    RETURN NOT live_known OR tl_there = (live IS NOT NULL) AND NOT EXISTS (
        SELECT FROM jsonb_each(live) AS f JOIN jsonb_each(tl_row) AS r USING (key) WHERE f.value #>> '{}' IS DISTINCT FROM r.value #>> '{}');
END
$$;

-- The text as a JSON array, or NULL: a stored value that is neither fails no read.
CREATE FUNCTION threadline.json_array_or_null(value text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
    RETURN CASE WHEN pg_catalog.left(value, 1) = '[' THEN value::pg_catalog.jsonb END;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END
$$;

-- SQL that is true of the row called row_name that has a record key; by column,
-- so that the primary key's index serves. A cast to "character" or "bit" would
-- cut the value to one. Of a key that was too long for the index only a digest is
-- known, so that each row's is made.
--
-- Types that an extension made are compared by the operator of their index, which
-- the path does not find and which only a superuser can have made. What citext or a
-- collation takes for equal is told apart by its text.
CREATE FUNCTION threadline.key_condition(audited_table integer, record_key text, row_name text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_exactly boolean := record_key ~ '[.]{3} sha256:[0-9a-f]{64}("|$)';
    tl_by_column text;
BEGIN
    IF tl_exactly IS NOT true THEN
        SELECT string_agg(
                   format(CASE WHEN k.base IN ('character'::regtype, 'bit'::regtype) THEN '%s.%I %s %L' ELSE '%s.%I %s %L::%s' END,
                       row_name, k.name, coalesce(k.equality, '='),
                       CASE WHEN k.single THEN record_key
                            ELSE threadline.json_array_or_null(record_key) ->> (k.ordinal::integer - 1) END,
                       k.base),
                   ' AND ' ORDER BY k.ordinal),
               bool_or(k.equality IS NOT NULL OR k.loose)
        INTO tl_by_column, tl_exactly
        FROM (
            -- What a domain checks holds for every value in the table.
            SELECT live.*, base.type::regtype AS base, (
                SELECT format('OPERATOR(%I.%s)', n.nspname, o.oprname)
                FROM pg_opclass AS c
                JOIN pg_am AS m ON m.oid = c.opcmethod AND m.amname = 'btree'
                JOIN pg_amop AS a ON a.amopfamily = c.opcfamily AND a.amopstrategy = 3
                    AND a.amoplefttype = base.type AND a.amoprighttype = base.type
                JOIN pg_operator AS o ON o.oid = a.amopopr
                JOIN pg_namespace AS n ON n.oid = o.oprnamespace
                WHERE base.type >= 16384 AND c.opcdefault AND c.opcintype = base.type
            ) AS equality, (
                SELECT NOT c.collisdeterministic
                FROM threadline.audited_tables AS t
                JOIN pg_attribute AS a ON a.attrelid = t.relation AND a.attname = live.name
                JOIN pg_collation AS c ON c.oid = a.attcollation
                WHERE t.id = audited_table
            ) AS loose
            FROM threadline.live_key(audited_table) AS live
            CROSS JOIN LATERAL threadline.base_type(live.type::regtype) AS base (type)
        ) AS k;
    END IF;
    RETURN concat_ws(' AND ', tl_by_column,
        CASE WHEN tl_exactly THEN format('(%s) = %L', threadline.key_expression(audited_table, row_name), record_key) END);
END
$$;

-- Puts changes of one record in the order in which they happened, where triggers
-- of the application wrote to rows of the very statement that fired them: what
-- these did is recorded before the statement itself is, which is the first moment
-- that it can be. The changes that were recorded from an id on take the place at
-- which each follows from the one before, and the live row from the last. No other
-- transaction has seen any of them. A statement that is itself a trigger's comes
-- after one that is not recorded yet: what follows from it is all that can be told.
-- The write goes through whatever happens here.
CREATE FUNCTION threadline.put_in_order(
    audited_table integer, target regclass, image_expression text, built_for jsonb, first_change bigint, nested boolean
) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
-- With it, what a CHECK calls would run as the owner of the audit.
SET constraint_exclusion = off
SET jit = off
AS $$
DECLARE
    tl_own bigint[] := ARRAY(
        SELECT x.id FROM threadline.audit_transactions AS x WHERE x.xact_id = pg_current_xact_id() AND x.occurred_at = now());
    tl_record record;
    tl_live jsonb;
    tl_readable regclass := threadline.readable(target);
    tl_stand boolean;
    tl_where text;
BEGIN
    FOR tl_record IN
        WITH recorded AS (
            SELECT c AS change
            FROM threadline.audit_changes AS c
            WHERE c.transaction_id = ANY (tl_own) AND c.id > first_change AND c.table_id = audited_table
        )
        SELECT k.record_key,
               array_agg(r.change ORDER BY (r.change).previous_key = k.record_key DESC NULLS LAST, (r.change).id) AS recorded,
               former.changes AS former
        FROM recorded AS r
        CROSS JOIN LATERAL (VALUES ((r.change).record_key), ((r.change).previous_key)) AS k (record_key)
        CROSS JOIN LATERAL (
            SELECT array_agg(o.change ORDER BY (o.change).id) AS changes
            FROM (
                SELECT c FROM threadline.audit_changes AS c
                WHERE c.table_id = audited_table AND c.record_key = k.record_key AND c.id < first_change
                  AND c.transaction_id = ANY (tl_own)
                UNION ALL
                SELECT c FROM threadline.audit_changes AS c
                WHERE c.table_id = audited_table AND c.previous_key = k.record_key AND c.id < first_change
                  AND c.transaction_id = ANY (tl_own) AND c.previous_key IS NOT NULL
            ) AS o (change)
        ) AS former
        WHERE former.changes IS NOT NULL
        GROUP BY k.record_key, former.changes
    LOOP
        IF tl_readable IS NOT NULL THEN
            tl_where := threadline.key_condition(audited_table, tl_record.record_key, 'tl_row');
            tl_stand := coalesce(tl_stand, threadline.columns_match(threadline.audited_relation(target, (built_for ->> 'relation')::oid), built_for));
            BEGIN
                IF NOT tl_stand THEN
                    RAISE 'the columns have changed';
                END IF;
                EXECUTE format('SELECT %s FROM %s AS tl_row WHERE %s', image_expression, tl_readable, tl_where) INTO tl_live;
            EXCEPTION WHEN OTHERS THEN
                EXECUTE format(
                    'SELECT (threadline.capture_changed_table(%s, %L, threadline.row_image(tl_row.*), NULL)).old_image FROM %s AS tl_row WHERE %s',
                    target::oid, built_for, tl_readable, tl_where)
                INTO tl_live;
            END;
        END IF;
        FOR tl_place IN REVERSE cardinality(tl_record.former)..0 LOOP
            IF threadline.is_chain(
                CASE WHEN nested THEN '{}' ELSE tl_record.former[:tl_place] END
                    || tl_record.recorded || tl_record.former[tl_place + 1:],
                tl_record.record_key, tl_live, tl_readable IS NOT NULL)
            THEN
                FOR tl_later IN tl_place + 1..cardinality(tl_record.former) LOOP
                    UPDATE threadline.audit_changes AS c
                    SET id = DEFAULT
                    WHERE c.transaction_id = (tl_record.former[tl_later]).transaction_id AND c.id = (tl_record.former[tl_later]).id;
                END LOOP;
                EXIT;
            END IF;
        END LOOP;
    END LOOP;
EXCEPTION WHEN OTHERS THEN
    -- They stay in the order in which they were recorded.
END
$$;

-- The version of the capture code. Functions built by an older one are built
-- anew with threadline.refresh().
CREATE FUNCTION threadline.capture_version() RETURNS integer
LANGUAGE sql IMMUTABLE
RETURN 1;

-- A policy as it is recorded. Columns are sorted, so that equal policies are
-- equal documents; what was not asked for is not in it.
CREATE FUNCTION threadline.policy(
    mask text[], exclude text[], require_actor boolean, columns text[], operations text[], condition text,
    clear text[], token text[]
) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
    'mask', (SELECT coalesce(pg_catalog.jsonb_agg(DISTINCT c ORDER BY c), '[]') FROM pg_catalog.unnest(mask) AS c),
    'exclude', (SELECT coalesce(pg_catalog.jsonb_agg(DISTINCT c ORDER BY c), '[]') FROM pg_catalog.unnest(exclude) AS c),
    'require_actor', require_actor,
    'columns', (SELECT pg_catalog.jsonb_agg(DISTINCT c ORDER BY c) FROM pg_catalog.unnest(columns) AS c),
    'operations', (SELECT pg_catalog.jsonb_agg(DISTINCT o ORDER BY o) FROM pg_catalog.unnest(operations) AS o),
    'condition', condition,
    'clear', (SELECT pg_catalog.jsonb_agg(DISTINCT c ORDER BY c) FROM pg_catalog.unnest(clear) AS c),
    'token', (SELECT pg_catalog.jsonb_agg(DISTINCT c ORDER BY c) FROM pg_catalog.unnest(token) AS c)
));

-- The functions that capture an audited table: for each row, and for the statements
-- of each kind.
CREATE FUNCTION threadline.capture_functions(audited_table integer, OUT name text, OUT operation text) RETURNS SETOF record
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT concat_ws('_', 'capture', audited_table, lower(o.operation)), o.operation
    FROM unnest(ARRAY[NULL, 'INSERT', 'UPDATE', 'DELETE']) AS o (operation);
END;

-- SQL for the JSON text of a column of the row called row_name, as it may be
-- stored: the way that is quickest for its type.
CREATE FUNCTION threadline.value_expression(row_name text, column_name text, type regtype, treatment text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT CASE
        WHEN treatment = 'mask'
            THEN format('CASE WHEN %s IS NOT DISTINCT FROM NULL THEN ''null'' ELSE %L END', value.name, threadline.placeholder(type)::text)
        WHEN type IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'bool'::regtype, 'jsonb'::regtype)
            THEN format('coalesce(%s::text, ''null'')', value.name)
        WHEN type = 'uuid'::regtype
            THEN format('coalesce(''"'' || %s::text || ''"'', ''null'')', value.name)
        ELSE format('coalesce(to_json(%s)::text, ''null'')', threadline.json_form(type, value.name))
    END
    FROM (SELECT format('%s.%I', row_name, column_name) AS name) AS value;
END;

-- SQL for what a value is recorded as under the key of its column.
CREATE FUNCTION threadline.token_expression(reference text, type regtype, key_id integer) RETURNS text
LANGUAGE sql STABLE
RETURN pg_catalog.format('threadline.token(%s, to_jsonb(%s))', key_id, threadline.json_form(type, reference));

-- SQL for the image of a row called row_name: the one place that decides what
-- of a row may be stored. A whole row is turned to JSON at once; as soon as
-- one column needs care, or is not to be there, each is named, so that nothing
-- unnamed gets through.
CREATE FUNCTION threadline.image_expression(audited_table integer, target regclass, row_name text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT CASE WHEN bool_or(c.treatment <> 'clear' OR live.form <> live.reference)
             OR EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = target AND a.attgenerated = 'v')
        THEN format(
            '(SELECT to_jsonb(tl_image.*) FROM (SELECT %s) AS tl_image)',
            string_agg(
                CASE
                    WHEN c.treatment = 'token' THEN format('%s AS %I', threadline.token_expression(live.reference, live.type, c.token_key), c.name)
                    WHEN c.treatment = 'mask' THEN format(
                        'CASE WHEN %s IS DISTINCT FROM NULL THEN %L::jsonb END AS %I',
                        live.reference, threadline.placeholder(live.type), c.name)
                    ELSE format('%s AS %I', live.form, c.name)
                END, ', ' ORDER BY c.number) FILTER (WHERE c.treatment <> 'exclude'))
        -- Without the star it could be a column of that name.
        ELSE format('to_jsonb(%s.*)', row_name)
    END
    FROM threadline.audited_tables AS t
    CROSS JOIN jsonb_to_recordset(t.columns) AS c (number smallint, name text, treatment text, token_key integer)
    JOIN (
        SELECT column_of.number, column_of.type, reference.text AS reference, threadline.json_form(column_of.type, reference.text) AS form
        FROM threadline.columns_of(target) AS column_of
        CROSS JOIN LATERAL (SELECT format('%s.%I', row_name, column_of.name) AS text) AS reference
    ) AS live ON live.number = c.number
    WHERE t.id = audited_table;
END;

-- SQL for a JSON object of the columns in which two rows differ, with the values
-- that they have in the row called of_row. Compared column by column, and only
-- what differs is turned to JSON: of a wide row that is little.
CREATE FUNCTION threadline.changes_expression(
    audited_table integer, target regclass, old_row text, new_row text, of_row text
) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    -- None where whatever is left is excluded.
    SELECT CASE count(*) WHEN 0 THEN '''{}''::jsonb' ELSE format(
        '(''{'' || concat_ws('','', %s) || ''}'')::jsonb',
        -- No function takes more than 100 arguments.
        string_agg(format('nullif(concat_ws('','', %s), '''')', hundred.fields), E',\n' ORDER BY hundred.number)) END
    FROM (
        SELECT (c.number - 1) / 90 AS number,
               string_agg(
                   format(
                       CASE WHEN live.bitwise
                           THEN 'CASE WHEN %1$s.%3$I%6$s IS DISTINCT FROM %2$s.%3$I THEN %4$L || %5$s END'
                           ELSE 'CASE WHEN NOT record_image_eq(ROW(%1$s.%3$I), ROW(%2$s.%3$I)) THEN %4$L || %5$s END'
                       END,
                       old_row, new_row, c.name, to_json(c.name)::text || ':',
                       CASE WHEN c.treatment = 'token'
                           THEN threadline.token_expression(format('%s.%I', of_row, c.name), live.type, c.token_key) || '::text'
                           ELSE threadline.value_expression(of_row, c.name, live.type, c.treatment)
                       END,
                       CASE WHEN live.type IN ('text'::regtype, 'varchar'::regtype) THEN ' COLLATE "C"' END),
                   E',\n' ORDER BY c.number) AS fields
        FROM threadline.audited_tables AS t
        CROSS JOIN jsonb_to_recordset(t.columns) AS c (number smallint, name text, treatment text, token_key integer)
        JOIN threadline.columns_of(target) AS live ON live.number = c.number
        WHERE t.id = audited_table AND c.treatment <> 'exclude'
        GROUP BY 1
    ) AS hundred;
END;

-- SQL for an array of the columns in which two rows do not differ; with NULL for
-- each of the others.
CREATE FUNCTION threadline.unchanged_expression(audited_table integer, target regclass, old_row text, new_row text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT format('ARRAY[%s]::text[]', string_agg(
        format(
            CASE WHEN live.bitwise
                THEN 'CASE WHEN %1$s.%3$I%4$s IS NOT DISTINCT FROM %2$s.%3$I THEN %3$L END'
                ELSE 'CASE WHEN record_image_eq(ROW(%1$s.%3$I), ROW(%2$s.%3$I)) THEN %3$L END'
            END, old_row, new_row, c.name, CASE WHEN live.type IN ('text'::regtype, 'varchar'::regtype) THEN ' COLLATE "C"' END),
        E',\n' ORDER BY c.number))
    FROM threadline.audited_tables AS t
    CROSS JOIN jsonb_to_recordset(t.columns) AS c (number smallint, name text, treatment text)
    JOIN threadline.columns_of(target) AS live ON live.number = c.number
    WHERE t.id = audited_table AND c.treatment <> 'exclude';
END;

-- What a table's capture is built for, as it is written into it: nothing that
-- keeps a secret depends on rows that a restore may leave out.
CREATE FUNCTION threadline.built_for(audited_table integer, target regclass) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT jsonb_build_object(
        'relation', target::oid::bigint,
        'columns', (
            SELECT coalesce(jsonb_agg(jsonb_strip_nulls(to_jsonb(c)) ORDER BY c.number), '[]')
            FROM jsonb_to_recordset(t.columns) AS c (
                number smallint, name text, type text, treatment text, token_key integer, scaled boolean, made_by bigint)),
        'key', t.key_columns)
    FROM threadline.audited_tables AS t
    WHERE t.id = audited_table;
END;

-- The id under which a table is audited, or NULL. A table is known by the
-- capture function that its own row trigger calls, which survives a rename, a
-- change of schema, and a dump and restore, also one without data. A trigger
-- that a partition has from its parent does not count, nor one that it kept
-- when it was detached.
CREATE FUNCTION threadline.audited_table_of(target regclass) RETURNS integer
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT substring(p.proname FROM '^capture_([0-9]{1,9})$')::integer
    FROM pg_trigger AS g
    JOIN pg_proc AS p ON p.oid = g.tgfoid AND p.pronamespace = 'threadline'::regnamespace
    WHERE g.tgrelid = target
      AND g.tgparentid = 0
      AND g.tgname = '!threadline_' || p.proname
      AND p.proname ~ '^capture_[0-9]{1,9}$';
END;

-- The key columns of an audited table under the names and types that they have
-- now, which may be others than its capture function was built for.
CREATE FUNCTION threadline.live_key(
    audited_table integer,
    OUT ordinal bigint, OUT name text, OUT type text, OUT single boolean
) RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    tl_relation oid;
BEGIN
    SELECT t.relation INTO tl_relation FROM threadline.audited_tables AS t WHERE t.id = audited_table;
    IF threadline.audited_table_of(tl_relation) IS DISTINCT FROM audited_table THEN
        tl_relation := NULL;
    END IF;
    RETURN QUERY
    SELECT k.ordinal, coalesce(a.attname::text, k.name), coalesce(a.atttypid::regtype::text, k.type), cardinality(t.key_columns) = 1
    FROM threadline.audited_tables AS t
    CROSS JOIN ROWS FROM (unnest(t.key_columns), unnest(t.key_types)) WITH ORDINALITY AS k (name, type, ordinal)
    LEFT JOIN jsonb_to_recordset(t.columns) AS c (number smallint, name text) ON c.name = k.name
    LEFT JOIN pg_attribute AS a ON a.attrelid = tl_relation AND a.attnum = c.number AND NOT a.attisdropped
    WHERE t.id = audited_table;
END
$$;

-- SQL for the record key of a row called row_name. Long values are few, and only
-- they are worth a function call. Two keys that the column's collation takes for equal
-- are two.
CREATE FUNCTION threadline.key_expression(audited_table integer, row_name text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT CASE count(*)
        WHEN 0 THEN 'NULL::text'
        WHEN 1 THEN min(bounded)
        ELSE format('jsonb_build_array(%s)::text', string_agg(bounded, ', ' ORDER BY ordinal))
    END
    FROM (
        SELECT ordinal, CASE WHEN fixed THEN part ELSE format(
            'CASE WHEN octet_length(%1$s) > %3$s THEN threadline.bounded_key(%1$s, %2$s) ELSE %1$s END', part, parts,
            -- In a JSON array a byte becomes six at most.
            CASE parts WHEN 1 THEN 2000 ELSE (2000 / parts - 2) / 6 END) END AS bounded
        FROM (
            SELECT k.ordinal, count(*) OVER () AS parts, base.typlen > 0 AS fixed,
                   format(
                       CASE WHEN k.type NOT IN ('smallint', 'integer', 'bigint', 'text', 'character varying', 'character', 'uuid')
                                THEN 'threadline.key_text(to_jsonb(%2$s))'
                            WHEN base.typcollation <> 0 THEN '%1$s::text COLLATE "C"'
                            ELSE '%1$s::text' END,
                       column_of.reference, threadline.json_form(k.type::regtype, column_of.reference)) AS part
            FROM threadline.live_key(audited_table) AS k
            JOIN pg_type AS base ON base.oid = threadline.base_type(k.type::regtype)
            CROSS JOIN LATERAL (SELECT format('%s.%I', row_name, k.name) AS reference) AS column_of
        ) AS whole
    ) AS parts;
END;

-- What a capture function does first. Whether there is anything out of the ordinary
-- is asked in one expression, because each costs something. If there is: what is not
-- to be recorded is left alone, and `tl_depth`, `tl_nested` and `tl_first_change` are
-- set, for the order of what is recorded: how deep in triggers this write was made and
-- how deep others were before it, and the id after which it begins if those were
-- deeper. The table's OID stands as in threadline.built_for(); PostgreSQL works it
-- out when it plans.
CREATE FUNCTION threadline.guard(audited_table integer, target regclass) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
RETURN format(
    $guard$IF TG_RELID <> (%2$L::jsonb ->> 'relation')::oid OR pg_trigger_depth() > 1
       OR current_setting('threadline.suspended', true) <> '' OR current_setting('threadline.nested_%1$s', true) <> ''
    THEN
        IF coalesce(pg_partition_root(TG_RELID)::oid, TG_RELID) NOT IN ((%2$L::jsonb ->> 'relation')::oid, threadline.captured_relation(%1$s, (%2$L::jsonb ->> 'relation')::oid))
           OR current_setting('threadline.suspended', true) <> '' THEN
            IF threadline.withheld(%1$s, TG_RELID, (%2$L::jsonb ->> 'relation')::oid, TG_OP) THEN
                RETURN NULL;
            END IF;
        END IF;
        tl_depth := pg_trigger_depth();
        tl_nested := substring(current_setting('threadline.nested_%1$s', true) FROM '^([0-9]{1,9})( [0-9]{1,9} [12])?$');
        IF tl_nested > tl_depth THEN
            tl_first_change := nextval('threadline.audit_changes_id_seq'::regclass);
        END IF;
    END IF;$guard$,
    audited_table, jsonb_build_object('relation', target::oid::bigint));

-- The source of the function that records each row written to a table. The block
-- that looks at columns ends in a handler: when they changed behind the library's
-- back the application's write goes through, and capture_changed_table() takes over.
CREATE FUNCTION threadline.row_capture_source(audited_table integer, target regclass) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $capture_source$
DECLARE
    tl_table threadline.audited_tables;
    tl_built_for jsonb := threadline.built_for(audited_table, target);
BEGIN
    SELECT * INTO STRICT tl_table FROM threadline.audited_tables WHERE id = audited_table;

    RETURN format(
        $template$
DECLARE
    tl_transaction bigint;
    tl_place tid;
    tl_statement integer;
    tl_key text;
    tl_previous_key text;
    tl_from jsonb;
    tl_to jsonb;
    tl_row_data jsonb;
    tl_unchanged text[];
    tl_depth integer;
    tl_nested integer;
    tl_first_change bigint;
    tl_recorded boolean := false;
BEGIN
    IF TG_NARGS > 0 AND current_setting('session_replication_role') <> 'replica' THEN
        -- The statement triggers record it.
        RETURN NULL;
    END IF;
    %14$s
    IF TG_OP = 'TRUNCATE' THEN
        PERFORM threadline.capture_truncate(%1$s, TG_RELID, %2$L, %3$L, %12$L);
        RETURN NULL;
    END IF;

    BEGIN
        tl_place := CASE
            WHEN current_setting('threadline.transaction_context', true) = coalesce(current_setting('threadline.context', true), '')
            THEN nullif(split_part(current_setting('threadline.transaction', true), ' ', 2), '')::tid END;
        -- Before any expression that names a column is so much as parsed: it could call
        -- the cast of a type that came since.
        IF NOT (CASE WHEN %10$L::oid IN (TG_RELID, pg_partition_root(TG_RELID))
                     THEN threadline.columns_stand(%10$L::oid, %12$L, false)
                     ELSE threadline.columns_match(threadline.audited_relation(TG_RELID, %10$L::oid), %12$L) END) THEN
            RAISE 'the columns have changed';
        END IF;
        IF TG_OP = 'INSERT' THEN
            tl_key := %4$s;
            tl_row_data := %5$s;
        ELSIF TG_OP = 'DELETE' THEN
            tl_key := %6$s;
            tl_row_data := %7$s;
        ELSE
            IF OLD *= NEW THEN
                RETURN NULL;
            END IF;
            tl_unchanged := %8$s;
            tl_key := %4$s;
            tl_previous_key := nullif(%6$s, tl_key);
            tl_row_data := %7$s;
            tl_from := tl_row_data - tl_unchanged;
            tl_to := %5$s - tl_unchanged;
        END IF;
    EXCEPTION WHEN OTHERS THEN
        SELECT c.record_key, c.previous_key, c.old_image, c.new_image, c.moved_row
        INTO tl_key, tl_previous_key, tl_from, tl_to, tl_row_data
        FROM threadline.capture_changed_table(TG_RELID, %12$L,
            CASE WHEN TG_OP <> 'INSERT' THEN threadline.row_image(OLD) END,
            CASE WHEN TG_OP <> 'DELETE' THEN threadline.row_image(NEW) END) AS c;
        IF TG_OP <> 'UPDATE' THEN
            tl_row_data := coalesce(tl_to, tl_from);
            tl_from := NULL;
            tl_to := NULL;
        END IF;
    END;

    IF TG_OP = 'UPDATE' THEN
        IF tl_to = '{}' AND tl_from = '{}' AND tl_previous_key IS NULL THEN
            RETURN NULL;
        END IF;
        IF tl_previous_key IS NOT NULL%13$s THEN
            tl_statement := NEW.cmin::text::integer;
        ELSE
            tl_row_data := NULL;
        END IF;
    END IF;

    IF tl_depth >= greatest(tl_nested, 2) THEN
        PERFORM set_config('threadline.nested_%1$s', tl_depth::text, true);
    END IF;

    IF tl_place IS NOT NULL THEN
        -- All columns in their order, so that nothing is put around the scan.
        INSERT INTO threadline.audit_changes (
            id, transaction_id, captured_at, table_id, statement, op,
            record_key, previous_key, changed_from, changed_to, row_data)
        OVERRIDING SYSTEM VALUE
        SELECT nextval('threadline.audit_changes_id_seq'::regclass), t.id, clock_timestamp(), %1$s, tl_statement,
               left(TG_OP, 1)::"char", tl_key, tl_previous_key, tl_from, tl_to, tl_row_data
        FROM threadline.audit_transactions AS t
        WHERE t.ctid = tl_place AND t.xact_id = pg_current_xact_id() AND t.occurred_at = now()
          AND clock_timestamp() < coalesce(t.extended_until, t.opened_at + interval '1 hour')%9$s;
        IF FOUND AND tl_first_change IS NULL THEN
            RETURN NULL;
        END IF;
        tl_recorded := FOUND;
    END IF;
    IF NOT tl_recorded THEN
        tl_transaction := threadline.current_transaction();
        %11$s
        INSERT INTO threadline.audit_changes (
            transaction_id, captured_at, table_id, statement, op,
            record_key, previous_key, changed_from, changed_to, row_data)
        VALUES (tl_transaction, clock_timestamp(), %1$s, tl_statement, left(TG_OP, 1)::"char",
                tl_key, tl_previous_key, tl_from, tl_to, tl_row_data);
    END IF;
    IF tl_first_change IS NOT NULL THEN
        PERFORM threadline.put_in_order(%1$s, TG_RELID, %3$L, %12$L, tl_first_change, tl_depth > 1);
    END IF;
    RETURN NULL;
END
$template$,
        tl_table.id,
        threadline.key_expression(audited_table, 'tl_row'),
        threadline.image_expression(audited_table, target, 'tl_row'),
        threadline.key_expression(audited_table, 'NEW'),
        threadline.image_expression(audited_table, target, 'NEW'),
        threadline.key_expression(audited_table, 'OLD'),
        threadline.image_expression(audited_table, target, 'OLD'),
        threadline.unchanged_expression(audited_table, target, 'OLD', 'NEW'),
        CASE WHEN (tl_table.policy -> 'require_actor')::boolean THEN ' AND t.actor_type IS NOT NULL' END,
        target::oid,
        CASE WHEN (tl_table.policy -> 'require_actor')::boolean THEN format(
            'PERFORM threadline.require_actor(%s, tl_transaction);', tl_table.id) END,
        tl_built_for,
        -- Nothing but the whole row says which one it was.
        CASE WHEN tl_table.key_columns = '{}' THEN ' OR true' END,
        threadline.guard(audited_table, target));
END
$capture_source$;

-- Whether every key column can be compared by `=` with PostgreSQL alone in the path:
-- an equality of a type that is not PostgreSQL's own is not looked up.
CREATE FUNCTION threadline.key_is_comparable(audited_table integer) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT bool_and(base.oid < 16384 OR base.typtype = 'e')
    FROM threadline.live_key(audited_table) AS k
    JOIN pg_type AS base ON base.oid = threadline.base_type(k.type::regtype);
END;

-- SQL for what capture takes from the rows of a statement, out of its transition
-- tables. Both tables of an update have the rows in one order: where a key changed,
-- or is that of several, a row is found again by its position; that takes longer.
CREATE FUNCTION threadline.captured_rows(audited_table integer, target regclass, operation text, by_position boolean DEFAULT false) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $captured_rows$
DECLARE
    tl_old_key text := threadline.key_expression(audited_table, 'tl_before');
    tl_new_key text := threadline.key_expression(audited_table, 'tl_after');
    tl_old_image text := threadline.image_expression(audited_table, target, 'tl_before');
    tl_new_image text := threadline.image_expression(audited_table, target, 'tl_after');
    tl_old_values text := threadline.changes_expression(audited_table, target, 'tl_before', 'tl_after', 'tl_before');
    tl_new_values text := threadline.changes_expression(audited_table, target, 'tl_before', 'tl_after', 'tl_after');
    tl_keys text[] := (SELECT t.key_columns FROM threadline.audited_tables AS t WHERE t.id = audited_table);
    tl_same_key text := (
        SELECT string_agg(format('tl_before.%1$I = tl_after.%1$I', k.name), ' AND ' ORDER BY k.ordinal)
        FROM unnest(tl_keys) WITH ORDINALITY AS k (name, ordinal));
BEGIN
    RETURN CASE
        WHEN operation = 'INSERT' THEN format(
            $rows$SELECT %s AS record_key, NULL::text AS previous_key, NULL::jsonb AS changed_from, NULL::jsonb AS changed_to, %s AS row_data
            FROM tl_new AS tl_after$rows$,
            tl_new_key, tl_new_image)
        WHEN operation = 'DELETE' THEN format(
            $rows$SELECT %s AS record_key, NULL::text AS previous_key, NULL::jsonb AS changed_from, NULL::jsonb AS changed_to, %s AS row_data
            FROM tl_old AS tl_before$rows$,
            tl_old_key, tl_old_image)
        WHEN by_position OR tl_same_key IS NULL OR NOT threadline.key_is_comparable(audited_table) THEN format(
            $rows$SELECT record_key, previous_key, changed_from, changed_to,
                   CASE WHEN previous_key IS NOT NULL%6$s THEN row_data - 'tl_position' END AS row_data
            FROM (
                SELECT %2$s AS record_key, nullif(%1$s, %2$s) AS previous_key, %3$s AS changed_from, %4$s AS changed_to,
                       %5$s AS row_data
                FROM (SELECT *, row_number() OVER () AS tl_position FROM tl_old) AS tl_before
                JOIN (SELECT *, row_number() OVER () AS tl_position FROM tl_new) AS tl_after USING (tl_position)
                ORDER BY tl_position
                OFFSET 0
            ) AS pair
            WHERE changed_from <> '{}' OR previous_key IS NOT NULL$rows$,
            tl_old_key, tl_new_key, tl_old_values, tl_new_values, tl_old_image,
            -- Nothing but the whole row says which one it was.
            CASE WHEN tl_same_key IS NULL THEN ' OR true' END)
        ELSE format(
            $rows$SELECT * FROM (
                SELECT %s AS record_key, NULL::text AS previous_key, %s AS changed_from, %s AS changed_to, NULL::jsonb AS row_data
                FROM tl_old AS tl_before
                JOIN tl_new AS tl_after ON %s
                OFFSET 0
            ) AS pair
            WHERE changed_from <> '{}'$rows$,
            tl_new_key, tl_old_values, tl_new_values, tl_same_key)
    END;
END
$captured_rows$;

-- The source of the function that records what statements of one kind did to an
-- ordinary table, from their transition tables: all rows in one query. For the one
-- row that most statements touch, expressions of PL/pgSQL are quicker than a query
-- of them; each costs most when it is first used in a transaction, so they are few.
--
-- What can fail for the values of a row is done in a block with a handler, and
-- written after it: a subtransaction that writes takes a transaction id, and many
-- of those in one transaction slow down everybody. Only what a statement did to
-- more rows than fit into memory is written inside.
CREATE FUNCTION threadline.statement_capture_source(audited_table integer, target regclass, operation text) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $statement_capture_source$
DECLARE
    tl_table threadline.audited_tables;
    tl_built_for jsonb := threadline.built_for(audited_table, target);
    -- What calls them has constants alone, so that they are asked when a query is planned.
    tl_stands text := format(
        'TG_RELID = threadline.captured_relation(%1$s, %2$L::oid) AND threadline.columns_stand(threadline.captured_relation(%1$s, %2$L::oid), %3$L, true)',
        audited_table, target::oid, tl_built_for);
    tl_record text := format(
        $record$INSERT INTO threadline.audit_changes (
                    transaction_id, captured_at, table_id, statement, op,
                    record_key, previous_key, changed_from, changed_to, row_data)
                SELECT (SELECT threadline.current_transaction()), clock_timestamp(), %s,
                       CASE WHEN c.previous_key IS NOT NULL THEN (SELECT threadline.statement_number()) END, %L::"char",
                       c.record_key, c.previous_key, c.changed_from, c.changed_to, c.row_data
                FROM$record$,
        audited_table, left(operation, 1));
    tl_rows text := threadline.captured_rows(audited_table, target, operation);
    tl_rows_by_position text := threadline.captured_rows(audited_table, target, operation, by_position => true);
    tl_keyless text;
    tl_has_actor text;
    tl_require_actor text;
BEGIN
    SELECT * INTO STRICT tl_table FROM threadline.audited_tables WHERE id = audited_table;
    IF tl_table.key_columns = '{}' THEN
        -- Nothing but the whole row says which one it was.
        tl_keyless := ' OR true';
    END IF;
    IF (tl_table.policy -> 'require_actor')::boolean THEN
        tl_has_actor := ' AND t.actor_type IS NOT NULL';
        tl_require_actor := format('PERFORM threadline.require_actor(%s, threadline.current_transaction());', audited_table);
    END IF;
    RETURN format(
        $template$
#variable_conflict use_column
DECLARE
    tl_place tid;
    tl_transaction bigint;
    tl_statement integer;
    tl_before record;
    tl_after record;
    tl_key text;
    tl_previous_key text;
    tl_from jsonb;
    tl_to jsonb;
    tl_row_data jsonb;
    tl_unchanged text[];
    tl_careful boolean;
    tl_image text;
    tl_count bigint;
    tl_keys_stay boolean;
    tl_few threadline.captured[];
    tl_jit text;
    tl_settings text[];
    tl_set text;
    tl_depth integer;
    tl_nested integer;
    tl_turns integer;
    tl_first_change bigint;
BEGIN
    %1$s

    <<recorded>>
    BEGIN
        <<one_row>>
        BEGIN
            BEGIN
                tl_place := CASE
                    WHEN current_setting('threadline.transaction_context', true) = coalesce(current_setting('threadline.context', true), '')
                    THEN nullif(split_part(current_setting('threadline.transaction', true), ' ', 2), '')::tid END;
                %2$s
                EXIT one_row;
            EXCEPTION
                WHEN too_many_rows THEN
                    tl_careful := false;
                WHEN OTHERS THEN
                    -- Written through its parent, a partition fires row triggers alone;
                    -- they record whatever is written to it.
                    IF pg_partition_root(TG_RELID) IS NOT NULL THEN
                        RETURN NULL;
                    END IF;
                    tl_careful := true;
            END;

            IF NOT tl_careful THEN
                BEGIN
                    %3$s
                EXCEPTION WHEN OTHERS THEN
                    tl_careful := true;
                END;
                IF tl_few IS NOT NULL AND NOT tl_careful THEN
                    %4$s unnest(tl_few) AS c;
                END IF;
            END IF;
            IF tl_careful THEN
                -- With the columns that there are now, and what their types need.
                tl_settings := threadline.pin_settings();
                tl_image := threadline.whole_image(TG_RELID, 'tl_row', exact => true);
                BEGIN
                    EXECUTE format('SELECT count(%%s) FROM (%12$s) AS tl_row', tl_image);
                EXCEPTION WHEN OTHERS THEN
                    tl_image := threadline.whole_image(TG_RELID, 'tl_row', exact => false);
                END;
                EXECUTE format(%5$L, tl_image) USING TG_RELID, %11$L::jsonb;
                GET DIAGNOSTICS tl_count = ROW_COUNT;
                tl_settings := threadline.pin_settings(tl_settings);
            END IF;
            IF tl_count > 0 THEN
                %6$s
            END IF;
            EXIT recorded;
        END;

        IF tl_place IS NOT NULL THEN
            -- All columns in their order, so that nothing is put around the scan.
            INSERT INTO threadline.audit_changes (
                id, transaction_id, captured_at, table_id, statement, op,
                record_key, previous_key, changed_from, changed_to, row_data)
            OVERRIDING SYSTEM VALUE
            SELECT nextval('threadline.audit_changes_id_seq'::regclass), t.id, clock_timestamp(), %7$s, tl_statement, %8$L::"char",
                   tl_key, tl_previous_key, tl_from, tl_to, tl_row_data
            FROM threadline.audit_transactions AS t
            WHERE t.ctid = tl_place AND t.xact_id = pg_current_xact_id() AND t.occurred_at = now()
              AND clock_timestamp() < coalesce(t.extended_until, t.opened_at + interval '1 hour')%9$s;
            EXIT recorded WHEN FOUND;
        END IF;
        tl_transaction := CASE WHEN coalesce(current_setting('threadline.transaction', true), '') = ''
            THEN threadline.open_transaction(current_setting('threadline.context', true))
            ELSE threadline.current_transaction() END;
        INSERT INTO threadline.audit_changes (
            transaction_id, captured_at, table_id, statement, op,
            record_key, previous_key, changed_from, changed_to, row_data)
        VALUES (tl_transaction, clock_timestamp(), %7$s, tl_statement, %8$L::"char",
                tl_key, tl_previous_key, tl_from, tl_to, tl_row_data);
        %6$s
    END;

    IF tl_depth IS NOT NULL THEN
        IF tl_first_change IS NOT NULL THEN
            PERFORM threadline.put_in_order(%7$s, TG_RELID, %10$L, %11$L, tl_first_change, tl_depth > 1);
            -- A MERGE comes here up to three times, at one depth.
            tl_turns := coalesce(substring(current_setting('threadline.nested_%7$s', true) FROM format(' %%s ([12])$', tl_depth))::integer, 3);
            PERFORM set_config('threadline.nested_%7$s',
                CASE tl_turns WHEN 1 THEN nullif(tl_depth, 1)::text ELSE format('%%s %%s %%s', tl_nested, tl_depth, tl_turns - 1) END, true);
        ELSIF tl_depth >= greatest(tl_nested, 2) THEN
            PERFORM set_config('threadline.nested_%7$s', tl_depth::text, true);
        END IF;
    END IF;
    RETURN NULL;
END
$template$,
        threadline.guard(audited_table, target),
        CASE operation
            WHEN 'UPDATE' THEN format(
                $one$SELECT * INTO STRICT tl_after FROM tl_new WHERE %1$s;
                SELECT * INTO STRICT tl_before FROM tl_old;
                tl_key := %3$s;
                tl_previous_key := nullif(%2$s, tl_key);
                IF tl_place IS NULL THEN
                    -- Of short expressions the first use is quicker, of long ones
                    -- whatever follows.
                    tl_unchanged := %6$s;
                    tl_from := %7$s - tl_unchanged;
                    tl_to := %8$s - tl_unchanged;
                ELSE
                    tl_from := %4$s;
                    tl_to := %5$s;
                END IF;
                IF tl_from = '{}' AND tl_previous_key IS NULL THEN
                    RETURN NULL;
                ELSIF tl_previous_key IS NOT NULL%9$s THEN
                    tl_row_data := %7$s;
                    tl_statement := threadline.statement_number();
                END IF;$one$,
                tl_stands,
                threadline.key_expression(audited_table, 'tl_before'), threadline.key_expression(audited_table, 'tl_after'),
                threadline.changes_expression(audited_table, target, 'tl_before', 'tl_after', 'tl_before'),
                threadline.changes_expression(audited_table, target, 'tl_before', 'tl_after', 'tl_after'),
                threadline.unchanged_expression(audited_table, target, 'tl_before', 'tl_after'),
                threadline.image_expression(audited_table, target, 'tl_before'),
                threadline.image_expression(audited_table, target, 'tl_after'),
                tl_keyless)
            ELSE format(
                'SELECT %s, %s INTO STRICT tl_key, tl_row_data FROM %s AS tl_row WHERE %s;',
                threadline.key_expression(audited_table, 'tl_row'), threadline.image_expression(audited_table, target, 'tl_row'),
                CASE operation WHEN 'INSERT' THEN 'tl_new' ELSE 'tl_old' END, tl_stands)
        END,
        CASE operation
            WHEN 'UPDATE' THEN format(
                $many$-- Two cascades may have updated a row twice within the statement. That is asked apart:
                    -- PostgreSQL may sort what it aggregates for a DISTINCT, and the keys are compared in their order.
                    SELECT now.count, former.keys *= now.keys AND now.count < 1000000 AND %6$s
                    INTO tl_count, tl_keys_stay
                    FROM (SELECT ROW(%1$s) AS keys FROM (SELECT * FROM tl_old LIMIT 1000000) AS tl_row) AS former,
                         (SELECT ROW(%1$s) AS keys, count(*) FROM (SELECT * FROM tl_new LIMIT 1000000) AS tl_row) AS now;
                    IF tl_count > 100 THEN
                        -- Planned for as many as they are. To compile it would take
                        -- longer than it saves.
                        tl_jit := current_setting('jit');
                        tl_set := set_config('jit', 'off', true);
                        EXECUTE CASE WHEN tl_keys_stay THEN %4$L ELSE %5$L END;
                        GET DIAGNOSTICS tl_count = ROW_COUNT;
                        tl_set := set_config('jit', tl_jit, true);
                    ELSIF tl_keys_stay THEN
                        SELECT array_agg(ROW(c.*)::threadline.captured), count(*) INTO tl_few, tl_count FROM (%2$s) AS c;
                    ELSE
                        SELECT array_agg(ROW(c.*)::threadline.captured), count(*) INTO tl_few, tl_count FROM (%3$s) AS c;
                    END IF;$many$,
                coalesce((
                    SELECT string_agg(format('array_agg(tl_row.%I)', k.name), ', ' ORDER BY k.ordinal)
                    FROM unnest(tl_table.key_columns) WITH ORDINALITY AS k (name, ordinal)), 'NULL'),
                tl_rows, tl_rows_by_position, format('%s (%s) AS c', tl_record, tl_rows), format('%s (%s) AS c', tl_record, tl_rows_by_position),
                CASE WHEN threadline.key_is_comparable(audited_table) THEN (
                    SELECT format(CASE count(*) WHEN 1 THEN '(SELECT count(DISTINCT %1$s) = count(*) FROM tl_new AS tl_row)'
                                  ELSE '(SELECT count(DISTINCT ROW(%1$s)) = count(*) AND bool_and(num_nulls(%1$s) = 0) FROM tl_new AS tl_row)' END,
                        string_agg(format('tl_row.%I', k.name), ', ' ORDER BY k.ordinal))
                    FROM unnest(tl_table.key_columns) WITH ORDINALITY AS k (name, ordinal))
                    ELSE 'false' END)
            ELSE format(
                $many$IF (SELECT count(*) FROM (SELECT FROM %1$s LIMIT 101) AS tl_row) > 100 THEN
                        -- Planned for as many as they are. To compile it would take
                        -- longer than it saves.
                        tl_jit := current_setting('jit');
                        tl_set := set_config('jit', 'off', true);
                        EXECUTE %3$L;
                        GET DIAGNOSTICS tl_count = ROW_COUNT;
                        tl_set := set_config('jit', tl_jit, true);
                    ELSE
                        SELECT array_agg(ROW(c.*)::threadline.captured), count(*) INTO tl_few, tl_count FROM (%2$s) AS c;
                    END IF;$many$,
                CASE operation WHEN 'INSERT' THEN 'tl_new' ELSE 'tl_old' END, tl_rows, format('%s (%s) AS c', tl_record, tl_rows))
        END,
        tl_record,
        format('%s (%s) AS c', tl_record, CASE operation
            WHEN 'UPDATE' THEN format(
                $careful$SELECT t.record_key, t.previous_key, t.old_image AS changed_from, t.new_image AS changed_to,
                           CASE WHEN t.previous_key IS NOT NULL%s THEN t.moved_row END AS row_data
                    FROM (
                        SELECT image, row_number() OVER () AS position
                        FROM (SELECT %%1$s AS image FROM tl_old AS tl_row OFFSET 0) AS i
                    ) AS former
                    JOIN (
                        SELECT image, row_number() OVER () AS position
                        FROM (SELECT %%1$s AS image FROM tl_new AS tl_row OFFSET 0) AS i
                    ) AS now USING (position)
                    CROSS JOIN LATERAL threadline.capture_changed_table($1, $2, former.image, now.image) AS t
                    WHERE t.previous_key IS NOT NULL OR t.old_image <> '{}' OR t.new_image <> '{}'$careful$, tl_keyless)
            WHEN 'INSERT' THEN
                $careful$SELECT t.record_key, NULL AS previous_key, NULL::jsonb AS changed_from, NULL::jsonb AS changed_to, t.new_image AS row_data
                    FROM tl_new AS tl_row
                    CROSS JOIN LATERAL threadline.capture_changed_table($1, $2, NULL, %1$s) AS t$careful$
            ELSE
                $careful$SELECT t.record_key, NULL AS previous_key, NULL::jsonb AS changed_from, NULL::jsonb AS changed_to, t.old_image AS row_data
                    FROM tl_old AS tl_row
                    CROSS JOIN LATERAL threadline.capture_changed_table($1, $2, %1$s, NULL) AS t$careful$
        END),
        tl_require_actor, audited_table, left(operation, 1), tl_has_actor,
        threadline.image_expression(audited_table, target, 'tl_row'), tl_built_for,
        CASE operation WHEN 'INSERT' THEN 'SELECT * FROM tl_new' WHEN 'DELETE' THEN 'SELECT * FROM tl_old'
            ELSE 'SELECT * FROM tl_old UNION ALL SELECT * FROM tl_new' END);
END
$statement_capture_source$;

-- The source of one of a table's capture functions, written column by column from
-- the table's catalog entry.
CREATE FUNCTION threadline.capture_source(audited_table integer, target regclass, operation text) RETURNS text
LANGUAGE sql
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT CASE WHEN operation IS NULL THEN threadline.row_capture_source(audited_table, target)
                ELSE threadline.statement_capture_source(audited_table, target, operation) END;
END;

-- The settings that decide how values of a relation become text, as clauses of a
-- function: one value has one image, whoever writes it. Each costs something at
-- every call, so a table has those that its types need; all for a type that is
-- not known here.
CREATE FUNCTION threadline.pinned_settings(target regclass) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(string_agg(format('SET %s = %L', setting.name, setting.value), ' '), '')
    FROM (VALUES
        ('timezone', 'UTC', ARRAY['timestamptz', 'timetz']::regtype[]),
        ('datestyle', 'ISO, YMD', '{}'),
        ('intervalstyle', 'postgres', ARRAY['interval']::regtype[]),
        ('bytea_output', 'hex', ARRAY['bytea']::regtype[]),
        ('extra_float_digits', '1', ARRAY['float4', 'float8']::regtype[]),
        ('array_nulls', 'on', '{}')
    ) AS setting (name, value, types)
    WHERE EXISTS (
        SELECT
        FROM threadline.columns_of(target) AS c
        JOIN pg_type AS t ON t.oid = c.type
        WHERE c.type = ANY (setting.types) OR NOT (
            t.typtype = 'e'
            -- As JSON, dates and times are in ISO format whatever is set.
            OR c.type IN (
                'bool'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype,
                'text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'uuid'::regtype, 'json'::regtype, 'jsonb'::regtype,
                'date'::regtype, 'time'::regtype, 'timetz'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype,
                'interval'::regtype, 'bytea'::regtype, 'float4'::regtype, 'float8'::regtype)));
END;

-- Makes the trigger functions that capture a table.
CREATE FUNCTION threadline.build_functions(audited_table integer, target regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_owner regrole := (SELECT c.relowner FROM pg_class AS c WHERE c.oid = target);
    tl_function record;
    tl_former regrole;
BEGIN
    FOR tl_function IN SELECT * FROM threadline.capture_functions(audited_table) LOOP
        EXECUTE format(
            'CREATE OR REPLACE FUNCTION threadline.%I() RETURNS trigger '
            'LANGUAGE plpgsql SECURITY DEFINER '
            'SET search_path = pg_catalog, threadline, pg_temp %s '
            'AS %L', tl_function.name, threadline.pinned_settings(target),
            threadline.capture_source(audited_table, target, tl_function.operation));
        EXECUTE format('REVOKE ALL ON FUNCTION threadline.%I() FROM PUBLIC', tl_function.name);
        FOR tl_former IN
            SELECT given.grantee
            FROM pg_proc AS p CROSS JOIN LATERAL aclexplode(p.proacl) AS given
            WHERE p.oid = to_regproc('threadline.' || tl_function.name) AND given.grantee NOT IN (0, p.proowner, tl_owner)
        LOOP
            -- Who owned the table before.
            EXECUTE format('REVOKE ALL ON FUNCTION threadline.%I() FROM %s CASCADE', tl_function.name, tl_former);
        END LOOP;
        EXECUTE format('COMMENT ON FUNCTION threadline.%I() IS %L',
            tl_function.name, format('Records the changes of %s; written by threadline.audit()', target));
        IF tl_owner <> current_user::regrole THEN
            -- PostgreSQL asks for it of who makes triggers, and partitions.
            EXECUTE format('GRANT EXECUTE ON FUNCTION threadline.%I() TO %s', tl_function.name, tl_owner);
        END IF;
    END LOOP;
END
$$;

-- The id of a table that was audited under this name and is no longer there: the
-- newest one whose capture function no table's trigger calls. One that goes on
-- under another name keeps its history to itself.
CREATE FUNCTION threadline.former_table(schema_name text, table_name text) RETURNS integer
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT t.id
    FROM threadline.audited_tables AS t
    WHERE t.schema_name = former_table.schema_name AND t.table_name = former_table.table_name
      AND NOT EXISTS (
          SELECT FROM pg_trigger AS g JOIN pg_proc AS p ON p.oid = g.tgfoid
          WHERE p.pronamespace = 'threadline'::regnamespace AND p.proname = 'capture_' || t.id)
    ORDER BY t.id DESC
    LIMIT 1;
END;

-- The id under which the history of a table is kept, for a quoted name as in
-- SQL ('users', '"app"."Order"'). Also after it was dropped or is no longer
-- audited; NULL if it never was.
CREATE FUNCTION threadline.find_audited_table(quoted_name text) RETURNS integer
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    -- Looked up under the caller's search_path, as the caller's own queries are.
    tl_relation regclass := pg_catalog.to_regclass(quoted_name);
    tl_parts text[] := pg_catalog.parse_ident(quoted_name);
    tl_id integer;
BEGIN
    IF tl_relation IS NOT NULL THEN
        tl_id := threadline.audited_table_of(
            coalesce(pg_catalog.pg_partition_root(tl_relation), tl_relation));
        IF tl_id IS NOT NULL THEN
            RETURN tl_id;
        END IF;
        SELECT ARRAY[n.nspname, c.relname]::pg_catalog.text[]
        INTO tl_parts
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.oid = tl_relation;
    ELSIF pg_catalog.cardinality(tl_parts) = 1 THEN
        tl_parts := ARRAY[pg_catalog.current_schema(), tl_parts[1]];
    END IF;
    RETURN threadline.former_table(tl_parts[1], tl_parts[2]);
END
$$;

-- Takes a table's own capture triggers away, whichever function they call.
CREATE FUNCTION threadline.drop_triggers(target regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_name name;
BEGIN
    FOR tl_name IN
        SELECT g.tgname
        FROM pg_trigger AS g
        JOIN pg_proc AS p ON p.oid = g.tgfoid
        WHERE g.tgrelid = target AND g.tgparentid = 0
          AND p.pronamespace = 'threadline'::regnamespace AND p.proname ~ '^capture_[0-9]+(_insert|_update|_delete)?$'
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', tl_name, target);
    END LOOP;
END
$$;

-- Whether whatever is written to a table is written by a statement on the table
-- itself, and to no other one; and is to be recorded whatever its rows are.
CREATE FUNCTION threadline.captures_by_statement(audited_table integer, target regclass) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT c.relkind = 'r' AND NOT c.relispartition
       AND NOT EXISTS (SELECT FROM pg_inherits AS i WHERE target::oid IN (i.inhrelid, i.inhparent))
       AND NOT EXISTS (SELECT FROM threadline.audited_tables AS t WHERE t.id = audited_table AND t.policy ? 'condition')
    FROM pg_class AS c
    WHERE c.oid = target;
END;

-- The triggers that capture a table and its partitions, each as PostgreSQL shows
-- it, so that what was installed can be compared with what is there. Those of
-- partitions that PostgreSQL makes by itself are `inherited`.
--
-- An ordinary table has statement triggers. Where these do not suffice, row
-- triggers take over: what logical replication applies fires no statement
-- trigger, nor does what is written through its parent to a table that became a
-- partition. That it did, a WHEN clause finds out; PostgreSQL reads it anew for each
-- statement, so it is as short as can be. That a change is a replicated one is said
-- by the trigger's state, and by its argument for when somebody enables them all alike.
--
-- Partitioned tables, those with ancestors or heirs, and those with a condition
-- have row triggers alone: PostgreSQL makes them for each partition that comes, and
-- they fire wherever a row is written from. A condition stands as it was given until
-- it is known how PostgreSQL shows it. '!' sorts before letters: for each row capture
-- fires before the table's other AFTER triggers, so that what they write to that row in
-- turn is recorded after. Names of triggers that partitions get, too, are the table's
-- own: so a table that is audited can become a partition of another.
CREATE FUNCTION threadline.expected_triggers(
    audited_table integer, target regclass, by_statement boolean,
    OUT relation regclass, OUT name text, OUT inherited boolean, OUT fires "char", OUT definition text
) RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
SET standard_conforming_strings = on
BEGIN ATOMIC
    WITH policy AS (
        -- In the order in which PostgreSQL shows them.
        SELECT string_agg(o.operation, ' OR ' ORDER BY o.ordinal) FILTER (WHERE o.operation <> 'TRUNCATE') AS of_rows,
               array_agg(o.operation) AS operations,
               -- It may end in a comment.
               max(coalesce(t.shown_condition, t.policy ->> 'condition' || E'\n')) AS condition
        FROM (VALUES (1, 'INSERT'), (2, 'DELETE'), (3, 'UPDATE'), (4, 'TRUNCATE')) AS o (ordinal, operation)
        LEFT JOIN threadline.audited_tables AS t ON t.id = audited_table
        WHERE coalesce(t.policy -> 'operations' ? lower(o.operation), true)
    ), part AS (
        SELECT target AS relation
        UNION
        SELECT p.relid FROM pg_partition_tree(target) AS p JOIN pg_class AS c ON c.oid = p.relid WHERE c.relkind IN ('r', 'p')
    )
    SELECT p.relation, '!threadline_capture_' || audited_table, p.relation <> target, CASE WHEN by_statement THEN 'R' ELSE 'A' END, format(
        'CREATE TRIGGER "!threadline_capture_%1$s" AFTER %2$s ON %3$s FOR EACH ROW %4$sEXECUTE FUNCTION capture_%1$s(%5$s)',
        audited_table, policy.of_rows, p.relation, 'WHEN (' || policy.condition || ') ', CASE WHEN by_statement THEN '''replicated''' END)
    FROM part AS p
    CROSS JOIN policy
    UNION ALL
    SELECT target, '!threadline_attached', false, 'O', format(
        'CREATE TRIGGER "!threadline_attached" AFTER %s ON %s FOR EACH ROW WHEN ((pg_partition_root(''%s''::regclass) IS NOT NULL)) EXECUTE FUNCTION capture_%s()',
        policy.of_rows, target,
        -- Not as %L quotes: PostgreSQL shows a backslash as it is.
        replace(target::text, '''', ''''''),
        audited_table)
    FROM policy
    WHERE by_statement
    UNION ALL
    SELECT p.relation, '!threadline_truncate_' || audited_table, false, 'A', format(
        'CREATE TRIGGER "!threadline_truncate_%1$s" BEFORE TRUNCATE ON %2$s FOR EACH STATEMENT EXECUTE FUNCTION capture_%1$s()',
        audited_table, p.relation)
    FROM part AS p
    JOIN policy ON 'TRUNCATE' = ANY (policy.operations)
    UNION ALL
    SELECT target, '!threadline_' || lower(of.operation), false, 'O', format(
        'CREATE TRIGGER "!threadline_%1$s" AFTER %2$s ON %3$s REFERENCING %4$s FOR EACH STATEMENT EXECUTE FUNCTION capture_%5$s_%1$s()',
        lower(of.operation), of.operation, target, of.tables, audited_table)
    FROM (VALUES ('INSERT', 'NEW TABLE AS tl_new'),
                 ('UPDATE', 'OLD TABLE AS tl_old NEW TABLE AS tl_new'),
                 ('DELETE', 'OLD TABLE AS tl_old')) AS of (operation, tables)
    JOIN policy ON of.operation = ANY (policy.operations)
    WHERE by_statement;
END;

-- Fires capture on a table and its partitions, anew where it did.
CREATE FUNCTION threadline.install_triggers(audited_table integer, target regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
SET standard_conforming_strings = on
AS $$
DECLARE
    tl_trigger record;
BEGIN
    FOR tl_trigger IN
        SELECT e.*
        FROM threadline.expected_triggers(audited_table, target, threadline.captures_by_statement(audited_table, target)) AS e
        WHERE NOT e.inherited
    LOOP
        EXECUTE regexp_replace(tl_trigger.definition, '^CREATE', 'CREATE OR REPLACE');
        EXECUTE format('ALTER TABLE %s ENABLE %s TRIGGER %I', tl_trigger.relation,
            CASE tl_trigger.fires WHEN 'A' THEN 'ALWAYS' WHEN 'R' THEN 'REPLICA' END, tl_trigger.name);
    END LOOP;
END
$$;

-- How a column is stored: clear, token, mask or exclude. A generated column repeats
-- what it is made from, and is treated as the most secret of that.
CREATE FUNCTION threadline.treatment(
    target regclass, column_number smallint, mask text[], exclude text[], token text[]
) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    WITH source AS (
        SELECT a.attname::text AS name, a.attnum = column_number AS itself
        FROM pg_attribute AS a
        WHERE a.attrelid = target AND (
            a.attnum = column_number
            OR a.attnum IN (
                SELECT d.refobjsubid
                FROM pg_attrdef AS g
                JOIN pg_attribute AS generated ON generated.attrelid = g.adrelid AND generated.attnum = g.adnum
                JOIN pg_depend AS d ON d.classid = 'pg_attrdef'::regclass AND d.objid = g.oid
                WHERE g.adrelid = target AND g.adnum = column_number AND generated.attgenerated <> ''
                  AND d.refclassid = 'pg_class'::regclass AND d.refobjid = target))
    )
    SELECT CASE
        WHEN bool_or(name = ANY (exclude) AND itself) THEN 'exclude'
        WHEN bool_or(name = ANY (mask) AND itself) THEN 'mask'
        WHEN bool_or(name = ANY (token) AND itself) THEN 'token'
        WHEN bool_or(name = ANY (exclude)) THEN 'exclude'
        WHEN bool_or(name = ANY (mask)) THEN 'mask'
        WHEN bool_or(name = ANY (token)) THEN 'token'
        ELSE 'clear'
    END
    FROM source;
END;

-- A transaction id of 32 bits, as rows and locks have it, in full: the one that
-- is nearest to the ids of now.
CREATE FUNCTION threadline.whole_xid(id xid) RETURNS xid8
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT (now.id + 2147483648 - (now.id + 6442450944 - whole_xid.id::text::numeric) % 4294967296)::text::xid8
    FROM (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::numeric AS id) AS now;
END;

-- The columns that have other names now than those their table's capture
-- function was built for, and when the first image under the new names was
-- captured; NULL if there is none yet. Without a name now: a column that is
-- gone, and whose name a renamed one has taken over.
--
-- A rename leaves its transaction's id on the column. Who wrote to the table
-- before it has an older id. What the same transaction wrote came after it,
-- unless it shows a name that no column has any more.
CREATE FUNCTION threadline.unnoted_renames(
    audited_table integer, target oid,
    OUT former_name text, OUT name text, OUT renamed_at timestamptz
) RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    IF NOT EXISTS (
        SELECT
        FROM threadline.audited_tables AS t
        CROSS JOIN jsonb_to_recordset(t.columns) AS k (number smallint, name text)
        JOIN pg_attribute AS a ON a.attrelid = target AND a.attnum = k.number AND NOT a.attisdropped
        WHERE t.id = audited_table AND t.relation = target AND a.attname <> k.name
    ) THEN
        RETURN;
    END IF;
    RETURN QUERY
    WITH former AS (
        SELECT k.name AS former_name, a.attname::text AS name, a.attrelid, t.built_at, a.xmin
        FROM threadline.audited_tables AS t
        CROSS JOIN jsonb_to_recordset(t.columns) AS k (number smallint, name text)
        LEFT JOIN pg_attribute AS a ON a.attrelid = t.relation AND a.attnum = k.number AND NOT a.attisdropped
        WHERE t.id = audited_table AND t.relation = target
    ), renamed AS (
        SELECT f.former_name, f.name, f.attrelid, f.built_at,
               -- It may be the id of a savepoint.
               CASE pg_xact_status(whole.id) WHEN 'in progress' THEN pg_current_xact_id_if_assigned() ELSE whole.id END AS xact_id
        FROM former AS f
        CROSS JOIN LATERAL threadline.whole_xid(f.xmin) AS whole (id)
        WHERE f.name <> f.former_name
    ), since AS (
        SELECT renaming.xact_id, (
            SELECT min(first.captured_at)
            FROM (
                SELECT c.captured_at
                FROM threadline.audit_transactions AS x
                CROSS JOIN LATERAL (
                    SELECT c.captured_at
                    FROM threadline.audit_changes AS c
                    WHERE c.transaction_id = x.id AND c.table_id = audited_table AND c.captured_at > renaming.built_at
                      AND (x.xact_id > renaming.xact_id OR c.id > coalesce((
                          SELECT max(own.id)
                          FROM threadline.audit_transactions AS y
                          JOIN threadline.audit_changes AS own ON own.transaction_id = y.id
                          WHERE y.xact_id = renaming.xact_id AND own.table_id = audited_table
                            AND own.captured_at > renaming.built_at
                            AND coalesce(own.row_data, own.changed_from) ?| renaming.vacant_names), 0))
                    ORDER BY c.id
                    LIMIT 1
                ) AS c
                WHERE x.xact_id >= renaming.xact_id
                ORDER BY x.xact_id, x.id
                LIMIT 10
            ) AS first
        ) AS renamed_at
        FROM (
            SELECT r.xact_id, r.built_at, array_agg(r.former_name) FILTER (
                WHERE r.former_name NOT IN (SELECT attname FROM pg_attribute WHERE attrelid = r.attrelid AND NOT attisdropped)
            ) AS vacant_names
            FROM renamed AS r
            GROUP BY r.xact_id, r.built_at
        ) AS renaming
    )
    SELECT r.former_name, r.name, since.renamed_at
    FROM renamed AS r
    JOIN since USING (xact_id)
    UNION ALL
    SELECT gone.former_name, NULL, since.renamed_at
    FROM former AS gone
    JOIN renamed AS taker ON taker.name = gone.former_name
    JOIN since USING (xact_id)
    WHERE gone.name IS NULL;
END
$$;

-- Fails for what is not a table that can be audited.
CREATE FUNCTION threadline.check_auditable(target regclass) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_class pg_class;
    tl_schema text;
BEGIN
    SELECT * INTO STRICT tl_class FROM pg_class WHERE oid = target;
    SELECT nspname INTO STRICT tl_schema FROM pg_namespace WHERE oid = tl_class.relnamespace;
    IF tl_class.relispartition THEN
        RAISE EXCEPTION 'threadline: % is a partition; audit its parent, which covers all partitions: SELECT threadline.audit(''%'')',
            target, pg_partition_root(target);
    ELSIF tl_class.relkind NOT IN ('r', 'p') THEN
        RAISE EXCEPTION 'threadline: % is not a table; audit the tables that it shows', target;
    ELSIF tl_class.relpersistence = 't' THEN
        RAISE EXCEPTION 'threadline: % is a temporary table, which cannot be audited', target;
    ELSIF tl_schema IN ('threadline', 'pg_catalog', 'information_schema') THEN
        RAISE EXCEPTION 'threadline: % belongs to schema %, which cannot be audited', target, tl_schema;
    END IF;
END
$$;

-- Records what was done to the audit itself, as an action of the running transaction.
-- Who acts is the context's actor, if nobody else is named. For functions that run as
-- the owner of the audit.
CREATE FUNCTION threadline.own_action(
    name       text,
    meta       jsonb,
    reason     text DEFAULT NULL,
    actor_type text DEFAULT NULL,
    actor_id   text DEFAULT NULL
) RETURNS threadline.audit_actions
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_transaction bigint := threadline.current_transaction();
    tl_action threadline.audit_actions;
BEGIN
    INSERT INTO threadline.audit_actions (
        transaction_id, name, category, verb, actor_type, actor_id, reason, request_id, correlation_id, job_id, meta)
    SELECT x.id, own_action.name, split_part(own_action.name, '.', 1), split_part(own_action.name, '.', 2),
           coalesce(own_action.actor_type, x.actor_type, 'anonymous'),
           CASE WHEN own_action.actor_type IS NULL THEN x.actor_id ELSE own_action.actor_id END,
           own_action.reason, x.request_id, x.correlation_id, x.job_id,
           jsonb_build_object('session_user', session_user) || jsonb_strip_nulls(own_action.meta)
    FROM threadline.audit_transactions AS x
    WHERE x.id = tl_transaction
    RETURNING * INTO STRICT tl_action;
    RETURN tl_action;
END
$$;

-- One policy change at a time, until the end of the transaction; readers and
-- writers are not held up.
CREATE FUNCTION threadline.lock_policies() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    LOCK TABLE threadline.audited_tables IN SHARE ROW EXCLUSIVE MODE;
END
$$;
REVOKE ALL ON FUNCTION threadline.lock_policies() FROM PUBLIC;

-- Where the audit schema has an owner of its own: lets it read a table, for the
-- rows that a TRUNCATE takes away, and hands it the right to make triggers, as the
-- proof that whoever asks for a policy speaks for the table's owner. Runs with the
-- caller's rights: nobody hands over what is not theirs.
CREATE FUNCTION threadline.hand_over(target regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_owner regrole := (SELECT nspowner FROM pg_namespace WHERE nspname = 'threadline');
    tl_class pg_class;
    tl_part regclass;
BEGIN
    SELECT * INTO STRICT tl_class FROM pg_class WHERE oid = target;
    IF tl_class.relowner = tl_owner THEN
        RETURN;
    END IF;
    EXECUTE format('GRANT TRIGGER ON %s TO %s', target, tl_owner);
    IF NOT has_schema_privilege(tl_owner, tl_class.relnamespace, 'USAGE') THEN
        BEGIN
            EXECUTE format('GRANT USAGE ON SCHEMA %s TO %s', tl_class.relnamespace::regnamespace, tl_owner);
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE EXCEPTION 'threadline: role %, which owns the audit, may not use schema %', tl_owner, tl_class.relnamespace::regnamespace
                USING ERRCODE = 'insufficient_privilege',
                      HINT = format('Have its owner run: GRANT USAGE ON SCHEMA %s TO %s', tl_class.relnamespace::regnamespace, tl_owner);
        END;
    END IF;
    FOR tl_part IN
        SELECT target
        UNION
        SELECT p.relid FROM pg_partition_tree(target) AS p JOIN pg_class AS c ON c.oid = p.relid WHERE c.relkind IN ('r', 'p')
    LOOP
        IF NOT has_table_privilege(tl_owner, tl_part, 'SELECT') THEN
            EXECUTE format('GRANT SELECT ON %s TO %s', tl_part, tl_owner);
        END IF;
    END LOOP;
END
$$;

-- Takes back what threadline.hand_over() gave: the proof, or everything.
CREATE FUNCTION threadline.take_back(target regclass, privileges text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_owner regrole := (SELECT nspowner FROM pg_namespace WHERE nspname = 'threadline');
BEGIN
    IF (SELECT relowner FROM pg_class WHERE oid = target) <> tl_owner THEN
        EXECUTE format('REVOKE %s ON %s FROM %s', CASE privileges WHEN 'all' THEN 'ALL' ELSE 'TRIGGER' END, target, tl_owner);
    END IF;
END
$$;

-- Fails unless the table is the owner's, or was handed over by whoever may; for
-- functions that run as the owner of the audit.
CREATE FUNCTION threadline.require_handed_over(target regclass) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (
        SELECT
        FROM pg_class AS c
        WHERE c.oid = target AND (
            c.relowner = current_user::regrole
            OR EXISTS (
                SELECT FROM aclexplode(c.relacl) AS given
                WHERE given.grantee = current_user::regrole AND given.privilege_type = 'TRIGGER'))
    ) THEN
        RAISE EXCEPTION 'threadline: only the owner of table % decides how it is audited, with threadline.audit() or threadline.unaudit()', target
            USING ERRCODE = 'insufficient_privilege';
    END IF;
END
$$;

-- The id under which a table is audited, for who changes that. Fails for a table that
-- got the trigger of another by hand: what it asks for would be done to the other.
CREATE FUNCTION threadline.own_audited_table(target regclass) RETURNS integer
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_id integer := threadline.audited_table_of(target);
    tl_captured oid := threadline.captured_relation(tl_id, 0);
BEGIN
    IF tl_id IS NOT NULL AND tl_captured <> target THEN
        RAISE EXCEPTION 'threadline: table % has the trigger of %; drop it: DROP TRIGGER "!threadline_capture_%" ON %',
            target, tl_captured::regclass, tl_id, target
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN tl_id;
END
$$;

-- Notes the condition of a table's row trigger in the words in which PostgreSQL shows
-- it, for verify to compare. Fails if what was given as one is more than an expression,
-- and made another trigger than the one that records.
CREATE FUNCTION threadline.note_condition(target regclass) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
AS $$
DECLARE
    tl_id integer := threadline.own_audited_table(target);
    tl_condition text := (
        SELECT substring(pg_get_triggerdef(g.oid) FROM ' FOR EACH ROW WHEN [(](.*)[)] EXECUTE FUNCTION ')
        FROM pg_trigger AS g
        WHERE g.tgrelid = target AND g.tgname = '!threadline_capture_' || tl_id);
BEGIN
    PERFORM threadline.require_handed_over(target);
    IF tl_condition IS NULL THEN
        RAISE EXCEPTION 'threadline: the condition under which table % is recorded is not one expression', target;
    END IF;
    UPDATE threadline.audited_tables SET shown_condition = tl_condition WHERE id = tl_id;
END
$$;
REVOKE ALL ON FUNCTION threadline.note_condition(regclass) FROM PUBLIC;

-- What threadline.audit() does as the owner of the audit: notes the policy of a
-- table and builds its capture functions.
CREATE FUNCTION threadline.write_policy(
    target        regclass,
    mask          text[],
    exclude       text[],
    require_actor boolean,
    keyless       boolean,
    columns       text[],
    operations    text[],
    condition     text,
    clear         text[],
    token         text[]
) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
AS $write_policy$
#variable_conflict use_column
DECLARE
    tl_class pg_class;
    tl_schema text;
    tl_columns text[];
    tl_keys text[];
    tl_key_types text[];
    tl_wrong text[];
    tl_id integer;
    tl_policy jsonb;
    tl_resumed boolean;
    tl_restarted boolean;
    tl_former threadline.audited_tables;
BEGIN
    PERFORM threadline.require_handed_over(target);
    PERFORM threadline.check_auditable(target);
    SELECT * INTO STRICT tl_class FROM pg_class WHERE oid = target;
    SELECT nspname INTO STRICT tl_schema FROM pg_namespace WHERE oid = tl_class.relnamespace;
    SELECT array_agg(name ORDER BY number) INTO tl_columns FROM threadline.columns_of(target);
    SELECT coalesce(array_agg(name), '{}'), coalesce(array_agg(type::text), '{}')
    INTO tl_keys, tl_key_types
    FROM threadline.key_columns_of(target);
    IF tl_keys = '{}' AND NOT keyless THEN
        RAISE EXCEPTION 'threadline: table % has no primary key, so no record of it could be found again; add one with ALTER TABLE % ADD PRIMARY KEY (...), or have it recorded all the same with SELECT threadline.audit(''%'', keyless => true)',
            target, target, target;
    END IF;

    SELECT array_agg(o) INTO tl_wrong
    FROM unnest(operations) AS o WHERE o IS NULL OR o NOT IN ('insert', 'update', 'delete', 'truncate');
    IF tl_wrong IS NOT NULL OR NOT coalesce(operations && '{insert,update,delete}', true) THEN
        RAISE EXCEPTION 'threadline: % for table % is not a choice of operations; take one or several of insert, update, delete, and truncate beside one of them',
            array_to_string(operations, ', ', 'NULL'), target;
    END IF;
    SELECT array_agg(c) INTO tl_wrong FROM unnest(mask || exclude || columns || clear || token) AS c WHERE c <> ALL (tl_columns);
    IF tl_wrong IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: table % has no column %; its columns are: %',
            target, array_to_string(tl_wrong, ', '), array_to_string(tl_columns, ', ');
    END IF;
    SELECT array_agg(c) INTO tl_wrong FROM unnest(mask) AS c WHERE c = ANY (exclude);
    IF tl_wrong IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: column % of table % is both masked and excluded; choose one',
            array_to_string(tl_wrong, ', '), target;
    END IF;
    SELECT array_agg(c) INTO tl_wrong FROM unnest(token) AS c WHERE c = ANY (mask || exclude);
    IF tl_wrong IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: column % of table % is recorded as a token, and masked or excluded; choose one',
            array_to_string(tl_wrong, ', '), target;
    END IF;
    SELECT array_agg(c.name) INTO tl_wrong
    FROM threadline.columns_of(target) AS c
    WHERE c.name = ANY (clear) AND threadline.treatment(target, c.number, mask, exclude, token) <> 'clear';
    IF tl_wrong IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: column % of table % is declared clear, and it is redacted, or made from a column that is; choose one',
            array_to_string(tl_wrong, ', '), target;
    END IF;
    SELECT array_agg(c.name) INTO tl_wrong
    FROM threadline.columns_of(target) AS c
    WHERE c.name = ANY (tl_keys) AND threadline.treatment(target, c.number, mask, exclude, token) <> 'clear';
    IF tl_wrong IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: column % belongs to the primary key of %; a key identifies the record and can be neither masked nor excluded nor recorded as a token',
            array_to_string(tl_wrong, ', '), target;
    END IF;

    tl_policy := threadline.policy(mask, exclude, require_actor, columns, operations, condition, clear, token);
    IF cardinality(columns) > 0 THEN
        exclude := exclude || ARRAY(
            SELECT c FROM unnest(tl_columns) AS c WHERE c <> ALL (columns || tl_keys || mask || exclude || token));
    END IF;

    tl_id := coalesce(threadline.own_audited_table(target), (
        -- Somebody dropped the trigger by which a table is known, and not the others.
        SELECT min(substring(p.proname FROM '^capture_([0-9]{1,9})')::integer)
        FROM pg_trigger AS g
        JOIN pg_proc AS p ON p.oid = g.tgfoid AND p.pronamespace = 'threadline'::regnamespace
        WHERE g.tgrelid = target AND g.tgparentid = 0 AND p.proname ~ '^capture_[0-9]{1,9}_(insert|update|delete)$'));
    tl_resumed := tl_id IS NULL;
    IF tl_resumed THEN
        -- A table created anew under its old name goes on with its history.
        tl_id := threadline.former_table(tl_schema, tl_class.relname);
    END IF;
    -- After a restore without data functions are there and their rows are not:
    -- an id counts as taken by either.
    WHILE tl_id IS NULL LOOP
        tl_id := nextval(pg_get_serial_sequence('threadline.audited_tables', 'id'));
        IF to_regproc('threadline.capture_' || tl_id) IS NOT NULL THEN
            tl_id := NULL;
        END IF;
    END LOOP;
    SELECT * INTO tl_former FROM threadline.audited_tables WHERE id = tl_id;
    INSERT INTO threadline.audited_tables (
        id, schema_name, table_name, key_columns, key_types, policy, columns, masked_columns, numeric_columns, relation, fingerprint, capture_version)
    OVERRIDING SYSTEM VALUE
    VALUES (tl_id, tl_schema, tl_class.relname, tl_keys, tl_key_types, '{}', '[]', '{}', '{}', target, '', 0)
    ON CONFLICT (id) DO NOTHING;

    -- Records without a key are not found under one that comes later.
    tl_resumed := tl_resumed OR coalesce(tl_former.key_columns = '{}' AND tl_keys <> '{}', false);

    INSERT INTO threadline.renamed_columns (table_id, former_name, name, renamed_at)
    SELECT tl_id, r.former_name, r.name, coalesce(r.renamed_at, at.now)
    FROM (SELECT clock_timestamp() AS now OFFSET 0) AS at
    CROSS JOIN threadline.unnoted_renames(tl_id, target) AS r;

    UPDATE threadline.audited_tables AS t
    SET schema_name = tl_schema,
        table_name = tl_class.relname,
        key_columns = tl_keys,
        key_types = tl_key_types,
        chained_since = CASE
            WHEN ARRAY(SELECT k.name FROM threadline.live_key(tl_id) AS k ORDER BY k.ordinal) = tl_keys
                 AND NOT t.policy ?| '{operations,condition}'
            THEN t.chained_since
            ELSE clock_timestamp() END,
        policy = tl_policy,
        shown_condition = NULL,
        columns = (
            SELECT coalesce(jsonb_agg(
                jsonb_strip_nulls(jsonb_build_object(
                    'number', c.number, 'name', c.name, 'type', c.type::text, 'treatment', now.treatment,
                    'scaled', CASE WHEN c.type = 'numeric'::regtype AND c.bitwise THEN true END,
                    -- What is made of others may be made of a redacted one later.
                    'made_by', CASE
                        WHEN now.treatment = 'clear' AND cardinality(mask || exclude || token) > 0
                        THEN (SELECT d.oid::bigint
                              FROM pg_attrdef AS d
                              JOIN pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
                              WHERE d.adrelid = target AND d.adnum = c.number AND a.attgenerated <> '') END,
                    -- What a redacted column held until now was not recorded.
                    'clear_since', CASE
                        WHEN now.treatment <> 'clear' THEN NULL
                        WHEN former.treatment <> 'clear' THEN clock_timestamp()
                        ELSE former.clear_since END,
                    -- Kept, so that a token remains one whatever is decided meanwhile.
                    'token_key', CASE
                        WHEN former.token_key IN (SELECT id FROM threadline.token_keys) THEN former.token_key
                        WHEN now.treatment = 'token' THEN threadline.new_token_key() END,
                    -- What is recorded under its name is of another column, or
                    -- written another way.
                    'retyped_at', CASE
                        WHEN tl_resumed THEN NULL
                        WHEN former.type = c.type::text
                             AND (former.treatment = 'token') = (now.treatment = 'token')
                             AND (now.treatment <> 'token' OR former.token_key IN (SELECT id FROM threadline.token_keys))
                        THEN former.retyped_at
                        ELSE clock_timestamp() END))
                ORDER BY c.number), '[]')
            FROM threadline.columns_of(target) AS c
            CROSS JOIN LATERAL threadline.treatment(target, c.number, mask, exclude, token) AS now (treatment)
            LEFT JOIN jsonb_to_recordset(t.columns) AS former (
                number smallint, name text, type text, treatment text, clear_since timestamptz, retyped_at timestamptz, token_key integer)
                ON CASE WHEN t.relation = target THEN former.number = c.number ELSE former.name = c.name END),
        masked_columns = ARRAY(
            SELECT c.name
            FROM threadline.columns_of(target) AS c
            WHERE threadline.treatment(target, c.number, mask, exclude, token) IN ('mask', 'token')
            ORDER BY c.number),
        numeric_columns = ARRAY(
            SELECT c.name
            FROM threadline.columns_of(target) AS c
            JOIN pg_type AS p ON p.oid = c.type
            WHERE 'numeric'::regtype IN (p.oid, p.typbasetype) OR 'money'::regtype IN (p.oid, p.typbasetype)
            ORDER BY c.number),
        relation = target,
        fingerprint = threadline.fingerprint(target),
        capture_version = threadline.capture_version(),
        built_at = clock_timestamp(),
        unaudited_at = NULL
    WHERE t.id = tl_id;

    PERFORM threadline.build_functions(tl_id, target);
    -- Nobody writes before the triggers are there. What happened while the table
    -- was not audited, nobody knows.
    UPDATE threadline.audited_tables SET audited_since = clock_timestamp() WHERE id = tl_id AND tl_resumed;
    tl_restarted := tl_former.unaudited_at IS NOT NULL OR tl_former.relation <> target AND tl_resumed;
    IF tl_restarted OR tl_former.policy <> tl_policy THEN
        PERFORM threadline.own_action(
            CASE WHEN tl_restarted THEN 'audit.restarted' ELSE 'audit.policy_changed' END,
            jsonb_build_object('table', target, 'table_id', tl_id, 'stopped_at', tl_former.unaudited_at,
                'policy', tl_policy, 'former_policy', tl_former.policy));
    END IF;
    RETURN tl_id;
END
$write_policy$;
REVOKE ALL ON FUNCTION threadline.write_policy(regclass, text[], text[], boolean, boolean, text[], text[], text, text[], text[]) FROM PUBLIC;

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
-- clear: columns that are no secret though their names look like it; see verify.
-- token: columns stored as keyed hashes, so that equal values can be seen to be equal.
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
    clear         text[]  DEFAULT '{}',
    token         text[]  DEFAULT '{}'
) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $audit$
DECLARE
    tl_id integer;
BEGIN
    PERFORM threadline.lock_policies();
    PERFORM threadline.check_auditable(target);
    -- What writers did so far is to be seen here, and done by the old function;
    -- the triggers hold them off from now on anyway.
    EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', target);
    PERFORM threadline.hand_over(target);
    tl_id := threadline.write_policy(target, mask, exclude, require_actor, keyless, columns, operations, condition, clear, token);
    -- Left over from the time when the table was a partition of another.
    PERFORM threadline.drop_triggers(target);
    PERFORM threadline.install_triggers(tl_id, target);
    IF condition IS NOT NULL THEN
        PERFORM threadline.note_condition(target);
    END IF;
    PERFORM threadline.take_back(target, 'proof');
    RETURN tl_id;
END
$audit$;

-- Builds a table's capture anew from its columns as they are now, under the
-- same policy. Call it in the migration that changes the columns. A redacted
-- column stays redacted through a rename, and so does one that is dropped and
-- added again, or that was generated from a redacted one.
CREATE FUNCTION threadline.refresh(target regclass) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_table threadline.audited_tables;
    tl_mask text[];
    tl_exclude text[];
    tl_columns text[];
    tl_clear text[];
    tl_token text[];
BEGIN
    SELECT * INTO tl_table FROM threadline.audited_tables WHERE id = threadline.audited_table_of(target);
    IF tl_table.id IS NULL AND threadline.audited_table_of(target) IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: what was decided for table % was not restored with it; say it again with SELECT threadline.audit(''%'', ...)',
            target, target;
    ELSIF tl_table.id IS NULL THEN
        RAISE EXCEPTION 'threadline: table % is not audited; start with SELECT threadline.audit(''%'')', target, target;
    END IF;
    IF tl_table.relation <> target::oid AND EXISTS (
        SELECT FROM jsonb_to_recordset(tl_table.columns) AS c (name text, treatment text)
        WHERE c.treatment <> 'clear' AND c.name NOT IN (SELECT name FROM threadline.columns_of(target))
    ) THEN
        RAISE EXCEPTION 'threadline: table % was restored or created anew, and a redacted column of it has another name now; say which with SELECT threadline.audit(''%'', mask => ..., exclude => ...)',
            target, target;
    END IF;
    WITH decided AS (
        SELECT live.name,
               bool_or(tl_table.policy -> 'mask' ? c.name OR made.secret AND c.treatment <> 'exclude') AS mask,
               bool_or(tl_table.policy -> 'exclude' ? c.name OR made.secret AND c.treatment = 'exclude') AS exclude,
               bool_or(tl_table.policy -> 'token' ? c.name) AS token,
               bool_or(tl_table.policy -> 'clear' ? c.name AND is_it) AS clear,
               bool_or(tl_table.policy -> 'columns' ? c.name AND is_it) AS chosen
        FROM jsonb_to_recordset(tl_table.columns) AS c (number smallint, name text, treatment text)
        JOIN threadline.columns_of(target) AS live
          ON CASE WHEN tl_table.relation = target::oid AND live.number IN (
                 SELECT k.number FROM jsonb_to_recordset(tl_table.columns) AS k (number smallint)
             ) THEN live.number = c.number
             -- A column that came since is redacted as one of its name was.
             ELSE live.name = c.name END
        CROSS JOIN LATERAL (
            SELECT tl_table.relation <> target::oid OR live.number = c.number
        ) AS same (is_it)
        -- What was generated from a secret still holds it when it is generated no more.
        CROSS JOIN LATERAL (
            SELECT c.treatment <> 'clear'
               AND NOT coalesce(tl_table.policy -> 'token' ? c.name, false)
               AND NOT (tl_table.policy -> 'mask' ? c.name OR tl_table.policy -> 'exclude' ? c.name)
               AND coalesce(tl_table.policy -> 'columns' ? c.name, true)
               AND EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = target AND a.attnum = live.number AND a.attgenerated = '')
        ) AS made (secret)
        GROUP BY live.name
    )
    SELECT coalesce(array_agg(name) FILTER (WHERE mask AND NOT coalesce(exclude, false)), '{}'),
           coalesce(array_agg(name) FILTER (WHERE exclude), '{}'),
           array_agg(name) FILTER (WHERE chosen),
           coalesce(array_agg(name) FILTER (WHERE clear AND NOT coalesce(mask OR exclude OR token, false)), '{}'),
           coalesce(array_agg(name) FILTER (WHERE token AND NOT coalesce(mask, false) AND NOT coalesce(exclude, false)), '{}')
    INTO tl_mask, tl_exclude, tl_columns, tl_clear, tl_token
    FROM decided;
    RETURN threadline.audit(target, tl_mask, tl_exclude, (tl_table.policy -> 'require_actor')::boolean,
        keyless => tl_table.key_columns = '{}',
        columns => tl_columns,
        operations => (SELECT array_agg(o) FROM jsonb_array_elements_text(tl_table.policy -> 'operations') AS o),
        condition => tl_table.policy ->> 'condition',
        clear => tl_clear,
        token => tl_token);
END
$$;

-- What threadline.unaudit() does as the owner of the audit.
CREATE FUNCTION threadline.end_audit(target regclass) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
-- That triggers go with the functions need not be said.
SET client_min_messages = warning
AS $$
DECLARE
    tl_id integer := threadline.own_audited_table(target);
BEGIN
    PERFORM threadline.require_handed_over(target);
    -- The triggers depend on the functions, those on partitions included.
    EXECUTE format('DROP FUNCTION %s CASCADE', (
        SELECT string_agg(format('threadline.%I()', f.name), ', ') FROM threadline.capture_functions(tl_id) AS f));
    UPDATE threadline.audited_tables SET unaudited_at = now() WHERE id = tl_id;
    PERFORM threadline.own_action('audit.stopped', jsonb_build_object('table', target, 'table_id', tl_id));
END
$$;
REVOKE ALL ON FUNCTION threadline.end_audit(regclass) FROM PUBLIC;

-- Stops auditing a table. What was recorded stays and can be read as before.
CREATE FUNCTION threadline.unaudit(target regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    IF (SELECT relispartition FROM pg_class WHERE oid = target) AND threadline.audited_table_of(target) IS NULL THEN
        RAISE EXCEPTION 'threadline: % is a partition and audited through its parent; stop that with SELECT threadline.unaudit(''%'')',
            target, pg_partition_root(target);
    END IF;
    PERFORM threadline.lock_policies();
    IF threadline.audited_table_of(target) IS NULL THEN
        RETURN;
    END IF;
    PERFORM threadline.hand_over(target);
    PERFORM threadline.end_audit(target);
    PERFORM threadline.take_back(target, 'all');
END
$$;

INSERT INTO threadline.schema_patches (version) VALUES (2);
