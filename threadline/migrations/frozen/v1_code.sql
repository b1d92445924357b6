
-- The canonical text of one key value. Numbers that are equal have one text
-- (1.10 and 1.1), everything else is its JSON text without quotes.
CREATE OR REPLACE FUNCTION threadline.key_text(value jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE pg_catalog.jsonb_typeof(value)
    WHEN 'number' THEN pg_catalog.trim_scale((value #>> '{}')::pg_catalog.numeric)::pg_catalog.text
    ELSE value #>> '{}'
END;

-- A key value, one of so many, as it fits into the index by record: of what is longer,
-- the beginning and a digest. Two long keys are told apart all the same; what they
-- were is in the images.
CREATE OR REPLACE FUNCTION threadline.bounded_key(value text, parts integer) RETURNS text
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
CREATE OR REPLACE FUNCTION threadline.record_key(key_values record, key_types text[] DEFAULT '{}') RETURNS text
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
CREATE OR REPLACE FUNCTION threadline.key_in_image(image jsonb, key_columns text[], key_types text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_parts text[] := '{}';
    tl_part text;
    tl_count integer := cardinality(key_columns);
BEGIN
    FOR tl_number IN 1..tl_count LOOP
        tl_part := threadline.key_text(image -> key_columns[tl_number]);
        IF key_types[tl_number] = 'character' THEN
            tl_part := rtrim(tl_part, ' ');
        END IF;
        tl_parts := tl_parts || threadline.bounded_key(tl_part, tl_count);
    END LOOP;
    RETURN CASE tl_count WHEN 0 THEN NULL WHEN 1 THEN tl_parts[1] ELSE to_jsonb(tl_parts)::text END;
END
$$;

-- json as it enters an image: a text, which json is, of which every blank counts (a
-- signature may have been made of it). One that jsonb writes just so is kept as what it
-- says; any other as a string that holds the text, and so is what is a string itself,
-- so that a string in the place of a json column is always a text of json.
CREATE OR REPLACE FUNCTION threadline.json_image(value json) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
    IF value::pg_catalog.jsonb::pg_catalog.text OPERATOR(pg_catalog.=) value::pg_catalog.text
       AND pg_catalog.jsonb_typeof(value::pg_catalog.jsonb) OPERATOR(pg_catalog.<>) 'string' THEN
        RETURN value::pg_catalog.jsonb;
    END IF;
    RETURN pg_catalog.to_jsonb(value::pg_catalog.text);
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
    RETURN pg_catalog.to_jsonb(value::pg_catalog.text);
END
$$;

-- The columns of a relation as its catalog has them now. `bitwise` says that
-- two values are stored alike when = says so, which spares a comparison of the
-- stored bytes (numeric 1.0 = 1.00, citext, floats and intervals are not; text is
-- compared under collation "C").
-- Names come through the catalog cache: under REPEATABLE READ the catalog itself
-- may show those of before a rename, and columns that are gone.
-- A virtual column is none: there is no value of it in a row that a trigger sees.
CREATE OR REPLACE FUNCTION threadline.columns_of(target regclass)
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
CREATE OR REPLACE FUNCTION threadline.base_type(type oid) RETURNS oid
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
CREATE OR REPLACE FUNCTION threadline.json_form(type oid, reference text) RETURNS text
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

-- The columns of a relation as they are at this moment, for a write that goes on:
-- under REPEATABLE READ its snapshot shows the catalog as it was, and what PostgreSQL
-- looks up by itself, the names of a row's fields and the types of expressions, is of
-- now. No type is known where the schema is closed to who asks.
CREATE OR REPLACE FUNCTION threadline.present_columns(
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
CREATE OR REPLACE FUNCTION threadline.too_large(bytes integer, digest bytea) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN '[too large to record: ' || bytes || ' bytes, sha256:' || pg_catalog.encode(digest, 'hex') || ']';

-- SQL for the image of a row of a relation, with the columns that it has now, whatever
-- is decided for them. An exact one fails where a value has no form in jsonb (\u0000
-- inside json[]). The other never does: all but numbers and the like are kept as their
-- text, and of what is beyond the 200 MB that fit in only length and digest.
CREATE OR REPLACE FUNCTION threadline.whole_image(relation regclass, row_name text, exact boolean) RETURNS text
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
CREATE OR REPLACE FUNCTION threadline.row_image(image_of anyelement) RETURNS jsonb
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
CREATE OR REPLACE FUNCTION threadline.own_rows(target regclass) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT CASE WHEN c.relkind = 'p' THEN target::text ELSE 'ONLY ' || target END FROM pg_class AS c WHERE c.oid = target;
END;

-- What a masked value is stored as: of the JSON type that to_jsonb gives the column's
-- values, so that readers meet no surprise. NULL stays NULL.
CREATE OR REPLACE FUNCTION threadline.placeholder(type regtype) RETURNS jsonb
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

-- A row's image reduced to the plain columns, with placeholders for the masked.
CREATE OR REPLACE FUNCTION threadline.redacted_image(image jsonb, plain text[], masks jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN image IS NOT NULL THEN (
    SELECT coalesce(
        pg_catalog.jsonb_object_agg(
            field.key,
            CASE WHEN pg_catalog.jsonb_typeof(field.value) = 'null' OR NOT coalesce(masks, '{}') ? field.key
                 THEN field.value ELSE masks -> field.key END),
        '{}')
    FROM pg_catalog.jsonb_each(image) AS field
    WHERE field.key = ANY (plain) OR coalesce(masks, '{}') ? field.key
) END;

-- A key of up to 64 bytes, each exclusive-or a byte, as HMAC mixes it in.
CREATE OR REPLACE FUNCTION threadline.hash_pad(key bytea, pad integer) RETURNS bytea
LANGUAGE sql IMMUTABLE
RETURN (
    SELECT pg_catalog.string_agg(
        pg_catalog.set_byte('\x00', 0, pad # CASE WHEN i < pg_catalog.length(key) THEN pg_catalog.get_byte(key, i) ELSE 0 END), ''
        ORDER BY i)
    FROM pg_catalog.generate_series(0, 63) AS i
);

-- Makes a key of 32 random bytes, and says under which id it is kept. UUIDs come from
-- PostgreSQL's strong random source, 122 bits of each.
CREATE OR REPLACE FUNCTION threadline.new_hash_key() RETURNS integer
LANGUAGE sql
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    INSERT INTO threadline.hash_keys (inner_key, outer_key)
    SELECT threadline.hash_pad(key, 54), threadline.hash_pad(key, 92)
    FROM (
        SELECT sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) AS key OFFSET 0
    ) AS new
    RETURNING id;
END;
REVOKE ALL ON FUNCTION threadline.new_hash_key() FROM PUBLIC;

-- What a value is recorded as under a key: the first half of HMAC-SHA-256 of its text.
-- Equal values have equal hashes, also after the type of the column changed. NULL stays
-- NULL. Without the key, in a restore that left out the rows, all are alike. Not one
-- expression, which would become part of the expressions of capture and have each of
-- them planned as a query: three times as long for a single row.
CREATE OR REPLACE FUNCTION threadline.hash(key_id integer, value jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_text text := value #>> '{}';
    tl_hash text;
BEGIN
    IF tl_text IS NULL THEN
        RETURN 'null';
    END IF;
    SELECT encode(substr(sha256(k.outer_key || sha256(k.inner_key || convert_to(tl_text, 'UTF8'))), 1, 16), 'hex')
    INTO tl_hash
    FROM threadline.hash_keys AS k
    WHERE k.id = key_id;
    RETURN to_jsonb('hash:' || coalesce(tl_hash, 'unknown'));
END
$$;
REVOKE ALL ON FUNCTION threadline.hash(integer, jsonb) FROM PUBLIC;

-- A row's redacted image with hashes where it has placeholders. `hashes` names the key
-- of each column.
CREATE OR REPLACE FUNCTION threadline.with_hashes(image jsonb, whole jsonb, hashes jsonb) RETURNS jsonb
LANGUAGE sql STABLE
RETURN image || coalesce((
    SELECT pg_catalog.jsonb_object_agg(t.key, threadline.hash(t.value::pg_catalog.int4, whole -> t.key))
    FROM pg_catalog.jsonb_each(hashes) AS t
    WHERE image ? t.key), '{}');

-- The primary key of a relation, in key order; empty when it has none.
CREATE OR REPLACE FUNCTION threadline.key_columns_of(target regclass)
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

-- The expression that a column is generated by, NULL if it is not.
CREATE OR REPLACE FUNCTION threadline.generation_of(relation oid, column_number smallint) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
BEGIN ATOMIC
    SELECT pg_get_expr(d.adbin, d.adrelid)
    FROM pg_attrdef AS d
    JOIN pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
    WHERE d.adrelid = relation AND d.adnum = column_number AND a.attgenerated <> '';
END;

-- Names and types of a relation's columns, how they are compared, and what they are
-- generated from: another one now asks for threadline.refresh(). Their numbers are not
-- part of it: a dump and restore closes the gaps that dropped columns left.
CREATE OR REPLACE FUNCTION threadline.fingerprint(target regclass) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
BEGIN ATOMIC
    SELECT md5(coalesce(
        string_agg(
            quote_ident(c.name) || ' ' || c.type::oid::regtype::text || CASE WHEN c.bitwise THEN '' ELSE ' by image' END
                || coalesce(' generated as ' || threadline.generation_of(target, c.number), ''),
            ',' ORDER BY c.number), ''))
    FROM threadline.columns_of(target) AS c;
END;

-- The relation whose columns a capture function was built for, seen from one of
-- its partitions. `built_for` is its OID then; after a restore OIDs are others,
-- and the partition's root is taken.
CREATE OR REPLACE FUNCTION threadline.audited_relation(target oid, built_for oid) RETURNS regclass
LANGUAGE sql STABLE
RETURN CASE
    WHEN target = built_for THEN target
    WHEN EXISTS (
        SELECT FROM pg_catalog.pg_partition_ancestors(target) AS ancestor WHERE ancestor.relid::pg_catalog.oid = built_for
    ) THEN built_for
    ELSE coalesce(pg_catalog.pg_partition_root(target)::pg_catalog.oid, target)
END::pg_catalog.regclass;

-- The settings that decide how values of a relation become text: one value has one
-- image, whoever writes it. Each costs something at every call of a function that pins
-- it, so a table has those that its types need; all for a type that is not known here.
CREATE OR REPLACE FUNCTION threadline.settings_needed(relation oid) RETURNS text[]
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
-- As text: shown from what is parsed, it reads otherwise after a restore.
AS $$
    SELECT coalesce(array_agg(setting.name ORDER BY setting.name), '{}')
    FROM (VALUES
        ('timezone', ARRAY['timestamptz', 'timetz']::regtype[]),
        ('datestyle', '{}'),
        ('intervalstyle', ARRAY['interval']::regtype[]),
        ('bytea_output', ARRAY['bytea']::regtype[]),
        ('extra_float_digits', ARRAY['float4', 'float8']::regtype[]),
        ('array_nulls', '{}')
    ) AS setting (name, types)
    WHERE EXISTS (
        SELECT
        FROM threadline.present_columns(relation) AS c
        LEFT JOIN pg_type AS t ON t.oid = c.type
        WHERE c.type = ANY (setting.types) OR NOT coalesce(
            t.typtype = 'e'
            -- As JSON, dates and times are in ISO format whatever is set.
            OR c.type IN (
                'bool'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype, 'oid'::regtype,
                'text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'uuid'::regtype, 'json'::regtype, 'jsonb'::regtype,
                'inet'::regtype, 'cidr'::regtype, 'macaddr'::regtype,
                '_int2'::regtype, '_int4'::regtype, '_int8'::regtype, '_text'::regtype, '_varchar'::regtype, '_uuid'::regtype, '_bool'::regtype,
                'date'::regtype, 'time'::regtype, 'timetz'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype,
                'interval'::regtype, 'bytea'::regtype, 'float4'::regtype, 'float8'::regtype), false));
$$;

-- Whether to_jsonb() may be given a row of a relation: every type is PostgreSQL's own,
-- for which it calls nobody's cast, and its text depends on no setting but those that
-- are pinned. Declared immutable and called with constants alone, so that PostgreSQL
-- answers it once, when it plans what it stands in, and again after any change of the
-- relation.
CREATE OR REPLACE FUNCTION threadline.plain_columns(relation oid, pinned text[]) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    -- PostgreSQL asks ahead, also for what is not there after a restore.
    RETURN EXISTS (SELECT FROM pg_class AS c WHERE c.oid = relation)
        AND threadline.settings_needed(relation) <@ pinned AND NOT EXISTS (
        SELECT
        FROM threadline.present_columns(relation) AS c
        WHERE c.type IS NULL OR threadline.json_form(c.type, 'v') <> 'v'
    ) AND NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = relation AND a.attgenerated = 'v');
END
$$;

-- Whether the columns of a relation are as they were when its capture was built: the
-- same ones, each under its name and of its type, and, where any are redacted, the plain
-- ones generated from the same. While the table is the one it was, each has its number
-- too; a restore closes the gaps that dropped columns left.
CREATE OR REPLACE FUNCTION threadline.columns_match(relation oid, built_for jsonb) RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
AS $$
DECLARE
    tl_redacts boolean := jsonb_path_exists(built_for, '$.columns[*] ? (@.column_policy <> "plain")');
BEGIN
    RETURN EXISTS (SELECT FROM pg_class AS c WHERE c.oid = relation) AND NOT EXISTS (
        SELECT
        FROM threadline.present_columns(relation) AS now
        FULL JOIN jsonb_to_recordset(built_for -> 'columns') AS k (number smallint, name text, type text, column_policy text, made_by text)
            ON k.name = now.name AND k.type = now.type::text
        WHERE now.number IS NULL OR k.number IS NULL
           OR (k.number <> now.number AND relation = (built_for ->> 'relation')::oid)
           -- What is made of a redacted column is known by its expression.
           OR (k.column_policy = 'plain' AND tl_redacts
               AND threadline.generation_of(relation, now.number) IS DISTINCT FROM k.made_by));
END
$$;

-- threadline.columns_match(), declared immutable and called with constants alone, so
-- that PostgreSQL answers it once, when it plans what it stands in, and again after any
-- change of the relation, which has all plans that name its OID made anew.
CREATE OR REPLACE FUNCTION threadline.columns_stand(relation oid, built_for jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN threadline.columns_match(relation, built_for);

-- threadline.columns_match(), or without columns to match threadline.plain_columns(), for
-- a table whose OID is not the one that its capture function names: it was restored, and
-- PostgreSQL does not know that a plan depends on it. Asked for every write until
-- threadline.refresh(), and so as short as can be.
CREATE OR REPLACE FUNCTION threadline.columns_now(relation oid, built_for jsonb, pinned text[]) RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
        -- The snapshot may be older than the columns.
        RETURN CASE WHEN pinned IS NULL THEN threadline.columns_match(relation, built_for)
                    ELSE threadline.plain_columns(relation, pinned) END;
    ELSIF pinned IS NULL THEN
        RETURN md5((
            SELECT string_agg(a.attname || ' ' || a.atttypid::regtype || ' ' || a.attgenerated::text, ',' ORDER BY a.attnum)
            FROM pg_attribute AS a
            WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v'
        )) = built_for ->> 'signature';
    END IF;
    RETURN NOT EXISTS (
        SELECT
        FROM pg_attribute AS a
        WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND (
            a.attgenerated = 'v'
            OR a.atttypid NOT IN (
                'bool'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype, 'oid'::regtype,
                'text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'uuid'::regtype, 'jsonb'::regtype,
                'inet'::regtype, 'date'::regtype, 'time'::regtype, 'timestamp'::regtype,
                '_int4'::regtype, '_int8'::regtype, '_text'::regtype, '_uuid'::regtype)
               AND NOT (a.atttypid IN ('timestamptz'::regtype, 'timetz'::regtype) AND 'timezone' = ANY (pinned))
               AND NOT (a.atttypid = 'interval'::regtype AND 'intervalstyle' = ANY (pinned))
               AND NOT (a.atttypid = 'bytea'::regtype AND 'bytea_output' = ANY (pinned))
               AND NOT (a.atttypid IN ('float4'::regtype, 'float8'::regtype) AND 'extra_float_digits' = ANY (pinned))));
END
$$;

-- What is redacted of a row whose columns are not those that its capture function was
-- built for. Fails closed: on a table with redaction a value is recorded as plain values only
-- if its column can be traced to one that the policy left plain, by column number while
-- the table is the one it was, by name after a restore. A column added since could hold
-- anything and is left out, and so is one that is generated from something else.
-- `built_for` is written into the capture function: nothing here depends on rows that
-- may be missing. Declared immutable and called with constants alone, so that PostgreSQL
-- answers it when it plans and not for every write.
CREATE OR REPLACE FUNCTION threadline.redaction_now(relation oid, built_for jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
BEGIN ATOMIC
    WITH known AS (
        SELECT c.*, (built_for ->> 'relation')::oid = redaction_now.relation AS same
        FROM jsonb_to_recordset(built_for -> 'columns') AS c (number smallint, name text, column_policy text, hash_key integer, made_by text)
    ), traced AS (
        SELECT live.name, live.type, itself.hash_key, itself.column_policy AS by_itself, namesake.column_policy AS by_name,
               threadline.generation_of(redaction_now.relation, live.number) IS NOT DISTINCT FROM itself.made_by AS made_as_before
        FROM threadline.present_columns(redaction_now.relation) AS live
        LEFT JOIN known AS namesake ON namesake.name = live.name
        LEFT JOIN known AS itself ON CASE WHEN itself.same THEN itself.number = live.number ELSE itself.name = live.name END
    )
    SELECT CASE WHEN EXISTS (SELECT FROM known AS k WHERE k.column_policy IS DISTINCT FROM 'plain') THEN jsonb_build_object(
        'plain', coalesce(jsonb_agg(name) FILTER (
            WHERE by_itself = 'plain' AND coalesce(by_name, 'plain') = 'plain' AND made_as_before), '[]'),
        'masks', coalesce(jsonb_object_agg(name, coalesce(threadline.placeholder(type), '"***"')) FILTER (
            WHERE ARRAY[by_itself, by_name] && '{mask,hash}'
              AND 'exclude' NOT IN (coalesce(by_itself, 'mask'), coalesce(by_name, 'mask'))), '{}'),
        'hashes', coalesce(jsonb_object_agg(name, hash_key) FILTER (
            WHERE by_itself = 'hash' AND coalesce(by_name, 'hash') IN ('hash', 'plain')), '{}'),
        'ignored', coalesce(built_for -> 'ignored', '[]'))
        ELSE jsonb_build_object('ignored', coalesce(built_for -> 'ignored', '[]')) END
    FROM traced;
END;

-- The images of a change with what is redacted taken out of them, and which of the
-- masked columns it changed. NULL where nothing is to be recorded of it.
CREATE OR REPLACE FUNCTION threadline.redacted_change(
    INOUT old_row jsonb, INOUT new_row jsonb, redaction jsonb, OUT changed text[]
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_plain text[];
    tl_old jsonb := old_row;
    tl_new jsonb := new_row;
BEGIN
    IF redaction ? 'plain' THEN
        tl_plain := ARRAY(SELECT jsonb_array_elements_text(redaction -> 'plain'));
        old_row := threadline.redacted_image(tl_old, tl_plain, redaction -> 'masks');
        new_row := threadline.redacted_image(tl_new, tl_plain, redaction -> 'masks');
        IF redaction -> 'hashes' <> '{}' THEN
            old_row := threadline.with_hashes(old_row, tl_old, redaction -> 'hashes');
            new_row := threadline.with_hashes(new_row, tl_new, redaction -> 'hashes');
        END IF;
        IF tl_old IS NOT NULL AND tl_new IS NOT NULL THEN
            changed := ARRAY(
                SELECT key FROM jsonb_object_keys(redaction -> 'masks') AS key
                WHERE tl_new ? key AND (tl_old -> key)::text IS DISTINCT FROM (tl_new -> key)::text);
        END IF;
    END IF;
END
$$;

-- The table that a capture function belongs to: the one it was built for, or, after a
-- restore, when OIDs are others, the one whose trigger calls it. Declared immutable, so
-- that PostgreSQL asks when it plans and not for every write.
CREATE OR REPLACE FUNCTION threadline.captured_relation(audited_table integer, built_for oid) RETURNS oid
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
CREATE OR REPLACE FUNCTION threadline.suspended_session() RETURNS bigint
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
CREATE OR REPLACE FUNCTION threadline.suspended() RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(current_setting('threadline.suspended', true), '') <> '' AND (
        threadline.suspended_session() IS NOT NULL
        OR EXISTS (
            SELECT FROM threadline.suspensions AS s
            WHERE s.xact_id = pg_current_xact_id() AND s.occurred_at = now()));
END;

-- Whether a write is not to be recorded: capture is suspended, or the trigger that
-- fired is not the one that threadline.audit() made. A trigger that was copied to
-- another table with a schema, or put there by hand, records nothing, because what
-- happens there did not happen here; threadline.table_drift() names it.
CREATE OR REPLACE FUNCTION threadline.withheld(audited_table integer, target oid, trigger_name name, built_for oid) RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_captured oid := threadline.captured_relation(audited_table, built_for);
BEGIN
    IF trigger_name NOT IN ('!threadline_capture_' || audited_table, '!threadline_truncate_' || audited_table)
       OR target <> tl_captured AND NOT EXISTS (
           SELECT FROM pg_partition_ancestors(target) AS ancestor WHERE ancestor.relid = tl_captured)
    THEN
        RETURN true;
    END IF;
    RETURN threadline.suspended();
END
$$;

-- Whether PostgreSQL, to plan a query of a table, may call a function that somebody
-- else than a superuser or the owner of the audit wrote: it works out what is constant
-- in the expressions of indexes, statistics and partition keys, as whoever asks.
CREATE OR REPLACE FUNCTION threadline.plans_foreign_code(target regclass) RETURNS boolean
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
CREATE OR REPLACE FUNCTION threadline.readable(target regclass) RETURNS regclass
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

-- The id of the AuditTransaction that a change made now belongs to: that of the first
-- entry under the context. Without one, appends an entry that holds the context alone.
-- What the settings say decides nothing: posting looks whether the entry is there and
-- of the same database transaction.
CREATE OR REPLACE FUNCTION threadline.current_transaction() RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_context text := coalesce(current_setting('threadline.context', true), '');
    tl_transaction bigint := CASE WHEN current_setting('threadline.transaction_context', true) = tl_context
        THEN substring(current_setting('threadline.transaction', true) FROM '^[0-9]{1,18}$') END;
BEGIN
    IF tl_transaction IS NULL THEN
        tl_transaction := nextval('threadline.entry_ids');
        PERFORM set_config('threadline.transaction', tl_transaction::text, true),
                set_config('threadline.transaction_context', tl_context, true);
        INSERT INTO threadline.journal (
            id, transaction_id, xact_id, occurred_at, captured_at, op, context, session_user_name)
        VALUES (tl_transaction, tl_transaction, pg_current_xact_id(), now(), clock_timestamp(), 'C', tl_context, session_user);
    END IF;
    RETURN tl_transaction;
END
$$;

-- Says under whom and for what the running transaction writes from now on:
--
--   BEGIN; SELECT threadline.set_context('{"actor": {"type": "user", "id": "42"}}'); ... COMMIT;
--
-- The context carries the time at which the transaction began. One that was left in a
-- session by SET, and so met by the next client of a pooled connection, carries another
-- and names nobody.
CREATE OR REPLACE FUNCTION threadline.set_context(context jsonb) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
    SELECT pg_catalog.set_config('threadline.context',
        pg_catalog.concat(EXTRACT(epoch FROM pg_catalog.now()), ' ', context), true);
END;
COMMENT ON FUNCTION threadline.set_context(jsonb) IS
    'Has what the running transaction changes from now on recorded under an actor: {"actor": {"type", "id"}, "request_id", "correlation_id", "job_id", "source", "remote_ip", "metadata"}';

-- What a context says, of a transaction that began at an instant. Never fails: what
-- cannot be read is said in context_error and kept. A context names an actor only if
-- it was made in this transaction: it begins with the epoch at which that began.
CREATE OR REPLACE FUNCTION threadline.read_context(
    context text, occurred_at timestamptz,
    OUT actor_type text, OUT actor_id text, OUT actor_origin text, OUT request_id text, OUT correlation_id text,
    OUT job_id text, OUT source text, OUT remote_ip inet, OUT meta jsonb, OUT context_error text
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_said text := context;
    tl_context jsonb;
    tl_actor jsonb;
    tl_long record;
BEGIN
    actor_origin := 'none';
    IF coalesce(context, '') = '' THEN
        RETURN;
    ELSIF starts_with(context, extract(epoch FROM occurred_at) || ' ') THEN
        tl_said := substr(context, strpos(context, ' ') + 1);
    ELSE
        actor_origin := 'untrusted';
        context_error := 'the context was not set in this transaction; set it with threadline.set_context(), inside';
        meta := jsonb_build_object('untrusted_context', left(context, 1000));
        RETURN;
    END IF;
    BEGIN
        tl_context := tl_said;
        IF jsonb_typeof(tl_context) <> 'object' THEN
            context_error := 'the context is not a JSON object but a JSON ' || jsonb_typeof(tl_context);
            tl_context := NULL;
        END IF;
    EXCEPTION WHEN data_exception OR program_limit_exceeded OR statement_too_complex THEN
        context_error := 'the context is not JSON: ' || SQLERRM;
    END;
    IF tl_context IS NULL THEN
        actor_origin := 'unreadable';
        meta := jsonb_build_object('unreadable_context', left(tl_said, 1000));
        RETURN;
    END IF;

    tl_actor := nullif(tl_context -> 'actor', 'null');
    IF octet_length(tl_said) > 1000 THEN
        -- What does not fit into an index could not be posted.
        IF octet_length(tl_actor ->> 'type') > 1000 OR octet_length(tl_actor ->> 'id') > 1000 THEN
            context_error := 'the type or id of the actor is longer than 1,000 bytes';
            actor_origin := 'unreadable';
            tl_actor := NULL;
        END IF;
        FOR tl_long IN
            SELECT key, left(value #>> '{}', 200) AS beginning FROM jsonb_each(tl_context)
            WHERE key IN ('request_id', 'correlation_id', 'job_id', 'source') AND octet_length(value #>> '{}') > 1000
        LOOP
            context_error := concat_ws('; ', context_error, tl_long.key || ' was cut: it is longer than 1,000 bytes');
            tl_context := tl_context || jsonb_build_object(tl_long.key, tl_long.beginning);
        END LOOP;
    END IF;
    IF tl_context ->> 'remote_ip' IS NOT NULL THEN
        BEGIN
            remote_ip := tl_context ->> 'remote_ip';
        EXCEPTION WHEN data_exception THEN
            context_error := concat_ws('; ', context_error, 'remote_ip is not an address');
        END;
    END IF;
    IF tl_actor IS NOT NULL AND (
        coalesce(tl_actor ->> 'type', '') !~ '[^[:space:]]'
        OR (tl_actor ->> 'type' <> 'anonymous' AND coalesce(tl_actor ->> 'id', '') !~ '[^[:space:]]')
    ) THEN
        context_error := concat_ws('; ', context_error, 'the actor has no type or no id');
        actor_origin := 'unreadable';
        tl_actor := NULL;
    END IF;
    IF tl_actor IS NOT NULL THEN
        actor_type := tl_actor ->> 'type';
        actor_id := tl_actor ->> 'id';
        actor_origin := coalesce(tl_context ->> 'origin', 'sql');
    END IF;
    request_id := tl_context ->> 'request_id';
    correlation_id := tl_context ->> 'correlation_id';
    job_id := tl_context ->> 'job_id';
    source := tl_context ->> 'source';
    meta := nullif(tl_context -> 'metadata', 'null');
END
$$;

-- Refuses a write without a known actor on a table audited with require_actor.
CREATE OR REPLACE FUNCTION threadline.require_actor(audited_table integer) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_table threadline.audited_tables;
    tl_context record;
BEGIN
    SELECT * INTO tl_context
    FROM threadline.read_context(coalesce(current_setting('threadline.context', true), ''), now());
    IF tl_context.actor_type <> 'anonymous' THEN
        RETURN;
    END IF;
    SELECT * INTO tl_table FROM threadline.audited_tables WHERE id = audited_table;
    RAISE EXCEPTION USING
        ERRCODE = 'integrity_constraint_violation',
        SCHEMA = tl_table.schema_name,
        TABLE = tl_table.table_name,
        CONSTRAINT = 'threadline_actor_required',
        MESSAGE = format(
            'threadline: table %I.%I takes no write without %s%s',
            tl_table.schema_name, tl_table.table_name,
            CASE WHEN tl_context.actor_type = 'anonymous' THEN 'a known actor, and this one is anonymous' ELSE 'an actor' END,
            coalesce(', and the context was unreadable: ' || tl_context.context_error, '')),
        HINT = 'Write inside conn.audited_transaction(&context, ...), or call SELECT threadline.set_context(''{"actor": {"type": "user", "id": "..."}}'') in the same transaction.';
END
$$;

-- SQL for the image of a row called row_name of a relation, whatever its columns are.
CREATE OR REPLACE FUNCTION threadline.image_of(relation regclass, row_name text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
RETURN pg_catalog.format(
    CASE WHEN threadline.plain_columns(relation, '{array_nulls,bytea_output,datestyle,extra_float_digits,intervalstyle,timezone}')
         THEN 'pg_catalog.to_jsonb(%s.*)' ELSE 'threadline.row_image(%s.*)' END, row_name);

-- Appends an entry for a row that a TRUNCATE removes, or for rows of which no more is
-- known than that.
CREATE OR REPLACE FUNCTION threadline.append_truncated(
    audited_table integer, relation oid, old_row jsonb DEFAULT NULL, new_row jsonb DEFAULT NULL
) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_transaction bigint := threadline.current_transaction();
    tl_id bigint := nextval('threadline.entry_ids');
BEGIN
    INSERT INTO threadline.journal (
        id, transaction_id, xact_id, occurred_at, captured_at, op, table_id, relation, depth, old_row, new_row)
    VALUES (
        tl_id, tl_transaction, pg_current_xact_id(), now(), clock_timestamp(), 'T', audited_table, relation, pg_trigger_depth(),
        append_truncated.old_row, append_truncated.new_row);
    RETURN tl_id;
END
$$;

-- Records every row that a TRUNCATE is about to remove from a relation. Runs
-- for each relation that the statement names or reaches and that carries the
-- trigger; partitions without one are covered by their parent's. Of more rows than
-- audited_tables.truncate_limit, one record says how many there were: TRUNCATE is
-- called because it is quick.
CREATE OR REPLACE FUNCTION threadline.capture_truncate(audited_table integer, target oid, built_for jsonb) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET bytea_output = 'hex'
SET extra_float_digits = 1
SET array_nulls = on
-- With it, what a CHECK calls would run as the owner of the audit.
SET constraint_exclusion = off
SET jit = off
AS $$
DECLARE
    tl_limit bigint := coalesce((SELECT t.truncate_limit FROM threadline.audited_tables AS t WHERE t.id = audited_table), 100000);
    tl_redaction jsonb := threadline.redaction_now(
        threadline.audited_relation(target, (built_for ->> 'relation')::oid), built_for);
    tl_part regclass;
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
        tl_readable := threadline.readable(tl_part);
        IF tl_readable IS NULL THEN
            PERFORM threadline.append_truncated(audited_table, tl_part);
            CONTINUE;
        END IF;
        BEGIN
            tl_from := format(CASE WHEN tl_readable = tl_part THEN 'ONLY %s AS tl_row' ELSE '%s AS tl_row' END, tl_readable);
            tl_where := CASE WHEN tl_readable <> tl_part THEN format('WHERE tl_row.tableoid = %s', tl_part::oid) END;
            EXECUTE format('SELECT count(*) FROM (SELECT FROM %s %s LIMIT %s) AS tl_some', tl_from, tl_where, tl_limit + 1) INTO tl_count;
            IF tl_count > tl_limit THEN
                EXECUTE format('SELECT count(*) FROM %s %s', tl_from, tl_where) INTO tl_count;
                PERFORM threadline.append_truncated(audited_table, tl_part, new_row => jsonb_build_object('rows', tl_count));
                CONTINUE;
            END IF;
            EXECUTE format(
                'SELECT count(threadline.append_truncated($1, $2, (threadline.redacted_change(%s, NULL, $3)).old_row)) FROM %s %s',
                threadline.image_of(tl_readable, 'tl_row'), tl_from, tl_where)
            USING audited_table, tl_part, tl_redaction;
        EXCEPTION WHEN insufficient_privilege OR raise_exception OR data_exception OR undefined_function THEN
            -- A row-level policy failed, or may not be applied: that rows are gone is all that can be said.
            PERFORM threadline.append_truncated(audited_table, tl_part);
            CONTINUE;
        END;
        -- TRUNCATE removes rows that this transaction cannot see. That they
        -- are not all here is said, by a record without a key.
        IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable')
           OR row_security_active(tl_part) THEN
            PERFORM threadline.append_truncated(audited_table, tl_part);
        END IF;
    END LOOP;
    IF (SELECT (t.policy -> 'require_actor')::boolean FROM threadline.audited_tables AS t WHERE t.id = audited_table) THEN
        PERFORM threadline.require_actor(audited_table);
    END IF;
END
$$;

-- The source of a table's capture function, with holes in braces for what is the
-- table's own. It appends one entry to the journal and looks nothing up.
--
-- Every write pays for each expression and each setting that is pinned. So there are few,
-- and no search_path: whatever is called has its schema, and comparisons are called by
-- the names of their functions, which nobody's search_path can replace.
CREATE OR REPLACE FUNCTION threadline.capture_template() RETURNS text
LANGUAGE sql IMMUTABLE
RETURN $template$
DECLARE
    tl_context pg_catalog.text := coalesce(pg_catalog.current_setting('threadline.context', true), '');
    tl_opened pg_catalog.text := pg_catalog.current_setting('threadline.transaction', true);
    tl_transaction bigint := CASE
        WHEN pg_catalog.texteq(pg_catalog.current_setting('threadline.transaction_context', true), tl_context)
         AND pg_catalog.textregexeq(tl_opened, '^[0-9]{1,18}$') THEN tl_opened::bigint END;
    tl_first bigint;
    tl_old pg_catalog.jsonb;
    tl_new pg_catalog.jsonb;
    tl_changed pg_catalog._text;
BEGIN
    IF pg_catalog.oidne(TG_RELID, {captured}) AND pg_catalog.oidne(coalesce(pg_catalog.pg_partition_root(TG_RELID)::pg_catalog.oid, TG_RELID), {captured})
       OR pg_catalog.namene(TG_NAME, '!threadline_capture_{id}') OR pg_catalog.textne(TG_WHEN, 'AFTER') OR pg_catalog.textne(TG_LEVEL, 'ROW')
       OR pg_catalog.textne(pg_catalog.current_setting('threadline.suspended', true), '')
    THEN
        -- A trigger of another kind under the name would record what did not happen, or twice what did.
        IF NOT (CASE WHEN pg_catalog.texteq(TG_OP, 'TRUNCATE') THEN pg_catalog.nameeq(TG_NAME, '!threadline_truncate_{id}')
                    ELSE pg_catalog.texteq(TG_WHEN, 'AFTER') AND pg_catalog.texteq(TG_LEVEL, 'ROW') AND pg_catalog.nameeq(TG_NAME, '!threadline_capture_{id}') END)
           OR threadline.withheld({id}, TG_RELID, TG_NAME, {relation})
        THEN
            RETURN NULL;
        END IF;
    END IF;
    IF pg_catalog.texteq(TG_OP, 'TRUNCATE') THEN
        PERFORM threadline.capture_truncate({id}, TG_RELID, {built_for});
        RETURN NULL;
    ELSIF pg_catalog.texteq(TG_OP, 'UPDATE') AND pg_catalog.record_image_eq(OLD, NEW) THEN
        RETURN NULL;
    END IF;
{images}
    IF tl_transaction IS NULL THEN
        tl_first := pg_catalog.nextval('threadline.entry_ids');
        tl_opened := pg_catalog.concat(
            pg_catalog.set_config('threadline.transaction', tl_first::pg_catalog.text, true),
            pg_catalog.set_config('threadline.transaction_context', tl_context, true));
    END IF;
    INSERT INTO threadline.journal (
        id, transaction_id, xact_id, occurred_at, captured_at, op, table_id, relation, depth,
        old_place, new_place, command, old_row, new_row, changed, context, session_user_name)
    VALUES (
        coalesce(tl_first, pg_catalog.nextval('threadline.entry_ids')), coalesce(tl_first, tl_transaction),
        pg_catalog.pg_current_xact_id(), pg_catalog.now(), pg_catalog.clock_timestamp(),
        pg_catalog."left"(TG_OP, 1)::pg_catalog."char", {id}, TG_RELID, pg_catalog.pg_trigger_depth(),
        CASE WHEN tl_old IS NOT NULL THEN OLD.ctid END, CASE WHEN tl_new IS NOT NULL THEN NEW.ctid END,
        CASE WHEN pg_catalog.texteq(TG_OP, 'UPDATE') THEN NEW.cmin END, tl_old, tl_new, tl_changed,
        CASE WHEN tl_first IS NOT NULL THEN tl_context END, CASE WHEN tl_first IS NOT NULL THEN session_user END);
    RETURN NULL;
END
$template$;

-- How a table without redaction has the images of a row made: of whatever columns it has.
CREATE OR REPLACE FUNCTION threadline.plain_images() RETURNS text
LANGUAGE sql IMMUTABLE
RETURN $template$
    BEGIN
        IF pg_catalog.textne(TG_OP, 'INSERT') THEN
            tl_old := CASE WHEN {plain} THEN pg_catalog.to_jsonb(OLD.*) ELSE threadline.row_image(OLD) END;
        END IF;
        IF pg_catalog.textne(TG_OP, 'DELETE') THEN
            tl_new := CASE WHEN {plain} THEN pg_catalog.to_jsonb(NEW.*) ELSE threadline.row_image(NEW) END;
        END IF;
    EXCEPTION WHEN program_limit_exceeded OR untranslatable_character OR data_exception OR internal_error THEN
        -- A value has no form in jsonb.
        tl_old := CASE WHEN pg_catalog.textne(TG_OP, 'INSERT') THEN threadline.row_image(OLD) END;
        tl_new := CASE WHEN pg_catalog.textne(TG_OP, 'DELETE') THEN threadline.row_image(NEW) END;
    END;
$template$;

-- How a table whose columns are not all recorded as they are has the images of a row
-- made, in the first of three ways that works: as was generated for its columns; of the
-- whole row, from which what is redacted is taken by name; and slowly, for types that are
-- not PostgreSQL's own and for values that have no form in jsonb. The guards have
-- constants for arguments, so that PostgreSQL works them out when it plans, and again
-- after each change of the table.
CREATE OR REPLACE FUNCTION threadline.named_images() RETURNS text
LANGUAGE sql IMMUTABLE
RETURN $template$
    FOR tl_way IN (CASE WHEN {stands} THEN 1 WHEN {plain} THEN 2 ELSE 3 END)..3 LOOP
        BEGIN
            IF tl_way = 1 THEN
                IF TG_OP <> 'INSERT' THEN
                    tl_old := {old_image};
                END IF;
                IF TG_OP <> 'DELETE' THEN
                    tl_new := {new_image};
                END IF;
                IF TG_OP = 'UPDATE' THEN
                    tl_changed := {changed};
                END IF;
            ELSE
                tl_old := CASE WHEN TG_OP = 'INSERT' THEN NULL WHEN tl_way = 2 THEN to_jsonb(OLD.*) ELSE threadline.row_image(OLD) END;
                tl_new := CASE WHEN TG_OP = 'DELETE' THEN NULL WHEN tl_way = 2 THEN to_jsonb(NEW.*) ELSE threadline.row_image(NEW) END;
                SELECT r.old_row, r.new_row, r.changed INTO tl_old, tl_new, tl_changed
                FROM threadline.redacted_change(tl_old, tl_new, {redaction}) AS r;
            END IF;
            EXIT;
        EXCEPTION WHEN program_limit_exceeded OR untranslatable_character OR data_exception OR internal_error THEN
            IF tl_way = 3 THEN
                RAISE;
            END IF;
        END;
    END LOOP;
$template$;

-- The version of the capture code. Functions built by an older one are built
-- anew with threadline.refresh().
CREATE OR REPLACE FUNCTION threadline.capture_version() RETURNS integer
LANGUAGE sql IMMUTABLE
RETURN 1;

-- A policy as it is recorded. Columns are sorted, so that equal policies are
-- equal documents; what was not asked for is not in it.
CREATE OR REPLACE FUNCTION threadline.policy(
    mask text[], exclude text[], require_actor boolean, columns text[], operations text[], condition text,
    plain text[], hash text[], ignore text[] DEFAULT '{}'
) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
    'mask', (SELECT coalesce(pg_catalog.jsonb_agg(DISTINCT c ORDER BY c), '[]') FROM pg_catalog.unnest(mask) AS c),
    'exclude', (SELECT coalesce(pg_catalog.jsonb_agg(DISTINCT c ORDER BY c), '[]') FROM pg_catalog.unnest(exclude) AS c),
    'require_actor', require_actor,
    'columns', (SELECT pg_catalog.jsonb_agg(DISTINCT c ORDER BY c) FROM pg_catalog.unnest(columns) AS c),
    'operations', (SELECT pg_catalog.jsonb_agg(DISTINCT o ORDER BY o) FROM pg_catalog.unnest(operations) AS o),
    'condition', condition,
    'plain', (SELECT pg_catalog.jsonb_agg(DISTINCT c ORDER BY c) FROM pg_catalog.unnest(plain) AS c),
    'hash', (SELECT pg_catalog.jsonb_agg(DISTINCT c ORDER BY c) FROM pg_catalog.unnest(hash) AS c),
    'ignore', (SELECT pg_catalog.jsonb_agg(DISTINCT c ORDER BY c) FROM pg_catalog.unnest(ignore) AS c)
));

-- A template with its holes, {name}, filled.
CREATE OR REPLACE FUNCTION threadline.filled(template text, holes jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_parts text[] := string_to_array(template, '{');
    tl_name text;
    tl_filled text := tl_parts[1];
BEGIN
    -- In one pass: what fills a hole may have braces of its own.
    FOR tl_number IN 2..cardinality(tl_parts) LOOP
        tl_name := split_part(tl_parts[tl_number], '}', 1);
        tl_filled := tl_filled || CASE
            WHEN holes ? tl_name AND strpos(tl_parts[tl_number], '}') > 0
            THEN (holes ->> tl_name) || substr(tl_parts[tl_number], length(tl_name) + 2)
            ELSE '{' || tl_parts[tl_number] END;
    END LOOP;
    RETURN tl_filled;
END
$$;

-- A name in quotes, also where SQL needs none: words of PL/pgSQL would be taken for such.
CREATE OR REPLACE FUNCTION threadline.quoted(name text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN '"' || pg_catalog.replace(name, '"', '""') || '"';

-- SQL for what a value is recorded as under the key of its column.
CREATE OR REPLACE FUNCTION threadline.hash_expression(reference text, type regtype, key_id integer) RETURNS text
LANGUAGE sql STABLE
RETURN pg_catalog.format('threadline.hash(%s, to_jsonb(%s))', key_id, threadline.json_form(type, reference));

-- SQL for the image of a row called row_name: the one place that decides what of a row
-- may be recorded. Each column is named, so that nothing unnamed gets through.
CREATE OR REPLACE FUNCTION threadline.image_expression(audited_table integer, target regclass, row_name text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    -- No function takes more than 100 arguments.
    SELECT coalesce(string_agg(format('jsonb_build_object(%s)', fifty.members), ' || ' ORDER BY fifty.number), '''{}''::jsonb')
    FROM (
        SELECT c.ordinal / 50 AS number, string_agg(
            format('%L, %s', c.name, CASE c.column_policy
                WHEN 'hash' THEN threadline.hash_expression(live.reference, live.type, c.hash_key)
                WHEN 'mask' THEN format('CASE WHEN %s IS DISTINCT FROM NULL THEN %L::jsonb END', live.reference, threadline.placeholder(live.type))
                ELSE live.form END),
            ', ' ORDER BY c.ordinal) AS members
        FROM (
            SELECT k.*, row_number() OVER (ORDER BY k.number) - 1 AS ordinal
            FROM threadline.audited_tables AS t
            CROSS JOIN jsonb_to_recordset(t.columns) AS k (number smallint, name text, column_policy text, hash_key integer)
            WHERE t.id = audited_table AND k.column_policy <> 'exclude'
        ) AS c
        JOIN (
            SELECT column_of.number, column_of.type, reference.text AS reference, threadline.json_form(column_of.type, reference.text) AS form
            FROM threadline.columns_of(target) AS column_of
            CROSS JOIN LATERAL (SELECT row_name || '.' || threadline.quoted(column_of.name) AS text) AS reference
        ) AS live ON live.number = c.number
        GROUP BY 1
    ) AS fifty;
END;

-- What a table's capture is built for, as it is written into it: nothing that
-- keeps a secret depends on rows that a restore may leave out.
CREATE OR REPLACE FUNCTION threadline.built_for(audited_table integer, target regclass) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT jsonb_build_object(
        'relation', target::oid::bigint,
        'columns', (
            SELECT coalesce(jsonb_agg(jsonb_strip_nulls(to_jsonb(c)) ORDER BY c.number), '[]')
            FROM jsonb_to_recordset(t.columns) AS c (
                number smallint, name text, type text, column_policy text, hash_key integer, made_by text)),
        'signature', md5((
            SELECT string_agg(a.attname || ' ' || a.atttypid::regtype || ' ' || a.attgenerated::text, ',' ORDER BY a.attnum)
            FROM pg_attribute AS a
            WHERE a.attrelid = target AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v')))
        || CASE WHEN t.policy ? 'ignore' THEN jsonb_build_object('ignored', t.policy -> 'ignore') ELSE '{}' END
    FROM threadline.audited_tables AS t
    WHERE t.id = audited_table;
END;

-- The id under which a table is or was audited, by its row trigger; NULL if it has none,
-- or that of another table, by a copy of its schema or by hand.
CREATE OR REPLACE FUNCTION threadline.known_table_of(target regclass) RETURNS integer
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT known.id
    FROM pg_trigger AS g
    JOIN pg_proc AS p ON p.oid = g.tgfoid AND p.pronamespace = 'threadline'::regnamespace
    CROSS JOIN LATERAL (SELECT substring(p.proname FROM '^capture_([0-9]{1,9})$')::integer AS id) AS known
    WHERE g.tgrelid = target
      AND g.tgparentid = 0
      AND g.tgname = '!threadline_' || p.proname
      AND threadline.captured_relation(known.id, 0) = target;
END;

-- The id under which a table is audited, or NULL. A table is known by the
-- capture function that its own row trigger calls, which survives a rename, a
-- change of schema, and a dump and restore, also one without data. A trigger
-- that a partition has from its parent does not count, nor one that it kept
-- when it was detached, nor one that threadline.unaudit() switched off.
CREATE OR REPLACE FUNCTION threadline.audited_table_of(target regclass) RETURNS integer
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT known.id
    FROM threadline.known_table_of(target) AS known (id)
    WHERE NOT EXISTS (
        SELECT FROM threadline.audited_tables AS t WHERE t.id = known.id AND t.unaudited_at IS NOT NULL);
END;

-- The key columns of an audited table under the names and types that they have
-- now, which may be others than its capture function was built for.
CREATE OR REPLACE FUNCTION threadline.live_key(
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
CREATE OR REPLACE FUNCTION threadline.key_expression(audited_table integer, row_name text) RETURNS text
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

-- The text as a JSON array, or NULL: a stored value that is neither fails no read.
CREATE OR REPLACE FUNCTION threadline.json_array_or_null(value text) RETURNS jsonb
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
CREATE OR REPLACE FUNCTION threadline.key_condition(audited_table integer, record_key text, row_name text) RETURNS text
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

-- The source of a table's capture function.
CREATE OR REPLACE FUNCTION threadline.capture_source(audited_table integer, target regclass) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
AS $capture_source$
DECLARE
    tl_table threadline.audited_tables;
    tl_captured text := format('threadline.captured_relation(%s, %L::pg_catalog.oid)', audited_table, target::oid);
    tl_built_for text := quote_literal(threadline.built_for(audited_table, target)) || '::pg_catalog.jsonb';
    tl_images text;
    -- Instants are put into UTC when they are posted.
    tl_settings text[] := threadline.settings_needed(target) || '{timezone}'::text[];
    tl_restored text := format('threadline.audited_relation(TG_RELID, %L::pg_catalog.oid)', target::oid);
    -- PostgreSQL works it out when it plans; for a restored table, it is asked each time.
    tl_guard text := format(
        'CASE WHEN pg_catalog.oideq(TG_RELID, %1$L::pg_catalog.oid) OR pg_catalog.oideq(pg_catalog.pg_partition_root(TG_RELID)::pg_catalog.oid, %1$L::pg_catalog.oid) THEN %%s ELSE %%s END',
        target::oid);
    tl_whole boolean;
    tl_hides boolean;
    tl_changed text;
BEGIN
    SELECT * INTO STRICT tl_table FROM threadline.audited_tables WHERE id = audited_table;
    SELECT bool_and(c.column_policy = 'plain') IS NOT false, bool_or(c.column_policy = 'exclude') OR tl_table.policy ? 'ignore', string_agg(
        format('CASE WHEN NOT record_image_eq(ROW(OLD.%1$s), ROW(NEW.%1$s)) THEN %2$L END', threadline.quoted(live.name), c.name), ', ' ORDER BY c.number
    -- Of two values that are not the same, to_jsonb() may make one: -0 and 0, arrays with other bounds.
    ) FILTER (WHERE coalesce(tl_table.policy -> 'ignore' ? c.name, false) IS NOT true AND (c.column_policy IN ('mask', 'hash') OR c.column_policy = 'plain' AND (
        base.oid IN ('float4'::regtype, 'float8'::regtype) OR base.typcategory = 'A' OR base.typtype = 'c')))
    INTO tl_whole, tl_hides, tl_changed
    FROM jsonb_to_recordset(tl_table.columns) AS c (number smallint, name text, column_policy text)
    JOIN threadline.columns_of(target) AS live ON live.number = c.number
    JOIN pg_type AS base ON base.oid = threadline.base_type(live.type);
    tl_whole := tl_whole AND tl_changed IS NULL AND NOT tl_table.policy ? 'ignore' AND threadline.plain_columns(target, tl_settings);

    -- A redacted column that is gone may come back.
    tl_whole := tl_whole AND NOT jsonb_path_exists(tl_table.columns, '$[*] ? (@.column_policy <> "plain")');
    tl_images := threadline.filled(
        CASE WHEN tl_whole THEN threadline.plain_images() ELSE threadline.named_images() END,
        jsonb_build_object(
            'plain', format(tl_guard,
                format('threadline.plain_columns(%L::pg_catalog.oid, %L)', target::oid, tl_settings),
                format('threadline.columns_now(%s, NULL, %L)', tl_restored, tl_settings)),
            'stands', format(tl_guard,
                format('threadline.columns_stand(%L::pg_catalog.oid, %s)', target::oid, tl_built_for),
                format('threadline.columns_now(%s, %s, NULL)', tl_restored, tl_built_for)),
            'redaction', format(tl_guard,
                format('threadline.redaction_now(%L::pg_catalog.oid, %s)', target::oid, tl_built_for),
                format('threadline.redaction_now(%s, %s)', tl_restored, tl_built_for)),
            'old_image', threadline.image_expression(audited_table, target, 'OLD'),
            'new_image', threadline.image_expression(audited_table, target, 'NEW'),
            'changed', CASE WHEN tl_changed IS NULL THEN 'NULL' ELSE format('array_remove(ARRAY[%s], NULL)', tl_changed) END));
    IF tl_hides THEN
        -- Of an update of those alone nothing is to be seen.
        tl_images := tl_images || format(
            $unseen$    IF TG_OP = 'UPDATE' AND (tl_old - %1$L::text[])::text = (tl_new - %1$L::text[])::text AND (tl_changed <> '{}') IS NOT true THEN
        RETURN NULL;
    END IF;
$unseen$, coalesce((SELECT array_agg(i) FROM jsonb_array_elements_text(tl_table.policy -> 'ignore') AS i), '{}'));
    END IF;
    IF (tl_table.policy -> 'require_actor')::boolean THEN
        tl_images := tl_images || format(E'    PERFORM threadline.require_actor(%s);\n', audited_table);
    END IF;
    RETURN threadline.filled(threadline.capture_template(), jsonb_build_object(
        'id', audited_table,
        'relation', target::oid::bigint,
        'captured', tl_captured,
        'built_for', tl_built_for,
        'images', btrim(tl_images, E'\n')));
END
$capture_source$;

-- The settings that a table's capture function pins, as clauses of the function. One
-- that names columns has expressions that need the search_path; one that hashes instants
-- needs the time zone, in which they are put later otherwise.
CREATE OR REPLACE FUNCTION threadline.pinned_settings(audited_table integer, target regclass) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT concat_ws(' ',
        CASE WHEN strpos(threadline.capture_source(audited_table, target), 'tl_way') > 0
             THEN 'SET search_path = pg_catalog, threadline, pg_temp' END,
        string_agg(format('SET %s = %L', setting.name, setting.value), ' ' ORDER BY setting.name))
    FROM threadline.audited_tables AS t
    JOIN (VALUES
        ('array_nulls', 'on'), ('bytea_output', 'hex'), ('datestyle', 'ISO, YMD'), ('extra_float_digits', '1'),
        ('intervalstyle', 'postgres'), ('timezone', 'UTC')
    ) AS setting (name, value)
        ON setting.name = ANY (threadline.settings_needed(target)) AND (
            setting.name <> 'timezone' OR t.policy ? 'hash'
            -- Ranges, composites and the like.
            OR 'datestyle' = ANY (threadline.settings_needed(target)))
    WHERE t.id = audited_table;
END;

-- Makes the trigger function that captures a table, if it is not as it should be. Anybody
-- may have a trigger call it: it records what happens to its own table, and for its own
-- triggers, so that whoever owns the table can attach partitions.
CREATE OR REPLACE FUNCTION threadline.build_function(audited_table integer, target regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    EXECUTE format(
        'CREATE OR REPLACE FUNCTION threadline.capture_%s() RETURNS trigger '
        'LANGUAGE plpgsql SECURITY DEFINER %s AS %L',
        audited_table, threadline.pinned_settings(audited_table, target), threadline.capture_source(audited_table, target));
    EXECUTE format('GRANT EXECUTE ON FUNCTION threadline.capture_%s() TO PUBLIC', audited_table);
    EXECUTE format('COMMENT ON FUNCTION threadline.capture_%s() IS %L',
        audited_table, format('Records the changes of %s; written by threadline.audit()', target));
END
$$;

-- The id of a table that was audited under this name and is no longer there: the
-- newest one whose capture function no table's trigger calls. One that goes on
-- under another name keeps its history to itself.
CREATE OR REPLACE FUNCTION threadline.former_table(schema_name text, table_name text) RETURNS integer
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
CREATE OR REPLACE FUNCTION threadline.find_audited_table(quoted_name text) RETURNS integer
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    -- Looked up under the caller's search_path, as the caller's own queries are.
    tl_relation regclass := pg_catalog.to_regclass(quoted_name);
    tl_parts text[] := pg_catalog.parse_ident(quoted_name);
    tl_id integer;
BEGIN
    IF tl_relation IS NOT NULL THEN
        tl_id := threadline.known_table_of(
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

-- The triggers that capture a table and its partitions, each as PostgreSQL shows
-- it, so that what was installed can be compared with what is there. Those of
-- partitions that PostgreSQL makes by itself are `inherited`.
--
-- Rows are captured one by one: so an old row and its new one are a pair, writes that
-- reach a table through a parent or a subscription are seen too, and a statement that
-- touches no row costs nothing. '!' sorts before letters: capture fires before the
-- table's other AFTER triggers. A condition stands as it was given until it is known
-- how PostgreSQL shows it. Names of triggers that partitions get, too, are the table's
-- own: so a table that is audited can become a partition of another.
CREATE OR REPLACE FUNCTION threadline.expected_triggers(
    audited_table integer, target regclass, condition text DEFAULT NULL,
    OUT relation regclass, OUT name text, OUT inherited boolean, OUT definition text
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
               max(coalesce(t.deparsed_condition, expected_triggers.condition)) AS condition
        FROM (VALUES (1, 'INSERT'), (2, 'DELETE'), (3, 'UPDATE'), (4, 'TRUNCATE')) AS o (ordinal, operation)
        LEFT JOIN threadline.audited_tables AS t ON t.id = audited_table
        WHERE coalesce(t.policy -> 'operations' ? lower(o.operation), true)
    ), part AS (
        SELECT target AS relation
        UNION
        SELECT p.relid FROM pg_partition_tree(target) AS p JOIN pg_class AS c ON c.oid = p.relid WHERE c.relkind IN ('r', 'p')
    )
    SELECT p.relation, '!threadline_capture_' || audited_table, p.relation <> target, format(
        'CREATE TRIGGER "!threadline_capture_%1$s" AFTER %2$s ON %3$s FOR EACH ROW %4$sEXECUTE FUNCTION capture_%1$s()',
        audited_table, policy.of_rows, p.relation, 'WHEN (' || policy.condition || ') ')
    FROM part AS p
    CROSS JOIN policy
    UNION ALL
    SELECT p.relation, '!threadline_truncate_' || audited_table, false, format(
        'CREATE TRIGGER "!threadline_truncate_%1$s" BEFORE TRUNCATE ON %2$s FOR EACH STATEMENT EXECUTE FUNCTION capture_%1$s()',
        audited_table, p.relation)
    FROM part AS p
    JOIN policy ON 'TRUNCATE' = ANY (policy.operations);
END;

-- Takes a table's own capture triggers away, but those that its capture needs. One that is
-- needed no more is switched off: to drop it would keep readers waiting.
CREATE OR REPLACE FUNCTION threadline.drop_triggers(target regclass, but_of integer DEFAULT NULL) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_trigger record;
BEGIN
    FOR tl_trigger IN
        SELECT g.tgname AS name, p.proname = 'capture_' || but_of AS own
        FROM pg_trigger AS g
        JOIN pg_proc AS p ON p.oid = g.tgfoid
        WHERE g.tgrelid = target AND g.tgparentid = 0
          AND p.pronamespace = 'threadline'::regnamespace AND p.proname ~ '^capture_[0-9]+$'
          AND g.tgname NOT IN (
              SELECT e.name FROM threadline.expected_triggers(but_of, target) AS e WHERE e.relation = target)
          AND (p.proname <> 'capture_' || but_of OR g.tgenabled <> 'D')
    LOOP
        EXECUTE format(CASE WHEN tl_trigger.own AND tl_trigger.name IN ('!threadline_capture_' || but_of, '!threadline_truncate_' || but_of)
            THEN 'ALTER TABLE %2$s DISABLE TRIGGER %1$I' ELSE 'DROP TRIGGER %1$I ON %2$s' END, tl_trigger.name, target);
    END LOOP;
END
$$;

-- Fails for a condition that could be more than one expression. It is read and not run:
-- whoever asks for it may not have written it. Without quoted text, comments and what
-- quotes otherwise, an expression closes no parenthesis that it did not open.
CREATE OR REPLACE FUNCTION threadline.check_condition(target regclass, condition text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_bare text := regexp_replace(condition, '''[^'']*''|"[^"]*"', 'x', 'g');
    tl_depth integer := 0;
    tl_sign text;
BEGIN
    IF tl_bare ~ '[''"$;\\]|--|/[*]' OR condition ~ '\\' THEN
        RAISE EXCEPTION 'threadline: the condition under which table % is recorded has a quote, a comment, a semicolon, a backslash or a dollar sign that does not belong into an expression', target;
    END IF;
    FOREACH tl_sign IN ARRAY regexp_split_to_array(regexp_replace(coalesce(tl_bare, ''), '[^()]', '', 'g'), '') LOOP
        tl_depth := tl_depth + CASE tl_sign WHEN '(' THEN 1 WHEN ')' THEN -1 ELSE 0 END;
        EXIT WHEN tl_depth < 0;
    END LOOP;
    IF tl_depth <> 0 THEN
        RAISE EXCEPTION 'threadline: the condition under which table % is recorded is not one expression', target;
    END IF;
END
$$;

-- Whether PostgreSQL, to read a condition, may run code that somebody else than a
-- superuser wrote. A constant becomes a value when it is read: of an array or a composite
-- type with a domain inside, the domain's CHECK runs then, with the rights of whoever
-- reads. So a condition that names nothing of another schema, on a table without such a
-- domain, runs nothing. Others may do so as well, and count as if they did.
CREATE OR REPLACE FUNCTION threadline.parses_foreign_code(target regclass, condition text) RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_bare text := regexp_replace(condition, '''[^'']*''|"[^"]*"', 'x', 'g');
BEGIN
    RETURN tl_bare ~ '[^[:ascii:]]'
        -- What is before a point: a row, PostgreSQL's own schema, or the digits of a number.
        OR strpos(regexp_replace(tl_bare, '(\m(old|new|pg_catalog)\s*[.])|(\m[0-9]+[.])|([.][0-9])', '', 'gi'), '.') > 0
        OR EXISTS (
            WITH RECURSIVE reached AS (
                SELECT a.atttypid AS type FROM pg_attribute AS a WHERE a.attrelid = target AND a.attnum > 0 AND NOT a.attisdropped
                UNION
                SELECT part.type
                FROM reached
                JOIN pg_type AS t ON t.oid = reached.type
                CROSS JOIN LATERAL (
                    SELECT t.typelem WHERE t.typelem <> 0
                    UNION ALL SELECT t.typbasetype WHERE t.typbasetype <> 0
                    UNION ALL SELECT a.atttypid FROM pg_attribute AS a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
                    UNION ALL SELECT r.rngsubtype FROM pg_range AS r WHERE t.oid IN (r.rngtypid, r.rngmultitypid)
                ) AS part (type)
            )
            SELECT
            FROM reached
            JOIN pg_type AS t ON t.oid = reached.type AND t.typtype = 'd'
            JOIN pg_roles AS author ON author.oid = t.typowner AND NOT author.rolsuper);
END
$$;

-- Fires capture on a table and its partitions. What is there as it should be is left
-- alone, and with it the lock that making it would take.
CREATE OR REPLACE FUNCTION threadline.install_triggers(audited_table integer, target regclass, condition text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
SET standard_conforming_strings = on
AS $$
DECLARE
    tl_trigger record;
    tl_condition text := coalesce((SELECT t.deparsed_condition FROM threadline.audited_tables AS t WHERE t.id = audited_table), condition);
    tl_owner regrole := (SELECT c.relowner FROM pg_class AS c WHERE c.oid = target);
BEGIN
    PERFORM threadline.check_condition(target, tl_condition);
    FOR tl_trigger IN
        SELECT e.*
        FROM threadline.expected_triggers(audited_table, target, condition) AS e
        LEFT JOIN pg_trigger AS g ON g.tgrelid = e.relation AND g.tgname = e.name
        WHERE NOT e.inherited AND CASE
            -- Those of partitions come with the table's own.
            WHEN e.name ~ 'capture' THEN EXISTS (
                SELECT FROM threadline.expected_triggers(audited_table, target, condition) AS part
                LEFT JOIN pg_trigger AS of_part ON of_part.tgrelid = part.relation AND of_part.tgname = part.name
                WHERE part.name = e.name AND pg_get_triggerdef(of_part.oid) IS DISTINCT FROM part.definition)
            ELSE pg_get_triggerdef(g.oid) IS DISTINCT FROM e.definition END
    LOOP
        IF tl_owner <> current_user::regrole AND threadline.parses_foreign_code(target, tl_condition) THEN
            RAISE EXCEPTION 'threadline: the condition under which table % is recorded uses functions or types that are not PostgreSQL''s own, whose code would run with the rights of role %', target, current_user
                USING ERRCODE = 'insufficient_privilege',
                      HINT = format('Have role %s, which owns the table, run this in a session of its own.', tl_owner);
        END IF;
        EXECUTE regexp_replace(tl_trigger.definition, '^CREATE', 'CREATE OR REPLACE');
    END LOOP;
    -- All of a relation at once, so that after no command one of them is off.
    FOR tl_trigger IN
        SELECT e.relation, string_agg(format('ENABLE ALWAYS TRIGGER %I', e.name), ', ' ORDER BY e.name) AS actions
        FROM threadline.expected_triggers(audited_table, target, condition) AS e
        JOIN pg_trigger AS g ON g.tgrelid = e.relation AND g.tgname = e.name
        WHERE g.tgenabled <> 'A'
        GROUP BY e.relation
        ORDER BY e.relation <> target
    LOOP
        EXECUTE format('ALTER TABLE %s %s', tl_trigger.relation, tl_trigger.actions);
    END LOOP;
END
$$;

-- How a column is stored: plain, hash, mask or exclude. A generated column repeats
-- what it is made from, and is treated as the most secret of that.
CREATE OR REPLACE FUNCTION threadline.policy_of_column(
    target regclass, column_number smallint, mask text[], exclude text[], hash text[]
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
        WHEN bool_or(name = ANY (hash) AND itself) THEN 'hash'
        WHEN bool_or(name = ANY (exclude)) THEN 'exclude'
        WHEN bool_or(name = ANY (mask)) THEN 'mask'
        WHEN bool_or(name = ANY (hash)) THEN 'hash'
        ELSE 'plain'
    END
    FROM source;
END;

-- A transaction id of 32 bits, as rows and locks have it, in full: the one that
-- is nearest to the ids of now.
CREATE OR REPLACE FUNCTION threadline.whole_xid(id xid) RETURNS xid8
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT (now.id + 2147483648 - (now.id + 6442450944 - whole_xid.id::text::numeric) % 4294967296)::text::xid8
    FROM (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::numeric AS id) AS now;
END;

-- The highest id in the ledger, by the newest of it.
CREATE OR REPLACE FUNCTION threadline.highest_id() RETURNS bigint
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT greatest(
        (SELECT max(x.id) FROM threadline.ledger_transactions AS x),
        (SELECT max(c.id) FROM (SELECT l.id FROM threadline.ledger_changes AS l ORDER BY l.position DESC LIMIT 10000) AS c),
        0);
END;

-- Sets the sequence of ids right where it is behind the ledger, after a restore of data
-- alone or a switch-over by logical replication. Says whether it was.
CREATE OR REPLACE FUNCTION threadline.set_sequence() RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_highest bigint := threadline.highest_id();
BEGIN
    IF (SELECT last_value FROM threadline.entry_ids) >= tl_highest THEN
        RETURN false;
    END IF;
    PERFORM setval('threadline.entry_ids', tl_highest + 1000);
    RETURN true;
END
$$;

-- The record key in the image of an entry. A key column that was renamed since the
-- policy was written is in it under its new name.
CREATE OR REPLACE FUNCTION threadline.entry_key(audited_table integer, image jsonb, key_columns text[], key_types text[]) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    IF image ?& key_columns IS NOT true THEN
        SELECT array_agg(k.name ORDER BY k.ordinal), array_agg(k.type ORDER BY k.ordinal)
        INTO key_columns, key_types
        FROM threadline.live_key(audited_table) AS k;
        IF image ?& key_columns IS NOT true THEN
            RETURN NULL;
        END IF;
    END IF;
    RETURN threadline.key_in_image(image, key_columns, key_types);
END
$$;

-- An image with its instants in UTC. A trigger records them in the time zone of the
-- session that writes, because to pin it would cost every write.
CREATE OR REPLACE FUNCTION threadline.in_utc(image jsonb, instants text[]) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
    tl_name text;
    tl_value text;
BEGIN
    FOREACH tl_name IN ARRAY instants LOOP
        tl_value := image ->> tl_name;
        IF tl_value ~ '^[0-9]' AND tl_value !~ '[+]00:00( BC)?$' THEN
            BEGIN
                image := image || jsonb_build_object(tl_name, tl_value::timestamptz);
            EXCEPTION WHEN data_exception THEN
                -- A mask, or no instant any more.
            END;
        END IF;
    END LOOP;
    RETURN image;
END
$$;

-- The columns of an audited table that hold instants, as they are called now or were
-- when its capture was built; NULL if there are none.
CREATE OR REPLACE FUNCTION threadline.instants_of(audited_table integer) RETURNS text[]
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pg_catalog.array_agg(DISTINCT c.name)
    FROM threadline.audited_tables AS t
    CROSS JOIN LATERAL (
        SELECT k.name FROM pg_catalog.jsonb_to_recordset(t.columns) AS k (name text, type text)
        WHERE k.type = 'timestamp with time zone'
        UNION ALL
        SELECT a.attname::text
        FROM pg_catalog.pg_attribute AS a
        JOIN pg_catalog.pg_type AS y ON y.oid = a.atttypid
        WHERE a.attrelid = t.relation AND a.attnum > 0 AND NOT a.attisdropped
          AND threadline.base_type(y.oid) = 'pg_catalog.timestamptz'::pg_catalog.regtype
    ) AS c
    WHERE t.id = audited_table;
END;

-- To which AuditTransaction the entries of the journal belong, up to an entry. Entries
-- name the first one under their context; it counts if it is of the same database
-- transaction. A name that a session forged finds none, and its entries have an
-- AuditTransaction of their own without an actor.
CREATE OR REPLACE FUNCTION threadline.entry_transactions(
    up_to bigint,
    OUT entry_transaction bigint, OUT xact_id xid8, OUT occurred_at timestamptz, OUT shown_id bigint, OUT is_opened boolean
) RETURNS SETOF record
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT e.transaction_id, e.xact_id, e.occurred_at,
           CASE WHEN known.is_opened OR known.is_posted THEN e.transaction_id
                ELSE min(e.first_id) OVER (PARTITION BY e.xact_id, e.occurred_at, known.is_opened OR known.is_posted) END,
           known.is_opened OR known.is_posted
    FROM (
        SELECT j.transaction_id, j.xact_id, j.occurred_at, min(j.id) AS first_id, bool_or(j.context IS NOT NULL AND j.id = j.transaction_id) AS opens
        FROM threadline.journal AS j
        WHERE j.id <= up_to
        GROUP BY j.transaction_id, j.xact_id, j.occurred_at
    ) AS e
    CROSS JOIN LATERAL (
        SELECT e.opens AS is_opened, NOT e.opens AND EXISTS (
            SELECT FROM threadline.ledger_transactions AS x
            WHERE x.id = e.transaction_id AND x.xact_id = e.xact_id AND x.occurred_at = e.occurred_at) AS is_posted
    ) AS known;
END;

-- The ids under which changes are shown where triggers of the application wrote to rows
-- of the very statement that fired them: what these did is captured before the statement
-- itself is. Each row version knows from which one it came, so that the versions of a
-- row make a chain; the ids of a chain are given out in its order. A row that was deleted
-- and made again under its key goes before the new one.
CREATE OR REPLACE FUNCTION threadline.reordered_entries(up_to bigint, OUT id bigint, OUT shown_id bigint) RETURNS SETOF record
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH RECURSIVE link AS MATERIALIZED (
        SELECT j.id, j.xact_id, j.relation, j.op, j.old_place, j.new_place
        FROM threadline.journal AS j
        WHERE j.id <= up_to AND j.op IN ('I', 'U', 'D')
          AND j.xact_id IN (SELECT n.xact_id FROM threadline.journal AS n WHERE n.id <= up_to AND n.depth > 1)
    ), chain AS (
        SELECT l.id, l.xact_id, l.relation, l.new_place, l.id AS head, 1 AS turn
        FROM link AS l
        WHERE NOT EXISTS (
            SELECT FROM link AS before
            WHERE before.xact_id = l.xact_id AND before.relation = l.relation AND before.new_place = l.old_place)
        UNION ALL
        SELECT l.id, l.xact_id, l.relation, l.new_place, c.head, c.turn + 1
        FROM chain AS c
        JOIN link AS l ON l.xact_id = c.xact_id AND l.relation = c.relation AND l.old_place = c.new_place
    ) CYCLE id SET again USING path, placed AS (
        SELECT DISTINCT ON (c.id) c.id, c.head, c.turn FROM chain AS c WHERE NOT c.again ORDER BY c.id, c.turn
    ), ranked AS (
        SELECT p.id, p.head,
               row_number() OVER (PARTITION BY p.head ORDER BY p.turn) AS in_chain,
               row_number() OVER (PARTITION BY p.head ORDER BY p.id) AS by_id
        FROM placed AS p
    )
    SELECT r.id, g.id
    FROM ranked AS r
    JOIN ranked AS g ON g.head = r.head AND g.by_id = r.in_chain
    WHERE r.id <> g.id;
END;

-- The changes in the journal, up to an entry, in the form that they have in the ledger:
-- with record keys, an update reduced to what it changed, and of one record in the order
-- in which they happened. Reading and posting go by this alone, so that a change is the
-- same before and after. Of one record alone, most entries are passed over unread.
CREATE OR REPLACE FUNCTION threadline.pending_changes(
    up_to bigint DEFAULT 9223372036854775807, only_table integer DEFAULT NULL, only_key text DEFAULT NULL
)
RETURNS TABLE (
    id bigint, transaction_id bigint, captured_at timestamptz, table_id integer, statement integer, op "char",
    record_key text, previous_key text, changed_from jsonb, changed_to jsonb, row_data jsonb
)
LANGUAGE plpgsql STABLE ROWS 1
SET search_path = pg_catalog, threadline, pg_temp
SET jit = off
-- The journal is empty or full from one moment to the next; no estimate holds.
SET enable_nestloop = off
AS $$
#variable_conflict use_column
BEGIN
    IF NOT EXISTS (SELECT FROM threadline.journal AS j WHERE j.table_id = only_table OR only_table IS NULL) THEN
        RETURN;
    END IF;
    RETURN QUERY
    WITH entry AS (
        SELECT coalesce(r.shown_id, j.id) AS id, o.shown_id AS transaction_id, j.captured_at, j.table_id, j.command, j.op,
               CASE WHEN i.instants IS NULL OR j.old_row IS NULL THEN j.old_row ELSE threadline.in_utc(j.old_row, i.instants) END AS old_row,
               CASE WHEN i.instants IS NULL OR j.new_row IS NULL THEN j.new_row ELSE threadline.in_utc(j.new_row, i.instants) END AS new_row,
               j.changed, t.id IS NOT NULL AS is_known, t.key_columns, t.key_types,
               cardinality(t.key_columns) = 1 AND t.key_types[1] IN ('smallint', 'integer', 'bigint', 'uuid') AS is_simple,
               t.policy -> 'ignore' AS ignored
        FROM threadline.journal AS j
        JOIN threadline.entry_transactions(up_to) AS o ON o.entry_transaction = j.transaction_id AND o.xact_id = j.xact_id AND o.occurred_at = j.occurred_at
        LEFT JOIN threadline.audited_tables AS t ON t.id = j.table_id
        LEFT JOIN (
            SELECT a.id, threadline.instants_of(a.id) AS instants
            FROM (SELECT DISTINCT w.table_id AS id FROM threadline.journal AS w WHERE w.id <= up_to AND (w.table_id = only_table OR only_table IS NULL)) AS a
            OFFSET 0
        ) AS i ON i.id = j.table_id
        LEFT JOIN threadline.reordered_entries(up_to) AS r ON r.id = j.id
        WHERE j.id <= up_to AND j.op <> 'C' AND (j.table_id = only_table OR only_table IS NULL)
          AND (only_key IS NULL
               OR (cardinality(t.key_columns) = 1 AND t.key_types[1] IN ('smallint', 'integer', 'bigint', 'uuid')) IS NOT true
               OR (j.old_row ? t.key_columns[1]) IS false OR (j.new_row ? t.key_columns[1]) IS false
               OR j.old_row ->> t.key_columns[1] = only_key OR j.new_row ->> t.key_columns[1] = only_key
               OR j.old_row ->> t.key_columns[1] LIKE '%.%' OR j.new_row ->> t.key_columns[1] LIKE '%.%')
    ), keyed AS (
        SELECT e.*,
               CASE WHEN e.op = 'D' OR e.op = 'T' THEN k.was ELSE k.now END AS record_key,
               CASE WHEN e.op = 'U' AND k.was <> k.now THEN k.was END AS previous_key
        FROM entry AS e
        CROSS JOIN LATERAL (
            SELECT CASE WHEN e.is_simple AND e.old_row ->> e.key_columns[1] NOT LIKE '%.%' THEN e.old_row ->> e.key_columns[1]
                        WHEN e.is_known AND e.old_row IS NOT NULL THEN threadline.entry_key(e.table_id, e.old_row, e.key_columns, e.key_types) END AS was,
                   CASE WHEN e.is_simple AND e.new_row ->> e.key_columns[1] NOT LIKE '%.%' THEN e.new_row ->> e.key_columns[1]
                        WHEN e.is_known AND e.new_row IS NOT NULL AND e.op <> 'T' THEN threadline.entry_key(e.table_id, e.new_row, e.key_columns, e.key_types) END AS now
        ) AS k
    )
    SELECT k.id, k.transaction_id, k.captured_at, k.table_id,
           CASE WHEN k.previous_key IS NOT NULL OR k.op = 'U' AND k.key_columns = '{}' THEN (k.command::text::bigint % 2147483648)::integer END,
           k.op, k.record_key, k.previous_key,
           CASE k.op WHEN 'U' THEN k.old_row - u.unchanged WHEN 'T' THEN k.new_row END,
           CASE k.op WHEN 'U' THEN k.new_row - u.unchanged END,
           CASE WHEN k.op = 'I' THEN k.new_row
                WHEN k.op <> 'U' OR k.previous_key IS NOT NULL OR k.key_columns = '{}' THEN k.old_row END
    FROM keyed AS k
    LEFT JOIN LATERAL (
        SELECT coalesce(array_agg(n.key), '{}') AS unchanged
        FROM jsonb_each(k.new_row) AS n
        WHERE k.old_row -> n.key = n.value
          AND (jsonb_typeof(n.value) IN ('string', 'boolean', 'null') OR (k.old_row -> n.key)::text = n.value::text)
          AND n.key = ANY (k.changed) IS NOT true
    ) AS u ON k.op = 'U'
    WHERE (k.op <> 'U' OR k.previous_key IS NOT NULL
           OR k.old_row - u.unchanged <> '{}' OR k.new_row - u.unchanged <> '{}')
      AND (only_key IS NULL OR only_key IN (k.record_key, k.previous_key));
END
$$;

-- The AuditTransactions in the journal, up to an entry, in the form that they have in the
-- ledger.
CREATE OR REPLACE FUNCTION threadline.pending_transactions(up_to bigint DEFAULT 9223372036854775807) RETURNS SETOF threadline.ledger_transactions
LANGUAGE plpgsql STABLE ROWS 1
SET search_path = pg_catalog, threadline, pg_temp
SET jit = off
-- The journal is empty or full from one moment to the next; no estimate holds.
SET enable_nestloop = off
AS $$
#variable_conflict use_column
BEGIN
    IF NOT EXISTS (SELECT FROM threadline.journal) THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT o.id, o.xact_id, o.occurred_at, o.opened_at,
           CASE WHEN o.xact_id = pg_current_xact_id_if_assigned() THEN 'infinity' -- It may go on.
                WHEN o.last_at >= o.opened_at + interval '1 hour' THEN o.last_at + interval '1 second' END,
           c.actor_type, c.actor_id,
           CASE WHEN o.forged THEN 'untrusted' ELSE c.actor_origin END,
           c.request_id, c.correlation_id, c.job_id, c.source, c.remote_ip, c.meta,
           coalesce(o.session_user_name, 'unknown'),
           CASE WHEN o.forged THEN 'the setting threadline.transaction named another transaction' ELSE c.context_error END
    FROM (
        SELECT t.shown_id AS id, j.xact_id, j.occurred_at,
               min(j.captured_at) AS opened_at, max(j.captured_at) AS last_at,
               max(j.context) FILTER (WHERE j.id = t.shown_id) AS context,
               max(j.session_user_name) FILTER (WHERE j.id = t.shown_id) AS session_user_name,
               NOT bool_or(t.is_opened) AS forged
        FROM threadline.journal AS j
        JOIN threadline.entry_transactions(9223372036854775807) AS t ON t.entry_transaction = j.transaction_id AND t.xact_id = j.xact_id AND t.occurred_at = j.occurred_at
        -- When a transaction ended is known by the whole of it.
        WHERE t.shown_id <= up_to
        GROUP BY t.shown_id, j.xact_id, j.occurred_at
    ) AS o
    CROSS JOIN LATERAL threadline.read_context(o.context, o.occurred_at) AS c
    WHERE (o.forged OR o.context IS NOT NULL)
      AND NOT EXISTS (
          SELECT FROM threadline.ledger_transactions AS x
          WHERE x.id = o.id AND x.xact_id = o.xact_id AND x.occurred_at = o.occurred_at);
END
$$;

-- Moves the visible entries up to one into the ledger; for threadline.post(), which holds
-- the lock of posting. Returns how many.
CREATE OR REPLACE FUNCTION threadline.post_batch(up_to bigint, last_position bigint) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_posted bigint;
    tl_moved bigint;
    tl_headers bigint;
BEGIN
    WITH header AS (
        INSERT INTO threadline.ledger_transactions
        SELECT * FROM threadline.pending_transactions(up_to)
        RETURNING id
    ), gone AS (
        DELETE FROM threadline.journal AS j
        -- A table of which a restore left out the policy waits until that is said again.
        WHERE j.id <= up_to AND (j.op = 'C' OR EXISTS (SELECT FROM threadline.audited_tables AS t WHERE t.id = j.table_id))
        RETURNING j.op
    ), change AS (
        INSERT INTO threadline.ledger_changes (
            id, transaction_id, captured_at, table_id, statement, op,
            record_key, previous_key, changed_from, changed_to, row_data, position)
        SELECT p.*, last_position + row_number() OVER (ORDER BY p.id)
        FROM threadline.pending_changes(up_to) AS p
        WHERE p.table_id IN (SELECT t.id FROM threadline.audited_tables AS t)
        RETURNING id
    )
    SELECT (SELECT count(*) FROM change), (SELECT count(*) FROM gone),
           (SELECT count(*) FROM header)
    INTO tl_posted, tl_moved, tl_headers;
    UPDATE threadline.posting AS p SET last_position = post_batch.last_position + tl_posted, posted_at = clock_timestamp();
    -- Nothing else of the ledger is ever updated.
    UPDATE threadline.ledger_transactions AS x
    SET extended_until = (SELECT max(c.captured_at) + interval '1 second' FROM threadline.ledger_changes AS c WHERE c.transaction_id = x.id)
    WHERE x.extended_until = 'infinity' AND x.xact_id <> pg_current_xact_id()
      AND NOT EXISTS (SELECT FROM threadline.journal AS j WHERE j.transaction_id = x.id);
    RETURN tl_moved;
END
$$;
REVOKE ALL ON FUNCTION threadline.post_batch(bigint, bigint) FROM PUBLIC;

-- Gives all visible entries new ids in their order, because some have ids that are in the
-- ledger already, and sets the sequence right. Says whether there were any.
CREATE OR REPLACE FUNCTION threadline.renumber_entries() RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_highest bigint := threadline.highest_id();
BEGIN
    PERFORM threadline.set_sequence();
    IF NOT EXISTS (SELECT FROM threadline.journal AS j WHERE j.id <= tl_highest) THEN
        RETURN false;
    END IF;
    WITH renamed AS MATERIALIZED (
        SELECT e.id, e.xact_id, nextval('threadline.entry_ids') AS new_id
        FROM (SELECT j.id, j.xact_id FROM threadline.journal AS j ORDER BY j.id) AS e
    )
    UPDATE threadline.journal AS j
    SET id = own.new_id,
        transaction_id = coalesce(opener.new_id, j.transaction_id)
    FROM renamed AS own
    LEFT JOIN threadline.journal AS entry ON entry.id = own.id AND entry.xact_id = own.xact_id
    LEFT JOIN renamed AS opener ON opener.id = entry.transaction_id AND opener.xact_id = entry.xact_id
    WHERE own.id = j.id AND own.xact_id = j.xact_id;
    RETURN true;
END
$$;
REVOKE ALL ON FUNCTION threadline.renumber_entries() FROM PUBLIC;

-- Moves visible entries of the journal into the ledger, oldest first, and returns how
-- many; 0 when there is nothing to do, or somebody else is posting. Call it until it
-- returns 0:
--
--   SELECT threadline.post();
--
-- It is never needed for a right answer: readers see journal and ledger as one. All that
-- a call does is done in one statement, so that every snapshot sees each change once.
CREATE OR REPLACE FUNCTION threadline.post(at_most integer DEFAULT 10000) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
SET jit = off
SET enable_nestloop = on
AS $$
#variable_conflict use_column
DECLARE
    tl_limit integer := greatest(at_most, 1);
    tl_last bigint;
    tl_position bigint;
    tl_posted bigint;
    tl_error text;
BEGIN
    IF pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'
       OR current_setting('transaction_isolation') <> 'read committed'
       -- In a transaction of its own: what it moves, it holds until the end.
       OR pg_current_xact_id_if_assigned() IS NOT NULL
       OR NOT EXISTS (SELECT FROM threadline.journal)
    THEN
        RETURN 0;
    END IF;
    IF NOT EXISTS (SELECT FROM threadline.posting) THEN
        -- A restore left it out.
        INSERT INTO threadline.posting (last_position)
        SELECT coalesce(max(c.position), 0) FROM threadline.ledger_changes AS c
        ON CONFLICT DO NOTHING;
    END IF;
    SELECT p.last_position INTO tl_position FROM threadline.posting AS p FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    LOOP
        tl_last := (
            SELECT max(e.id)
            FROM (
                SELECT j.id FROM threadline.journal AS j
                WHERE j.op = 'C' OR j.table_id IN (SELECT t.id FROM threadline.audited_tables AS t)
                ORDER BY j.id LIMIT tl_limit
            ) AS e);
        IF tl_last IS NULL THEN
            RETURN 0;
        END IF;
        BEGIN
            RETURN threadline.post_batch(tl_last, tl_position);
        EXCEPTION
            WHEN unique_violation THEN
                IF NOT threadline.renumber_entries() THEN
                    tl_error := SQLERRM;
                END IF;
            WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded OR internal_error
              OR undefined_object OR undefined_function OR raise_exception THEN
                tl_error := SQLERRM;
        END;
        IF tl_error IS NOT NULL AND tl_limit = 1 THEN
            -- It keeps nobody else waiting.
            WITH gone AS (DELETE FROM threadline.journal AS j WHERE j.id = tl_last RETURNING j.*)
            INSERT INTO threadline.unposted SELECT gone.*, tl_error FROM gone;
            RETURN 1;
        ELSIF tl_error IS NOT NULL THEN
            tl_limit := greatest(tl_limit / 16, 1);
            tl_error := NULL;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION threadline.post(integer) IS
    'Moves what waits in the journal into the ledger, so that it is quick to find; returns how many entries';

-- threadline.post(), when so much waits that a question would take noticeably longer.
CREATE OR REPLACE FUNCTION threadline.post_if_much() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    RETURN CASE WHEN EXISTS (SELECT FROM threadline.journal OFFSET 500) THEN threadline.post(50000) ELSE 0 END;
END
$$;

CREATE VIEW threadline.waiting AS
SELECT (SELECT count(*) FROM threadline.journal) AS entries,
       (SELECT min(j.captured_at) FROM threadline.journal AS j) AS since,
       (SELECT count(*) FROM threadline.unposted) AS set_aside,
       (SELECT p.posted_at FROM threadline.posting AS p) AS last_posted_at;
COMMENT ON VIEW threadline.waiting IS
    'How much is in the journal and not in the ledger yet, and since when';

-- Moves all visible entries into the ledger, waiting for whoever posts; before something
-- changes by which entries are read.
CREATE OR REPLACE FUNCTION threadline.post_all() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_position bigint;
    tl_last bigint := (SELECT max(j.id) FROM threadline.journal AS j);
BEGIN
    IF tl_last IS NOT NULL THEN
        SELECT p.last_position INTO tl_position FROM threadline.posting AS p FOR UPDATE;
        PERFORM threadline.post_batch(tl_last, tl_position);
    END IF;
END
$$;
REVOKE ALL ON FUNCTION threadline.post_all() FROM PUBLIC;

-- Puts entries that were set aside back into the journal, to be posted once more; after
-- what was in their way is removed. Returns how many.
CREATE OR REPLACE FUNCTION threadline.post_again() RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_count bigint;
BEGIN
    WITH back AS (DELETE FROM threadline.unposted RETURNING *)
    INSERT INTO threadline.journal
    SELECT b.id, b.transaction_id, b.xact_id, b.occurred_at, b.captured_at, b.op, b.table_id, b.relation, b.depth,
           b.old_place, b.new_place, b.command, b.old_row, b.new_row, b.changed, b.context, b.session_user_name
    FROM back AS b;
    GET DIAGNOSTICS tl_count = ROW_COUNT;
    RETURN tl_count;
END
$$;
REVOKE ALL ON FUNCTION threadline.post_again() FROM PUBLIC;

-- One value of a record key as JSON: a number where the column is one.
CREATE OR REPLACE FUNCTION threadline.key_value(key_type text, value text) RETURNS jsonb
LANGUAGE sql STABLE
RETURN CASE WHEN key_type IN ('smallint', 'integer', 'bigint') AND value ~ '^-?[0-9]{1,19}$'
    THEN pg_catalog.to_jsonb(value::pg_catalog.numeric)
    ELSE pg_catalog.to_jsonb(value)
END;

-- A record key of several columns, or of none that are known, as JSON.
CREATE OR REPLACE FUNCTION threadline.composite_key_json(key_columns text[], key_types text[], record_key text) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pg_catalog.jsonb_object_agg(
        k.name,
        threadline.key_value(k.type, threadline.json_array_or_null(record_key) ->> (k.position::integer - 1)))
    FROM ROWS FROM (pg_catalog.unnest(key_columns), pg_catalog.unnest(key_types)) WITH ORDINALITY AS k (name, type, position);
END;

-- A record key as JSON: {"id": 42}, {"tenant": "a", "no": 7}.
CREATE OR REPLACE FUNCTION threadline.key_json(key_columns text[], key_types text[], record_key text) RETURNS jsonb
LANGUAGE sql STABLE
RETURN CASE
    WHEN record_key IS NULL THEN NULL
    WHEN pg_catalog.cardinality(key_columns) = 1
        THEN pg_catalog.jsonb_build_object(key_columns[1], threadline.key_value(key_types[1], record_key))
    ELSE threadline.composite_key_json(key_columns, key_types, record_key)
END;

-- The image with the numbers of the given columns as strings.
CREATE OR REPLACE FUNCTION threadline.exact_members(image jsonb, numeric_columns text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN pg_catalog.jsonb_typeof(image) <> 'object' THEN image
    ELSE image || coalesce((
        SELECT pg_catalog.jsonb_object_agg(c.name, image ->> c.name)
        FROM pg_catalog.unnest(numeric_columns) AS c (name)
        WHERE pg_catalog.jsonb_typeof(image -> c.name) = 'number'), '{}')
END;

-- The image with the values of numeric columns as strings, digit for digit:
-- most JSON readers would take them for binary floats. Becomes part of the
-- query that calls it, so that an image without such a column costs nothing.
CREATE OR REPLACE FUNCTION threadline.exact_numbers(image jsonb, numeric_columns text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN image OPERATOR(pg_catalog.?|) numeric_columns
    THEN threadline.exact_members(image, numeric_columns)
    ELSE image
END;

-- An image with what its json columns say in the place of the texts that say it, for
-- jsonb_populate_record(), which would take them for strings.
CREATE OR REPLACE FUNCTION threadline.json_documents(image jsonb, of_type regtype) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_name text;
BEGIN
    FOR tl_name IN
        SELECT a.attname
        FROM pg_type AS t
        JOIN pg_attribute AS a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE t.oid = of_type AND a.atttypid IN ('json'::regtype, (SELECT d.oid FROM pg_type AS d WHERE d.oid = a.atttypid AND d.typtype = 'd' AND threadline.base_type(d.oid) = 'json'::regtype))
          AND jsonb_typeof(image -> a.attname) = 'string'
    LOOP
        BEGIN
            image := image || jsonb_build_object(tl_name, (image ->> tl_name)::jsonb);
        EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
            -- It has no form in jsonb, or was no json then.
        END;
    END LOOP;
    RETURN image;
END
$$;

-- jsonb_populate_record() that does not fail the whole query when one image no
-- longer fits the table's types. A placeholder that its column's type does not
-- take (a masked date) reads as NULL; a row that does not fit is all NULL.
-- Planned at each call: a plan that is kept remembers the row type as it was before
-- somebody changed the table.
CREATE OR REPLACE FUNCTION threadline.populate(base anyelement, image jsonb, redacted text[], OUT populated anyelement)
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    image := threadline.json_documents(image, pg_catalog.pg_typeof(base));
    EXECUTE 'SELECT (pg_catalog.jsonb_populate_record($1, $2)).*' INTO populated USING base, image;
EXCEPTION WHEN data_exception OR integrity_constraint_violation OR datatype_mismatch OR program_limit_exceeded THEN
    BEGIN
        EXECUTE 'SELECT (pg_catalog.jsonb_populate_record($1, $2)).*' INTO populated USING base, image - redacted;
        EXCEPTION WHEN data_exception OR integrity_constraint_violation OR datatype_mismatch OR program_limit_exceeded THEN
        populated := NULL;
    END;
END
$$;

-- Lays objects over each other; as a window aggregate it turns the undo values
-- of a record's updates into the image of every version.
CREATE OR REPLACE AGGREGATE threadline.jsonb_merge(jsonb) (
    SFUNC = pg_catalog.jsonb_concat,
    STYPE = jsonb,
    INITCOND = '{}'
);

CREATE VIEW threadline.audit_changes AS
SELECT c.id, c.transaction_id, c.captured_at, c.table_id, c.statement, c.op, c.record_key, c.previous_key,
       c.changed_from, c.changed_to, c.row_data
FROM threadline.ledger_changes AS c
UNION ALL
(SELECT p.id, p.transaction_id, p.captured_at, p.table_id, p.statement, p.op, p.record_key COLLATE "C", p.previous_key COLLATE "C",
       p.changed_from, p.changed_to, p.row_data
FROM threadline.pending_changes() AS p
-- Not merged with what asks, which would then search the ledger without its indexes.
OFFSET 0);
COMMENT ON VIEW threadline.audit_changes IS
    'Every recorded change, whether it is still in the journal or in the ledger';

-- The changes of one record, also those by which its key came and went: as in
-- threadline.audit_changes, and found without making final what waits of other records.
CREATE OR REPLACE FUNCTION threadline.record_changes(audited_table integer, record_key text) RETURNS SETOF threadline.audit_changes
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT c.id, c.transaction_id, c.captured_at, c.table_id, c.statement, c.op, c.record_key, c.previous_key,
           c.changed_from, c.changed_to, c.row_data
    FROM threadline.ledger_changes AS c
    WHERE c.table_id = record_changes.audited_table AND c.record_key = record_changes.record_key
    UNION ALL
    SELECT c.id, c.transaction_id, c.captured_at, c.table_id, c.statement, c.op, c.record_key, c.previous_key,
           c.changed_from, c.changed_to, c.row_data
    FROM threadline.ledger_changes AS c
    WHERE c.table_id = record_changes.audited_table AND c.previous_key = record_changes.record_key AND c.previous_key IS NOT NULL
      AND c.record_key IS DISTINCT FROM record_changes.record_key
    UNION ALL
    (SELECT p.id, p.transaction_id, p.captured_at, p.table_id, p.statement, p.op, p.record_key COLLATE "C", p.previous_key COLLATE "C",
            p.changed_from, p.changed_to, p.row_data
     FROM threadline.pending_changes(9223372036854775807, record_changes.audited_table, record_changes.record_key) AS p
     OFFSET 0);
END;

CREATE VIEW threadline.audit_transactions AS
SELECT * FROM threadline.ledger_transactions
UNION ALL
(SELECT * FROM threadline.pending_transactions() OFFSET 0);
COMMENT ON VIEW threadline.audit_transactions IS
    'Every AuditTransaction, whether it is still in the journal or in the ledger';

CREATE VIEW threadline.changes AS
SELECT c.id,
       c.captured_at,
       t.schema_name,
       t.table_name,
       CASE c.op WHEN 'I' THEN 'insert' WHEN 'U' THEN 'update' WHEN 'D' THEN 'delete' WHEN 'T' THEN 'truncate'
                 ELSE c.op::text END AS op,
       threadline.key_json(t.key_columns, t.key_types, c.record_key) AS key,
       threadline.key_json(t.key_columns, t.key_types, c.previous_key) AS previous_key,
       c.changed_from,
       c.changed_to,
       c.row_data,
       x.actor_type,
       x.actor_id,
       x.actor_origin,
       x.request_id,
       x.correlation_id,
       x.job_id,
       x.source,
       x.remote_ip,
       x.meta,
       x.session_user_name,
       x.context_error,
       c.transaction_id,
       x.xact_id,
       x.occurred_at
FROM threadline.audit_changes AS c
LEFT JOIN threadline.audited_tables AS t ON t.id = c.table_id
LEFT JOIN threadline.audit_transactions AS x ON x.id = c.transaction_id;
COMMENT ON VIEW threadline.changes IS
    'Every recorded change with its table, key, actor and context, for reading in psql; the newest with ORDER BY transaction_id DESC, id DESC';

CREATE VIEW threadline.transactions AS
SELECT x.*,
       (SELECT count(*) FROM threadline.audit_changes AS c WHERE c.transaction_id = x.id) AS changes
FROM threadline.audit_transactions AS x;
COMMENT ON VIEW threadline.transactions IS
    'Every AuditTransaction with the number of its changes';

-- Something about a table's audit that is not as it should be, and the command
-- that mends it.
CREATE TYPE threadline.finding AS (
    code     text,
    relation text,
    message  text,
    mend     text
);

-- The table that is audited under an id, or should be: also where somebody took
-- its triggers away. By its row trigger; else under its recorded name; else by its
-- OID, if the columns agree: after a restore the OID may be that of any table.
CREATE OR REPLACE FUNCTION threadline.whereabouts(audited_table integer) RETURNS regclass
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(
        (SELECT g.tgrelid
         FROM pg_trigger AS g
         WHERE g.tgfoid = to_regproc('threadline.capture_' || t.id) AND g.tgparentid = 0 AND g.tgname = '!threadline_capture_' || t.id
         ORDER BY g.tgrelid = t.relation DESC, g.tgrelid
         LIMIT 1),
        (SELECT c.oid
         FROM pg_class AS c
         JOIN pg_namespace AS n ON n.oid = c.relnamespace
         WHERE n.nspname = t.schema_name AND c.relname = t.table_name AND c.relkind IN ('r', 'p')
           AND threadline.audited_table_of(c.oid) IS NULL),
        (SELECT c.oid
         FROM pg_class AS c
         WHERE c.oid = t.relation AND c.relkind IN ('r', 'p')
           AND threadline.audited_table_of(c.oid) IS NULL AND threadline.fingerprint(c.oid) = t.fingerprint)
    )::regclass
    FROM threadline.audited_tables AS t
    WHERE t.id = audited_table;
END;

-- The call that audits a table again as was decided for it, without what else is to
-- be excluded.
CREATE OR REPLACE FUNCTION threadline.audit_call(audited_table integer, target regclass, excluding text[] DEFAULT '{}') RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
-- As text: shown from what is parsed, it reads otherwise after a restore.
AS $$
    SELECT format('SELECT threadline.audit(%L', target)
        || coalesce(', mask => ARRAY[' || string_agg(quote_literal(coalesce(live.name, decided.name)), ', ' ORDER BY decided.name)
               FILTER (WHERE decided.column_policy = 'mask') || ']', '')
        || coalesce(', exclude => ARRAY[' || string_agg(quote_literal(coalesce(live.name, decided.name)), ', ' ORDER BY decided.name)
               FILTER (WHERE decided.column_policy = 'exclude') || ']', '')
        || CASE WHEN (t.policy -> 'require_actor')::boolean THEN ', require_actor => true' ELSE '' END
        || CASE WHEN t.key_columns = '{}' THEN ', keyless => true' ELSE '' END
        || coalesce(', columns => ARRAY[' || string_agg(quote_literal(coalesce(live.name, decided.name)), ', ' ORDER BY decided.name)
               FILTER (WHERE decided.column_policy = 'record') || ']', '')
        || coalesce(', operations => ARRAY[' || (
               SELECT string_agg(quote_literal(o), ', ') FROM jsonb_array_elements_text(t.policy -> 'operations') AS o) || ']', '')
        || coalesce(', condition => ' || quote_literal(t.policy ->> 'condition'), '')
        || coalesce(', plain => ARRAY[' || string_agg(quote_literal(coalesce(live.name, decided.name)), ', ' ORDER BY decided.name)
               FILTER (WHERE decided.column_policy = 'plain') || ']', '')
        || coalesce(', hash => ARRAY[' || string_agg(quote_literal(coalesce(live.name, decided.name)), ', ' ORDER BY decided.name)
               FILTER (WHERE decided.column_policy = 'hash') || ']', '')
        || coalesce(', ignore => ARRAY[' || string_agg(quote_literal(coalesce(live.name, decided.name)), ', ' ORDER BY decided.name)
               FILTER (WHERE decided.column_policy = 'ignore') || ']', '')
        || ');'
    FROM threadline.audited_tables AS t
    LEFT JOIN LATERAL (
        SELECT name, 'mask' AS column_policy FROM jsonb_array_elements_text(t.policy -> 'mask') AS name
        UNION ALL
        SELECT name, 'exclude' FROM jsonb_array_elements_text(t.policy -> 'exclude') AS name
        UNION ALL
        SELECT name, 'record' FROM jsonb_array_elements_text(t.policy -> 'columns') AS name
        UNION ALL
        SELECT name, 'plain' FROM jsonb_array_elements_text(t.policy -> 'plain') AS name
        UNION ALL
        SELECT name, 'ignore' FROM jsonb_array_elements_text(t.policy -> 'ignore') AS name
        UNION ALL
        SELECT name, 'hash' FROM jsonb_array_elements_text(t.policy -> 'hash') AS name
        UNION ALL
        SELECT name, 'exclude' FROM unnest(excluding) AS name
    ) AS decided ON true
    LEFT JOIN jsonb_to_recordset(t.columns) AS k (number smallint, name text) ON k.name = decided.name
    LEFT JOIN threadline.columns_of(target) AS live ON live.number = k.number AND t.relation = target
    WHERE t.id = audited_table
    GROUP BY t.id;
$$;

-- The command that makes a table's capture what it should be. Where only its row
-- trigger is gone, the table is still known by the others, and keeps its history.
CREATE OR REPLACE FUNCTION threadline.mending(audited_table integer, target regclass) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT CASE
        WHEN threadline.audited_table_of(target) = audited_table
            THEN format('SELECT threadline.refresh(%L);', target)
        WHEN t.relation = target
             AND to_regproc('threadline.capture_' || t.id) IS NOT NULL
            THEN format('SELECT threadline.install_triggers(%s, %L); SELECT threadline.refresh(%L);', t.id, target, target)
        ELSE threadline.audit_call(t.id, target)
    END
    FROM threadline.audited_tables AS t
    WHERE t.id = audited_table;
END;

-- Where the triggers of an audited table, and of its partitions, are not those
-- that threadline.audit() installs.
CREATE OR REPLACE FUNCTION threadline.trigger_drift(audited_table integer, target regclass) RETURNS SETOF threadline.finding
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
SET standard_conforming_strings = on
AS $$
DECLARE
    tl_class pg_class;
    tl_mend text := threadline.mending(audited_table, target);
    tl_finding threadline.finding;
BEGIN
    SELECT * INTO STRICT tl_class FROM pg_class WHERE oid = target;
    IF tl_class.relispartition THEN
        IF EXISTS (
            SELECT FROM pg_partition_ancestors(target) AS a
            WHERE a.relid <> target AND threadline.audited_table_of(a.relid) IS NOT NULL
        ) THEN
            tl_finding := ROW('table-attached', target::text,
                format('it became a partition of %s, which is audited, too; its changes are recorded twice', pg_partition_root(target)),
                format('SELECT threadline.unaudit(%L);', target));
        ELSE
            tl_finding := ROW('table-attached', target::text,
                format('it became a partition of %s; its changes are recorded, but asked for by its own name they are not found', pg_partition_root(target)),
                format('ALTER TABLE %s DETACH PARTITION %s;', (SELECT inhparent::regclass FROM pg_inherits WHERE inhrelid = target), target));
        END IF;
        RETURN NEXT tl_finding;
    END IF;

    RETURN QUERY
    WITH expected AS (
        SELECT * FROM threadline.expected_triggers(audited_table, target)
    ), present AS (
        SELECT g.tgrelid::regclass AS relation, g.tgname::text AS name, g.tgenabled AS fires,
               pg_get_triggerdef(g.oid) AS definition, g.tgparentid <> 0 AS inherited,
               p.pronamespace = 'threadline'::regnamespace AND p.proname ~ '^capture_[0-9]+$'
                   AND g.tgparentid = 0
                   -- unaudit() leaves its triggers so.
                   AND g.tgenabled <> 'D'
                   -- That parent and partition are both audited is said by table-attached.
                   AND NOT EXISTS (
                       SELECT FROM pg_partition_ancestors(g.tgrelid) AS a
                       WHERE a.relid <> target
                         AND threadline.audited_table_of(a.relid) = substring(p.proname FROM '^capture_([0-9]{1,9})')::integer
                   ) AS captures
        FROM pg_trigger AS g
        JOIN pg_proc AS p ON p.oid = g.tgfoid
        WHERE g.tgrelid IN (SELECT e.relation FROM expected AS e)
    ), compared AS (
        SELECT coalesce(e.relation, p.relation) AS relation, coalesce(e.name, p.name) AS name,
               CASE
                   WHEN p.name IS NULL THEN 'missing'
                   WHEN e.name IS NULL THEN CASE WHEN p.fires <> 'D' THEN 'duplicated' END
                   WHEN p.fires = 'D' OR (p.fires = 'R' AND e.definition = p.definition) THEN 'disabled'
                   WHEN e.definition <> p.definition OR p.fires <> 'A' THEN 'altered'
               END AS drift,
               p.fires, p.definition = e.definition AS only_fires
        FROM expected AS e
        FULL JOIN present AS p ON p.relation = e.relation AND p.name = e.name
        WHERE e.name IS NOT NULL OR p.captures
    )
    SELECT CASE WHEN c.relation <> target AND c.drift IN ('missing', 'disabled')
                THEN CASE WHEN c.name ~ '^!threadline_truncate_' THEN 'partition-truncate-unseen' ELSE 'partition-unseen' END
                ELSE 'trigger-' || c.drift END,
           c.relation::text,
           CASE c.drift
               WHEN 'missing' THEN format('trigger %I is missing', c.name)
               WHEN 'duplicated' THEN format('trigger %I calls the capture function and records nothing', c.name)
               WHEN 'disabled' THEN format(
                   CASE c.fires WHEN 'R' THEN 'trigger %I fires for replicated changes only' ELSE 'trigger %I is disabled' END, c.name)
               ELSE format(
                   CASE WHEN NOT c.only_fires THEN 'trigger %I is not as it was made'
                        ELSE 'trigger %I does not fire for replicated changes' END, c.name)
           END,
           CASE WHEN c.drift = 'duplicated' THEN format('DROP TRIGGER %I ON %s;', c.name, c.relation) ELSE tl_mend END
    FROM compared AS c
    WHERE c.drift IS NOT NULL
    ORDER BY c.relation::text COLLATE "C", c.name COLLATE "C";
END
$$;

-- What of a table's columns and key is not what its capture was built for.
CREATE OR REPLACE FUNCTION threadline.column_drift(audited_table integer, target regclass) RETURNS SETOF threadline.finding
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
AS $$
DECLARE
    tl_table threadline.audited_tables;
    tl_mend text := threadline.mending(audited_table, target);
    tl_keys text[];
    tl_differences text;
BEGIN
    SELECT * INTO STRICT tl_table FROM threadline.audited_tables WHERE id = audited_table;
    IF tl_table.relation <> target THEN
        RETURN NEXT ROW('table-restored', target::text,
            'it was restored or created anew since its capture was built; until it is built anew, renamed columns cannot be followed', tl_mend)::threadline.finding;
    END IF;

    IF tl_table.fingerprint <> threadline.fingerprint(target) THEN
        SELECT string_agg(
            CASE WHEN k.name IS NULL THEN format('%I was added', live.name)
                 WHEN live.name IS NULL THEN format('%I was dropped', k.name)
                 ELSE concat_ws(', ',
                     CASE WHEN live.name <> k.name THEN format('%I was renamed to %I', k.name, live.name) END,
                     CASE WHEN live.type::text <> k.type THEN format('%I was %s and is %s', live.name, k.type, live.type) END)
            END, ', ' ORDER BY coalesce(k.number, live.number))
        INTO tl_differences
        FROM (
            SELECT k.*, CASE WHEN tl_table.relation = target THEN k.number::text ELSE k.name END AS identity
            FROM jsonb_to_recordset(tl_table.columns) AS k (number smallint, name text, type text)
        ) AS k
        FULL JOIN (
            SELECT c.*, CASE WHEN tl_table.relation = target THEN c.number::text ELSE c.name END AS identity
            FROM threadline.columns_of(target) AS c
        ) AS live USING (identity)
        WHERE k.name IS DISTINCT FROM live.name OR k.type IS DISTINCT FROM live.type::text;
        RETURN NEXT ROW('columns-changed', target::text,
            'its columns are not those that its capture was built for'
            || coalesce(': ' || tl_differences, ''), tl_mend)::threadline.finding;
    END IF;

    SELECT coalesce(array_agg(k.name), '{}') INTO tl_keys FROM threadline.key_columns_of(target) AS k;
    IF tl_keys <> ARRAY(SELECT k.name FROM threadline.live_key(audited_table) AS k ORDER BY k.ordinal) THEN
        RETURN NEXT ROW('key-changed', target::text,
            CASE WHEN tl_keys = '{}' THEN 'it has no primary key any more, so that no record of it can be found again'
                 ELSE format('its primary key is %s, and records are kept by %s',
                     array_to_string(tl_keys, ', '),
                     coalesce((SELECT string_agg(k.name, ', ' ORDER BY k.ordinal) FROM threadline.live_key(audited_table) AS k), 'none')) END,
            CASE WHEN tl_keys = '{}' THEN format('ALTER TABLE %s ADD PRIMARY KEY (%s); ', target,
                     (SELECT string_agg(quote_ident(k.name), ', ' ORDER BY k.ordinal) FROM threadline.live_key(audited_table) AS k))
                 ELSE '' END || tl_mend)::threadline.finding;
    END IF;

    IF tl_table.capture_version <> threadline.capture_version() THEN
        RETURN NEXT ROW('capture-outdated', target::text,
            format('its capture is of version %s, and this is version %s', tl_table.capture_version, threadline.capture_version()), tl_mend)::threadline.finding;
    END IF;
END
$$;

-- Where a table's capture function is not what threadline.audit() writes; to be
-- asked when columns and version are those that it was written for.
CREATE OR REPLACE FUNCTION threadline.function_drift(audited_table integer, target regclass) RETURNS SETOF threadline.finding
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
AS $$
BEGIN
    RETURN QUERY
    SELECT 'function-altered', target::text,
           format(CASE WHEN p.oid IS NULL THEN 'function threadline.capture_%s is missing'
                       WHEN p.prosrc <> written.source THEN 'the source of function threadline.capture_%s is not what was written'
                       ELSE 'function threadline.capture_%s has another owner or other settings than it was made with' END, t.id),
           threadline.mending(audited_table, target)
    FROM threadline.audited_tables AS t
    CROSS JOIN LATERAL (
        -- A restore gives the table another OID, and the function keeps the old one.
        SELECT replace(replace(replace(
            threadline.capture_source(t.id, target),
            '"relation": ' || target::oid, '"relation": ' || t.relation),
            quote_literal(target::oid) || '::pg_catalog.oid', quote_literal(t.relation) || '::pg_catalog.oid'),
            format('TG_NAME, %s)', target::oid), format('TG_NAME, %s)', t.relation)) AS source
    ) AS written
    LEFT JOIN pg_proc AS p ON p.oid = to_regproc('threadline.capture_' || t.id)
    LEFT JOIN pg_language AS l ON l.oid = p.prolang
    WHERE t.id = audited_table AND (
        p.oid IS NULL
        OR p.prosrc <> written.source
        OR l.lanname <> 'plpgsql'
        OR NOT p.prosecdef
        OR p.proowner <> (SELECT n.nspowner FROM pg_namespace AS n WHERE n.oid = p.pronamespace)
        -- PostgreSQL shows names its own way: TimeZone.
        OR ARRAY(
            SELECT lower(split_part(c, '=', 1)) || '=' || substr(c, strpos(c, '=') + 1) FROM unnest(p.proconfig) AS c ORDER BY 1
        ) IS DISTINCT FROM ARRAY(
            SELECT pin[1] || '=' || btrim(pin[2], '''')
            FROM regexp_matches(threadline.pinned_settings(t.id, target), 'SET ([a-z_]+) = (''[^'']*''|pg_catalog, threadline, pg_temp)', 'g') AS pin
            ORDER BY 1));
END
$$;

-- Triggers that record the changes of one table as if they were another's, or of
-- a table of which nobody knows what was decided for it.
CREATE OR REPLACE FUNCTION threadline.stray_triggers(target regclass DEFAULT NULL) RETURNS SETOF threadline.finding
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    RETURN QUERY
    WITH capturing AS (
        SELECT g.tgrelid::regclass AS relation, g.tgname::text AS name, g.tgenabled <> 'D' AS fires,
               substring(p.proname FROM '^capture_([0-9]{1,9})')::integer AS table_id
        FROM pg_trigger AS g
        JOIN pg_proc AS p ON p.oid = g.tgfoid AND p.pronamespace = 'threadline'::regnamespace
        WHERE g.tgparentid = 0 AND p.proname ~ '^capture_[0-9]{1,9}$'
    )
    SELECT 'policy-missing', c.relation::text,
           'what was decided for it is not on record; its capture goes on as it was built',
           format('SELECT threadline.audit(%L, mask => ..., exclude => ...);', c.relation)
    FROM capturing AS c
    WHERE NOT EXISTS (SELECT FROM threadline.audited_tables AS t WHERE t.id = c.table_id)
      AND c.name = '!threadline_capture_' || c.table_id AND (target IS NULL OR c.relation = target)
    UNION ALL
    SELECT 'trigger-stray', c.relation::text,
           format('trigger %I is that of %s, and records nothing here', c.name, coalesce(at.relation::text, 'a table that is gone')),
           format('DROP TRIGGER %I ON %s;', c.name, c.relation)
    FROM capturing AS c
    JOIN threadline.audited_tables AS t ON t.id = c.table_id
    CROSS JOIN LATERAL (SELECT threadline.whereabouts(t.id) AS relation) AS at
    WHERE c.fires AND (target IS NULL OR c.relation = target)
      AND c.relation <> at.relation
      AND c.relation NOT IN (SELECT p.relid FROM pg_partition_tree(at.relation) AS p)
      -- Else it is reported as altered or duplicated there.
      AND c.relation NOT IN (
          SELECT threadline.whereabouts(other.id) FROM threadline.audited_tables AS other
          WHERE other.unaudited_at IS NULL AND other.id <> t.id AND threadline.whereabouts(other.id) IS NOT NULL)
    ORDER BY 2, 3;
END
$$;

-- What is not as it should be on the way from the journal into the ledger.
CREATE OR REPLACE FUNCTION threadline.posting_drift() RETURNS SETOF threadline.finding
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_waiting threadline.waiting;
BEGIN
    SELECT * INTO tl_waiting FROM threadline.waiting;
    IF tl_waiting.entries > 100000 OR tl_waiting.since < clock_timestamp() - interval '1 hour' THEN
        RETURN NEXT ROW('journal-waiting', 'threadline.journal',
            format('%s entries wait, since %s, and %s; run a worker, or pg_cron', tl_waiting.entries, tl_waiting.since,
                coalesce('were last posted at ' || tl_waiting.last_posted_at, 'nobody ever posted')),
            'SELECT threadline.post();')::threadline.finding;
    END IF;
    IF tl_waiting.set_aside > 0 THEN
        RETURN NEXT ROW('entries-set-aside', 'threadline.unposted',
            format('%s entries could not be posted, the first because: %s', tl_waiting.set_aside,
                (SELECT u.error FROM threadline.unposted AS u ORDER BY u.id LIMIT 1)),
            'SELECT threadline.post_again();')::threadline.finding;
    END IF;
    -- One IF would read the sequence before it knows of the right to.
    IF has_sequence_privilege('threadline.entry_ids', 'SELECT') THEN
        IF (SELECT s.last_value FROM threadline.entry_ids AS s) < threadline.highest_id() THEN
            RETURN NEXT ROW('sequence-behind', 'threadline.entry_ids',
                'ids that are on record are given once more; the next entries are renumbered when they are posted',
                format('SELECT setval(''threadline.entry_ids'', %s);', threadline.highest_id()))::threadline.finding;
        END IF;
    END IF;
END
$$;

-- Everything that a schema of the audit consists of, and a digest of each object: that it is
-- as it was can be told by that. Functions, views, types and tables, and what is attached to
-- tables, also from other schemas: indexes, constraints, triggers, rules, policies,
-- statistics and inheritance children. Not the capture functions, which depend on the audited
-- tables; threadline.function_drift() compares those. `audit protect` calls it for what it
-- finds and for what it ships, under another name, so the schema's name is left out.
CREATE OR REPLACE FUNCTION threadline.own_objects(
    schema_name name DEFAULT 'threadline',
    OUT object text, OUT digest text, OUT shown_digest text
) RETURNS SETOF record
LANGUAGE sql STABLE
-- So that PostgreSQL shows every name with its schema.
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
SET standard_conforming_strings = on
-- So that a constant in an expression is shown one way, whoever asks.
SET timezone = 'UTC'
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET bytea_output = 'hex'
SET extra_float_digits = 1
SET jit = off
-- As text: shown from what is parsed, it reads otherwise after a restore.
AS $$
    WITH own AS (
        SELECT d.classid, d.objid
        FROM pg_namespace AS n
        JOIN pg_depend AS d ON d.refclassid = 'pg_namespace'::regclass AND d.refobjid = n.oid
        WHERE n.nspname = schema_name
    ), relation AS (
        SELECT c.* FROM own JOIN pg_class AS c ON c.oid = own.objid WHERE own.classid = 'pg_class'::regclass
    ), described AS (
        SELECT 'pg_proc'::regclass AS class, p.oid,
               concat_ws(' ', p.prokind, l.lanname, p.prosecdef, p.provolatile, p.proisstrict, p.proleakproof, p.proparallel, p.proretset,
                   p.prorettype::regtype, p.proallargtypes::regtype[], p.proargmodes, p.proargnames, p.proconfig, p.probin, p.prosrc) AS text,
               concat_ws(' ', pg_get_expr(p.proargdefaults, 0), pg_get_function_sqlbody(p.oid)) AS shown
        FROM own
        JOIN pg_proc AS p ON p.oid = own.objid
        JOIN pg_language AS l ON l.oid = p.prolang
        WHERE own.classid = 'pg_proc'::regclass
          AND NOT (p.proname ~ '^capture_[0-9]{1,9}$' AND p.pronargs = 0 AND p.prorettype = 'trigger'::regtype)
        UNION ALL
        SELECT 'pg_class'::regclass, r.oid,
               concat_ws(' ', r.relkind, r.relpersistence, r.relrowsecurity, r.relforcerowsecurity, r.reloptions,
                   s.seqincrement, s.seqmin, s.seqmax, s.seqcycle, (
                   SELECT string_agg(concat_ws(' ', a.attname, a.atttypid::regtype, a.attnotnull, a.attidentity, a.attgenerated), ', ' ORDER BY a.attnum)
                   FROM pg_attribute AS a
                   WHERE a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped)),
               concat_ws(' ', CASE WHEN r.relkind = 'v' THEN pg_get_viewdef(r.oid) END, (
                   SELECT string_agg(pg_get_expr(f.adbin, f.adrelid), ', ' ORDER BY f.adnum) FROM pg_attrdef AS f WHERE f.adrelid = r.oid))
        FROM relation AS r
        LEFT JOIN pg_sequence AS s ON s.seqrelid = r.oid
        UNION ALL
        SELECT 'pg_class'::regclass, i.indexrelid, concat_ws(' ', i.indisunique, i.indisvalid, i.indkey), pg_get_indexdef(i.indexrelid)
        FROM relation AS r
        JOIN pg_index AS i ON i.indrelid = r.oid
        UNION ALL
        -- Since PostgreSQL 18, NOT NULL is one, too.
        SELECT 'pg_constraint'::regclass, k.oid, k.contype::text, pg_get_constraintdef(k.oid)
        FROM pg_constraint AS k
        WHERE (k.conrelid IN (SELECT r.oid FROM relation AS r) OR k.confrelid IN (SELECT r.oid FROM relation AS r)) AND k.contype <> 'n'
        UNION ALL
        SELECT 'pg_trigger'::regclass, g.oid, g.tgenabled::text, pg_get_triggerdef(g.oid)
        FROM relation AS r
        JOIN pg_trigger AS g ON g.tgrelid = r.oid
        WHERE NOT g.tgisinternal
        UNION ALL
        SELECT 'pg_rewrite'::regclass, w.oid, w.ev_enabled::text, pg_get_ruledef(w.oid)
        FROM relation AS r
        JOIN pg_rewrite AS w ON w.ev_class = r.oid
        WHERE w.rulename <> '_RETURN'
        UNION ALL
        SELECT 'pg_policy'::regclass, p.oid, p.polcmd::text, pg_get_expr(p.polqual, p.polrelid)
        FROM relation AS r
        JOIN pg_policy AS p ON p.polrelid = r.oid
        UNION ALL
        SELECT 'pg_statistic_ext'::regclass, s.oid, s.stxkind::text, pg_get_statisticsobjdef(s.oid)
        FROM relation AS r
        JOIN pg_statistic_ext AS s ON s.stxrelid = r.oid
        UNION ALL
        SELECT 'pg_class'::regclass, h.inhrelid, 'child of ' || r.relname, NULL
        FROM relation AS r
        JOIN pg_inherits AS h ON h.inhparent = r.oid
        UNION ALL
        SELECT 'pg_cast'::regclass, c.oid, '', NULL
        FROM pg_cast AS c
        WHERE EXISTS (SELECT FROM own WHERE own.classid = 'pg_type'::regclass AND own.objid IN (c.castsource, c.casttarget))
        UNION ALL
        -- Of what else there may be, there is nothing but types.
        SELECT own.classid::regclass, own.objid, concat_ws(' ', t.typtype, (
                   SELECT string_agg(a.attname || ' ' || a.atttypid::regtype, ', ' ORDER BY a.attnum)
                   FROM pg_attribute AS a
                   WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped)), NULL
        FROM own
        LEFT JOIN pg_type AS t ON own.classid = 'pg_type'::regclass AND t.oid = own.objid
        WHERE own.classid NOT IN ('pg_proc'::regclass, 'pg_class'::regclass, 'pg_statistic_ext'::regclass, 'pg_constraint'::regclass)
    )
    SELECT DISTINCT ON (1) replace(i.type || ' ' || i.identity, schema_name, 'threadline'),
           md5(replace(d.text, schema_name, 'threadline')), md5(replace(d.shown, schema_name, 'threadline'))
    FROM described AS d
    CROSS JOIN LATERAL pg_identify_object(d.class, d.oid, 0) AS i
    ORDER BY 1, 2;
$$;

-- Notes what the schema consists of, for threadline.audit_drift() to compare.
CREATE OR REPLACE FUNCTION threadline.note_installed_code() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    DELETE FROM threadline.installed_code;
    INSERT INTO threadline.installed_code (object, digest, shown_digest, server_major)
    SELECT o.object, o.digest, o.shown_digest, current_setting('server_version_num')::integer / 10000
    FROM threadline.own_objects() AS o;
END
$$;
REVOKE ALL ON FUNCTION threadline.note_installed_code() FROM PUBLIC;

-- The roles among some that can become what undoes the protection of the audit, and what
-- they become: itself or through memberships, the owner of the audit, a superuser, a role
-- that may create roles and so grant itself others, or one that writes every table or on
-- the server. A membership counts if it lets the member act, inherit or grant.
CREATE OR REPLACE FUNCTION threadline.ways_to_undo(roles oid[], owner oid, OUT role oid, OUT becomes oid, OUT reason text) RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    WITH RECURSIVE reach AS (
        SELECT r.oid AS role, r.oid AS becomes FROM pg_roles AS r WHERE r.oid = ANY (roles)
        UNION
        SELECT reach.role, step.role
        FROM reach
        CROSS JOIN LATERAL (
            SELECT m.roleid AS role
            FROM pg_auth_members AS m
            -- Options that PostgreSQL 15 does not have yet.
            WHERE m.member = reach.becomes AND (m.admin_option
                OR coalesce((to_jsonb(m) ->> 'set_option')::boolean, true) OR coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, true))
            UNION ALL
            -- Whose only member is not on record.
            SELECT r.oid FROM pg_database AS d JOIN pg_roles AS r ON r.rolname = 'pg_database_owner' WHERE d.datname = current_database() AND d.datdba = reach.becomes
        ) AS step
    )
    SELECT reach.role, reach.becomes, CASE
        WHEN reach.becomes = owner THEN format('owns the audit')
        WHEN r.rolsuper THEN 'is a superuser, to whom nothing is forbidden'
        WHEN r.rolcreaterole THEN 'may create roles, and grant itself others'
        WHEN r.rolname = 'pg_write_all_data' THEN 'writes every table'
        WHEN r.rolname = 'pg_read_server_files' THEN 'reads the files of the server, and so the passwords of roles'
        ELSE 'acts on the server as PostgreSQL does' END
    FROM reach
    JOIN pg_roles AS r ON r.oid = reach.becomes
    WHERE reach.becomes = owner OR r.rolsuper OR r.rolcreaterole
       OR r.rolname IN ('pg_write_all_data', 'pg_execute_server_program', 'pg_write_server_files', 'pg_read_server_files');
END;

-- What is not as it should be with the audit itself: objects in its schema that were not
-- installed or are not as they were, and, where it has an owner as whom nobody logs in,
-- whoever else can write to it.
CREATE OR REPLACE FUNCTION threadline.audit_drift() RETURNS SETOF threadline.finding
LANGUAGE plpgsql STABLE
-- So that the audit's own objects are shown with their schema, too.
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
    tl_owner oid := (SELECT n.nspowner FROM pg_namespace AS n WHERE n.nspname = 'threadline');
    tl_major integer := current_setting('server_version_num')::integer / 10000;
BEGIN
    IF NOT EXISTS (SELECT FROM threadline.installed_code) THEN
        RETURN NEXT ROW('audit-unchecked', 'threadline',
            'what was installed is not on record, so the objects of the schema were compared with nothing; run `audit protect`, or as the owner of the schema, once it was looked through:',
            'SELECT threadline.note_installed_code();')::threadline.finding;
    ELSE
        RETURN QUERY
        SELECT 'audit-altered', 'threadline',
               format(CASE WHEN known.object IS NULL THEN '%s was not installed by Threadline'
                           WHEN there.object IS NULL THEN '%s is missing'
                           ELSE '%s is not as it was installed' END, coalesce(there.object, known.object)),
               CASE WHEN known.object IS NULL AND there.object ~ '^(function|procedure|aggregate|view|table|index|trigger|rule|policy|type|sequence|materialized view|operator) '
                    THEN format('DROP %s;', there.object) END
        FROM threadline.own_objects() AS there
        FULL JOIN threadline.installed_code AS known ON known.object = there.object
        WHERE there.object IS NULL OR known.object IS NULL OR there.digest <> known.digest
           OR (known.server_major = tl_major AND there.shown_digest IS DISTINCT FROM known.shown_digest)
        ORDER BY 3;
        IF EXISTS (SELECT FROM threadline.installed_code AS k WHERE k.server_major <> tl_major) THEN
            RETURN NEXT ROW('audit-unchecked', 'threadline',
                'views and functions in SQL were not compared with those that were installed, because the server is of another major version now; run `audit protect`, which compares and notes them',
                NULL)::threadline.finding;
        END IF;
    END IF;

    RETURN QUERY
    SELECT 'audit-altered', 'threadline',
           format('%s of its objects belong to role %s and not to %s, such as %s', count(*), o.owner::regrole, tl_owner::regrole, min(o.kind || ' ' || o.name)),
           min(format('ALTER %s %s OWNER TO %s;', upper(o.kind), o.name, tl_owner::regrole))
    FROM (
        SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'S' THEN 'sequence' ELSE 'table' END AS kind, c.oid::regclass::text AS name, c.relowner AS owner
        FROM pg_class AS c WHERE c.relnamespace = 'threadline'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'S')
        UNION ALL
        SELECT 'routine', p.oid::regprocedure::text, p.proowner FROM pg_proc AS p WHERE p.pronamespace = 'threadline'::regnamespace
    ) AS o
    WHERE o.owner <> tl_owner
    GROUP BY o.owner
    ORDER BY 3;
    RETURN QUERY
    SELECT 'audit-altered', 'threadline', format('event trigger %I does not fire', e.evtname), format('ALTER EVENT TRIGGER %I ENABLE ALWAYS;', e.evtname)
    FROM pg_event_trigger AS e
    WHERE e.evtname IN ('threadline_watch', 'threadline_watch_drops', 'threadline_watch_rewrites') AND (e.evtenabled IN ('D', 'R') OR e.evtfoid <> 'threadline.watch()'::regprocedure)
    ORDER BY 3;

    IF (SELECT r.rolcanlogin FROM pg_roles AS r WHERE r.oid = tl_owner) THEN
        IF NOT EXISTS (SELECT FROM pg_event_trigger AS e WHERE e.evtname = 'threadline_watch') THEN
            -- With one role for everything, the audit is open to it, and that is known.
            RETURN;
        END IF;
        -- It was protected, and somebody opened it.
        RETURN NEXT ROW('audit-exposed', 'threadline', format('role %s, which owns the audit, can log in', tl_owner::regrole),
            format('ALTER ROLE %s NOLOGIN;', tl_owner::regrole))::threadline.finding;
    END IF;
    RETURN QUERY
    SELECT 'audit-exposed', g.object, format('role %s may %s', g.role, string_agg(DISTINCT g.privilege, ', ')),
           format('REVOKE ALL ON %s %s FROM %s;', g.kind, g.object, g.role)
    FROM (
        SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind, c.oid::regclass::text AS object, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS role,
               a.grantee, a.privilege_type AS privilege
        FROM pg_class AS c
        CROSS JOIN LATERAL (
            SELECT * FROM aclexplode(c.relacl)
            UNION ALL
            SELECT x.* FROM pg_attribute AS f CROSS JOIN LATERAL aclexplode(f.attacl) AS x WHERE f.attrelid = c.oid
        ) AS a
        WHERE c.relnamespace = 'threadline'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'S')
          AND (a.privilege_type NOT IN ('SELECT', 'USAGE') OR (c.relkind = 'S' AND a.privilege_type = 'USAGE') OR c.relname = 'hash_keys')
        UNION ALL
        SELECT 'SCHEMA', 'threadline', CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END, a.grantee, a.privilege_type
        FROM pg_namespace AS n
        CROSS JOIN LATERAL aclexplode(n.nspacl) AS a
        WHERE n.nspname = 'threadline' AND a.privilege_type = 'CREATE'
        UNION ALL
        SELECT 'FUNCTION', p.oid::regprocedure::text, 'PUBLIC', 0, 'EXECUTE'
        FROM pg_proc AS p
        WHERE p.oid IN ('threadline.suspend(text, text, text, boolean)'::regprocedure, 'threadline.resume(text, text)'::regprocedure)
          AND EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a WHERE a.grantee = 0)
    ) AS g
    WHERE g.grantee <> tl_owner
    GROUP BY g.kind, g.object, g.role
    ORDER BY 2, 3;
    RETURN QUERY
    SELECT 'audit-exposed', 'threadline',
           format(CASE WHEN w.role = w.becomes THEN 'role %1$s %3$s' ELSE 'role %1$s can become %2$s, which %3$s' END, w.role::regrole, w.becomes::regrole, w.reason),
           CASE WHEN EXISTS (SELECT FROM pg_auth_members AS m WHERE m.member = w.role AND m.roleid = w.becomes) THEN format('REVOKE %s FROM %s;', w.becomes::regrole, w.role::regrole) END
    FROM threadline.ways_to_undo(ARRAY(
        -- Who writes to audited tables, or decides how they are audited. A superuser who owns
        -- tables is not the application; one that was made from the application is.
        SELECT c.relowner
        FROM pg_trigger AS g
        JOIN pg_proc AS p ON p.oid = g.tgfoid AND p.pronamespace = 'threadline'::regnamespace AND g.tgname = '!threadline_' || p.proname
        JOIN pg_class AS c ON c.oid = g.tgrelid
        JOIN pg_roles AS r ON r.oid = c.relowner AND NOT r.rolsuper
        UNION
        SELECT a.grantee
        FROM pg_proc AS p
        CROSS JOIN LATERAL aclexplode(p.proacl) AS a
        WHERE p.oid = to_regproc('threadline.write_policy') AND a.grantee NOT IN (0, tl_owner)), tl_owner) AS w
    ORDER BY 3;
END
$$;
COMMENT ON FUNCTION threadline.audit_drift() IS
    'What is not as it should be with the audit itself: unknown or altered objects in its schema, and who can write to it';

-- What is not as it should be with the capture of the audited tables, or of one
-- of them.
CREATE OR REPLACE FUNCTION threadline.table_drift(target regclass DEFAULT NULL) RETURNS SETOF threadline.finding
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
SET jit = off
AS $$
DECLARE
    tl_audited record;
    tl_columns threadline.finding[];
BEGIN
    FOR tl_audited IN
        SELECT t.id, t.schema_name, t.table_name, t.audited_since, at.relation,
               EXISTS (
                   SELECT FROM pg_trigger AS g
                   WHERE g.tgrelid = at.relation
                     AND g.tgfoid = to_regproc('threadline.capture_' || t.id)
               ) OR t.relation = at.relation AS known
        FROM threadline.audited_tables AS t
        CROSS JOIN LATERAL (SELECT threadline.whereabouts(t.id) AS relation) AS at
        WHERE t.unaudited_at IS NULL AND (target IS NULL OR at.relation = target)
        ORDER BY t.schema_name COLLATE "C", t.table_name COLLATE "C", t.id
    LOOP
        IF tl_audited.relation IS NULL THEN
            RETURN NEXT ROW('table-dropped', format('%I.%I', tl_audited.schema_name, tl_audited.table_name),
                'it is gone; what was recorded of it can still be read',
                format('UPDATE threadline.audited_tables SET unaudited_at = now() WHERE id = %s;', tl_audited.id))::threadline.finding;
        ELSIF NOT tl_audited.known THEN
            RETURN NEXT ROW('table-recreated', tl_audited.relation::text,
                'it was created anew, or restored without triggers, and nothing of it is recorded',
                threadline.audit_call(tl_audited.id, tl_audited.relation))::threadline.finding;
        ELSE
            RETURN QUERY SELECT * FROM threadline.trigger_drift(tl_audited.id, tl_audited.relation);
            tl_columns := ARRAY(SELECT d FROM threadline.column_drift(tl_audited.id, tl_audited.relation) AS d);
            RETURN QUERY SELECT * FROM unnest(tl_columns);
            IF NOT EXISTS (SELECT FROM unnest(tl_columns) AS c WHERE c.code <> 'table-restored') THEN
                RETURN QUERY SELECT * FROM threadline.function_drift(tl_audited.id, tl_audited.relation);
            END IF;
        END IF;
    END LOOP;
    RETURN QUERY SELECT * FROM threadline.stray_triggers(target);
    IF target IS NULL THEN
        RETURN QUERY SELECT * FROM threadline.posting_drift();
        RETURN QUERY SELECT * FROM threadline.audit_drift();
    END IF;
END
$$;
COMMENT ON FUNCTION threadline.table_drift(regclass) IS
    'What is not as it should be with the capture of audited tables, and the commands that mend it';

-- Makes the capture functions of all audited tables anew from the code that is installed.
-- Takes no lock on the tables: their writers go on, each write with the old function or
-- with the new one. What a table was audited with stays, also where its columns changed
-- since; threadline.refresh() is for that.
CREATE OR REPLACE FUNCTION threadline.rebuild_captures() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
AS $$
DECLARE
    tl_audited record;
BEGIN
    FOR tl_audited IN
        SELECT t.id, t.relation, at.relation AS target
        FROM threadline.audited_tables AS t
        CROSS JOIN LATERAL (SELECT threadline.whereabouts(t.id) AS relation) AS at
        WHERE at.relation IS NOT NULL AND to_regproc('threadline.capture_' || t.id) IS NOT NULL
        ORDER BY t.id
    LOOP
        PERFORM threadline.build_function(tl_audited.id, tl_audited.target);
        IF tl_audited.relation <> tl_audited.target THEN
            -- Of a restored table, the function names the OID that the table had.
            EXECUTE regexp_replace(
                pg_get_functiondef(to_regproc('threadline.capture_' || tl_audited.id)),
                '\m' || tl_audited.target::oid || '\M', tl_audited.relation::text, 'g');
        END IF;
        UPDATE threadline.audited_tables SET capture_version = threadline.capture_version() WHERE id = tl_audited.id;
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION threadline.rebuild_captures() FROM PUBLIC;

-- The columns that have other names now than those their table's capture
-- function was built for, and when the first image under the new names was
-- captured; NULL if there is none yet. Without a name now: a column that is
-- gone, and whose name a renamed one has taken over.
--
-- A rename leaves its transaction's id on the column. Who wrote to the table
-- before it has an older id. What the same transaction wrote came after it,
-- unless it shows a name that no column has any more.
CREATE OR REPLACE FUNCTION threadline.unnoted_renames(
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
CREATE OR REPLACE FUNCTION threadline.check_auditable(target regclass) RETURNS void
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

-- threadline.current_transaction() for an action, which is not posted and so not compared
-- with its database transaction later: an AuditTransaction that a session named is its own
-- only if the entry is one of this database transaction.
CREATE OR REPLACE FUNCTION threadline.own_transaction() RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_transaction bigint := threadline.current_transaction();
BEGIN
    -- What is not committed is not posted either.
    IF NOT EXISTS (SELECT FROM threadline.journal AS j WHERE j.id = tl_transaction AND j.xact_id = pg_current_xact_id()) THEN
        PERFORM set_config('threadline.transaction', '', true);
        tl_transaction := threadline.current_transaction();
    END IF;
    RETURN tl_transaction;
END
$$;

-- Records what was done to the audit itself, as an action of the running transaction.
-- Who acts is the context's actor, if nobody else is named. For functions that run as
-- the owner of the audit.
CREATE OR REPLACE FUNCTION threadline.own_action(
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
    tl_transaction bigint := threadline.own_transaction();
    tl_action threadline.audit_actions;
BEGIN
    INSERT INTO threadline.audit_actions (
        transaction_id, name, category, verb, actor_type, actor_id, reason, request_id, correlation_id, job_id, meta)
    SELECT tl_transaction, own_action.name, split_part(own_action.name, '.', 1), split_part(own_action.name, '.', 2),
           coalesce(own_action.actor_type, c.actor_type, 'anonymous'),
           CASE WHEN own_action.actor_type IS NULL THEN c.actor_id ELSE own_action.actor_id END,
           own_action.reason, c.request_id, c.correlation_id, c.job_id,
           jsonb_build_object('session_user', session_user) || jsonb_strip_nulls(own_action.meta)
    FROM threadline.read_context(coalesce(current_setting('threadline.context', true), ''), now()) AS c
    RETURNING * INTO STRICT tl_action;
    RETURN tl_action;
END
$$;

-- Records for threadline.watch() that a command took a trigger of the audit away.
CREATE OR REPLACE FUNCTION threadline.note_tampering(table_id integer, relation text, command text, what text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_meta jsonb := jsonb_build_object('table', relation, 'table_id', table_id, 'command', command, 'what', what);
BEGIN
    PERFORM threadline.own_action('audit.triggers_changed', tl_meta);
EXCEPTION
    -- A context that stands in the way, whatever it is, does not keep it from being noted.
    WHEN data_exception OR program_limit_exceeded OR integrity_constraint_violation OR internal_error OR raise_exception THEN
        INSERT INTO threadline.audit_actions (name, category, verb, actor_type, meta)
        VALUES ('audit.triggers_changed', 'audit', 'triggers_changed', 'anonymous',
            jsonb_build_object('session_user', session_user) || tl_meta);
END
$$;
REVOKE ALL ON FUNCTION threadline.note_tampering(integer, text, text, text) FROM PUBLIC;

-- Records the action audit.triggers_changed when a command leaves an audited table without
-- a trigger of the audit, detaches a partition of it or drops one: so what was written
-- meanwhile, and put right before anybody looked, leaves a trace. Called by the event
-- triggers that `audit protect` makes. ALTER TABLE … TYPE … USING changes values past every
-- trigger, and leaves the action audit.table_rewritten: migrations do that, too. It looks at what is there after the command, so
-- that audit(), refresh() and unaudit() leave nothing, and no setting decides anything.
CREATE OR REPLACE FUNCTION threadline.watch() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
SET jit = off
SET quote_all_identifiers = off
SET standard_conforming_strings = on
AS $$
DECLARE
    tl_change record;
BEGIN
    IF TG_EVENT = 'table_rewrite' THEN
        -- 4: a column got another type.
        IF pg_event_trigger_table_rewrite_reason() & 4 <> 0 THEN
            PERFORM threadline.own_action('audit.table_rewritten', jsonb_build_object(
                'table', pg_event_trigger_table_rewrite_oid()::regclass, 'table_id', t.id, 'command', TG_TAG))
            FROM threadline.audited_tables AS t
            WHERE t.unaudited_at IS NULL
              AND threadline.whereabouts(t.id) IN (
                  pg_event_trigger_table_rewrite_oid(), pg_partition_root(pg_event_trigger_table_rewrite_oid()));
        END IF;
        RETURN;
    END IF;
    IF TG_EVENT = 'sql_drop' THEN
        IF NOT EXISTS (SELECT FROM pg_event_trigger_dropped_objects() AS d WHERE NOT d.is_temporary AND d.object_type = 'trigger') THEN
            RETURN;
        END IF;
        FOR tl_change IN
            WITH dropped AS MATERIALIZED (
                SELECT * FROM pg_event_trigger_dropped_objects() AS d WHERE NOT d.is_temporary AND d.object_type IN ('trigger', 'table')
            )
            SELECT DISTINCT ON (t.id) t.id AS table_id, gone.schema_name, gone.table_name,
                   CASE WHEN gone.relation IS NULL THEN format('trigger %I was dropped', gone.trigger_name) ELSE 'the table was dropped' END AS what
            FROM (
                SELECT DISTINCT ON (substring(d.address_names[3] FROM '[0-9]+$'), d.address_names[1], d.address_names[2])
                       substring(d.address_names[3] FROM '[0-9]+$')::integer AS id, d.address_names[1] AS schema_name,
                       d.address_names[2] AS table_name, d.address_names[3] AS trigger_name, c.objid AS relation
                FROM dropped AS d
                LEFT JOIN dropped AS c ON c.object_type = 'table' AND c.objsubid = 0 AND (c.schema_name, c.object_name) = (d.address_names[1], d.address_names[2])
                WHERE d.object_type = 'trigger' AND d.address_names[3] ~ '^!threadline_(capture|truncate)_[0-9]{1,9}$'
            ) AS gone
            JOIN threadline.audited_tables AS t ON t.id = gone.id AND t.unaudited_at IS NULL
            CROSS JOIN LATERAL (SELECT threadline.whereabouts(t.id) AS relation) AS at
            WHERE CASE
                -- Not that of a copy of the table.
                WHEN gone.relation IS NOT NULL THEN
                    gone.relation = t.relation OR (gone.schema_name, gone.table_name) = (t.schema_name, t.table_name)
                    OR gone.relation IN (SELECT w.part FROM threadline.watched_partitions AS w WHERE w.table_id = t.id)
                ELSE EXISTS (
                    SELECT
                    FROM threadline.expected_triggers(t.id, at.relation) AS e
                    JOIN pg_class AS c ON c.oid = e.relation
                    JOIN pg_namespace AS n ON n.oid = c.relnamespace
                    WHERE (n.nspname, c.relname, e.name) = (gone.schema_name, gone.table_name, gone.trigger_name)
                      AND NOT EXISTS (SELECT FROM pg_trigger AS g WHERE g.tgrelid = e.relation AND g.tgname = e.name)) END
            ORDER BY t.id, gone.relation = t.relation DESC, gone.schema_name, gone.table_name
        LOOP
            PERFORM threadline.note_tampering(tl_change.table_id, format('%I.%I', tl_change.schema_name, tl_change.table_name), TG_TAG, tl_change.what);
        END LOOP;
        RETURN;
    END IF;

    IF NOT EXISTS (
        SELECT
        FROM pg_event_trigger_ddl_commands() AS c
        LEFT JOIN pg_class AS r ON c.classid = 'pg_class'::regclass AND r.oid = c.objid
        WHERE c.schema_name IS DISTINCT FROM 'pg_temp' AND (c.command_tag <> 'CREATE TABLE' OR r.relispartition)
    ) THEN
        RETURN;
    END IF;
    FOR tl_change IN
        WITH touched AS MATERIALIZED (
            SELECT DISTINCT c.command_tag, coalesce(g.tgrelid, c.objid) AS relation, g.oid AS trigger
            FROM pg_event_trigger_ddl_commands() AS c
            LEFT JOIN pg_trigger AS g ON c.classid = 'pg_trigger'::regclass AND g.oid = c.objid
            WHERE c.classid = 'pg_class'::regclass OR g.oid IS NOT NULL
        ), candidate AS MATERIALIZED (
            SELECT touched.*, t.id, root.oid AS root
            FROM touched
            CROSS JOIN LATERAL (SELECT coalesce(pg_partition_root(touched.relation)::oid, touched.relation) AS oid) AS root
            CROSS JOIN LATERAL (
                SELECT ARRAY(
                    SELECT substring(p.proname FROM '^capture_([0-9]{1,9})$')::integer
                    FROM pg_trigger AS g
                    JOIN pg_proc AS p ON p.oid = g.tgfoid AND p.pronamespace = 'threadline'::regnamespace
                    WHERE g.tgrelid IN (touched.relation, root.oid)) AS ids
            ) AS called
            JOIN threadline.audited_tables AS t ON t.unaudited_at IS NULL AND (t.relation = root.oid OR t.id = ANY (called.ids))
        ), audited AS MATERIALIZED (
            -- Not that of a copy of the table.
            SELECT c.* FROM candidate AS c WHERE threadline.whereabouts(c.id) = c.root
        ), gone AS (
            DELETE FROM threadline.watched_partitions AS w
            USING (SELECT DISTINCT a.id, a.root FROM audited AS a) AS a
            WHERE w.table_id = a.id AND w.part NOT IN (SELECT p.relid FROM pg_partition_tree(a.root) AS p)
            RETURNING w.part, w.table_id
        ), come AS (
            INSERT INTO threadline.watched_partitions (part, table_id)
            SELECT p.relid, a.id
            FROM (SELECT DISTINCT a.id, a.root FROM audited AS a) AS a
            CROSS JOIN pg_partition_tree(a.root) AS p
            WHERE p.relid <> a.root
            ON CONFLICT (part) DO UPDATE SET table_id = excluded.table_id
            WHERE watched_partitions.table_id <> excluded.table_id
        )
        SELECT found.table_id, found.relation, string_agg(found.what, ', ' ORDER BY found.what) AS what
        FROM (
            SELECT g.table_id, g.part::regclass::text AS relation, 'the partition was detached' AS what
            FROM gone AS g
            -- What was dropped is noted as that.
            WHERE EXISTS (SELECT FROM pg_class AS c WHERE c.oid = g.part)
            UNION ALL
            SELECT a.id, e.relation::text,
                   format(CASE WHEN a.command_tag = 'CREATE TRIGGER' THEN 'trigger %I was replaced by another one'
                               WHEN g.oid IS NULL THEN 'trigger %I is not there under its name'
                               WHEN g.tgenabled = 'R' THEN 'trigger %I was made to fire for replicated changes only'
                               ELSE 'trigger %I was disabled' END, e.name)
            FROM audited AS a
            JOIN threadline.audited_tables AS t ON t.id = a.id
            CROSS JOIN LATERAL threadline.expected_triggers(a.id, a.root) AS e
            LEFT JOIN pg_trigger AS g ON g.tgrelid = e.relation AND g.tgname = e.name
            WHERE e.relation = a.relation AND CASE
                WHEN a.command_tag = 'CREATE TRIGGER' THEN
                    -- Until the condition is noted, it is not known as PostgreSQL shows it.
                    g.oid = a.trigger AND pg_get_triggerdef(g.oid) <> e.definition AND NOT (t.policy ? 'condition' AND t.deparsed_condition IS NULL)
                WHEN a.command_tag = 'CREATE TABLE' THEN false
                -- Partitions that come later have none for TRUNCATE.
                ELSE g.tgenabled IN ('D', 'R') OR (g.oid IS NULL AND (a.relation = a.root OR e.inherited)) END
        ) AS found
        GROUP BY found.table_id, found.relation
    LOOP
        PERFORM threadline.note_tampering(tl_change.table_id, tl_change.relation, TG_TAG, tl_change.what);
    END LOOP;
EXCEPTION
    -- Nobody's command fails because of this.
    WHEN insufficient_privilege OR undefined_table OR undefined_function OR undefined_column OR undefined_object OR invalid_schema_name
      OR data_exception OR integrity_constraint_violation OR program_limit_exceeded OR internal_error OR raise_exception THEN
        RAISE WARNING 'threadline: what the command % did to audited tables could not be looked at: %', TG_TAG, SQLERRM;
END
$$;
REVOKE ALL ON FUNCTION threadline.watch() FROM PUBLIC;

-- One policy change at a time, until the end of the transaction; readers and
-- writers are not held up.
CREATE OR REPLACE FUNCTION threadline.lock_policies() RETURNS void
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
CREATE OR REPLACE FUNCTION threadline.hand_over(target regclass) RETURNS void
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
CREATE OR REPLACE FUNCTION threadline.take_back(target regclass, privileges text) RETURNS void
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
CREATE OR REPLACE FUNCTION threadline.require_handed_over(target regclass) RETURNS void
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

-- Notes the condition of a table's row trigger in the words in which PostgreSQL shows
-- it, for verify to compare. Fails if what was given as one is more than an expression,
-- and made another trigger than the one that records. It takes a trigger that somebody
-- made by hand for what threadline.audit() made, and so records what it noted.
CREATE OR REPLACE FUNCTION threadline.note_condition(target regclass) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
SET standard_conforming_strings = on
AS $$
DECLARE
    tl_id integer := threadline.known_table_of(target);
    tl_condition text := (
        SELECT substring(pg_get_triggerdef(g.oid) FROM ' FOR EACH ROW WHEN [(](.*)[)] EXECUTE FUNCTION ')
        FROM pg_trigger AS g
        -- Its arguments could say anything.
        WHERE g.tgrelid = target AND g.tgname = '!threadline_capture_' || tl_id AND g.tgnargs = 0);
    tl_former text;
BEGIN
    PERFORM threadline.require_handed_over(target);
    IF tl_condition IS NULL THEN
        RAISE EXCEPTION 'threadline: the condition under which table % is recorded is not one expression', target;
    END IF;
    SELECT t.deparsed_condition INTO tl_former FROM threadline.audited_tables AS t WHERE t.id = tl_id AND t.policy ? 'condition';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'threadline: table % is recorded without a condition; give it one with SELECT threadline.audit(''%'', condition => ...)', target, target;
    ELSIF tl_former IS DISTINCT FROM tl_condition THEN
        UPDATE threadline.audited_tables SET deparsed_condition = tl_condition WHERE id = tl_id;
        PERFORM threadline.own_action('audit.condition_changed',
            jsonb_build_object('table', target, 'table_id', tl_id, 'condition', tl_condition, 'former_condition', tl_former));
    END IF;
END
$$;
REVOKE ALL ON FUNCTION threadline.note_condition(regclass) FROM PUBLIC;

-- Notes columns of a policy that the table does not have now, so that one of their names
-- is redacted from the moment it comes back.
CREATE OR REPLACE FUNCTION threadline.note_absent(target regclass, mask text[], exclude text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_id integer := threadline.known_table_of(target);
BEGIN
    PERFORM threadline.require_handed_over(target);
    UPDATE threadline.audited_tables AS t
    SET columns = t.columns || coalesce((
        SELECT jsonb_agg(jsonb_build_object(
            -- No table has so many columns.
            'number', 20000 + absent.ordinal, 'name', absent.name, 'type', 'text',
            'column_policy', CASE WHEN absent.name = ANY (exclude) THEN 'exclude' ELSE 'mask' END))
        FROM unnest(mask || exclude) WITH ORDINALITY AS absent (name, ordinal)
        WHERE NOT EXISTS (SELECT FROM jsonb_to_recordset(t.columns) AS c (name text) WHERE c.name = absent.name)), '[]')
    WHERE t.id = tl_id;
    PERFORM threadline.build_function(tl_id, target);
END
$$;
REVOKE ALL ON FUNCTION threadline.note_absent(regclass, text[], text[]) FROM PUBLIC;

-- Whether there is a key for each column of a table that is recorded as a hash; a
-- restore may have left them out.
CREATE OR REPLACE FUNCTION threadline.hash_keys_match(audited_table integer) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT NOT EXISTS (
        SELECT
        FROM threadline.audited_tables AS t
        CROSS JOIN jsonb_to_recordset(t.columns) AS c (column_policy text, hash_key integer)
        WHERE t.id = audited_table AND c.column_policy = 'hash' AND c.hash_key NOT IN (SELECT k.id FROM threadline.hash_keys AS k));
END;

-- The id under which a table is audited, if everything about it is as a policy asks for;
-- else NULL.
CREATE OR REPLACE FUNCTION threadline.as_decided(target regclass, policy jsonb) RETURNS integer
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT t.id
    FROM threadline.audited_tables AS t
    JOIN pg_class AS c ON c.oid = target
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE t.id = threadline.audited_table_of(target) AND t.policy = as_decided.policy
      AND (t.schema_name, t.table_name) = (n.nspname, c.relname)
      AND threadline.hash_keys_match(t.id)
      AND NOT EXISTS (SELECT FROM threadline.trigger_drift(t.id, target))
      AND NOT EXISTS (SELECT FROM threadline.column_drift(t.id, target))
      AND NOT EXISTS (SELECT FROM threadline.function_drift(t.id, target));
END;

-- What threadline.audit() does as the owner of the audit: notes the policy of a
-- table and builds its capture functions.
CREATE OR REPLACE FUNCTION threadline.write_policy(
    target        regclass,
    mask          text[],
    exclude       text[],
    require_actor boolean,
    keyless       boolean,
    columns       text[],
    operations    text[],
    condition     text,
    plain         text[],
    hash         text[],
    ignore        text[]
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
    SELECT array_agg(c) INTO tl_wrong FROM unnest(mask || exclude || columns || plain || hash || ignore) AS c WHERE c <> ALL (tl_columns);
    IF tl_wrong IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: table % has no column %; its columns are: %',
            target, array_to_string(tl_wrong, ', '), array_to_string(tl_columns, ', ');
    END IF;
    SELECT array_agg(c) INTO tl_wrong FROM unnest(mask) AS c WHERE c = ANY (exclude);
    IF tl_wrong IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: column % of table % is both masked and excluded; choose one',
            array_to_string(tl_wrong, ', '), target;
    END IF;
    SELECT array_agg(c) INTO tl_wrong FROM unnest(hash) AS c WHERE c = ANY (mask || exclude);
    IF tl_wrong IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: column % of table % is recorded as a hash, and masked or excluded; choose one',
            array_to_string(tl_wrong, ', '), target;
    END IF;
    SELECT array_agg(c) INTO tl_wrong FROM unnest(ignore) AS c WHERE c = ANY (tl_keys || exclude);
    IF tl_wrong IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: column % of table % cannot be ignored: it belongs to the primary key, or is excluded',
            array_to_string(tl_wrong, ', '), target;
    END IF;
    SELECT array_agg(c.name) INTO tl_wrong
    FROM threadline.columns_of(target) AS c
    WHERE c.name = ANY (plain) AND threadline.policy_of_column(target, c.number, mask, exclude, hash) <> 'plain';
    IF tl_wrong IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: column % of table % is declared plain, and it is redacted, or made from a column that is; choose one',
            array_to_string(tl_wrong, ', '), target;
    END IF;
    SELECT array_agg(c.name) INTO tl_wrong
    FROM threadline.columns_of(target) AS c
    WHERE c.name = ANY (tl_keys) AND threadline.policy_of_column(target, c.number, mask, exclude, hash) <> 'plain';
    IF tl_wrong IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: column % belongs to the primary key of %; a key identifies the record and can be neither masked nor excluded nor recorded as a hash',
            array_to_string(tl_wrong, ', '), target;
    END IF;

    PERFORM threadline.set_sequence();
    tl_policy := threadline.policy(mask, exclude, require_actor, columns, operations, condition, plain, hash, ignore);
    IF cardinality(columns) > 0 THEN
        exclude := exclude || ARRAY(
            SELECT c FROM unnest(tl_columns) AS c WHERE c <> ALL (columns || tl_keys || mask || exclude || hash));
    END IF;

    tl_id := coalesce(threadline.known_table_of(target), (
        -- Somebody dropped the trigger by which a table is known, and not the other.
        SELECT min(substring(p.proname FROM '^capture_([0-9]{1,9})$')::integer)
        FROM pg_trigger AS g
        JOIN pg_proc AS p ON p.oid = g.tgfoid AND p.pronamespace = 'threadline'::regnamespace
        WHERE g.tgrelid = target AND g.tgparentid = 0 AND g.tgname = '!threadline_truncate_' || substring(p.proname FROM '^capture_([0-9]{1,9})$')
          AND threadline.captured_relation(substring(p.proname FROM '^capture_([0-9]{1,9})$')::integer, 0) = 0));
    tl_resumed := tl_id IS NULL OR EXISTS (SELECT FROM threadline.audited_tables AS t WHERE t.id = tl_id AND t.unaudited_at IS NOT NULL);
    IF tl_id IS NULL THEN
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

    IF tl_former.key_columns <> tl_keys THEN
        -- What waits in the journal has the key that it was captured with.
        PERFORM threadline.post_all();
    END IF;
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
        deparsed_condition = CASE WHEN t.policy ->> 'condition' = condition THEN t.deparsed_condition END,
        columns = (
            SELECT coalesce(jsonb_agg(
                jsonb_strip_nulls(jsonb_build_object(
                    'number', c.number, 'name', c.name, 'type', c.type::text, 'column_policy', now.column_policy,
                    -- What is made of others may be made of a redacted one later.
                    'made_by', CASE
                        WHEN now.column_policy = 'plain' AND cardinality(mask || exclude || hash) > 0
                        THEN threadline.generation_of(target, c.number) END,
                    -- What a redacted column held until now was not recorded.
                    'plain_since', CASE
                        WHEN now.column_policy <> 'plain' THEN NULL
                        WHEN former.column_policy <> 'plain' THEN clock_timestamp()
                        ELSE former.plain_since END,
                    -- Kept, so that a hash remains one whatever is decided meanwhile.
                    'hash_key', CASE
                        WHEN former.hash_key IN (SELECT id FROM threadline.hash_keys) THEN former.hash_key
                        WHEN now.column_policy = 'hash' THEN threadline.new_hash_key() END,
                    -- What is recorded under its name is of another column, or
                    -- written another way.
                    'retyped_at', CASE
                        WHEN tl_resumed THEN NULL
                        WHEN former.type = c.type::text
                             AND (former.column_policy = 'hash') = (now.column_policy = 'hash')
                             AND (now.column_policy <> 'hash' OR former.hash_key IN (SELECT id FROM threadline.hash_keys))
                        THEN former.retyped_at
                        ELSE clock_timestamp() END))
                ORDER BY c.number), '[]')
            FROM threadline.columns_of(target) AS c
            CROSS JOIN LATERAL threadline.policy_of_column(target, c.number, mask, exclude, hash) AS now (column_policy)
            LEFT JOIN jsonb_to_recordset(t.columns) AS former (
                number smallint, name text, type text, column_policy text, plain_since timestamptz, retyped_at timestamptz, hash_key integer)
                ON CASE WHEN t.relation = target THEN former.number = c.number ELSE former.name = c.name END),
        masked_columns = ARRAY(
            SELECT c.name
            FROM threadline.columns_of(target) AS c
            WHERE threadline.policy_of_column(target, c.number, mask, exclude, hash) IN ('mask', 'hash')
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

    PERFORM threadline.build_function(tl_id, target);
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
REVOKE ALL ON FUNCTION threadline.write_policy(regclass, text[], text[], boolean, boolean, text[], text[], text, text[], text[], text[]) FROM PUBLIC;

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
-- plain: columns that are no secret though their names look like it; see verify.
-- hash: columns stored as keyed hashes, so that equal values can be seen to be equal.
-- ignore: columns that are recorded with what else changes; a change of these alone
-- leaves no record. For counters and ranks.
-- keyless: the table may have no primary key. What happened to it is found by its
-- content then; no record of it has a history.
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
    ignore        text[]  DEFAULT '{}'
) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
SET jit = off
AS $audit$
DECLARE
    tl_id integer;
BEGIN
    PERFORM threadline.check_auditable(target);
    tl_id := threadline.as_decided(target, threadline.policy(
        mask, exclude, require_actor, columns, operations, condition, plain, hash, ignore));
    IF tl_id IS NOT NULL THEN
        -- Nobody is kept waiting for what is there already.
        RETURN tl_id;
    END IF;
    PERFORM threadline.check_condition(target, condition);
    PERFORM threadline.lock_policies();
    -- What writers did so far is to be seen here, and done by the old function;
    -- the triggers hold them off from now on anyway.
    EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', target);
    PERFORM threadline.hand_over(target);
    tl_id := threadline.write_policy(target, mask, exclude, require_actor, keyless, columns, operations, condition, plain, hash, ignore);
    -- Left over from the time when the table was a partition of another.
    PERFORM threadline.drop_triggers(target, but_of => tl_id);
    PERFORM threadline.install_triggers(tl_id, target, condition);
    IF condition IS NOT NULL THEN
        PERFORM threadline.note_condition(target);
    END IF;
    PERFORM threadline.take_back(target, 'proof');
    RETURN tl_id;
END
$audit$;

-- Puts a former policy of a table back, for the down.sql of a migration: as
-- threadline.audit(), but columns that the policy names may be gone, because a later
-- migration dropped them. If one that was redacted comes back, it is redacted.
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
    ignore        text[]  DEFAULT '{}'
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
            tl_id := threadline.audit(target,
                mask => ARRAY(SELECT c FROM unnest(mask) AS c WHERE c = ANY (tl_there)),
                exclude => ARRAY(SELECT c FROM unnest(exclude) AS c WHERE c = ANY (tl_there)),
                require_actor => require_actor,
                keyless => keyless,
                -- The key is recorded in any case, so that naming it chooses nothing more.
                columns => CASE WHEN cardinality(columns) > 0 THEN coalesce(
                    (SELECT array_agg(c) FROM unnest(columns) AS c WHERE c = ANY (tl_there)),
                    ARRAY(SELECT k.name FROM threadline.key_columns_of(target) AS k)) END,
                operations => operations,
                condition => condition,
                plain => ARRAY(SELECT c FROM unnest(plain) AS c WHERE c = ANY (tl_there)),
                hash => ARRAY(SELECT c FROM unnest(hash) AS c WHERE c = ANY (tl_there)),
                ignore => ARRAY(SELECT c FROM unnest(ignore) AS c WHERE c = ANY (tl_there)));
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

-- Builds a table's capture anew from its columns as they are now, under the
-- same policy. Call it in the migration that changes the columns. A redacted
-- column stays redacted through a rename, and so does one that is dropped and
-- added again, or that was generated from a redacted one.
CREATE OR REPLACE FUNCTION threadline.refresh(target regclass) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
SET jit = off
AS $$
DECLARE
    tl_table threadline.audited_tables;
    tl_mask text[];
    tl_exclude text[];
    tl_columns text[];
    tl_plain text[];
    tl_hash text[];
    tl_ignore text[];
BEGIN
    PERFORM threadline.set_sequence();
    SELECT * INTO tl_table FROM threadline.audited_tables WHERE id = threadline.audited_table_of(target);
    IF tl_table.id IS NULL AND threadline.audited_table_of(target) IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: what was decided for table % was not restored with it; say it again with SELECT threadline.audit(''%'', ...)',
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
        RAISE EXCEPTION 'threadline: the condition of table % was never installed; say it again with SELECT threadline.audit(''%'', condition => ...)',
            target, target;
    END IF;
    WITH decided AS (
        SELECT live.name,
               bool_or(tl_table.policy -> 'mask' ? c.name OR made.secret AND c.column_policy <> 'exclude') AS mask,
               bool_or(tl_table.policy -> 'exclude' ? c.name OR made.secret AND c.column_policy = 'exclude') AS exclude,
               bool_or(tl_table.policy -> 'hash' ? c.name) AS hash,
               bool_or(tl_table.policy -> 'ignore' ? c.name AND is_it) AS ignore,
               bool_or(tl_table.policy -> 'plain' ? c.name AND is_it) AS plain,
               bool_or(tl_table.policy -> 'columns' ? c.name AND is_it) AS chosen
        FROM jsonb_to_recordset(tl_table.columns) AS c (number smallint, name text, column_policy text)
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
           coalesce(array_agg(name) FILTER (WHERE ignore AND NOT coalesce(exclude, false)), '{}')
    INTO tl_mask, tl_exclude, tl_columns, tl_plain, tl_hash, tl_ignore
    FROM decided;
    RETURN threadline.audit(target, tl_mask, tl_exclude, (tl_table.policy -> 'require_actor')::boolean,
        keyless => tl_table.key_columns = '{}',
        columns => tl_columns,
        operations => (SELECT array_agg(o) FROM jsonb_array_elements_text(tl_table.policy -> 'operations') AS o),
        condition => tl_table.policy ->> 'condition',
        plain => tl_plain,
        hash => tl_hash,
        ignore => tl_ignore);
END
$$;

-- What threadline.unaudit() does as the owner of the audit.
CREATE OR REPLACE FUNCTION threadline.end_audit(target regclass) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_id integer := threadline.known_table_of(target);
BEGIN
    PERFORM threadline.require_handed_over(target);
    -- ENABLE TRIGGER ALL, after a load of data, switches the triggers on again.
    EXECUTE format('CREATE OR REPLACE FUNCTION threadline.capture_%s() RETURNS trigger LANGUAGE plpgsql AS %L',
        tl_id, 'BEGIN RETURN NULL; END');
    UPDATE threadline.audited_tables SET unaudited_at = now() WHERE id = tl_id;
    PERFORM threadline.own_action('audit.stopped', jsonb_build_object('table', target, 'table_id', tl_id));
END
$$;
REVOKE ALL ON FUNCTION threadline.end_audit(regclass) FROM PUBLIC;

-- Stops auditing a table. What was recorded stays and can be read as before. The triggers
-- are switched off and not dropped: that would keep readers waiting, and by them the
-- table is known again when it is audited again, also under another name.
CREATE OR REPLACE FUNCTION threadline.unaudit(target regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_trigger record;
    tl_id integer;
BEGIN
    IF (SELECT relispartition FROM pg_class WHERE oid = target) AND threadline.audited_table_of(target) IS NULL THEN
        RAISE EXCEPTION 'threadline: % is a partition and audited through its parent; stop that with SELECT threadline.unaudit(''%'')',
            target, pg_partition_root(target);
    END IF;
    PERFORM threadline.lock_policies();
    tl_id := threadline.audited_table_of(target);
    IF tl_id IS NULL THEN
        RETURN;
    END IF;
    -- First, so that threadline.watch() knows.
    PERFORM threadline.hand_over(target);
    PERFORM threadline.end_audit(target);
    FOR tl_trigger IN
        SELECT g.tgrelid::regclass AS relation, g.tgname AS name
        FROM pg_trigger AS g
        WHERE g.tgfoid = to_regproc('threadline.capture_' || tl_id) AND g.tgparentid = 0
          AND (g.tgrelid = target OR g.tgrelid IN (SELECT p.relid FROM pg_partition_tree(target) AS p))
    LOOP
        EXECUTE format('ALTER TABLE %s DISABLE TRIGGER %I', tl_trigger.relation, tl_trigger.name);
    END LOOP;
    PERFORM threadline.take_back(target, 'all');
END
$$;

-- Records a semantic event. With `linked` it belongs to the AuditTransaction of
-- the running database transaction, which it opens if no change has yet; without
-- it stands alone. Runs as the owner, so that an application needs no right on
-- the tables: GRANT USAGE ON SCHEMA threadline is enough.
CREATE OR REPLACE FUNCTION threadline.record_action(
    name           text,
    actor_type     text,
    actor_id       text    DEFAULT NULL,
    category       text    DEFAULT NULL,
    verb           text    DEFAULT NULL,
    status         text    DEFAULT 'ok',
    reason         text    DEFAULT NULL,
    comment        text    DEFAULT NULL,
    request_id     text    DEFAULT NULL,
    correlation_id text    DEFAULT NULL,
    job_id         text    DEFAULT NULL,
    meta           jsonb   DEFAULT NULL,
    linked         boolean DEFAULT true
) RETURNS SETOF threadline.audit_actions
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    tl_recorder text := CASE record_action.name
        WHEN 'audit.suspended' THEN 'suspend'
        WHEN 'audit.resumed' THEN 'resume'
        WHEN 'audit.stopped' THEN 'unaudit'
        WHEN 'audit.restarted' THEN 'audit'
        WHEN 'audit.policy_changed' THEN 'audit'
        WHEN 'audit.condition_changed' THEN 'audit'
        WHEN 'audit.triggers_changed' THEN 'watch'
        WHEN 'audit.table_rewritten' THEN 'watch' END;
BEGIN
    IF record_action.name IS NULL OR record_action.name = '' THEN
        RAISE EXCEPTION 'threadline: an action needs a name, such as ''member.role_changed''';
    ELSIF tl_recorder IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: the action ''%'' is recorded by threadline.%() alone', record_action.name, tl_recorder;
    ELSIF record_action.actor_type IS NULL
       OR (record_action.actor_type <> 'anonymous' AND coalesce(record_action.actor_id, '') = '') THEN
        RAISE EXCEPTION 'threadline: an action needs an actor with a type and an id; use the type ''anonymous'' for somebody unknown';
    END IF;
    RETURN QUERY
    INSERT INTO threadline.audit_actions (
        transaction_id, name, category, verb, actor_type, actor_id, status, reason, comment,
        request_id, correlation_id, job_id, meta)
    VALUES (
        CASE WHEN linked THEN threadline.own_transaction() END,
        record_action.name,
        coalesce(record_action.category, substring(record_action.name FROM '^(.*)\.[^.]*$')),
        coalesce(record_action.verb, substring(record_action.name FROM '[^.]*$')),
        record_action.actor_type, record_action.actor_id,
        coalesce(record_action.status, 'ok'), record_action.reason, record_action.comment,
        record_action.request_id, record_action.correlation_id, record_action.job_id, record_action.meta)
    RETURNING *;
END
$$;

CREATE VIEW threadline.actions AS
SELECT a.id,
       a.occurred_at,
       a.name,
       a.category,
       a.verb,
       a.actor_type,
       a.actor_id,
       a.status,
       a.reason,
       a.comment,
       a.request_id,
       a.correlation_id,
       a.job_id,
       a.meta,
       a.transaction_id
FROM threadline.audit_actions AS a;
COMMENT ON VIEW threadline.actions IS
    'Every recorded action, for reading in psql';

-- The first AuditTransaction that can have changes captured at an instant or
-- later. One is in use for an hour at most, or says for how long; the rest is
-- allowance for a clock that was set back.
CREATE OR REPLACE FUNCTION threadline.first_transaction_since(instant timestamptz) RETURNS bigint
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(
        least(
            (SELECT id FROM threadline.audit_transactions
             WHERE opened_at >= instant - interval '2 hours' ORDER BY opened_at LIMIT 1),
            (SELECT min(id) FROM (
                SELECT id FROM threadline.audit_transactions WHERE extended_until >= instant OFFSET 0
            ) AS extended)),
        9223372036854775807);
END;

-- The last AuditTransaction that can have changes captured at an instant or
-- earlier, with allowance for a clock that was set back.
CREATE OR REPLACE FUNCTION threadline.last_transaction_by(instant timestamptz) RETURNS bigint
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(
        (SELECT id FROM threadline.audit_transactions
         WHERE opened_at <= instant + interval '1 hour' ORDER BY opened_at DESC LIMIT 1), 0);
END;

-- Whether no change captured up to an instant can still come to be seen: what
-- was the state then is asked of committed changes, and a transaction that
-- wrote before the instant may commit after the question.
--
-- Who wrote audited rows and is still open, holds a lock on their table; who
-- ended before the look at the locks, is seen by the snapshots after it. So ask
-- first and read then. Of those open, the ones that began after the instant do
-- not count, as transaction ids of later AuditTransactions prove: ids are given
-- in the order in which transactions first write.
CREATE OR REPLACE FUNCTION threadline.settled(instant timestamptz) RETURNS boolean
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
          AND writes.relation = 'threadline.journal'::regclass
          -- Whoever posts writes nothing else.
          AND NOT EXISTS (
              SELECT
              FROM pg_locks AS posts
              WHERE posts.locktype = 'relation' AND posts.mode = 'RowExclusiveLock'
                AND posts.relation = 'threadline.posting'::regclass
                AND posts.virtualtransaction = writes.virtualtransaction)
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
-- contexts it wrote: what it wrote earlier, nobody else could see. Asked for many
-- transactions in one question, so that it reads the journal as it is and not in its
-- final form.
CREATE OR REPLACE FUNCTION threadline.last_captured(audit_transaction bigint) RETURNS timestamptz
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_xact_id xid8;
    tl_occurred_at timestamptz;
    tl_posted timestamptz;
    tl_waiting timestamptz;
BEGIN
    SELECT x.xact_id, x.occurred_at INTO tl_xact_id, tl_occurred_at
    FROM threadline.ledger_transactions AS x
    WHERE x.id = audit_transaction;
    IF tl_xact_id IS NULL THEN
        SELECT j.xact_id, j.occurred_at INTO tl_xact_id, tl_occurred_at
        FROM threadline.journal AS j
        WHERE j.id = audit_transaction
        LIMIT 1;
    END IF;
    SELECT max(last.captured_at) INTO tl_posted
    FROM threadline.ledger_transactions AS part
    CROSS JOIN LATERAL (
        SELECT c.captured_at
        FROM threadline.ledger_changes AS c
        WHERE c.transaction_id = part.id
        ORDER BY c.id DESC
        LIMIT 1
    ) AS last
    WHERE part.xact_id = tl_xact_id AND part.occurred_at = tl_occurred_at;
    SELECT max(j.captured_at) INTO tl_waiting
    FROM threadline.journal AS j
    WHERE j.xact_id = tl_xact_id AND j.occurred_at = tl_occurred_at AND j.op <> 'C';
    RETURN greatest(tl_posted, tl_waiting);
END
$$;

-- What images of a table are to be read by: the columns that got other names,
-- those that threadline.audit() saw and those of which it has not been told.
-- [{"at": ..., "names": {"former": "now"}}], oldest first, NULL if there are
-- none. What was renamed at once is exchanged at once.
CREATE OR REPLACE FUNCTION threadline.renames_of(audited_table integer) RETURNS jsonb
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
CREATE OR REPLACE FUNCTION threadline.renamed_image(renames jsonb, image jsonb, captured_at timestamptz) RETURNS jsonb
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
CREATE OR REPLACE FUNCTION threadline.current_names(audited_table integer, image jsonb, captured_at timestamptz) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
RETURN threadline.renamed_image(threadline.renames_of(audited_table), image, captured_at);

-- The columns of a table as they are called now, and how each is treated: plain,
-- mask or exclude. Fails closed like capture_changed_table(): on a table with
-- redaction a column is plain only if it can be traced to one that the policy
-- left plain, by number while the table is the one it was, by name after a
-- restore. A hash is a mask to who reads: it tells no value.
CREATE OR REPLACE FUNCTION threadline.column_policy(
    audited_table integer, target regclass,
    OUT name text, OUT type regtype, OUT column_policy text, OUT plain_since timestamptz
) RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH known AS (
        SELECT k.number, k.name, k.column_policy, k.plain_since, t.relation
        FROM threadline.audited_tables AS t
        CROSS JOIN jsonb_to_recordset(t.columns) AS k (number smallint, name text, column_policy text, plain_since timestamptz)
        WHERE t.id = audited_table
    )
    SELECT live.name, live.type,
           CASE WHEN NOT EXISTS (SELECT FROM known AS k WHERE k.column_policy <> 'plain') THEN 'plain'
                WHEN 'exclude' IN (itself.column_policy, namesake.column_policy) THEN 'exclude'
                WHEN itself.column_policy IN ('mask', 'hash') OR namesake.column_policy IN ('mask', 'hash') THEN 'mask'
                WHEN itself.column_policy = 'plain' THEN 'plain'
                ELSE 'exclude' END,
           itself.plain_since
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
CREATE OR REPLACE FUNCTION threadline.redaction(
    audited_table integer, target regclass, instant timestamptz,
    OUT columns text[], OUT hidden text[], OUT masks jsonb, OUT filled jsonb, OUT unreadable text[]
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    SELECT coalesce(array_agg(c.name ORDER BY c.name) FILTER (WHERE c.column_policy <> 'plain'), '{}'),
           coalesce(array_agg(c.name) FILTER (WHERE c.column_policy = 'exclude'), '{}'),
           coalesce(jsonb_object_agg(c.name, threadline.placeholder(c.type)) FILTER (WHERE c.column_policy = 'mask'), '{}'),
           coalesce(jsonb_object_agg(c.name, '***'::text) FILTER (WHERE c.column_policy = 'exclude' AND p.typcategory = 'S'), '{}'),
           coalesce(array_agg(c.name) FILTER (WHERE c.column_policy <> 'plain' AND p.typcategory <> 'S'), '{}')
    INTO columns, hidden, masks, filled, unreadable
    FROM (
        SELECT policy.name, policy.type,
               -- What it was before it became plain, the audit does not have.
               CASE WHEN policy.plain_since > instant THEN 'exclude' ELSE policy.column_policy END AS column_policy
        FROM threadline.column_policy(audited_table, target) AS policy
    ) AS c
    JOIN pg_type AS p ON p.oid = c.type;
END
$$;

-- An image with what redaction() says taken from it. What is NULL stays NULL.
CREATE OR REPLACE FUNCTION threadline.redacted(image jsonb, hidden text[], masks jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN masks = '{}' THEN image - hidden
    ELSE (image - hidden) || coalesce((
        SELECT pg_catalog.jsonb_object_agg(mask.key, mask.value)
        FROM pg_catalog.jsonb_each(masks) AS mask
        WHERE image -> mask.key <> 'null'), '{}')
END;

-- SQL for the image of a live row called row_name, as the table's policy lets
-- it be seen in the audit. To be run with capture's settings.
CREATE OR REPLACE FUNCTION threadline.live_expression(audited_table integer, target regclass, row_name text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    RETURN (
        SELECT CASE WHEN bool_and(live.column_policy = 'plain') THEN format('(%s)', live.image)
                    ELSE format('threadline.redacted_image(%s, %L, %L)', live.image,
                        coalesce(array_agg(live.name) FILTER (WHERE live.column_policy = 'plain'), '{}'),
                        jsonb_object_agg(live.name, threadline.placeholder(live.type)) FILTER (WHERE live.column_policy = 'mask'))
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
CREATE OR REPLACE FUNCTION threadline.live_image(audited_table integer, target regclass, record_key text) RETURNS jsonb
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
CREATE OR REPLACE FUNCTION threadline.settle(instant timestamptz) RETURNS boolean
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

-- Where rows of a table went without being recorded one by one: a TRUNCATE above the
-- limit, or of rows that its snapshot did not see.
CREATE OR REPLACE FUNCTION threadline.blind_truncates(
    audited_table integer, OUT id bigint, OUT transaction_id bigint, OUT captured_at timestamptz
) RETURNS SETOF record
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT c.id, c.transaction_id, c.captured_at
    FROM threadline.ledger_changes AS c
    WHERE c.table_id = audited_table AND c.record_key IS NULL AND c.op = 'T'
    UNION ALL
    SELECT j.id, j.transaction_id, j.captured_at
    FROM threadline.journal AS j
    WHERE j.table_id = audited_table AND j.op = 'T' AND j.old_row IS NULL;
END;

-- Whether rows of a table went after a change without being recorded one by one: a
-- TRUNCATE above the limit, or of rows that its snapshot did not see.
CREATE OR REPLACE FUNCTION threadline.truncated_unseen(audited_table integer, after_change bigint) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT EXISTS (
        SELECT
        FROM threadline.blind_truncates(audited_table) AS c
        WHERE c.id > after_change);
END;

-- The answer of record_as_of() for an instant that is settled and audited; in
-- one snapshot.
CREATE OR REPLACE FUNCTION threadline.settled_record(
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
    FROM threadline.record_changes(audited_table, settled_record.record_key) AS c
    WHERE c.table_id = audited_table AND c.record_key = settled_record.record_key
      AND c.captured_at <= instant AND threadline.last_captured(c.transaction_id) <= instant
    ORDER BY c.id DESC
    LIMIT 1;
    SELECT * INTO tl_left
    FROM threadline.record_changes(audited_table, settled_record.record_key) AS c
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
        FROM threadline.blind_truncates(audited_table) AS c
        WHERE c.captured_at <= instant AND threadline.last_captured(c.transaction_id) <= instant));

    -- What ended the record that had the key then, and what began another.
    SELECT * INTO tl_end
    FROM (
        (SELECT * FROM threadline.record_changes(audited_table, settled_record.record_key) AS c
         WHERE c.table_id = audited_table AND c.record_key = settled_record.record_key
           AND c.id > tl_cut AND c.op IN ('D', 'T')
         ORDER BY c.id LIMIT 1)
        UNION ALL
        (SELECT * FROM threadline.record_changes(audited_table, settled_record.record_key) AS c
         WHERE c.table_id = audited_table AND c.previous_key = settled_record.record_key
           AND c.id > tl_cut
         ORDER BY c.id LIMIT 1)
    ) AS either
    ORDER BY either.id
    LIMIT 1;
    SELECT * INTO tl_birth
    FROM threadline.record_changes(audited_table, settled_record.record_key) AS c
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
    FROM threadline.record_changes(audited_table, settled_record.record_key) AS c
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
CREATE OR REPLACE FUNCTION threadline.record_as_of(
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
CREATE OR REPLACE FUNCTION threadline.rows_as_of(
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
        FROM threadline.blind_truncates(tl_table.id) AS c
        WHERE c.captured_at <= instant AND threadline.last_captured(c.transaction_id) <= instant))
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

-- The table that is audited under an id, wherever it is now; NULL if none is.
CREATE OR REPLACE FUNCTION threadline.relation_of(audited_table integer) RETURNS regclass
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT g.tgrelid::regclass
    FROM pg_trigger AS g
    WHERE g.tgfoid = to_regproc('threadline.capture_' || audited_table)
      AND g.tgparentid = 0
      AND g.tgname = '!threadline_capture_' || audited_table
      AND threadline.audited_table_of(g.tgrelid) = audited_table
    LIMIT 1;
END;

-- What the running transaction did to a record since an instant, also while it
-- had other keys: what a revert did itself, or the application's triggers and
-- references with it.
CREATE OR REPLACE FUNCTION threadline.own_changes(
    audited_table integer, record_key text, began timestamptz
) RETURNS SETOF threadline.audit_changes
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_transaction bigint := nullif(split_part(current_setting('threadline.transaction', true), ' ', 1), '');
BEGIN
    -- Found by record, and not through the index on the transaction, which may
    -- have changed a great many.
    RETURN QUERY
    WITH RECURSIVE own AS (
        SELECT c.*
        FROM threadline.record_changes(audited_table, own_changes.record_key) AS c
        WHERE c.table_id = audited_table AND c.record_key = own_changes.record_key
          AND c.transaction_id + 0 = tl_transaction AND c.captured_at > began
        UNION
        SELECT c.*
        FROM own
        CROSS JOIN LATERAL (
            SELECT *
            FROM threadline.record_changes(audited_table, own.previous_key) AS c
            WHERE c.table_id = audited_table AND c.record_key = own.previous_key
              AND c.transaction_id + 0 = tl_transaction AND c.captured_at > began
            OFFSET 0
        ) AS c
        WHERE own.previous_key IS NOT NULL
    )
    SELECT * FROM own;
END
$$;

-- Has the constraints of tables that wait for the end of the transaction hold at
-- once, or wait again as they were declared.
CREATE OR REPLACE FUNCTION threadline.set_deferred(targets regclass[], deferred boolean) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_constraints text;
BEGIN
    SELECT string_agg(DISTINCT format('%I.%I', n.nspname, k.conname), ', ') INTO tl_constraints
    FROM pg_constraint AS k
    JOIN pg_namespace AS n ON n.oid = k.connamespace
    WHERE k.condeferred AND (k.conrelid = ANY (targets) OR k.confrelid = ANY (targets));
    IF tl_constraints IS NOT NULL THEN
        EXECUTE format('SET CONSTRAINTS %s %s', tl_constraints, CASE WHEN deferred THEN 'DEFERRED' ELSE 'IMMEDIATE' END);
    END IF;
END
$$;

-- The columns of an image captured at an instant whose values the audit does not
-- have: those that are masked, or were redacted then, and are not NULL, and for
-- a whole row those it was never given. Generated columns need none.
CREATE OR REPLACE FUNCTION threadline.unrestorable(
    audited_table integer, target regclass, image jsonb, captured_at timestamptz, whole boolean
) RETURNS text[]
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(array_agg(c.name ORDER BY c.name), '{}')
    FROM threadline.column_policy(audited_table, target) AS c
    JOIN pg_attribute AS a ON a.attrelid = target AND a.attname = c.name AND a.attgenerated = ''
    WHERE (c.column_policy <> 'plain' OR c.plain_since > captured_at)
      AND CASE WHEN image ? c.name THEN image -> c.name <> 'null' ELSE whole END;
END;

-- The columns that no longer have the value that a change gave them. Of a masked
-- one the image shows only whether it is NULL: there the record's later changes
-- are asked. What the revert itself brought about does not count.
CREATE OR REPLACE FUNCTION threadline.changed_since(
    change threadline.audit_changes, target regclass, after jsonb, live jsonb, began timestamptz
) RETURNS text[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_columns text[];
BEGIN
    SELECT array_agg(c.name ORDER BY c.name) INTO tl_columns
    FROM jsonb_each(after) AS field
    JOIN threadline.column_policy(change.table_id, target) AS c ON c.name = field.key
    WHERE CASE
        WHEN c.column_policy = 'exclude' THEN false
        WHEN c.column_policy = 'plain' AND c.plain_since > change.captured_at IS NOT TRUE
            THEN (live -> c.name)::text IS DISTINCT FROM field.value::text
        WHEN (live -> c.name = 'null') <> (field.value = 'null') THEN true
        ELSE EXISTS (
            SELECT
            FROM threadline.record_changes(change.table_id, change.record_key) AS later
            WHERE later.table_id = change.table_id AND later.record_key = change.record_key
              AND later.id > change.id AND later.transaction_id <> change.transaction_id
              AND (later.op = 'I'
                   OR threadline.current_names(later.table_id, later.changed_to, later.captured_at) ? c.name))
    END;
    IF tl_columns IS NOT NULL THEN
        SELECT array_agg(name) INTO tl_columns
        FROM unnest(tl_columns) AS name
        WHERE name NOT IN (
            SELECT jsonb_object_keys(own.changed_to)
            FROM threadline.own_changes(change.table_id, change.record_key, began) AS own
            WHERE own.op = 'U');
    END IF;
    RETURN tl_columns;
END
$$;

-- A table with rows that would follow the deletion of a row, by cascade or by
-- losing their reference; NULL if there is none. That a row refers to itself
-- does not count.
CREATE OR REPLACE FUNCTION threadline.referencing(target regclass, key_condition text) RETURNS regclass
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_key record;
    tl_found boolean;
BEGIN
    FOR tl_key IN
        SELECT k.conrelid::regclass AS child,
               string_agg(format('tl_child.%I = tl_row.%I', child.attname, parent.attname), ' AND ') AS joined
        FROM pg_constraint AS k
        CROSS JOIN ROWS FROM (unnest(k.conkey), unnest(k.confkey)) AS pair (child, parent)
        JOIN pg_attribute AS child ON child.attrelid = k.conrelid AND child.attnum = pair.child
        JOIN pg_attribute AS parent ON parent.attrelid = k.confrelid AND parent.attnum = pair.parent
        WHERE k.contype = 'f' AND k.confrelid = target AND k.conparentid = 0 AND k.confdeltype IN ('c', 'n', 'd')
        GROUP BY k.oid, k.conrelid
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s AS tl_row JOIN %s AS tl_child ON %s WHERE %s AND (tl_child.tableoid, tl_child.ctid) <> (tl_row.tableoid, tl_row.ctid))',
            target, tl_key.child, tl_key.joined, key_condition)
        INTO tl_found;
        IF tl_found THEN
            RETURN tl_key.child;
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;

-- Writes an image into a table: as a new row, or over the row that the
-- condition finds. Columns that the image does not have stay as they are. Says
-- whether the row was written: a trigger may not have let it. Runs under the
-- caller's search_path, as whatever it calls does: the application's own
-- triggers fire here.
CREATE OR REPLACE FUNCTION threadline.put_row(target regclass, image jsonb, key_condition text DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql
AS $$
DECLARE
    tl_columns text;
    tl_values text;
    tl_definitions text;
    tl_count bigint;
BEGIN
    SELECT string_agg(format('%I', a.attname), ', ' ORDER BY a.attnum),
           string_agg(
               format(
                   -- As threadline.json_image() has kept it: the text.
                   CASE WHEN threadline.base_type(a.atttypid) = 'pg_catalog.json'::regtype
                       THEN 'CASE WHEN jsonb_typeof($1 -> %2$L) = ''string'' THEN ($1 ->> %2$L)::json ELSE tl_image.%1$I END'
                       ELSE 'tl_image.%1$I'
                   END, a.attname, a.attname),
               ', ' ORDER BY a.attnum),
           string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum)
    INTO tl_columns, tl_values, tl_definitions
    FROM pg_attribute AS a
    WHERE a.attrelid = target AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND image ? a.attname;
    IF tl_columns IS NULL THEN
        RETURN key_condition IS NOT NULL;
    ELSIF key_condition IS NULL THEN
        EXECUTE format(
            'INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM jsonb_to_record($1) AS tl_image (%s)',
            target, tl_columns, tl_values, tl_definitions)
        USING image;
    ELSE
        EXECUTE format(
            'UPDATE %s AS tl_row SET (%s) = ROW(%s) FROM jsonb_to_record($1) AS tl_image (%s) WHERE %s',
            threadline.own_rows(target), tl_columns, tl_values, tl_definitions, key_condition)
        USING image;
    END IF;
    GET DIAGNOSTICS tl_count = ROW_COUNT;
    RETURN tl_count > 0;
END
$$;

-- Deletes the row that the condition finds, unless others refer to it. Gives
-- NULL, or why not.
CREATE OR REPLACE FUNCTION threadline.delete_row(target regclass, key_condition text) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    tl_child regclass := threadline.referencing(target, key_condition);
    tl_count bigint;
BEGIN
    IF tl_child IS NOT NULL THEN
        RETURN format('rows of %s refer to it', tl_child);
    END IF;
    EXECUTE format('DELETE FROM %s AS tl_row WHERE %s', threadline.own_rows(target), key_condition);
    GET DIAGNOSTICS tl_count = ROW_COUNT;
    RETURN CASE WHEN tl_count = 0 THEN 'a trigger of the table did not let it be deleted' END;
END
$$;

-- Undoes one change, if what it left is still there, or something else only
-- because of the revert itself, which began at an instant. Gives NULL, or why not.
CREATE OR REPLACE FUNCTION threadline.revert_change(change threadline.audit_changes, began timestamptz) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    tl_target regclass := threadline.relation_of(change.table_id);
    tl_before jsonb := threadline.current_names(change.table_id,
        CASE WHEN change.op = 'U' THEN change.changed_from ELSE change.row_data END, change.captured_at);
    tl_after jsonb := threadline.current_names(change.table_id,
        CASE WHEN change.op = 'U' THEN change.changed_to ELSE change.row_data END, change.captured_at);
    tl_where text := threadline.key_condition(change.table_id, change.record_key, 'tl_row');
    tl_live jsonb;
    tl_own "char";
    tl_columns text[];
BEGIN
    IF tl_target IS NULL THEN
        RETURN 'the table is no longer audited';
    ELSIF tl_where IS NULL OR tl_before IS NULL THEN
        RETURN 'what is on record does not say which row it was';
    END IF;
    -- Nobody changes it between the look and the write.
    EXECUTE format('SELECT FROM %s AS tl_row WHERE %s FOR UPDATE', threadline.own_rows(tl_target), tl_where);
    tl_live := threadline.live_image(change.table_id, tl_target, change.record_key);
    IF (tl_live IS NULL) <> (change.op IN ('D', 'T')) THEN
        -- Triggers may have gone ahead: those that make a row with another, or
        -- take it away.
        SELECT own.op INTO tl_own
        FROM threadline.own_changes(change.table_id, change.record_key, began) AS own
        WHERE own.op <> 'U'
        ORDER BY own.id DESC
        LIMIT 1;
    END IF;

    IF change.op IN ('D', 'T') THEN
        tl_columns := threadline.unrestorable(change.table_id, tl_target, tl_before, change.captured_at, true);
        IF tl_live IS NOT NULL AND tl_own IS DISTINCT FROM 'I' THEN
            RETURN 'there is another row with this key';
        ELSIF tl_columns <> '{}' THEN
            RETURN 'the audit does not have the values of ' || array_to_string(tl_columns, ', ');
        ELSIF NOT threadline.put_row(tl_target, tl_before, CASE WHEN tl_live IS NOT NULL THEN tl_where END) THEN
            RETURN 'a trigger of the table did not let it be written';
        END IF;
        RETURN NULL;
    END IF;

    IF tl_live IS NULL THEN
        RETURN CASE WHEN change.op = 'U' OR tl_own IS DISTINCT FROM 'D' THEN 'the row is no longer there' END;
    END IF;
    tl_columns := threadline.changed_since(change, tl_target, tl_after, tl_live, began);
    IF tl_columns IS NOT NULL THEN
        RETURN 'changed since: ' || array_to_string(tl_columns, ', ');
    ELSIF change.op = 'I' THEN
        RETURN threadline.delete_row(tl_target, tl_where);
    END IF;
    SELECT array_agg(field.key ORDER BY field.key) INTO tl_columns
    FROM jsonb_object_keys(tl_before) AS field (key)
    WHERE field.key NOT IN (SELECT c.name FROM threadline.column_policy(change.table_id, tl_target) AS c);
    IF tl_columns IS NOT NULL THEN
        RETURN 'the table no longer has the columns ' || array_to_string(tl_columns, ', ');
    END IF;
    tl_columns := threadline.unrestorable(change.table_id, tl_target, tl_before, change.captured_at, false);
    IF tl_columns <> '{}' THEN
        RETURN 'the audit does not have the values of ' || array_to_string(tl_columns, ', ');
    END IF;
    -- A constraint that was deferred by hand would not say so in time.
    IF change.previous_key IS NOT NULL
       AND threadline.live_image(change.table_id, tl_target, change.previous_key) IS NOT NULL THEN
        RETURN 'there is another row with the key that it had';
    ELSIF NOT threadline.put_row(tl_target, tl_before, tl_where) THEN
        RETURN 'a trigger of the table did not let it be written';
    END IF;
    RETURN NULL;
END
$$;

-- Writes rows again that were put back and then changed along with others: an
-- inserted row that goes counts down, by a trigger, what its insertion had
-- counted up and the revert had already put back.
CREATE OR REPLACE FUNCTION threadline.put_side_effects_back(changes threadline.audit_changes[], began timestamptz) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    tl_transaction bigint := nullif(split_part(current_setting('threadline.transaction', true), ' ', 1), '');
    tl_record record;
    tl_target regclass;
    tl_live jsonb;
    tl_image jsonb;
BEGIN
    FOR tl_record IN
        WITH own AS (
            SELECT c.table_id, c.record_key, count(*) AS changes
            FROM threadline.audit_changes AS c
            WHERE c.transaction_id = tl_transaction AND c.captured_at > began
            GROUP BY c.table_id, c.record_key
        )
        SELECT c.table_id, c.record_key,
               threadline.jsonb_merge(
                   threadline.current_names(c.table_id,
                       CASE WHEN c.op = 'U' THEN c.changed_from ELSE c.row_data END, c.captured_at)
                   ORDER BY c.id DESC) AS image
        FROM unnest(changes) AS c
        JOIN own USING (table_id, record_key)
        GROUP BY c.table_id, c.record_key, own.changes
        HAVING (array_agg(c.op ORDER BY c.id))[1] <> 'I' AND bool_and(c.previous_key IS NULL)
           -- A trigger that has the last word over a row's own columns keeps it.
           AND own.changes > count(*)
    LOOP
        tl_target := threadline.relation_of(tl_record.table_id);
        tl_live := threadline.live_image(tl_record.table_id, tl_target, tl_record.record_key);
        SELECT jsonb_object_agg(field.key, field.value) INTO tl_image
        FROM jsonb_each(tl_record.image) AS field
        JOIN threadline.column_policy(tl_record.table_id, tl_target) AS c ON c.name = field.key AND c.column_policy = 'plain'
        WHERE (tl_live -> field.key)::text <> field.value::text;
        PERFORM threadline.put_row(tl_target, tl_image,
            threadline.key_condition(tl_record.table_id, tl_record.record_key, 'tl_row'))
        WHERE tl_image IS NOT NULL;
    END LOOP;
END
$$;

-- Undoes changes, newest first, as new audited changes: all of them, or none
-- and the reasons. What fails for the order alone, such as a row whose parent
-- is yet to be put back, is tried again after the others, in the other order;
-- but of one record, no change before those that came after it.
CREATE OR REPLACE FUNCTION threadline.revert_changes(
    changes threadline.audit_changes[],
    OUT change_id bigint, OUT schema_name text, OUT table_name text, OUT key jsonb, OUT reason text
) RETURNS SETOF record
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    tl_began timestamptz := clock_timestamp();
    tl_targets regclass[];
    tl_changes threadline.audit_changes[];
    tl_next_of_record integer[];
    tl_done boolean[];
    tl_pending integer[];
    tl_left integer[];
    tl_reasons text[];
    tl_at integer;
    tl_reason text;
BEGIN
    SELECT array_agg(c.change ORDER BY c.position), array_agg(c.next_of_record ORDER BY c.position),
           array_agg(false), array_agg(c.position ORDER BY c.position)
    INTO tl_changes, tl_next_of_record, tl_done, tl_pending
    FROM (
        SELECT numbered.change, numbered.position,
               lead(numbered.position) OVER (
                   PARTITION BY (numbered.change).table_id, (numbered.change).record_key ORDER BY numbered.position
               ) AS next_of_record
        FROM (SELECT c AS change, row_number() OVER (ORDER BY c.id) AS position FROM unnest(changes) AS c) AS numbered
    ) AS c;
    SELECT array_agg(threadline.relation_of(t.id)) INTO tl_targets
    FROM (SELECT DISTINCT c.table_id AS id FROM unnest(changes) AS c) AS t;
    BEGIN
        PERFORM threadline.set_deferred(tl_targets, false);
        WHILE cardinality(tl_pending) > 0 LOOP
            tl_left := '{}';
            tl_reasons := '{}';
            FOR tl_place IN REVERSE cardinality(tl_pending)..1 LOOP
                tl_at := tl_pending[tl_place];
                IF NOT tl_done[tl_next_of_record[tl_at]] THEN
                    -- Whose turn comes, has the reason.
                    tl_left := array_append(tl_left, tl_at);
                    tl_reasons := array_append(tl_reasons, NULL);
                    CONTINUE;
                END IF;
                BEGIN
                    tl_reason := threadline.revert_change(tl_changes[tl_at], tl_began);
                EXCEPTION
                    WHEN integrity_constraint_violation OR data_exception OR insufficient_privilege
                        OR undefined_column OR raise_exception OR with_check_option_violation THEN
                        tl_reason := SQLERRM;
                END;
                tl_done[tl_at] := tl_reason IS NULL;
                IF tl_reason IS NOT NULL THEN
                    tl_left := array_append(tl_left, tl_at);
                    tl_reasons := array_append(tl_reasons, tl_reason);
                END IF;
            END LOOP;
            IF cardinality(tl_left) = cardinality(tl_pending) THEN
                RAISE EXCEPTION USING ERRCODE = 'TL001', MESSAGE = 'conflicts';
            END IF;
            tl_pending := tl_left;
        END LOOP;
        PERFORM threadline.put_side_effects_back(changes, tl_began);
        PERFORM threadline.set_deferred(tl_targets, true);
    EXCEPTION WHEN SQLSTATE 'TL001' THEN
        RETURN QUERY
        SELECT c.id, t.schema_name, t.table_name,
               threadline.key_json(t.key_columns, t.key_types, c.record_key), c.reason
        FROM (
            SELECT (tl_changes[at]).id, (tl_changes[at]).table_id, (tl_changes[at]).record_key, reason
            FROM ROWS FROM (unnest(tl_left), unnest(tl_reasons)) AS still (at, reason)
            WHERE reason IS NOT NULL
        ) AS c
        LEFT JOIN threadline.audited_tables AS t ON t.id = c.table_id
        ORDER BY c.id DESC;
    END;
END
$$;

-- Undoes what an AuditTransaction changed, as new audited changes: all of it, or
-- nothing and the reasons.
--
--   BEGIN; SELECT * FROM threadline.revert_transaction(7); COMMIT;
CREATE OR REPLACE FUNCTION threadline.revert_transaction(
    audit_transaction bigint,
    OUT change_id bigint, OUT schema_name text, OUT table_name text, OUT key jsonb, OUT reason text
) RETURNS SETOF record
LANGUAGE sql
BEGIN ATOMIC
    SELECT r.*
    FROM threadline.revert_changes(ARRAY(
        SELECT c FROM threadline.audit_changes AS c WHERE c.transaction_id = audit_transaction
    )) AS r;
END;
COMMENT ON FUNCTION threadline.revert_transaction(bigint) IS
    'Undoes what a transaction changed, if nothing changed since; gives the reasons why not';

-- The key that a record has now which had another one after a change; NULL if
-- the record is gone.
CREATE OR REPLACE FUNCTION threadline.key_now(audited_table integer, record_key text, after_change bigint) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_key text := record_key;
    tl_end threadline.audit_changes;
    tl_last threadline.audit_changes;
BEGIN
    tl_last.id := after_change;
    LOOP
        -- In a statement that shifts keys, who leaves makes room for who comes.
        SELECT * INTO tl_end
        FROM (
            (SELECT * FROM threadline.record_changes(audited_table, tl_key) AS c
             WHERE c.table_id = audited_table AND c.record_key = tl_key
               AND c.id > tl_last.id AND c.op IN ('D', 'T')
             ORDER BY c.id LIMIT 1)
            UNION ALL
            (SELECT * FROM threadline.record_changes(audited_table, tl_key) AS c
             WHERE c.table_id = audited_table AND c.previous_key = tl_key AND c.id > tl_last.id
               AND (c.transaction_id, c.statement) IS DISTINCT FROM (tl_last.transaction_id, tl_last.statement)
             ORDER BY c.id LIMIT 1)
        ) AS either
        ORDER BY either.id
        LIMIT 1;
        IF NOT FOUND THEN
            RETURN tl_key;
        ELSIF tl_end.op <> 'U' THEN
            RETURN NULL;
        END IF;
        tl_key := tl_end.record_key;
        tl_last := tl_end;
    END LOOP;
END
$$;

-- The key that a record which is there now had at an instant; NULL if it came
-- to be since.
CREATE OR REPLACE FUNCTION threadline.key_then(audited_table integer, record_key text, instant timestamptz) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_key text := record_key;
    tl_birth threadline.audit_changes;
    tl_last threadline.audit_changes;
BEGIN
    tl_last.id := 9223372036854775807;
    LOOP
        SELECT * INTO tl_birth
        FROM threadline.record_changes(audited_table, tl_key) AS c
        WHERE c.table_id = audited_table AND c.record_key = tl_key AND c.id < tl_last.id
          AND (c.op = 'I' OR c.previous_key IS NOT NULL)
          AND (c.transaction_id, c.statement) IS DISTINCT FROM (tl_last.transaction_id, tl_last.statement)
        ORDER BY c.id DESC
        LIMIT 1;
        IF NOT FOUND OR (tl_birth.captured_at <= instant
                         AND threadline.last_captured(tl_birth.transaction_id) <= instant) THEN
            RETURN tl_key;
        ELSIF tl_birth.op = 'I' THEN
            RETURN NULL;
        END IF;
        tl_key := tl_birth.previous_key;
        tl_last := tl_birth;
    END LOOP;
END
$$;

-- Puts a record back to what it was at an instant. Gives NULL, or why not.
CREATE OR REPLACE FUNCTION threadline.put_record_back(target regclass, record_key text, instant timestamptz) RETURNS text
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    tl_id integer := threadline.audited_table_of(target);
    tl_where text := threadline.key_condition(tl_id, put_record_back.record_key, 'tl_row');
    tl_then record;
    tl_live jsonb;
    tl_other text;
    tl_image jsonb;
    tl_columns text[];
BEGIN
    IF tl_where IS NOT NULL THEN
        EXECUTE format('SELECT FROM %s AS tl_row WHERE %s FOR UPDATE', threadline.own_rows(target), tl_where);
    END IF;
    SELECT * INTO tl_then FROM threadline.record_as_of(target, put_record_back.record_key, instant);
    tl_live := threadline.live_image(tl_id, target, put_record_back.record_key);
    IF tl_then.state = 'unsettled' THEN
        RETURN 'what was then is not settled yet: a transaction that wrote audited rows by then is still open';
    ELSIF tl_then.state = 'unaudited' THEN
        RETURN 'the table was not audited then';
    ELSIF tl_then.state = 'incomplete' THEN
        RETURN 'only what changed is on record, not the whole row';
    END IF;

    -- A record is not doubled, nor lost, because it has another key now.
    tl_other := threadline.key_then(tl_id, put_record_back.record_key, instant);
    IF tl_live IS NOT NULL AND tl_other <> put_record_back.record_key THEN
        RETURN 'the record that has this key now had another one then: ' || tl_other;
    ELSIF tl_then.state <> 'there' THEN
        RETURN CASE WHEN tl_live IS NOT NULL THEN threadline.delete_row(target, tl_where) END;
    END IF;
    tl_other := threadline.key_now(tl_id, put_record_back.record_key, coalesce(tl_then.change_id, 0));
    IF tl_other <> put_record_back.record_key THEN
        RETURN 'the record that had this key then has another one now: ' || tl_other;
    END IF;

    -- Of a row that is the same one, only what changed matters.
    tl_columns := threadline.unrestorable(tl_id, target, tl_then.image, instant, true);
    IF tl_live IS NOT NULL AND tl_other IS NOT NULL THEN
        SELECT array_agg(name ORDER BY name) INTO tl_columns
        FROM unnest(tl_columns) AS name
        WHERE EXISTS (
            SELECT
            FROM threadline.record_changes(tl_id, put_record_back.record_key) AS c
            WHERE c.table_id = tl_id AND c.record_key = put_record_back.record_key AND c.id > coalesce(tl_then.change_id, 0)
              -- Whatever happened under another key counts.
              AND (c.previous_key IS NOT NULL OR threadline.current_names(tl_id, c.changed_to, c.captured_at) ? name));
    END IF;
    IF tl_columns <> '{}' THEN
        RETURN CASE WHEN tl_live IS NOT NULL THEN 'changed since, and ' ELSE '' END
            || 'the audit does not have the values of ' || array_to_string(tl_columns, ', ');
    END IF;

    -- What differs alone is written, to the digit.
    SELECT coalesce(jsonb_object_agg(field.key, field.value), '{}') INTO tl_image
    FROM jsonb_each(tl_then.image) AS field
    WHERE tl_live IS NULL OR (tl_live ? field.key AND (tl_live -> field.key)::text <> field.value::text);
    IF tl_image <> '{}' AND NOT threadline.put_row(target, tl_image, CASE WHEN tl_live IS NOT NULL THEN tl_where END) THEN
        RETURN 'a trigger of the table did not let it be written';
    END IF;
    RETURN NULL;
END
$$;

-- Puts a record back to what it was at an instant, as a new audited change.
-- Gives NULL, or why not.
CREATE OR REPLACE FUNCTION threadline.revert_record(target regclass, record_key text, instant timestamptz) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    tl_reason text;
BEGIN
    PERFORM threadline.set_deferred(ARRAY[target], false);
    tl_reason := threadline.put_record_back(target, record_key, instant);
    PERFORM threadline.set_deferred(ARRAY[target], true);
    RETURN tl_reason;
EXCEPTION
    WHEN integrity_constraint_violation OR data_exception OR insufficient_privilege
        OR undefined_column OR raise_exception OR with_check_option_violation THEN
        RETURN SQLERRM;
END
$$;
COMMENT ON FUNCTION threadline.revert_record(regclass, text, timestamptz) IS
    'Puts a record back to what it was at an instant; gives the reason why not';

-- The application's tables that nobody audits, but those that need not be.
CREATE OR REPLACE FUNCTION threadline.unaudited_tables_but(allowed oid[]) RETURNS SETOF threadline.finding
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT 'table-unaudited', c.oid::regclass::text,
           'nothing of it is recorded',
           format(CASE WHEN EXISTS (SELECT FROM threadline.key_columns_of(c.oid))
                       THEN 'SELECT threadline.audit(%L);'
                       ELSE 'SELECT threadline.audit(%L, keyless => true);' END, c.oid::regclass)
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'threadline', 'pg_toast')
      AND c.relname <> '__diesel_schema_migrations'
      AND c.oid <> ALL (array_remove(allowed, NULL))
      AND threadline.audited_table_of(c.oid) IS NULL
      -- One whose triggers are gone is reported as such.
      AND c.oid NOT IN (
          SELECT threadline.whereabouts(t.id)
          FROM threadline.audited_tables AS t
          WHERE t.unaudited_at IS NULL AND threadline.whereabouts(t.id) IS NOT NULL)
      AND NOT EXISTS (
          SELECT FROM pg_depend AS d
          WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY 2;
END
$$;

-- The application's tables that nobody audits. Those of extensions and Diesel's own
-- are not the application's. A name in `allowed` is one as in SQL.
CREATE OR REPLACE FUNCTION threadline.unaudited_tables(allowed text[] DEFAULT '{}') RETURNS SETOF threadline.finding
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    -- Looked up under the caller's search_path, as the caller's own queries are.
    tl_allowed pg_catalog.oid[] := ARRAY(
        SELECT pg_catalog.to_regclass(name)::pg_catalog.oid FROM pg_catalog.unnest(allowed) AS name);
BEGIN
    RETURN QUERY SELECT * FROM threadline.unaudited_tables_but(tl_allowed);
END
$$;

-- Whether two recorded values of a column cannot be one value. Numbers are, at any
-- scale: a column's scale changes without a write. A value that capture could not
-- turn to JSON was kept as text, and a text says nothing about a number.
CREATE OR REPLACE FUNCTION threadline.values_differ(one jsonb, other jsonb, any_json boolean) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN one <> other AND (
    any_json
    OR pg_catalog.jsonb_typeof(one) = pg_catalog.jsonb_typeof(other)
    OR 'null' IN (pg_catalog.jsonb_typeof(one), pg_catalog.jsonb_typeof(other))
    OR one IN ('"NaN"', '"Infinity"', '"-Infinity"')
    OR other IN ('"NaN"', '"Infinity"', '"-Infinity"')
);

-- The columns whose recorded values can be compared with each other and with the
-- live ones, and since when: of what was masked or excluded until then, of another
-- type, or of another column of that name, earlier ones say nothing. What is recorded
-- as a hash can be compared by who may make one, with by_hash, if its type has one
-- text for each value; that of numeric is another after a change of its scale.
CREATE OR REPLACE FUNCTION threadline.comparable_columns(
    audited_table integer, target regclass, by_hash boolean,
    OUT name text, OUT since timestamptz, OUT mask jsonb, OUT any_json boolean
) RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT live.name, greatest(k.plain_since, k.retyped_at),
           CASE WHEN policy.column_policy = 'mask' AND NOT (by_hash AND k.column_policy = 'hash' AND live.bitwise AND live.type <> 'numeric'::regtype)
                THEN threadline.placeholder(live.type) END,
           live.type IN ('json'::regtype, 'jsonb'::regtype)
    FROM threadline.audited_tables AS t
    CROSS JOIN jsonb_to_recordset(t.columns) AS k (
        number smallint, name text, type text, column_policy text, plain_since timestamptz, retyped_at timestamptz)
    JOIN threadline.columns_of(target) AS live
      ON CASE WHEN t.relation = target THEN live.number = k.number ELSE live.name = k.name END
    JOIN threadline.column_policy(audited_table, target) AS policy ON policy.name = live.name
    WHERE t.id = audited_table AND live.type::text = k.type AND policy.column_policy <> 'exclude'
      -- A change of it alone is not recorded.
      AND coalesce(t.policy -> 'ignore' ? k.name, false) IS NOT true;
END
$$;

-- Why the history of a table cannot be compared with its rows; NULL if it can.
CREATE OR REPLACE FUNCTION threadline.chain_obstacle(target regclass) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_id integer := threadline.audited_table_of(target);
BEGIN
    RETURN CASE
        WHEN NOT EXISTS (SELECT FROM threadline.audited_tables AS t WHERE t.id = tl_id)
            THEN 'it is not audited'
        WHEN EXISTS (SELECT FROM threadline.audited_tables AS t WHERE t.id = tl_id AND t.policy ?| '{operations,condition}')
            THEN 'by its policy, not every change is recorded'
        WHEN EXISTS (SELECT FROM threadline.audited_tables AS t WHERE t.id = tl_id AND t.key_columns = '{}')
            THEN 'it has no primary key'
        WHEN NOT has_table_privilege(target, 'SELECT')
            THEN format('%I has no right to read it', current_user)
        WHEN row_security_active(target)
            THEN format('row security hides rows from %I', current_user)
        WHEN EXISTS (SELECT FROM pg_constraint AS c WHERE c.conrelid = target AND c.contype = 'p' AND c.condeferred)
            THEN 'its key is deferred, and until a transaction ends two rows may have one'
        WHEN ARRAY(SELECT ROW(k.name, k.type::text)::text FROM threadline.key_columns_of(target) AS k)
             <> ARRAY(
                 SELECT ROW(k.name, recorded.type)::text
                 FROM threadline.live_key(tl_id) AS k
                 JOIN threadline.audited_tables AS t ON t.id = tl_id
                 CROSS JOIN LATERAL (SELECT t.key_types[k.ordinal] AS type) AS recorded
                 ORDER BY k.ordinal)
            THEN 'its key has changed'
    END;
END
$$;

-- Records whose changes do not agree with each other or with the live rows:
-- something wrote past the triggers. What one change left is what the next one
-- found, and at the end what is there.
--
--   SELECT * FROM threadline.chain_drift('members');
--
-- `expected` is what the changes before say, `found` what the change, or the live
-- row, shows; of the columns that differ, or NULL for no row. At most `examples` of
-- each code; `records` counts all.
--
-- What can be known is said and nothing else: not what happened before the audit
-- began, or the key and the policy became what they are, nor on from a TRUNCATE that could not see
-- all rows.
--
-- Everything is read in one snapshot, which is taken after the table is held: what
-- truncates or rewrites it would have it look empty to an older one. Joined by
-- hashing, however few rows are expected: one pass over the table, never more.
CREATE OR REPLACE FUNCTION threadline.chain_drift(
    target regclass, since timestamptz DEFAULT NULL, examples integer DEFAULT 10,
    OUT code text, OUT records bigint, OUT record_key text, OUT key jsonb,
    OUT transaction_id bigint, OUT change_id bigint, OUT expected jsonb, OUT found jsonb
) RETURNS SETOF record
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET bytea_output = 'hex'
SET extra_float_digits = 1
SET array_nulls = on
SET enable_nestloop = off
SET jit = off
AS $chain_drift$
DECLARE
    tl_table threadline.audited_tables;
    tl_obstacle text;
    tl_renames jsonb;
    tl_columns record;
    tl_since timestamptz;
    tl_image text;
    tl_live text;
    tl_fresh boolean;
    tl_by_hash boolean;
BEGIN
    tl_obstacle := threadline.chain_obstacle(target);
    IF tl_obstacle IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: the history of % cannot be compared with its rows: %', target, tl_obstacle;
    END IF;
    EXECUTE format('LOCK TABLE %s IN ACCESS SHARE MODE', target);
    SELECT * INTO STRICT tl_table FROM threadline.audited_tables AS t WHERE t.id = threadline.audited_table_of(target);
    tl_renames := threadline.renames_of(tl_table.id);
    tl_fresh := tl_table.relation = target AND tl_table.fingerprint = threadline.fingerprint(target);
    -- Tokens of what is there now are for who has the keys.
    tl_by_hash := tl_fresh AND tl_table.policy ? 'hash'
        AND has_table_privilege('threadline.hash_keys', 'SELECT')
        AND has_function_privilege('threadline.hash(integer, jsonb)', 'EXECUTE');
    IF tl_by_hash THEN
        tl_by_hash := NOT EXISTS (
            SELECT FROM jsonb_to_recordset(tl_table.columns) AS c (column_policy text, hash_key integer)
            WHERE c.column_policy = 'hash' AND c.hash_key NOT IN (SELECT id FROM threadline.hash_keys));
    END IF;
    SELECT array_agg(c.name) AS names,
           coalesce(array_agg(c.name) FILTER (WHERE c.any_json), '{}') AS documents,
           jsonb_object_agg(c.name, c.mask) FILTER (WHERE c.mask IS NOT NULL) AS masks,
           array_agg(c.name) FILTER (WHERE c.since IS NOT NULL) AS late_names,
           array_agg(c.since) FILTER (WHERE c.since IS NOT NULL) AS late_since
    INTO tl_columns
    FROM threadline.comparable_columns(tl_table.id, target, tl_by_hash) AS c;
    SELECT greatest(chain_drift.since, tl_table.audited_since, tl_table.chained_since, max(k.retyped_at)) INTO tl_since
    FROM jsonb_to_recordset(tl_table.columns) AS k (name text, retyped_at timestamptz)
    WHERE k.name = ANY (tl_table.key_columns);

    tl_image := '%s';
    IF tl_renames IS NOT NULL THEN
        tl_image := format(tl_image, 'threadline.renamed_image($6, %s, c.captured_at)');
    END IF;
    IF tl_columns.masks IS NOT NULL THEN
        tl_image := format(tl_image, 'threadline.redacted(%s, ''{}'', $7)');
    END IF;
    IF tl_columns.late_names IS NOT NULL THEN
        tl_image := format('(%s) - ARRAY(SELECT late.name FROM unnest($8, $9) AS late (name, since) WHERE late.since > c.captured_at)', tl_image);
    END IF;

    tl_live := CASE WHEN tl_fresh AND (tl_by_hash OR NOT tl_table.policy ? 'hash')
        THEN threadline.image_expression(tl_table.id, target, 'tl_live')
        ELSE threadline.live_expression(tl_table.id, target, 'tl_live') END;
    IF tl_by_hash AND tl_columns.masks IS NOT NULL THEN
        tl_live := format('threadline.redacted(%s, ''{}'', $7)', tl_live);
    END IF;

    RETURN QUERY EXECUTE format(
        $query$
        WITH grouped AS (
            -- Keys that one statement moved, it moved at once.
            SELECT c.transaction_id, c.statement, min(c.id) AS position, min(c.captured_at) AS began
            FROM threadline.audit_changes AS c
            WHERE c.table_id = $1 AND c.previous_key IS NOT NULL AND c.transaction_id >= $2
            GROUP BY c.transaction_id, c.statement
        ), recorded AS (
            SELECT c.id, c.transaction_id, c.op, c.record_key, c.previous_key, coalesce(g.position, c.id) AS position,
                   CASE WHEN jsonb_typeof(c.changed_from) = 'object' THEN %1$s END AS was,
                   CASE WHEN jsonb_typeof(c.changed_to) = 'object' THEN %2$s END AS became,
                   CASE WHEN jsonb_typeof(c.row_data) = 'object' THEN %3$s END AS whole
            FROM threadline.audit_changes AS c
            LEFT JOIN grouped AS g ON g.transaction_id = c.transaction_id AND g.statement = c.statement
            WHERE c.table_id = $1 AND c.transaction_id >= $2 AND coalesce(g.began, c.captured_at) >= $3
        ), blind AS MATERIALIZED (
            -- Changes of which nobody knows the record; read once, and not for each change.
            SELECT coalesce(array_agg(r.id ORDER BY r.id), '{}') AS ids FROM recorded AS r WHERE r.record_key IS NULL
        ), event AS (
            SELECT r.record_key AS event_key, r.position, 1 AS turn, r.id, r.transaction_id,
                   CASE WHEN r.op IN ('D', 'T') THEN 'end' WHEN r.op = 'I' OR r.previous_key IS NOT NULL THEN 'birth' ELSE 'update' END AS kind,
                   CASE WHEN r.op IN ('D', 'T') THEN r.whole WHEN r.op = 'U' AND r.previous_key IS NULL THEN r.was END AS shows,
                   CASE WHEN r.op = 'I' THEN r.whole WHEN r.previous_key IS NOT NULL THEN r.whole || r.became WHEN r.op = 'U' THEN r.became END AS leaves
            FROM recorded AS r
            WHERE r.record_key IS NOT NULL
            UNION ALL
            -- In a statement that shifts keys, who leaves makes room for who comes.
            SELECT r.previous_key, r.position, 0, r.id, r.transaction_id, 'end', r.whole, NULL
            FROM recorded AS r
            WHERE r.previous_key IS NOT NULL
        ), numbered AS (
            SELECT e.*,
                   -- PostgreSQL has no array of nothing here.
                   CASE WHEN blind.ids = '{}' THEN 0 ELSE width_bucket(e.id, blind.ids) END AS era,
                   CASE WHEN blind.ids = '{}' THEN 0 ELSE cardinality(blind.ids) END AS last_era
            FROM event AS e
            CROSS JOIN blind
        ), sequenced AS (
            SELECT n.*,
                   lag(n.kind) OVER chain AS before,
                   lead(n.kind) OVER chain IS NULL AND n.era = n.last_era AS is_last,
                   count(*) FILTER (WHERE n.kind = 'end') OVER (chain ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS ends
            FROM numbered AS n
            WINDOW chain AS (PARTITION BY n.event_key, n.era ORDER BY n.position, n.turn, n.id)
        ), chained AS (
            SELECT s.*,
                   coalesce(
                       threadline.jsonb_merge(s.leaves) FILTER (WHERE s.leaves IS NOT NULL) OVER (
                           PARTITION BY s.event_key, s.era, s.ends ORDER BY s.position, s.turn, s.id
                           ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
                       '{}') AS known
            FROM sequenced AS s
        ), ended AS (
            SELECT c.*, c.known || coalesce(c.leaves, '{}') AS state, live.*
            FROM chained AS c
            LEFT JOIN (
                SELECT %4$s COLLATE "C" AS live_key, %5$s AS live_image FROM %6$s AS tl_live
            ) AS live ON live.live_key = c.event_key
            WHERE c.is_last
        ), claim AS (
            -- What was known against what is shown; NULL for no row.
            SELECT 'chain-broken' AS code, c.event_key, c.position, c.transaction_id, c.id,
                   CASE WHEN c.before = 'end' THEN NULL ELSE c.known END AS known,
                   CASE WHEN c.kind = 'birth' THEN NULL ELSE coalesce(c.shows, '{}') END AS shown
            FROM chained AS c
            WHERE c.before IS NOT NULL AND NOT (c.before = 'end' AND c.kind = 'birth')
            UNION ALL
            SELECT CASE WHEN e.kind = 'end' THEN 'row-unrecorded' WHEN e.live_key IS NULL THEN 'row-missing' ELSE 'row-altered' END,
                   e.event_key, e.position, e.transaction_id, e.id,
                   CASE WHEN e.kind <> 'end' THEN e.state END,
                   CASE WHEN e.live_key IS NOT NULL THEN e.live_image END
            FROM ended AS e
            WHERE e.kind <> 'end' OR e.live_key IS NOT NULL
        ), compared AS (
            SELECT DISTINCT ON (c.code, c.event_key)
                   c.code, c.event_key, c.transaction_id, c.id,
                   CASE WHEN c.known IS NOT NULL THEN coalesce(differing.known, '{}') END AS known,
                   CASE WHEN c.shown IS NOT NULL THEN coalesce(differing.shown, '{}') END AS shown
            FROM claim AS c
            CROSS JOIN LATERAL (
                SELECT jsonb_object_agg(field.name, c.known -> field.name) FILTER (WHERE c.known ? field.name) AS known,
                       jsonb_object_agg(field.name, c.shown -> field.name) FILTER (WHERE c.shown ? field.name) AS shown
                FROM unnest($4) AS field (name)
                WHERE c.known IS NULL OR c.shown IS NULL
                   OR threadline.values_differ(c.known -> field.name, c.shown -> field.name, field.name = ANY ($5))
            ) AS differing
            WHERE (c.known IS NULL OR c.shown IS NULL OR c.known || c.shown <> c.known)
              AND (c.known IS NULL OR c.shown IS NULL OR differing.known IS NOT NULL)
            ORDER BY c.code, c.event_key, c.position
        )
        SELECT counted.code, counted.records, counted.event_key, threadline.key_json($10, $11, counted.event_key),
               counted.transaction_id, counted.id, counted.known, counted.shown
        FROM (
            SELECT c.*, count(*) OVER (PARTITION BY c.code) AS records,
                   row_number() OVER (PARTITION BY c.code ORDER BY c.id, c.event_key) AS number
            FROM compared AS c
        ) AS counted
        WHERE counted.number <= $12
        ORDER BY counted.code, counted.number
        $query$,
        format(tl_image, 'c.changed_from'),
        format(tl_image, 'c.changed_to'),
        format(tl_image, 'c.row_data'),
        threadline.key_expression(tl_table.id, 'tl_live'),
        tl_live,
        threadline.own_rows(target))
    USING tl_table.id, threadline.first_transaction_since(tl_since), tl_since, tl_columns.names, tl_columns.documents,
          tl_renames, tl_columns.masks, tl_columns.late_names, tl_columns.late_since,
          tl_table.key_columns, tl_table.key_types, examples;
END
$chain_drift$;
COMMENT ON FUNCTION threadline.chain_drift(regclass, timestamptz, integer) IS
    'Records of an audited table whose changes do not agree with each other or with the live rows';

-- Has what the running transaction changes from now on not recorded, and records
-- that, with the reason. Ends with the transaction; a rolled-back savepoint takes
-- it back. Who acts is the context's actor, if nobody else is named. For those
-- alone whom somebody granted EXECUTE.
--
--   BEGIN; SELECT threadline.suspend('reload of the price list, ticket 4711'); ... COMMIT;
--
-- for_session: the same for whatever the session does, until threadline.resume() or
-- its end, and not from a pool, where the session is somebody else's next.
CREATE OR REPLACE FUNCTION threadline.suspend(
    reason      text,
    actor_type  text    DEFAULT NULL,
    actor_id    text    DEFAULT NULL,
    for_session boolean DEFAULT false
) RETURNS SETOF threadline.audit_actions
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_secret text := gen_random_uuid();
    tl_action threadline.audit_actions;
BEGIN
    IF coalesce(btrim(suspend.reason), '') = '' THEN
        RAISE EXCEPTION 'threadline: to suspend capture takes a reason: SELECT threadline.suspend(''why'')';
    END IF;
    tl_action := threadline.own_action('audit.suspended',
        jsonb_build_object('for_session', CASE WHEN suspend.for_session THEN true END),
        suspend.reason, suspend.actor_type, suspend.actor_id);
    IF suspend.for_session THEN
        INSERT INTO threadline.session_suspensions (action_id, pid, secret_hash)
        VALUES (tl_action.id, pg_backend_pid(), sha256(convert_to(tl_secret, 'UTF8')));
        PERFORM set_config('threadline.suspended', tl_secret, false);
    ELSE
        INSERT INTO threadline.suspensions (xact_id, occurred_at, action_id)
        VALUES (pg_current_xact_id(), now(), tl_action.id);
        PERFORM set_config('threadline.suspended', 'yes', true)
        WHERE threadline.suspended_session() IS NULL;
    END IF;
    RETURN NEXT tl_action;
END
$$;
REVOKE ALL ON FUNCTION threadline.suspend(text, text, text, boolean) FROM PUBLIC;
COMMENT ON FUNCTION threadline.suspend(text, text, text, boolean) IS
    'Has what the running transaction, or the session, changes from now on not recorded, and records that';

-- Ends what threadline.suspend(..., for_session => true) began, and records that.
CREATE OR REPLACE FUNCTION threadline.resume(
    actor_type text DEFAULT NULL,
    actor_id   text DEFAULT NULL
) RETURNS SETOF threadline.audit_actions
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_suspension bigint := threadline.suspended_session();
BEGIN
    IF tl_suspension IS NULL THEN
        RAISE EXCEPTION 'threadline: capture is not suspended in this session; what SELECT threadline.suspend(''why'') suspends ends with its transaction';
    END IF;
    UPDATE threadline.session_suspensions SET resumed_at = clock_timestamp() WHERE action_id = tl_suspension;
    PERFORM set_config('threadline.suspended', '', false);
    -- The transaction may be suspended beside it.
    PERFORM set_config('threadline.suspended', 'yes', true)
    FROM threadline.suspensions AS s
    WHERE s.xact_id = pg_current_xact_id() AND s.occurred_at = now()
    LIMIT 1;
    RETURN NEXT threadline.own_action('audit.resumed', jsonb_build_object('suspended_by_action', tl_suspension),
        actor_type => resume.actor_type, actor_id => resume.actor_id);
END
$$;
REVOKE ALL ON FUNCTION threadline.resume(text, text) FROM PUBLIC;
COMMENT ON FUNCTION threadline.resume(text, text) IS
    'Has what the session changes from now on recorded again, and records that';
