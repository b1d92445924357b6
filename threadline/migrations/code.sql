
-- Returns the canonical text of one key value. Equal numbers have one text (1.10 and 1.1);
-- everything else is its JSON text without quotes.
CREATE OR REPLACE FUNCTION threadline.key_text(value jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE pg_catalog.jsonb_typeof(value)
    WHEN 'number' THEN pg_catalog.trim_scale((value #>> '{}')::pg_catalog.numeric)::pg_catalog.text
    ELSE value #>> '{}'
END;

-- Returns one of a number of key values in the form that fits into the index by record: a longer
-- value becomes its beginning and a digest, which still distinguishes two long keys. The images
-- have the full values.
CREATE OR REPLACE FUNCTION threadline.bounded_key(value text, parts integer) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN pg_catalog.octet_length(CASE parts WHEN 1 THEN value ELSE pg_catalog.to_json(value)::text END) <= 2000 / parts THEN value
    ELSE pg_catalog.left(value, 200 / parts) || '... sha256:'
         || pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(value, 'UTF8')), 'hex')
END;

-- Returns the record key from a row's image. Blanks at the end of a char(n) are not part of its
-- value.
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

-- Returns a json value as it enters an image. json is a text in which every blank counts (a
-- signature may cover it). A value that jsonb writes identically is kept as its content; any
-- other is kept as a string that holds the text. A json string is always kept that way, so that a
-- string in the place of a json column is always a text of json.
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

-- Returns the columns of a relation as its catalog has them now. `bitwise` says that two values
-- are stored alike when = says so, which avoids a comparison of the stored bytes (numeric 1.0 =
-- 1.00, citext, floats and intervals are not; text is compared under collation "C"). Names come
-- through the catalog cache: under REPEATABLE READ the catalog itself may show names from before
-- a rename, and dropped columns. Virtual columns are left out: the row that a trigger sees has no
-- value of them.
CREATE OR REPLACE FUNCTION threadline.columns_of(target regclass)
RETURNS TABLE (number smallint, name text, type regtype, bitwise boolean)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT a.attnum,
           (pg_identify_object_as_address('pg_class'::regclass, target, a.attnum)).object_names[3],
           a.atttypid::regtype,
           t.typtype = 'e'
           OR (a.atttypid IN (
                   'int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'bool'::regtype, 'uuid'::regtype,
                   'text'::regtype, 'varchar'::regtype, 'date'::regtype, 'timestamp'::regtype,
                   'timestamptz'::regtype, 'bytea'::regtype, 'oid'::regtype))
           -- Every value has the scale of the column.
           OR (a.atttypid = 'numeric'::regtype AND a.atttypmod <> -1)
    FROM pg_attribute AS a
    JOIN pg_type AS t ON t.oid = a.atttypid
    WHERE a.attrelid = target AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v'
      AND has_column_privilege(target, a.attnum, 'SELECT') IS NOT NULL
    ORDER BY a.attnum;
END
$$;

-- Returns the type under a domain, through any number of nested domains; else the type itself.
CREATE OR REPLACE FUNCTION threadline.base_type(type oid) RETURNS oid
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_kind "char";
    tl_under oid;
BEGIN
    LOOP
        SELECT t.typtype, t.typbasetype INTO tl_kind, tl_under FROM pg_type AS t WHERE t.oid = type;
        IF tl_kind = 'd' THEN
            type := tl_under;
        ELSE
            -- NULL if it is not a type.
            RETURN CASE WHEN tl_kind IS NOT NULL THEN type END;
        END IF;
    END LOOP;
END
$$;

-- Returns whether to_jsonb() may give one value for two different ones: for -0 and 0, and for
-- arrays that differ in their bounds.
CREATE OR REPLACE FUNCTION threadline.merges_values(type oid) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT EXISTS (
        SELECT
        FROM pg_type AS base
        WHERE base.oid = threadline.base_type(merges_values.type)
          AND (base.oid IN ('float4'::regtype, 'float8'::regtype) OR base.typcategory = 'A' OR base.typtype = 'c'));
END;

-- Returns SQL for the value that to_jsonb() gets in place of a column's, so that no foreign code
-- runs with the rights of the role that records: for a type that is not PostgreSQL's own,
-- to_jsonb() calls any cast to json that the type's owner created. Such a value is recorded as
-- the text from its output function. A json value that has no form in jsonb keeps its text, and
-- money, whose text depends on the locale, is a number.
CREATE OR REPLACE FUNCTION threadline.json_form(type oid, reference text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $form$
BEGIN
    RETURN (
        SELECT format(
            CASE
                WHEN base.oid = 'json'::regtype THEN 'threadline.json_image(%1$s)'
                WHEN base.oid = 'money'::regtype THEN '%1$s::numeric'
                -- PostgreSQL's own types have lower OIDs, and to_jsonb() looks for no cast of
                -- them.
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
        WHERE base.oid = threadline.base_type(type));
END
$form$;

-- Returns the columns of a relation as they are at this moment, for a write in progress: under
-- REPEATABLE READ its snapshot shows an older catalog, while PostgreSQL itself looks up the names
-- of a row's fields and the types of expressions in the current one. The type is unknown if the
-- caller has no access to its schema.
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
        -- NULL for a dropped column.
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
    -- A column is virtual from its creation, or never.
    WHERE c.number <> ALL (ARRAY(SELECT a.attnum FROM pg_attribute AS a WHERE a.attrelid = target AND a.attgenerated = 'v'));
END
$$;

-- Returns what an image holds for a value that does not fit. The digest distinguishes two such
-- values, so that a change from one to the other is recorded.
CREATE OR REPLACE FUNCTION threadline.too_large(bytes integer, digest bytea) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN '[too large to record: ' || bytes || ' bytes, sha256:' || pg_catalog.encode(digest, 'hex') || ']';

-- Returns SQL for the image of a row of a relation with its present columns, before any column
-- policy. The exact form fails where a value has no form in jsonb (\u0000 inside json[]). The
-- other form never fails: it keeps all values except numbers and the like as text, and replaces
-- what exceeds 200 MB by its length and digest.
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
                        -- Its text is twice as long and may exceed the limit.
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
            -- A type that is only in the snapshot is determined again, from the value.
            (SELECT format('CASE WHEN pg_typeof(%s) = %L::regtype THEN to_jsonb(%s) ELSE to_jsonb(%s) END',
                 value.reference, a.atttypid, threadline.json_form(a.atttypid, value.reference), as_text.sql)
             FROM pg_attribute AS a
             WHERE c.type IS NULL AND a.attrelid = relation AND a.attnum = c.number
               AND threadline.json_form(a.atttypid, value.reference) IS NOT NULL),
            as_text.sql) AS sql
    ) AS form;
END;

-- Returns any row, or value of a composite type, as JSON. Never fails.
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

-- Returns the image of a row that may exceed the limits of to_jsonb(): no string in it may hold
-- more than 256 MB. A separate function, because an exception handler adds cost to every row.
CREATE OR REPLACE FUNCTION threadline.large_image(image_of anyelement) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    RETURN to_jsonb(image_of);
EXCEPTION WHEN program_limit_exceeded OR untranslatable_character OR data_exception OR internal_error THEN
    RETURN threadline.row_image(image_of);
END
$$;

-- Returns a table as FROM, UPDATE or DELETE take it, restricted to its own rows: the rows of an
-- inheritance child belong to the child, those of a partition to the table.
CREATE OR REPLACE FUNCTION threadline.own_rows(target regclass) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT CASE WHEN c.relkind = 'p' THEN target::text ELSE 'ONLY ' || target END FROM pg_class AS c WHERE c.oid = target;
END;

-- Returns the stored form of a masked value. It has the JSON type that to_jsonb gives the
-- column's values, so that readers can parse it. NULL stays NULL.
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

-- Returns a row's image reduced to the plain columns, with placeholders for the masked ones.
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

-- Returns whether a recorded value was erased: its mark names the erasure, erased:3.
CREATE OR REPLACE FUNCTION threadline.is_erased(value jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN coalesce(pg_catalog.jsonb_typeof(value) = 'string' AND value::pg_catalog.text ~ '^"erased:[0-9]+"$', false);

-- Returns an image with a mark in the place of each value of the given columns. NULL stays NULL,
-- and an erased value keeps its mark.
CREATE OR REPLACE FUNCTION threadline.erased_image(image jsonb, names text[], mark jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN pg_catalog.jsonb_typeof(image) <> 'object' THEN image
    ELSE image || coalesce((
        SELECT pg_catalog.jsonb_object_agg(n, mark)
        FROM pg_catalog.unnest(names) AS n
        WHERE image -> n <> 'null' AND NOT threadline.is_erased(image -> n)), '{}')
END;

-- Returns the columns of an image whose values were erased.
CREATE OR REPLACE FUNCTION threadline.erased_columns(image jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN pg_catalog.strpos(image::pg_catalog.text, '"erased:') = 0 OR pg_catalog.jsonb_typeof(image) <> 'object' THEN '{}'
    ELSE ARRAY(
        SELECT field.key FROM pg_catalog.jsonb_each(image) AS field
        WHERE threadline.is_erased(field.value)
        ORDER BY 1)
END;

-- Returns an image without the erased values that the columns of a row type cannot hold.
CREATE OR REPLACE FUNCTION threadline.without_marks(image jsonb, of_type regtype) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    IF strpos(image::text, '"erased:') = 0 THEN
        RETURN image;
    END IF;
    RETURN image - ARRAY(
        SELECT a.attname::text
        FROM pg_type AS t
        JOIN pg_attribute AS a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
        JOIN pg_type AS c ON c.oid = a.atttypid
        WHERE t.oid = of_type AND threadline.is_erased(image -> a.attname)
          AND NOT (c.oid IN ('text'::regtype, 'varchar'::regtype) AND (a.atttypmod < 0 OR a.atttypmod - 4 >= length(image ->> a.attname))));
END
$$;

-- Returns a key of up to 64 bytes with each byte exclusive-or a given byte, as HMAC needs it.
CREATE OR REPLACE FUNCTION threadline.hash_pad(key bytea, pad integer) RETURNS bytea
LANGUAGE sql IMMUTABLE
RETURN (
    SELECT pg_catalog.string_agg(
        pg_catalog.set_byte('\x00', 0, pad # CASE WHEN i < pg_catalog.length(key) THEN pg_catalog.get_byte(key, i) ELSE 0 END), ''
        ORDER BY i)
    FROM pg_catalog.generate_series(0, 63) AS i
);

-- Creates a key of 32 random bytes and returns the id under which it is kept. UUIDs come from
-- PostgreSQL's strong random source, 122 bits each.
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

-- Returns the keyed hash of a value: the first half of HMAC-SHA-256 of its text. Equal values
-- have equal hashes, also after the type of the column changed. NULL stays NULL. If the key is
-- missing, as in a restore that left out the rows, all values give the same result. Not written
-- as one expression, because PostgreSQL would inline that into the expressions of capture and
-- plan each as a query, which takes three times as long for a single row.
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

-- Returns a row's redacted image with keyed hashes in place of placeholders. `hashes` names the
-- key of each column.
CREATE OR REPLACE FUNCTION threadline.with_hashes(image jsonb, whole jsonb, hashes jsonb) RETURNS jsonb
LANGUAGE sql STABLE
RETURN image || coalesce((
    SELECT pg_catalog.jsonb_object_agg(t.key, threadline.hash(t.value::pg_catalog.int4, whole -> t.key))
    FROM pg_catalog.jsonb_each(hashes) AS t
    WHERE image ? t.key), '{}');

-- Returns the primary key of a relation, in key order; empty if it has none.
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

-- Returns the generation expression of a column; NULL if it has none.
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

-- Returns threadline.fingerprint() without some columns, given by their numbers.
CREATE OR REPLACE FUNCTION threadline.fingerprint_but(target regclass, others smallint[]) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
BEGIN ATOMIC
    SELECT md5(coalesce(
        string_agg(
            quote_ident(c.name) || ' ' || c.type::oid::regtype::text || CASE WHEN c.bitwise THEN '' ELSE ' by image' END
                || coalesce(' generated as ' || threadline.generation_of(target, c.number), ''),
            ',' ORDER BY c.number), ''))
    FROM threadline.columns_of(target) AS c
    WHERE c.number <> ALL (others);
END;

-- Returns a fingerprint of the names and types of a relation's columns, how they are compared,
-- and their generation expressions. If it differs, the table needs threadline.refresh(). Column
-- numbers are not part of it: a dump and restore closes the gaps that dropped columns left.
CREATE OR REPLACE FUNCTION threadline.fingerprint(target regclass) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
RETURN threadline.fingerprint_but(target, '{}');

-- Returns the relation whose columns a capture function was built for, given one of its
-- partitions. `built_for` is its OID at that time; after a restore the OIDs differ, and the
-- partition's root is taken.
CREATE OR REPLACE FUNCTION threadline.audited_relation(target oid, built_for oid) RETURNS regclass
LANGUAGE sql STABLE
RETURN CASE
    WHEN target = built_for THEN target
    WHEN EXISTS (
        SELECT FROM pg_catalog.pg_partition_ancestors(target) AS ancestor WHERE ancestor.relid::pg_catalog.oid = built_for
    ) THEN built_for
    ELSE coalesce(pg_catalog.pg_partition_root(target)::pg_catalog.oid, target)
END::pg_catalog.regclass;

-- Returns the settings on which the text of a relation's values depends: one value has one image,
-- independent of the session that writes it. Each pinned setting adds cost to every call of a
-- function, so a table has only those that its types need; a table with an unknown type has all.
CREATE OR REPLACE FUNCTION threadline.settings_needed(relation oid) RETURNS text[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    RETURN (
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
                -- In JSON, dates and times have ISO format under every setting.
                OR c.type IN (
                    'bool'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype, 'oid'::regtype,
                    'text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'uuid'::regtype, 'json'::regtype, 'jsonb'::regtype,
                    'inet'::regtype, 'cidr'::regtype, 'macaddr'::regtype,
                    '_int2'::regtype, '_int4'::regtype, '_int8'::regtype, '_text'::regtype, '_varchar'::regtype, '_uuid'::regtype, '_bool'::regtype,
                    'date'::regtype, 'time'::regtype, 'timetz'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype,
                    'interval'::regtype, 'bytea'::regtype, 'float4'::regtype, 'float8'::regtype), false)));
END
$$;

-- Returns whether values of a type have one form in jsonb, independent of all settings except the
-- pinned ones. `apart` says that values are compared separately from their images: otherwise a type
-- of which threadline.merges_values() is true is not plain. Covers the types that most columns
-- have; for others see threadline.json_form() and threadline.settings_needed().
CREATE OR REPLACE FUNCTION threadline.is_plain_type(type oid, pinned text[], apart boolean) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN type IN (
        'bool'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype, 'oid'::regtype,
        'text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'uuid'::regtype, 'jsonb'::regtype,
        'inet'::regtype, 'date'::regtype, 'time'::regtype, 'timestamp'::regtype)
    OR type IN ('timestamptz'::regtype, 'timetz'::regtype) AND 'timezone' = ANY (pinned)
    OR type = 'interval'::regtype AND 'intervalstyle' = ANY (pinned)
    OR type = 'bytea'::regtype AND 'bytea_output' = ANY (pinned)
    OR type IN ('float4'::regtype, 'float8'::regtype) AND 'extra_float_digits' = ANY (pinned) AND apart
    OR type IN ('_int4'::regtype, '_int8'::regtype, '_text'::regtype, '_uuid'::regtype) AND apart;

-- Returns whether to_jsonb() may be given a row of a relation: every type is PostgreSQL's own, so
-- that no cast is called, and its text depends only on pinned settings. `apart` as in
-- threadline.is_plain_type(). Declared immutable and called only with constants, so that PostgreSQL
-- evaluates it once, when it plans the query around it, and again after any change of the relation.
CREATE OR REPLACE FUNCTION threadline.plain_columns(relation oid, pinned text[], apart boolean) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    -- PostgreSQL evaluates it ahead, also for a relation that does not exist after a restore.
    RETURN EXISTS (SELECT FROM pg_class AS c WHERE c.oid = relation) AND NOT EXISTS (
        SELECT
        FROM threadline.present_columns(relation) AS c
        WHERE CASE
            WHEN threadline.is_plain_type(c.type, pinned, apart) THEN false
            WHEN NOT apart AND threadline.merges_values(c.type) THEN true
            WHEN NOT threadline.settings_needed(relation) <@ pinned THEN true
            -- The content of a json value need not have a form in jsonb.
            WHEN c.type < 16384 THEN c.type IN ('json'::regtype, 'json[]'::regtype, 'money'::regtype)
            ELSE c.type IS NULL OR threadline.json_form(c.type, 'v') <> 'v' OR threadline.base_type(c.type) = 'json[]'::regtype END
    ) AND NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = relation AND a.attgenerated = 'v');
END
$$;

-- Returns whether the columns of a relation are those that its capture was built for: the same
-- columns, names and types and, where any are redacted, the same generation expressions of the
-- plain ones. While the table keeps its OID, the column numbers must match too; a restore closes
-- the gaps that dropped columns left.
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
        FULL JOIN jsonb_to_recordset(built_for -> 'columns') AS k (number smallint, name text, type text, column_policy text, generation_expression text)
            ON k.name = now.name AND k.type = now.type::text
        WHERE now.number IS NULL OR k.number IS NULL
           OR (k.number <> now.number AND relation = (built_for ->> 'relation')::oid)
           -- A column that is generated from a redacted one is known by its expression.
           OR (k.column_policy = 'plain' AND tl_redacts
               AND threadline.generation_of(relation, now.number) IS DISTINCT FROM k.generation_expression));
END
$$;

-- Returns threadline.columns_match(). Declared immutable and called only with constants, so that
-- PostgreSQL evaluates it once, when it plans the query around it, and again after any change of
-- the relation, which rebuilds all plans that name its OID.
CREATE OR REPLACE FUNCTION threadline.columns_stand(relation oid, built_for jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN threadline.columns_match(relation, built_for);

-- Returns threadline.columns_match(), or without columns to match threadline.plain_columns(), for
-- a table whose OID is not the one in its capture function: it was restored, and PostgreSQL does
-- not know that a plan depends on it. Called for every write until threadline.refresh(), and
-- therefore kept minimal.
CREATE OR REPLACE FUNCTION threadline.columns_now(relation oid, built_for jsonb, pinned text[], apart boolean) RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
        -- The snapshot may be older than the columns.
        RETURN CASE WHEN pinned IS NULL THEN threadline.columns_match(relation, built_for)
                    ELSE threadline.plain_columns(relation, pinned, apart) END;
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
            a.attgenerated = 'v' OR NOT threadline.is_plain_type(a.atttypid, pinned, apart)));
END
$$;

-- Returns the redacted columns of a row whose columns differ from those that its capture function
-- was built for. Fails closed: on a table with redaction, a value is recorded plain only if its
-- column can be traced to one that the policy left plain, by column number while the table keeps
-- its OID, by name after a restore. A column added since could hold anything and is left out, and
-- so is one that has another generation expression. `built_for` is written into the capture
-- function: nothing here depends on rows that may be missing. Declared immutable and called only
-- with constants, so that PostgreSQL evaluates it when it plans and not for every write.
CREATE OR REPLACE FUNCTION threadline.redaction_now(relation oid, built_for jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
BEGIN ATOMIC
    WITH known AS (
        SELECT c.*, (built_for ->> 'relation')::oid = redaction_now.relation AS same
        FROM jsonb_to_recordset(built_for -> 'columns') AS c (number smallint, name text, column_policy text, hash_key integer, generation_expression text)
    ), traced AS (
        SELECT live.name, live.type, itself.hash_key, itself.column_policy AS by_itself, namesake.column_policy AS by_name,
               threadline.generation_of(redaction_now.relation, live.number) IS NOT DISTINCT FROM itself.generation_expression AS made_as_before
        FROM threadline.present_columns(redaction_now.relation) AS live
        LEFT JOIN known AS namesake ON namesake.name = live.name
        LEFT JOIN known AS itself ON CASE WHEN itself.same THEN itself.number = live.number ELSE itself.name = live.name END
    )
    SELECT jsonb_build_object(
        'apart', coalesce(jsonb_agg(name) FILTER (
            WHERE threadline.merges_values(type) AND 'exclude' NOT IN (coalesce(by_itself, 'mask'), coalesce(by_name, 'mask'))), '[]'))
        || CASE WHEN EXISTS (SELECT FROM known AS k WHERE k.column_policy IS DISTINCT FROM 'plain') THEN jsonb_build_object(
        'plain', coalesce(jsonb_agg(name) FILTER (
            WHERE by_itself = 'plain' AND coalesce(by_name, 'plain') = 'plain' AND made_as_before), '[]'),
        'masks', coalesce(jsonb_object_agg(name, coalesce(threadline.placeholder(type), '"***"')) FILTER (
            WHERE ARRAY[by_itself, by_name] && '{mask,hash}'
              AND 'exclude' NOT IN (coalesce(by_itself, 'mask'), coalesce(by_name, 'mask'))), '{}'),
        'hashes', coalesce(jsonb_object_agg(name, hash_key) FILTER (
            WHERE by_itself = 'hash' AND coalesce(by_name, 'hash') IN ('hash', 'plain')), '{}'))
        ELSE '{}' END
    FROM traced;
END;

-- Returns the images of a change without the redacted columns, and the masked columns that it
-- changed.
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
                WHERE tl_new ? key AND NOT redaction -> 'apart' ? key AND (tl_old -> key)::text IS DISTINCT FROM (tl_new -> key)::text);
        END IF;
    END IF;
END
$$;

-- Returns the named columns that differ between two rows, even if their images are equal.
CREATE OR REPLACE FUNCTION threadline.changed_apart(old_record anyelement, new_record anyelement, columns jsonb) RETURNS text[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_changed text[] := '{}';
BEGIN
    IF columns <> '[]' AND old_record IS DISTINCT FROM NULL AND new_record IS DISTINCT FROM NULL THEN
        EXECUTE (
            SELECT 'SELECT array_remove(ARRAY[' || string_agg(
                format('CASE WHEN record_image_ne(ROW(($1).%1$s), ROW(($2).%1$s)) THEN %2$L END', threadline.quoted(name), name), ', ')
                || '], NULL)'
            FROM jsonb_array_elements_text(columns) AS name)
        INTO tl_changed USING old_record, new_record;
    END IF;
    RETURN tl_changed;
END
$$;

-- Returns the images of a row whose columns differ from those that its capture was built for, or
-- contain values without a form in jsonb: images of the whole row, from which redacted columns
-- are removed by name. Never fails.
CREATE OR REPLACE FUNCTION threadline.careful_change(
    old_record anyelement, new_record anyelement, plain boolean, redaction jsonb,
    OUT old_row jsonb, OUT new_row jsonb, OUT changed text[]
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    IF plain THEN
        BEGIN
            SELECT r.old_row, r.new_row, r.changed INTO old_row, new_row, changed
            FROM threadline.redacted_change(to_jsonb(old_record), to_jsonb(new_record), redaction) AS r;
        EXCEPTION WHEN program_limit_exceeded OR untranslatable_character OR data_exception OR internal_error THEN
            plain := false;
        END;
    END IF;
    IF NOT plain THEN
        SELECT r.old_row, r.new_row, r.changed INTO old_row, new_row, changed
        FROM threadline.redacted_change(threadline.row_image(old_record), threadline.row_image(new_record), redaction) AS r;
    END IF;
    changed := changed || threadline.changed_apart(old_record, new_record, redaction -> 'apart');
END
$$;

-- Returns the table that a capture function belongs to: the one it was built for or, after a
-- restore, when the OIDs differ, the one whose trigger calls it. Declared immutable, so that
-- PostgreSQL evaluates it when it plans and not for every write.
CREATE OR REPLACE FUNCTION threadline.captured_relation(audited_table integer, built_for oid) RETURNS oid
LANGUAGE sql IMMUTABLE
RETURN coalesce((
    SELECT g.tgrelid
    -- PostgreSQL has no index on the functions of triggers.
    FROM pg_catalog.pg_depend AS d
    JOIN pg_catalog.pg_trigger AS g ON d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND g.oid = d.objid
    JOIN pg_catalog.pg_class AS c ON c.oid = g.tgrelid
    LEFT JOIN threadline.audited_tables AS t ON t.id = audited_table
    WHERE d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
      AND d.refobjid = pg_catalog.to_regproc('threadline.capture_' || audited_table) AND g.tgfoid = d.refobjid AND g.tgparentid = 0
      AND g.tgname = '!threadline_capture_' || audited_table AND c.relpersistence <> 't'
    ORDER BY c.oid = built_for DESC, c.oid = t.relation DESC, c.relname = t.table_name DESC, g.oid
    LIMIT 1
), 0::pg_catalog.oid);

-- Returns the action that suspended capture in this session; NULL if capture is not suspended.
CREATE OR REPLACE FUNCTION threadline.suspended_session() RETURNS bigint
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT s.action_id
    FROM threadline.session_suspensions AS s
    WHERE s.resumed_at IS NULL AND s.pid = pg_backend_pid()
      AND s.secret_hash = sha256(convert_to(current_setting('threadline.suspended', true), 'UTF8'));
END;

-- Returns whether capture is suspended in the running database transaction or its session. The
-- setting threadline.suspended only says that a suspension has to be looked up.
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

-- Returns whether a write must not be recorded: capture is suspended, or the trigger that fired
-- is not the one that threadline.audit() created. A trigger that was copied to another table with
-- a schema, or created by hand, records nothing, because the write was not on the audited table;
-- threadline.table_drift() reports it.
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

-- Returns whether PostgreSQL, to plan a query of a table, may call a function that was written by
-- a role other than a superuser or the owner of the audit: the planner evaluates constants in the
-- expressions of indexes, statistics and partition keys with the rights of the caller.
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

-- Returns the relation through which the owner of the audit may read the rows of a table: the
-- table itself, or the parent of a partition that was attached later without a grant. NULL if
-- there is none, or if a row-level policy or a function of another role would run with the rights
-- of the owner.
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

-- Returns the id of the AuditTransaction that a change made now belongs to: the id of the first
-- entry under the context. If there is none, appends an entry that holds only the context. The
-- settings are not trusted: posting checks that the entry exists and is of the same database
-- transaction.
CREATE OR REPLACE FUNCTION threadline.current_transaction() RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_context text := coalesce(current_setting('threadline.context', true), '');
    tl_transaction bigint := CASE WHEN current_setting('threadline.transaction_context', true) = tl_context
        THEN substring(current_setting('threadline.transaction', true) FROM '^[0-9]{1,18}$') END;
    tl_place tid;
BEGIN
    IF tl_transaction IS NULL THEN
        tl_transaction := nextval('threadline.entry_ids');
        PERFORM set_config('threadline.transaction', tl_transaction::text, true),
                set_config('threadline.transaction_context', tl_context, true);
        INSERT INTO threadline.journal (
            id, transaction_id, xact_id, occurred_at, captured_at, op, context, session_user_name, application_name)
        VALUES (tl_transaction, tl_transaction, pg_current_xact_id(), now(), clock_timestamp(), 'C', tl_context, session_user, current_setting('application_name'))
        RETURNING ctid INTO tl_place;
        -- For threadline.own_transaction().
        PERFORM set_config('threadline.transaction_place', tl_place::text, true);
    END IF;
    RETURN tl_transaction;
END
$$;

-- Sets the actor and the context of what the running transaction writes from now on:
--
--   BEGIN; SELECT threadline.set_context('{"actor": {"type": "user", "id": "42"}}'); ... COMMIT;
--
-- The context carries the time at which the transaction began. A context that a session left
-- behind with SET carries another time, so it gives no actor to the next client of a pooled
-- connection.
CREATE OR REPLACE FUNCTION threadline.set_context(context jsonb) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
    SELECT pg_catalog.set_config('threadline.context',
        pg_catalog.concat(EXTRACT(epoch FROM pg_catalog.now()), ' ', context), true);
END;
COMMENT ON FUNCTION threadline.set_context(jsonb) IS
    'Sets the actor and context of what the running transaction changes from now on: {"actor": {"type", "id"}, "request_id", "correlation_id", "job_id", "source", "remote_ip", "metadata"}';

-- Returns the parts of a context of a transaction that began at an instant. Never fails: an
-- unreadable context is kept, and context_error gives the reason. A context names an actor only
-- if it was made in this transaction: it begins with the epoch at which the transaction began.
-- Pins no settings of its own, which would add cost to each context; the caller's apply.
CREATE OR REPLACE FUNCTION threadline.read_context(
    context text, occurred_at timestamptz,
    OUT actor_type text, OUT actor_id text, OUT actor_origin text, OUT request_id text, OUT correlation_id text,
    OUT job_id text, OUT source text, OUT remote_ip inet, OUT meta jsonb, OUT context_error text
)
LANGUAGE plpgsql STABLE
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
        -- A value that does not fit into an index could not be posted.
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

-- Returns SQL for the image of a row called row_name of a relation with any columns.
CREATE OR REPLACE FUNCTION threadline.image_of(relation regclass, row_name text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
RETURN pg_catalog.format(
    CASE WHEN threadline.plain_columns(relation, '{array_nulls,bytea_output,datestyle,extra_float_digits,intervalstyle,timezone}', apart => true)
         THEN 'pg_catalog.to_jsonb(%s.*)' ELSE 'threadline.row_image(%s.*)' END, row_name);

-- Appends an entry for a row that a TRUNCATE removes, or for rows whose content is unknown.
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

-- Records every row that a TRUNCATE is about to remove from a relation. Runs for each relation
-- that the statement names or reaches and that carries the trigger; partitions without one are
-- covered by their parent's. If the number of rows exceeds audited_tables.truncate_limit, one
-- record gives the number, so that TRUNCATE stays fast.
CREATE OR REPLACE FUNCTION threadline.capture_truncate(audited_table integer, target oid, built_for jsonb) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET bytea_output = 'hex'
SET extra_float_digits = 1
SET array_nulls = on
-- Otherwise, functions that a CHECK calls would run as the owner of the audit.
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
            -- A row-level policy failed, or may not be applied: only the fact that rows were
            -- removed can be recorded.
            PERFORM threadline.append_truncated(audited_table, tl_part);
            CONTINUE;
        END;
        -- TRUNCATE removes rows that this transaction cannot see. A record without a key shows
        -- that the recorded rows are not all.
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

-- The source of a table's capture function, with holes in braces for the parts that depend on the
-- table. It appends one entry to the journal and looks nothing up.
--
-- Every write pays for each expression and each pinned setting. So there are few, and no
-- search_path: every call names its schema, and comparisons call the functions of the operators
-- by name, which no search_path can replace.
CREATE OR REPLACE FUNCTION threadline.capture_template() RETURNS text
LANGUAGE sql IMMUTABLE
RETURN $template$
DECLARE
    tl_context pg_catalog.text := coalesce(pg_catalog.current_setting('threadline.context', true), '');
    tl_transaction bigint := CASE
        WHEN pg_catalog.texteq(pg_catalog.current_setting('threadline.transaction_context', true), tl_context)
         AND pg_catalog.textregexeq(pg_catalog.current_setting('threadline.transaction', true), '^[0-9]{1,18}$')
        THEN pg_catalog.current_setting('threadline.transaction')::bigint END;
    tl_first bigint;
    tl_old pg_catalog.jsonb;
    tl_new pg_catalog.jsonb;
    tl_changed pg_catalog._text;
BEGIN
    IF pg_catalog.oidne({captured}, CASE WHEN pg_catalog.oideq(TG_RELID, {built_for_oid}) THEN TG_RELID ELSE coalesce(pg_catalog.pg_partition_root(TG_RELID)::pg_catalog.oid, TG_RELID) END)
       OR pg_catalog.namene(TG_NAME, '!threadline_capture_{id}') OR pg_catalog.textne(TG_WHEN, 'AFTER') OR pg_catalog.textne(TG_LEVEL, 'ROW')
       OR pg_catalog.textne(pg_catalog.current_setting('threadline.suspended', true), '')
    THEN
        -- Another kind of trigger under this name would record changes falsely, or twice.
        IF NOT (CASE WHEN pg_catalog.texteq(TG_OP, 'TRUNCATE') THEN pg_catalog.nameeq(TG_NAME, '!threadline_truncate_{id}')
                    ELSE pg_catalog.texteq(TG_WHEN, 'AFTER') AND pg_catalog.texteq(TG_LEVEL, 'ROW') AND pg_catalog.nameeq(TG_NAME, '!threadline_capture_{id}') END)
           OR threadline.withheld({id}, TG_RELID, TG_NAME, {relation})
        THEN
            RETURN NULL;
        ELSIF pg_catalog.texteq(TG_OP, 'TRUNCATE') THEN
            PERFORM threadline.capture_truncate({id}, TG_RELID, {built_for});
            RETURN NULL;
        END IF;
    END IF;
    IF pg_catalog.texteq(TG_OP, 'UPDATE') AND pg_catalog.record_image_eq(OLD, NEW) THEN
        RETURN NULL;
    END IF;
{images}
    IF tl_transaction IS NULL THEN
        tl_first := CASE WHEN pg_catalog.set_config('threadline.transaction_context', tl_context, true) IS NOT NULL
                         THEN pg_catalog.set_config('threadline.transaction', pg_catalog.nextval('threadline.entry_ids')::pg_catalog.text, true)::bigint END;
    END IF;
    INSERT INTO threadline.journal (
        id, transaction_id, xact_id, occurred_at, captured_at, op, table_id, relation, depth,
        old_place, new_place, command, old_row, new_row, changed, context, session_user_name, application_name)
    VALUES (
        coalesce(tl_first, pg_catalog.nextval('threadline.entry_ids')), coalesce(tl_first, tl_transaction),
        pg_catalog.pg_current_xact_id(), pg_catalog.now(), pg_catalog.clock_timestamp(),
        pg_catalog."left"(TG_OP, 1)::pg_catalog."char", {id}, TG_RELID, pg_catalog.pg_trigger_depth(),
        CASE WHEN tl_old IS NOT NULL THEN OLD.ctid END, CASE WHEN tl_new IS NOT NULL THEN NEW.ctid END,
        CASE WHEN pg_catalog.texteq(TG_OP, 'UPDATE') THEN NEW.cmin END, tl_old, tl_new, tl_changed,
        CASE WHEN tl_first IS NOT NULL THEN tl_context END, CASE WHEN tl_first IS NOT NULL THEN session_user END,
        CASE WHEN tl_first IS NOT NULL THEN pg_catalog.current_setting('application_name') END);
    RETURN NULL;
END
$template$;

-- Returns the code that makes the images of a row for a table without redaction, for any columns.
-- Even compressed by the maximum factor of 255, 100 kB are far below the limits of jsonb.
CREATE OR REPLACE FUNCTION threadline.plain_images() RETURNS text
LANGUAGE sql IMMUTABLE
RETURN $template$
    IF ({plain}) THEN
        tl_old := CASE WHEN pg_catalog.texteq(TG_OP, 'INSERT') THEN NULL
                       WHEN pg_catalog.pg_column_size(OLD) > 100000 THEN threadline.large_image(OLD) ELSE pg_catalog.to_jsonb(OLD.*) END;
        tl_new := CASE WHEN pg_catalog.texteq(TG_OP, 'DELETE') THEN NULL
                       WHEN pg_catalog.pg_column_size(NEW) > 100000 THEN threadline.large_image(NEW) ELSE pg_catalog.to_jsonb(NEW.*) END;
    ELSE
        SELECT c.old_row, c.new_row, c.changed INTO tl_old, tl_new, tl_changed
        FROM threadline.careful_change(OLD, NEW, false, {redaction}) AS c;
    END IF;
$template$;

-- Returns the code that makes the images of a row for a table with column policies: the generated
-- form, or the careful one. The guard has only constant arguments, so that PostgreSQL evaluates
-- it when it plans, and again after each change of the table. An exception handler adds cost to
-- each row: {try} is left empty where all types are PostgreSQL's own, because 100 kB of these are
-- far below the limits of jsonb.
CREATE OR REPLACE FUNCTION threadline.named_images() RETURNS text
LANGUAGE sql IMMUTABLE
RETURN $template$
    DECLARE
        tl_careful boolean := NOT {stands} OR coalesce(pg_column_size(OLD), 0) + coalesce(pg_column_size(NEW), 0) > 100000;
    BEGIN
        IF NOT tl_careful THEN{try}
            IF TG_OP <> 'INSERT' THEN
                tl_old := {old_image};
            END IF;
            IF TG_OP <> 'DELETE' THEN
                tl_new := {new_image};
            END IF;
            IF TG_OP = 'UPDATE' THEN
                tl_changed := {changed};
            END IF;{catch}
        END IF;
        IF tl_careful THEN
            SELECT c.old_row, c.new_row, c.changed INTO tl_old, tl_new, tl_changed
            FROM threadline.careful_change(OLD, NEW, {plain}, {redaction}) AS c;
        END IF;
    END;
$template$;

-- Returns the version of the capture code. threadline.refresh() rebuilds functions of an older
-- version.
CREATE OR REPLACE FUNCTION threadline.capture_version() RETURNS integer
LANGUAGE sql IMMUTABLE
RETURN 2;

-- Returns a policy as it is recorded. Columns are sorted, so that equal policies are equal
-- documents; options that were not given are left out.
CREATE OR REPLACE FUNCTION threadline.policy(
    mask text[], exclude text[], require_actor boolean, columns text[], operations text[], condition text,
    plain text[], hash text[], ignore text[] DEFAULT '{}', keep text DEFAULT NULL,
    personal text[] DEFAULT '{}', subject jsonb DEFAULT NULL
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
    'ignore', (SELECT pg_catalog.jsonb_agg(DISTINCT c ORDER BY c) FROM pg_catalog.unnest(ignore) AS c),
    'keep', keep,
    'personal', (SELECT pg_catalog.jsonb_agg(DISTINCT c ORDER BY c) FROM pg_catalog.unnest(personal) AS c),
    'subject', nullif(subject, '{}')
));

-- Returns whether a policy keeps any column of a row from the audit.
CREATE OR REPLACE FUNCTION threadline.redacts(policy jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN policy -> 'mask' <> '[]' OR policy -> 'exclude' <> '[]' OR policy OPERATOR(pg_catalog.?|) '{columns,hash}';

-- Returns a template with its holes, {name}, filled.
CREATE OR REPLACE FUNCTION threadline.filled(template text, holes jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_parts text[] := string_to_array(template, '{');
    tl_name text;
    tl_filled text := tl_parts[1];
BEGIN
    -- In one pass: a filling may contain braces.
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

-- Returns a name in quotes, also where SQL needs none, so that no name is read as a keyword of
-- PL/pgSQL.
CREATE OR REPLACE FUNCTION threadline.quoted(name text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN '"' || pg_catalog.replace(name, '"', '""') || '"';

-- Returns SQL for the keyed hash of a value under the key of its column.
CREATE OR REPLACE FUNCTION threadline.hash_expression(reference text, type regtype, key_id integer) RETURNS text
LANGUAGE sql STABLE
RETURN pg_catalog.format('threadline.hash(%s, to_jsonb(%s))', key_id, threadline.json_form(type, reference));

-- Returns SQL for the image of a row called row_name. No other function decides which values of a
-- row may be recorded. Each column is named, so that no unnamed column is recorded.
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

-- Returns the columns that a table's capture is built for, in the form that is written into the
-- capture function: redaction must not depend on rows that a restore may leave out.
CREATE OR REPLACE FUNCTION threadline.built_for(audited_table integer, target regclass) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT jsonb_build_object(
        'relation', target::oid::bigint,
        'columns', (
            SELECT coalesce(jsonb_agg(jsonb_strip_nulls(to_jsonb(c)) ORDER BY c.number), '[]')
            FROM jsonb_to_recordset(t.columns) AS c (
                number smallint, name text, type text, column_policy text, hash_key integer, generation_expression text)),
        'signature', md5((
            SELECT string_agg(a.attname || ' ' || a.atttypid::regtype || ' ' || a.attgenerated::text, ',' ORDER BY a.attnum)
            FROM pg_attribute AS a
            WHERE a.attrelid = target AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v')))
    FROM threadline.audited_tables AS t
    WHERE t.id = audited_table;
END;

-- Returns the id under which a table is or was audited, by its row trigger; NULL if it has no
-- such trigger, or that of another table, by a copy of its schema or by hand.
CREATE OR REPLACE FUNCTION threadline.known_table_of(target regclass) RETURNS integer
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    RETURN (
        SELECT known.id
        FROM (
            SELECT substring(p.proname FROM '^capture_([0-9]{1,9})$')::integer AS id
            FROM pg_trigger AS g
            JOIN pg_proc AS p ON p.oid = g.tgfoid AND p.pronamespace = 'threadline'::regnamespace
            WHERE g.tgrelid = target
              AND g.tgparentid = 0
              AND g.tgname = '!threadline_' || p.proname
            -- Otherwise PostgreSQL evaluates the next condition for every function of the schema.
            OFFSET 0
        ) AS known
        WHERE threadline.captured_relation(known.id, 0) = target);
END
$$;

-- Returns the id under which a table is audited, or NULL. A table is identified by the capture
-- function that its own row trigger calls, which survives a rename, a change of schema, and a
-- dump and restore, also one without data. Not counted: a trigger that a partition has from its
-- parent, one that it kept when it was detached, and one that threadline.unaudit() disabled.
CREATE OR REPLACE FUNCTION threadline.audited_table_of(target regclass) RETURNS integer
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT known.id
    FROM threadline.known_table_of(target) AS known (id)
    WHERE NOT EXISTS (
        SELECT FROM threadline.audited_tables AS t WHERE t.id = known.id AND t.unaudited_at IS NOT NULL);
END;

-- Returns whether a column is recorded as a keyed hash, by the columns of its audited table.
CREATE OR REPLACE FUNCTION threadline.is_hash(columns jsonb, name text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN columns OPERATOR(pg_catalog.@>) pg_catalog.jsonb_build_array(pg_catalog.jsonb_build_object('name', name, 'column_policy', 'hash'));

-- Returns the key columns of an audited table under their present names and types, which may
-- differ from those that its capture function was built for. For a column recorded as a keyed
-- hash, `type` is that of the hash and `hash_of` the name in the policy.
CREATE OR REPLACE FUNCTION threadline.live_key(
    audited_table integer,
    OUT ordinal bigint, OUT name text, OUT type text, OUT single boolean, OUT hash_of text, OUT column_type text
) RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    tl_relation oid;
BEGIN
    SELECT t.relation INTO tl_relation FROM threadline.audited_tables AS t WHERE t.id = audited_table;
    IF EXISTS (
        SELECT
        FROM threadline.audited_tables AS t
        CROSS JOIN ROWS FROM (unnest(t.key_columns), unnest(t.key_types)) AS k (name, type)
        LEFT JOIN jsonb_to_recordset(t.columns) AS c (number smallint, name text, type text, column_policy text) ON c.name = k.name
        LEFT JOIN pg_attribute AS a ON a.attrelid = t.relation AND a.attnum = c.number AND NOT a.attisdropped
        WHERE t.id = audited_table AND (a.attname = k.name AND a.atttypid::regtype::text = CASE c.column_policy WHEN 'hash' THEN c.type ELSE k.type END) IS NOT TRUE
    ) AND threadline.audited_table_of(tl_relation) IS DISTINCT FROM audited_table THEN
        -- Another table has the number now.
        tl_relation := NULL;
    END IF;
    RETURN QUERY
    SELECT k.ordinal, coalesce(a.attname::text, k.name), CASE c.column_policy WHEN 'hash' THEN k.type ELSE now.type END,
           cardinality(t.key_columns) = 1, CASE c.column_policy WHEN 'hash' THEN k.name END, now.type
    FROM threadline.audited_tables AS t
    CROSS JOIN ROWS FROM (unnest(t.key_columns), unnest(t.key_types)) WITH ORDINALITY AS k (name, type, ordinal)
    LEFT JOIN jsonb_to_recordset(t.columns) AS c (number smallint, name text, type text, column_policy text) ON c.name = k.name
    LEFT JOIN pg_attribute AS a ON a.attrelid = tl_relation AND a.attnum = c.number AND NOT a.attisdropped
    CROSS JOIN LATERAL (SELECT coalesce(a.atttypid::regtype::text, CASE c.column_policy WHEN 'hash' THEN c.type ELSE k.type END) AS type) AS now
    WHERE t.id = audited_table;
END
$$;

-- Returns the keyed hash of a value of a key column. For keys only: a reader of the audit can
-- test whether something is recorded for a known key value, and for no other column.
CREATE OR REPLACE FUNCTION threadline.key_hash(audited_table integer, column_name text, value jsonb) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
AS $$
    SELECT threadline.hash(c.hash_key, value) #>> '{}'
    FROM threadline.audited_tables AS t
    CROSS JOIN jsonb_to_recordset(t.columns) AS c (name text, column_policy text, hash_key integer)
    WHERE t.id = audited_table AND c.name = column_name AND c.column_policy = 'hash' AND column_name = ANY (t.key_columns);
$$;

-- Returns the record key of the row of an audited table that has the given values of its key:
-- record_key(7, ROW(42)) is '42', record_key(8, ROW(7, 'x')) is '["7", "x"]'. Pins the settings
-- that capture pins, so that both write an instant, an interval or a byte string the same way.
-- Blanks at the end of a char(n) are not part of its value.
CREATE OR REPLACE FUNCTION threadline.record_key(audited_table integer, key_values record) RETURNS text
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
    tl_texts text[];
BEGIN
    SELECT array_agg(threadline.bounded_key(CASE
               WHEN k.is_hash THEN threadline.key_hash(audited_table, k.name, parts.value)
               WHEN k.type = 'character' THEN rtrim(threadline.key_text(parts.value), ' ')
               ELSE threadline.key_text(parts.value) END, parts.parts) ORDER BY parts.position)
    INTO tl_texts
    FROM (
        SELECT substr(name, 2)::integer AS position, value, count(*) OVER ()::integer AS parts
        FROM jsonb_each(to_jsonb(key_values)) AS field (name, value)
    ) AS parts
    LEFT JOIN (
        SELECT k.name, k.type, k.ordinal, threadline.is_hash(t.columns, k.name) AS is_hash
        FROM threadline.audited_tables AS t
        CROSS JOIN ROWS FROM (unnest(t.key_columns), unnest(t.key_types)) WITH ORDINALITY AS k (name, type, ordinal)
        WHERE t.id = audited_table
    ) AS k ON k.ordinal = parts.position;
    RETURN CASE cardinality(tl_texts)
        WHEN 1 THEN tl_texts[1]
        ELSE to_jsonb(tl_texts)::text
    END;
END
$$;

-- Returns SQL for the record key of a row called row_name. Only long values, which are few, call
-- a function. Two keys that the column's collation treats as equal are two keys.
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
            -- In a JSON array a byte takes six bytes at most.
            CASE parts WHEN 1 THEN 2000 ELSE (2000 / parts - 2) / 6 END) END AS bounded
        FROM (
            SELECT k.ordinal, count(*) OVER () AS parts, base.typlen > 0 OR k.hash_of IS NOT NULL AS fixed,
                   format(
                       CASE WHEN k.hash_of IS NOT NULL
                                THEN format('threadline.key_hash(%s, %L, to_jsonb(%%2$s)) COLLATE "C"', audited_table, k.hash_of)
                            WHEN k.type NOT IN ('smallint', 'integer', 'bigint', 'text', 'character varying', 'character', 'uuid')
                                THEN 'threadline.key_text(to_jsonb(%2$s))'
                            WHEN base.typcollation <> 0 THEN '%1$s::text COLLATE "C"'
                            ELSE '%1$s::text' END,
                       column_of.reference, threadline.json_form(k.column_type::regtype, column_of.reference)) AS part
            FROM threadline.live_key(audited_table) AS k
            JOIN pg_type AS base ON base.oid = threadline.base_type(k.type::regtype)
            CROSS JOIN LATERAL (SELECT format('%s.%I', row_name, k.name) AS reference) AS column_of
        ) AS whole
    ) AS parts;
END;

-- Returns the text as a JSON array, or NULL: a stored value that is neither does not make a read
-- fail.
CREATE OR REPLACE FUNCTION threadline.json_array_or_null(value text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
    RETURN CASE WHEN pg_catalog.left(value, 1) = '[' THEN value::pg_catalog.jsonb END;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END
$$;

-- Returns SQL that is true of the row called row_name with a given record key, by column, so that
-- the primary key's index is used. A cast to "character" or "bit" would cut the value to one
-- character or bit. If a key was too long for the index, only a digest is known, so the digest of
-- each row's key is computed.
--
-- Types of extensions are compared with the operator of their index, which the search_path does
-- not find and which only a superuser can have created. Values that citext or a collation treats
-- as equal are distinguished by their text.
CREATE OR REPLACE FUNCTION threadline.key_condition(audited_table integer, record_key text, row_name text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
-- Planning it takes a hundred times as long as running it.
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    tl_exactly boolean := record_key ~ '[.]{3} sha256:[0-9a-f]{64}("|$)';
    tl_by_column text;
BEGIN
    IF tl_exactly IS NOT true THEN
        SELECT string_agg(
                   format(CASE WHEN k.hash_of IS NOT NULL THEN '%6$s = %4$L'
                               WHEN k.base IN ('character'::regtype, 'bit'::regtype) THEN '%s.%I %s %L' ELSE '%s.%I %s %L::%s' END,
                       row_name, k.name, coalesce(k.equality, '='),
                       CASE WHEN k.single THEN record_key
                            ELSE threadline.json_array_or_null(record_key) ->> (k.ordinal::integer - 1) END,
                       k.base,
                       format('threadline.key_hash(%s, %L, to_jsonb(%s))', audited_table, k.hash_of,
                           threadline.json_form(k.column_type::regtype, format('%s.%I', row_name, k.name)))),
                   ' AND ' ORDER BY k.ordinal),
               bool_or((k.equality IS NOT NULL OR k.loose) AND k.hash_of IS NULL)
        INTO tl_by_column, tl_exactly
        FROM (
            -- Every value in the table satisfies the checks of its domain.
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

-- Returns the source of a table's capture function.
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
    -- Instants are converted to UTC when they are posted.
    tl_settings text[] := threadline.settings_needed(target) || '{timezone}'::text[];
    tl_restored text := format('threadline.audited_relation(TG_RELID, %L::pg_catalog.oid)', target::oid);
    -- PostgreSQL evaluates it when it plans; for a restored table it is evaluated for each write.
    tl_guard text := format(
        'CASE WHEN pg_catalog.oideq(TG_RELID, %1$L::pg_catalog.oid) OR pg_catalog.oideq(pg_catalog.pg_partition_root(TG_RELID)::pg_catalog.oid, %1$L::pg_catalog.oid) THEN %%s ELSE %%s END',
        target::oid);
    tl_whole boolean;
    tl_plain boolean := threadline.plain_columns(target, tl_settings, apart => true);
    tl_hides boolean;
    tl_changed text;
    -- Without redaction, for any columns.
    tl_redacted_for text;
BEGIN
    SELECT * INTO STRICT tl_table FROM threadline.audited_tables WHERE id = audited_table;
    SELECT bool_and(c.column_policy = 'plain') IS NOT false, bool_or(c.column_policy = 'exclude') OR tl_table.policy ? 'ignore', string_agg(
        format('CASE WHEN NOT record_image_eq(ROW(OLD.%1$s), ROW(NEW.%1$s)) THEN %2$L END', threadline.quoted(live.name), c.name), ', ' ORDER BY c.number
    ) FILTER (WHERE c.column_policy IN ('mask', 'hash') OR c.column_policy = 'plain' AND threadline.merges_values(live.type))
    INTO tl_whole, tl_hides, tl_changed
    FROM jsonb_to_recordset(tl_table.columns) AS c (number smallint, name text, column_policy text)
    JOIN threadline.columns_of(target) AS live ON live.number = c.number;
    tl_whole := tl_whole AND tl_changed IS NULL AND NOT tl_table.policy ? 'ignore' AND tl_plain;

    -- A dropped column that was redacted may come back.
    tl_whole := tl_whole AND NOT jsonb_path_exists(tl_table.columns, '$[*] ? (@.column_policy <> "plain")');
    tl_redacted_for := CASE WHEN tl_whole THEN $$'{}'::pg_catalog.jsonb$$ ELSE tl_built_for END;
    tl_images := threadline.filled(
        CASE WHEN tl_whole THEN threadline.plain_images() ELSE threadline.named_images() END,
        jsonb_build_object(
            'try', CASE WHEN tl_plain THEN '' ELSE E'\n            BEGIN' END,
            'catch', CASE WHEN tl_plain THEN '' ELSE $catch$
            EXCEPTION WHEN program_limit_exceeded OR untranslatable_character OR data_exception OR internal_error THEN
                tl_careful := true;
            END;$catch$ END,
            'plain', format(tl_guard,
                format('threadline.plain_columns(%L::pg_catalog.oid, %L, %L)', target::oid, tl_settings, NOT tl_whole),
                format('threadline.columns_now(%s, NULL, %L, %L)', tl_restored, tl_settings, NOT tl_whole)),
            'stands', format(tl_guard,
                format('threadline.columns_stand(%L::pg_catalog.oid, %s)', target::oid, tl_built_for),
                format('threadline.columns_now(%s, %s, NULL, NULL)', tl_restored, tl_built_for)),
            'redaction', format(tl_guard,
                format('threadline.redaction_now(%L::pg_catalog.oid, %s)', target::oid, tl_redacted_for),
                format('threadline.redaction_now(%s, %s)', tl_restored, tl_redacted_for)),
            'old_image', threadline.image_expression(audited_table, target, 'OLD'),
            'new_image', threadline.image_expression(audited_table, target, 'NEW'),
            'changed', CASE WHEN tl_changed IS NULL THEN 'NULL' ELSE format('array_remove(ARRAY[%s], NULL)', tl_changed) END));
    IF tl_hides THEN
        -- An update of only these columns is not visible in the images.
        tl_images := tl_images || format(
            $unseen$    IF TG_OP = 'UPDATE' AND (tl_old - %1$L::text[])::text = (tl_new - %1$L::text[])::text AND coalesce(tl_changed, '{}') <@ %1$L::text[] THEN
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
        'built_for_oid', format('%L::pg_catalog.oid', target::oid),
        'built_for', tl_built_for,
        'images', btrim(tl_images, E'\n')));
END
$capture_source$;

-- Returns the settings that a table's capture function pins, as clauses of the function. The code
-- of threadline.named_images() needs the search_path and is recognized by a word that it always
-- contains; testing for the absence of a word would not be safe, because a column name can
-- contain any word. Hashing instants needs the time zone; otherwise it is applied later.
CREATE OR REPLACE FUNCTION threadline.pinned_settings(audited_table integer, target regclass, source text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT concat_ws(' ',
        CASE WHEN strpos(source, 'tl_careful') > 0
             THEN 'SET search_path = pg_catalog, threadline, pg_temp' END,
        string_agg(format('SET %s = %L', setting.name, setting.value), ' ' ORDER BY setting.name))
    FROM threadline.audited_tables AS t
    CROSS JOIN (SELECT threadline.settings_needed(target) AS names OFFSET 0) AS needed
    JOIN (VALUES
        ('array_nulls', 'on'), ('bytea_output', 'hex'), ('datestyle', 'ISO, YMD'), ('extra_float_digits', '1'),
        ('intervalstyle', 'postgres'), ('timezone', 'UTC')
    ) AS setting (name, value)
        ON setting.name = ANY (needed.names) AND (
            setting.name <> 'timezone' OR t.policy ? 'hash'
            -- Ranges, composites and the like.
            OR 'datestyle' = ANY (needed.names))
    WHERE t.id = audited_table;
END;

-- Creates the trigger function that captures a table, unless it already matches. Any role may
-- create a trigger that calls it: it records only changes of its own table made through its own
-- triggers, so that the table's owner can attach partitions.
CREATE OR REPLACE FUNCTION threadline.build_function(audited_table integer, target regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_source text := threadline.capture_source(audited_table, target);
BEGIN
    EXECUTE format(
        'CREATE OR REPLACE FUNCTION threadline.capture_%s() RETURNS trigger '
        'LANGUAGE plpgsql SECURITY DEFINER %s AS %L',
        audited_table, threadline.pinned_settings(audited_table, target, tl_source), tl_source);
    EXECUTE format('GRANT EXECUTE ON FUNCTION threadline.capture_%s() TO PUBLIC', audited_table);
    EXECUTE format('COMMENT ON FUNCTION threadline.capture_%s() IS %L',
        audited_table, format('Records the changes of %s; written by threadline.audit()', target));
END
$$;

-- Returns the id of a table that was audited under this name and no longer exists: the newest one
-- whose capture function no table's trigger calls. A table that was renamed keeps its history.
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

-- Returns the id under which the history of a table is kept, for a name quoted as in SQL
-- ('users', '"app"."Order"'). Also for a table that was dropped or is no longer audited; NULL if
-- it never was audited.
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

-- Returns the triggers that capture a table and its partitions, each as PostgreSQL shows it, so
-- that the installed triggers can be compared. Those that PostgreSQL creates on partitions are
-- `inherited`.
--
-- Rows are captured one by one: so an old row and its new one are a pair, writes that reach a
-- table through a parent or a subscription are recorded too, and a statement that touches no row
-- costs nothing. '!' sorts before letters: capture fires before the table's other AFTER triggers.
-- A condition has its given form until its deparsed form is noted. Triggers that partitions get,
-- too, have names that contain the table's id, so that an audited table can become a partition of
-- another.
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

-- Removes a table's own capture triggers, except those that its capture needs. A trigger that is
-- no longer needed is disabled and not dropped, because dropping it would block readers.
CREATE OR REPLACE FUNCTION threadline.drop_triggers(target regclass, but_of integer DEFAULT 0) RETURNS void
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

-- Returns a condition without its quoted parts.
CREATE OR REPLACE FUNCTION threadline.unquoted(condition text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN pg_catalog.regexp_replace(condition, '''[^'']*''|"[^"]*"', 'x', 'g');

-- Fails for a condition that could be more than one expression. It is parsed and not run, because
-- the caller may not have written it. Without quoted text, comments and other quoting, an
-- expression closes no parenthesis that it did not open.
CREATE OR REPLACE FUNCTION threadline.check_condition(target regclass, condition text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_bare text := threadline.unquoted(condition);
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

-- Fails for a value that is not a length of time, or is below the floor in threadline.retention.
CREATE OR REPLACE FUNCTION threadline.check_keep(target regclass, keep text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_keep interval;
    tl_floor interval := (SELECT r.floor FROM threadline.retention AS r);
BEGIN
    IF keep IS NULL THEN
        RETURN;
    END IF;
    BEGIN
        tl_keep := keep::interval;
    EXCEPTION WHEN invalid_datetime_format OR datetime_field_overflow OR interval_field_overflow THEN
        tl_keep := NULL;
    END;
    IF (tl_keep > '0') IS NOT true THEN
        RAISE EXCEPTION 'threadline: changes of table % cannot be kept for ''%''; give a length of time such as ''7 years''', target, keep;
    ELSIF tl_keep < tl_floor THEN
        RAISE EXCEPTION 'threadline: changes of table % cannot be kept for %: the minimum is %', target, keep, tl_floor
            USING HINT = 'The owner of the audit sets the minimum with threadline.set_retention().';
    END IF;
END
$$;

-- Returns the table for a name in a policy: a name without a schema is one of the table's own
-- schema.
CREATE OR REPLACE FUNCTION threadline.subject_table_of(of_schema text, named text) RETURNS regclass
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    RETURN CASE cardinality(parse_ident(named))
        WHEN 1 THEN to_regclass(format('%I.%s', of_schema, named))
        WHEN 2 THEN to_regclass(named) END;
EXCEPTION WHEN invalid_parameter_value OR invalid_name THEN
    RETURN NULL;
END
$$;

-- Fails for columns that the table does not have or that are part of its primary key, and for
-- subjects that are not tables.
CREATE OR REPLACE FUNCTION threadline.check_personal(target regclass, personal text[], subject jsonb, redacted text[]) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_columns text[] := ARRAY(SELECT c.name FROM threadline.columns_of(target) AS c ORDER BY c.number);
    tl_keys text[] := ARRAY(SELECT k.name FROM threadline.key_columns_of(target) AS k);
    tl_wrong text;
    tl_schema text := (SELECT n.nspname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = target);
    tl_field record;
BEGIN
    IF jsonb_typeof(subject) <> 'object' THEN
        RAISE EXCEPTION 'threadline: the subject of table % is no object; say for each column whom it names, as in subject => ''{"user_id": "users"}''', target;
    END IF;
    SELECT string_agg(c, ', ') INTO tl_wrong
    FROM (SELECT unnest(personal) UNION SELECT jsonb_object_keys(subject)) AS named (c) WHERE c <> ALL (tl_columns);
    IF tl_wrong IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: table % has no column %; its columns are: %', target, tl_wrong, array_to_string(tl_columns, ', ');
    END IF;
    SELECT string_agg(c, ', ') INTO tl_wrong FROM unnest(personal) AS c WHERE c = ANY (tl_keys);
    IF tl_wrong IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: column % belongs to the primary key of %; a key identifies the record and cannot be erased', tl_wrong, target
            USING HINT = 'Give the table a key that contains no personal data.';
    END IF;
    IF tl_keys = '{}' AND (personal <> '{}' OR subject <> '{}') THEN
        RAISE EXCEPTION 'threadline: table % has no primary key, so its changes belong to no record and to no person; add a key first', target;
    END IF;
    SELECT string_agg(c, ', ') INTO tl_wrong FROM jsonb_object_keys(subject) AS c WHERE c = ANY (redacted);
    IF tl_wrong IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: column % of table % is not recorded as it is, and cannot name the owner of a recorded row', tl_wrong, target;
    END IF;
    FOR tl_field IN SELECT * FROM jsonb_each_text(subject) LOOP
        IF threadline.subject_table_of(tl_schema, tl_field.value) IS NULL THEN
            RAISE EXCEPTION 'threadline: column % of table % names the records of %, and there is no such table', tl_field.key, target, tl_field.value
                USING HINT = 'Without a schema it is looked for in that of the table.';
        END IF;
    END LOOP;
END
$$;

-- Returns the columns of a table that belong to a person: by its policy, and those dropped while
-- personal, because values of dropped columns are still on record.
CREATE OR REPLACE FUNCTION threadline.personal_data(audited_table integer, target regclass, personal text[], subject jsonb) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT jsonb_build_object(
        'columns', (
            SELECT coalesce(jsonb_agg(DISTINCT c.name ORDER BY c.name), '[]')
            FROM (
                SELECT unnest(personal)
                UNION
                SELECT f.name
                FROM threadline.audited_tables AS t
                CROSS JOIN jsonb_array_elements_text(t.personal_data -> 'columns') AS f (name)
                WHERE t.id = audited_table AND f.name NOT IN (SELECT live.name FROM threadline.columns_of(target) AS live)
            ) AS c (name)),
        'subject', coalesce((
            SELECT jsonb_object_agg(f.key, f.value)
            FROM threadline.audited_tables AS t
            CROSS JOIN jsonb_each(t.personal_data -> 'subject') AS f
            WHERE t.id = audited_table AND f.key NOT IN (SELECT live.name FROM threadline.columns_of(target) AS live)), '{}')
            || coalesce(subject, '{}'));
END;

-- Returns whether PostgreSQL, to parse a condition, may run code that was written by a role other
-- than a superuser. Parsing turns a constant into a value: for an array or a composite type that
-- contains a domain, the domain's CHECK runs then, with the rights of the role that parses. A
-- condition that names nothing of another schema, on a table without such a domain, runs nothing.
-- The test is conservative: other conditions may be harmless too, and count as if they were not.
CREATE OR REPLACE FUNCTION threadline.parses_foreign_code(target regclass, condition text) RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_bare text := threadline.unquoted(condition);
BEGIN
    RETURN tl_bare ~ '[^[:ascii:]]'
        -- These may precede a dot: a row, PostgreSQL's own schema, or the digits of a number.
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

-- Creates the capture triggers of a table and its partitions. Matching triggers are kept, which
-- avoids the lock for creating them.
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
            -- PostgreSQL creates those of partitions along with the table's own.
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
    -- All triggers of a relation at once, so that no command leaves one of them disabled.
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

-- Returns the full transaction id for a 32-bit id, as rows and locks have it: the one nearest to
-- the present ids.
CREATE OR REPLACE FUNCTION threadline.full_xid(id xid) RETURNS xid8
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT (now.id + 2147483648 - (now.id + 6442450944 - full_xid.id::text::numeric) % 4294967296)::text::xid8
    FROM (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::numeric AS id) AS now;
END;

-- Returns the highest id in the ledger, from its newest rows.
CREATE OR REPLACE FUNCTION threadline.highest_id() RETURNS bigint
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT greatest(
        (SELECT max(x.id) FROM threadline.ledger_transactions AS x),
        (SELECT max(c.id) FROM (SELECT l.id FROM threadline.ledger_changes AS l ORDER BY l.position DESC LIMIT 10000) AS c),
        0);
END;

-- Returns the sequences that would give an id that is on record already, and the highest such id:
-- data was loaded without them, or came by logical replication, which does not replicate
-- sequences. Sequences that the caller may not read are skipped.
CREATE OR REPLACE FUNCTION threadline.sequences_behind(OUT sequence regclass, OUT highest bigint) RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT s.sequence, s.highest
    FROM (
        VALUES (pg_get_serial_sequence('threadline.journal', 'id')::regclass, threadline.highest_id()),
               (pg_get_serial_sequence('threadline.audit_actions', 'id')::regclass, (SELECT max(a.id) FROM threadline.audit_actions AS a)),
               (pg_get_serial_sequence('threadline.audited_tables', 'id')::regclass, (SELECT max(t.id) FROM threadline.audited_tables AS t)),
               (pg_get_serial_sequence('threadline.legal_holds', 'id')::regclass, (SELECT max(h.id) FROM threadline.legal_holds AS h)),
               (pg_get_serial_sequence('threadline.purges', 'id')::regclass, (SELECT max(p.id) FROM threadline.purges AS p)),
               (pg_get_serial_sequence('threadline.erasures', 'id')::regclass, (SELECT max(e.id) FROM threadline.erasures AS e))
    ) AS s (sequence, highest)
    WHERE CASE WHEN has_sequence_privilege(s.sequence, 'SELECT')
               -- NULL: no id was given yet.
               THEN coalesce(pg_sequence_last_value(s.sequence), 0) < s.highest END;
END;

-- Sets the sequences of ids that are behind the recorded ids, after a load of data alone or a
-- switch-over by logical replication. Returns whether any was.
CREATE OR REPLACE FUNCTION threadline.set_sequences() RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_entries regclass := pg_get_serial_sequence('threadline.journal', 'id');
    tl_keys regclass := pg_get_serial_sequence('threadline.hash_keys', 'id');
    tl_behind record;
    tl_any boolean := false;
BEGIN
    FOR tl_behind IN
        SELECT b.sequence, b.highest FROM threadline.sequences_behind() AS b
        UNION ALL
        -- Only for roles that may read it.
        SELECT tl_keys, max(k.id) FROM threadline.hash_keys AS k
        HAVING coalesce(pg_sequence_last_value(tl_keys), 0) < max(k.id)
    LOOP
        -- Waiting entries may have slightly higher ids.
        PERFORM setval(tl_behind.sequence, tl_behind.highest + CASE WHEN tl_behind.sequence = tl_entries THEN 1000 ELSE 0 END);
        tl_any := true;
    END LOOP;
    RETURN tl_any;
END
$$;

-- Returns the record key in the image of an entry. A key column that was renamed since the policy
-- was written has its new name in the image.
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

-- Returns an image with its instants in UTC. A trigger records them in the time zone of the
-- writing session, because pinning the zone would add cost to every write. For
-- threadline.pending_changes(), which has the settings pinned: here each image would pay.
CREATE OR REPLACE FUNCTION threadline.in_utc(image jsonb, instants text[]) RETURNS jsonb
LANGUAGE plpgsql STABLE
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
                -- A mask, or no longer an instant.
            END;
        END IF;
    END LOOP;
    RETURN image;
END
$$;

-- Returns the columns of an audited table that hold instants, under their present names or those
-- that its capture was built for; NULL if there are none. Written without joins, which would
-- become hash joins in its caller and read all columns of the database.
CREATE OR REPLACE FUNCTION threadline.instants_of(audited_table integer) RETURNS text[]
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pg_catalog.array_agg(DISTINCT c.name)
    FROM (
        SELECT k.name
        FROM pg_catalog.jsonb_to_recordset((SELECT t.columns FROM threadline.audited_tables AS t WHERE t.id = audited_table)) AS k (name text, type text)
        WHERE k.type = 'timestamp with time zone'
        UNION ALL
        SELECT a.attname::text
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = (SELECT t.relation FROM threadline.audited_tables AS t WHERE t.id = audited_table)
          AND a.attnum > 0 AND NOT a.attisdropped
          AND threadline.base_type(a.atttypid) = 'pg_catalog.timestamptz'::pg_catalog.regtype
    ) AS c;
END;

-- Returns the AuditTransactions of the journal's entries, up to an entry. Entries name the first
-- one under their context; it counts if it is of the same database transaction. A forged name
-- matches none, and its entries get an AuditTransaction of their own without an actor.
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
        -- Looked up by id, regardless of the number of rows: EXISTS would read all ids.
        SELECT e.opens AS is_opened, NOT e.opens AND (
            SELECT x.id FROM threadline.ledger_transactions AS x
            WHERE x.id = e.transaction_id AND x.xact_id = e.xact_id AND x.occurred_at = e.occurred_at) IS NOT NULL AS is_posted
    ) AS known;
END;

-- Returns the ids under which changes are shown where triggers of the application wrote to rows
-- of the very statement that fired them: their writes are captured before the statement itself.
-- Each row version knows its predecessor, so that the versions of a row form a chain; the ids of
-- a chain are assigned in its order. A row that was deleted and inserted again under its key
-- comes before the new one.
CREATE OR REPLACE FUNCTION threadline.reordered_entries(up_to bigint, OUT id bigint, OUT shown_id bigint) RETURNS SETOF record
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH RECURSIVE link AS MATERIALIZED (
        SELECT j.id, j.xact_id, j.occurred_at, j.relation, j.op, j.old_place, j.new_place
        FROM threadline.journal AS j
        WHERE j.id <= up_to AND j.op IN ('I', 'U', 'D')
          AND j.xact_id IN (SELECT n.xact_id FROM threadline.journal AS n WHERE n.id <= up_to AND n.depth > 1)
    ), chain AS (
        SELECT l.id, l.xact_id, l.occurred_at, l.relation, l.new_place, l.id AS head, 1 AS turn
        FROM link AS l
        WHERE NOT EXISTS (
            SELECT FROM link AS before
            WHERE before.xact_id = l.xact_id AND before.occurred_at = l.occurred_at AND before.relation = l.relation AND before.new_place = l.old_place)
        UNION ALL
        SELECT l.id, l.xact_id, l.occurred_at, l.relation, l.new_place, c.head, c.turn + 1
        FROM chain AS c
        JOIN link AS l ON l.xact_id = c.xact_id AND l.occurred_at = c.occurred_at AND l.relation = c.relation AND l.old_place = c.new_place
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

-- Returns the changes in the journal, up to an entry, in the form that they have in the ledger:
-- with record keys, an update reduced to the changed columns, and those of one record in the
-- order in which they happened. Both reading and posting use only this function, so that a change
-- is the same before and after posting. For a single record, most entries are skipped unread.
CREATE OR REPLACE FUNCTION threadline.pending_changes(
    up_to bigint DEFAULT 9223372036854775807, only_table integer DEFAULT NULL, only_key text DEFAULT NULL
)
RETURNS TABLE (
    id bigint, transaction_id bigint, captured_at timestamptz, table_id integer, statement integer, op "char",
    record_key text, previous_key text, changed_from jsonb, changed_to jsonb, row_data jsonb
)
LANGUAGE plpgsql STABLE ROWS 1
SET search_path = pg_catalog, threadline, pg_temp
SET timezone = 'UTC'
SET jit = off
-- The journal can be empty at one moment and full at the next, so no estimate holds.
SET enable_nestloop = off
SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
BEGIN
    IF NOT EXISTS (SELECT FROM threadline.journal AS j WHERE j.table_id = only_table OR only_table IS NULL) THEN
        RETURN;
    END IF;
    RETURN QUERY
    -- Materialized, so that the parts of an image are not computed again for each use.
    WITH entry AS MATERIALIZED (
        SELECT coalesce(r.shown_id, j.id) AS id, o.shown_id AS transaction_id, j.captured_at, j.table_id, j.command, j.op,
               CASE WHEN EXISTS (SELECT FROM unnest(i.instants) AS n WHERE j.old_row ->> n NOT LIKE '%+00:00')
                    THEN threadline.in_utc(j.old_row, i.instants) ELSE j.old_row END AS old_row,
               CASE WHEN EXISTS (SELECT FROM unnest(i.instants) AS n WHERE j.new_row ->> n NOT LIKE '%+00:00')
                    THEN threadline.in_utc(j.new_row, i.instants) ELSE j.new_row END AS new_row,
               j.changed, t.id IS NOT NULL AS is_known, t.key_columns, t.key_types,
               cardinality(t.key_columns) = 1 AND t.key_types[1] IN ('smallint', 'integer', 'bigint', 'uuid') AS is_simple
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
           CASE k.op WHEN 'U' THEN u.old_values WHEN 'T' THEN k.new_row END,
           CASE k.op WHEN 'U' THEN u.new_values END,
           CASE WHEN k.op = 'I' THEN k.new_row
                WHEN k.op <> 'U' OR k.previous_key IS NOT NULL OR k.key_columns = '{}' THEN k.old_row END
    FROM keyed AS k
    LEFT JOIN LATERAL (
        SELECT k.old_row - same.names AS old_values, k.new_row - same.names AS new_values
        FROM (
            SELECT coalesce(array_agg(n.key), '{}') AS names
            FROM jsonb_each(k.new_row) AS n
            WHERE k.old_row -> n.key = n.value
              AND (jsonb_typeof(n.value) IN ('string', 'boolean', 'null') OR (k.old_row -> n.key)::text = n.value::text)
              AND n.key = ANY (k.changed) IS NOT true
        ) AS same
        WHERE k.op = 'U'
        OFFSET 0
    ) AS u ON true
    WHERE (k.op <> 'U' OR k.previous_key IS NOT NULL OR u.old_values <> '{}' OR u.new_values <> '{}')
      AND (only_key IS NULL OR only_key IN (k.record_key, k.previous_key));
END
$$;

-- Returns the AuditTransactions in the journal, up to an entry, in the form that they have in the
-- ledger.
CREATE OR REPLACE FUNCTION threadline.pending_transactions(up_to bigint DEFAULT 9223372036854775807) RETURNS SETOF threadline.ledger_transactions
LANGUAGE plpgsql STABLE ROWS 1
SET search_path = pg_catalog, threadline, pg_temp
SET jit = off
-- The journal can be empty at one moment and full at the next, so no estimate holds.
SET enable_nestloop = off
SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
BEGIN
    IF NOT EXISTS (SELECT FROM threadline.journal) THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT o.id, o.xact_id, o.occurred_at, o.opened_at,
           CASE WHEN o.xact_id = pg_current_xact_id_if_assigned() THEN 'infinity' -- It may continue.
                WHEN o.last_at >= o.opened_at + interval '1 hour' THEN o.last_at + interval '1 second' END,
           c.actor_type, c.actor_id,
           CASE WHEN o.forged THEN 'untrusted' ELSE c.actor_origin END,
           c.request_id, c.correlation_id, c.job_id, c.source, c.remote_ip, c.meta,
           coalesce(o.session_user_name, 'unknown'),
           CASE WHEN o.forged THEN 'the setting threadline.transaction named another transaction' ELSE c.context_error END,
           nullif(o.application_name, '')
    FROM (
        SELECT t.shown_id AS id, j.xact_id, j.occurred_at,
               min(j.captured_at) AS opened_at, max(j.captured_at) AS last_at,
               max(j.context) FILTER (WHERE j.id = t.shown_id) AS context,
               max(j.session_user_name) FILTER (WHERE j.id = t.shown_id) AS session_user_name,
               max(j.application_name) FILTER (WHERE j.id = t.shown_id) AS application_name,
               NOT bool_or(t.is_opened) AS forged
        FROM threadline.journal AS j
        -- The end of a transaction depends on all its entries, including those not posted in this
        -- call.
        JOIN threadline.entry_transactions(up_to) AS t ON t.entry_transaction = j.transaction_id AND t.xact_id = j.xact_id AND t.occurred_at = j.occurred_at
        GROUP BY t.shown_id, j.xact_id, j.occurred_at
    ) AS o
    CROSS JOIN LATERAL threadline.read_context(o.context, o.occurred_at) AS c
    WHERE (o.forged OR o.context IS NOT NULL)
      -- Looked up by id, regardless of the number of rows: EXISTS would become a join, or read
      -- all ids.
      AND (SELECT x.id FROM threadline.ledger_transactions AS x
           WHERE x.id = o.id AND x.xact_id = o.xact_id AND x.occurred_at = o.occurred_at) IS NULL;
END
$$;

-- Moves the visible entries up to one into the ledger; for threadline.post(), which holds the
-- lock of posting. Returns their number.
CREATE OR REPLACE FUNCTION threadline.post_batch(up_to bigint, last_position bigint) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_posted bigint;
    tl_moved bigint;
BEGIN
    WITH header AS (
        INSERT INTO threadline.ledger_transactions
        SELECT * FROM threadline.pending_transactions(up_to)
    ), gone AS (
        DELETE FROM threadline.journal AS j
        -- If a restore left out the policy of a table, its entries wait until the table is
        -- audited again.
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
    SELECT (SELECT count(*) FROM change), (SELECT count(*) FROM gone)
    INTO tl_posted, tl_moved;
    UPDATE threadline.posting AS p SET last_position = post_batch.last_position + tl_posted, posted_at = clock_timestamp();
    -- Posting updates nothing else in the ledger.
    UPDATE threadline.ledger_transactions AS x
    SET extended_until = (SELECT max(c.captured_at) + interval '1 second' FROM threadline.ledger_changes AS c WHERE c.transaction_id = x.id)
    WHERE x.extended_until = 'infinity' AND x.xact_id <> pg_current_xact_id()
      AND NOT EXISTS (SELECT FROM threadline.journal AS j WHERE j.transaction_id = x.id);
    RETURN tl_moved;
END
$$;
REVOKE ALL ON FUNCTION threadline.post_batch(bigint, bigint) FROM PUBLIC;

-- Gives all visible entries new ids in their order if some have ids that are in the ledger
-- already, and sets the sequence. Returns whether there were any.
CREATE OR REPLACE FUNCTION threadline.renumber_entries() RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_highest bigint := threadline.highest_id();
BEGIN
    PERFORM threadline.set_sequences();
    IF NOT EXISTS (SELECT FROM threadline.journal AS j WHERE j.id <= tl_highest) THEN
        RETURN false;
    END IF;
    WITH renamed AS MATERIALIZED (
        SELECT e.id, e.xact_id, e.occurred_at, e.transaction_id, nextval('threadline.entry_ids') AS new_id
        FROM (SELECT j.id, j.xact_id, j.occurred_at, j.transaction_id FROM threadline.journal AS j ORDER BY j.id) AS e
    )
    UPDATE threadline.journal AS j
    SET id = own.new_id,
        transaction_id = coalesce(opener.new_id, j.transaction_id)
    FROM renamed AS own
    LEFT JOIN renamed AS opener ON opener.id = own.transaction_id AND opener.xact_id = own.xact_id AND opener.occurred_at = own.occurred_at
    -- After a restore, transaction ids are assigned a second time.
    WHERE own.id = j.id AND own.xact_id = j.xact_id AND own.occurred_at = j.occurred_at;
    RETURN true;
END
$$;
REVOKE ALL ON FUNCTION threadline.renumber_entries() FROM PUBLIC;

-- Moves visible entries of the journal into the ledger, oldest first, and returns their number; 0
-- if there is nothing to do, or another session is posting. Call it until it returns 0:
--
--   SELECT threadline.post();
--
-- Correct results never depend on it: readers see journal and ledger as one. A call does all its
-- work in one statement, so that every snapshot sees each change once.
--
-- A call reads all waiting entries several times, because the journal has no index. So it moves
-- 10,000 entries or, if more than 100,000 wait, a tenth of them, up to 200,000.
CREATE OR REPLACE FUNCTION threadline.post(at_most integer DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
SET jit = off
SET enable_nestloop = on
AS $$
#variable_conflict use_column
DECLARE
    tl_limit bigint := greatest(at_most, 1);
    tl_last bigint;
    tl_position bigint;
    tl_error text;
BEGIN
    IF pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'
       OR current_setting('transaction_isolation') <> 'read committed'
       -- In a transaction of its own, because its locks last until the end.
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
    -- A restore of data alone filled the ledger and left this row unchanged.
    tl_position := greatest(tl_position, (SELECT max(c.position) FROM threadline.ledger_changes AS c));
    IF at_most IS NULL THEN
        tl_limit := (SELECT greatest(10000, least(count(*) / 10, 200000)) FROM threadline.journal);
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
            -- It blocks no other session.
            WITH gone AS (DELETE FROM threadline.journal AS j WHERE j.id = tl_last RETURNING j.*)
            INSERT INTO threadline.unposted (
                id, transaction_id, xact_id, occurred_at, captured_at, op, table_id, relation, depth,
                old_place, new_place, command, old_row, new_row, changed, context, session_user_name, application_name, error)
            SELECT gone.*, tl_error FROM gone;
            RETURN 1;
        ELSIF tl_error IS NOT NULL THEN
            tl_limit := greatest(tl_limit / 16, 1);
            tl_error := NULL;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION threadline.post(integer) IS
    'Moves entries of the journal into the ledger, where they are indexed; returns their number';

-- Runs threadline.post() if enough entries wait to slow a query noticeably.
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
    'The number of entries in the journal that are not in the ledger yet, and since when';

-- Moves all visible entries into the ledger and waits for other sessions that post; called before
-- a change of what the reading of entries depends on.
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
        -- As in threadline.post().
        tl_position := greatest(tl_position, (SELECT max(c.position) FROM threadline.ledger_changes AS c), 0);
        PERFORM threadline.post_batch(tl_last, tl_position);
    END IF;
END
$$;
REVOKE ALL ON FUNCTION threadline.post_all() FROM PUBLIC;

-- Moves entries that were set aside back into the journal, to be posted again after the obstacle
-- is removed. Returns their number.
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
           b.old_place, b.new_place, b.command, b.old_row, b.new_row, b.changed, b.context, b.session_user_name, b.application_name
    FROM back AS b;
    GET DIAGNOSTICS tl_count = ROW_COUNT;
    RETURN tl_count;
END
$$;
REVOKE ALL ON FUNCTION threadline.post_again() FROM PUBLIC;

-- Returns one value of a record key as JSON: a number if the column is numeric.
CREATE OR REPLACE FUNCTION threadline.key_value(key_type text, value text) RETURNS jsonb
LANGUAGE sql STABLE
RETURN CASE WHEN key_type IN ('smallint', 'integer', 'bigint') AND value ~ '^-?[0-9]{1,19}$'
    THEN pg_catalog.to_jsonb(value::pg_catalog.numeric)
    ELSE pg_catalog.to_jsonb(value)
END;

-- Returns a record key of several columns, or of unknown columns, as JSON.
CREATE OR REPLACE FUNCTION threadline.composite_key_json(key_columns text[], key_types text[], record_key text) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pg_catalog.jsonb_object_agg(
        k.name,
        threadline.key_value(k.type, threadline.json_array_or_null(record_key) ->> (k.position::integer - 1)))
    FROM ROWS FROM (pg_catalog.unnest(key_columns), pg_catalog.unnest(key_types)) WITH ORDINALITY AS k (name, type, position);
END;

-- Returns a record key as JSON: {"id": 42}, {"tenant": "a", "no": 7}.
CREATE OR REPLACE FUNCTION threadline.key_json(key_columns text[], key_types text[], record_key text) RETURNS jsonb
LANGUAGE sql STABLE
RETURN CASE
    WHEN record_key IS NULL THEN NULL
    WHEN pg_catalog.cardinality(key_columns) = 1
        THEN pg_catalog.jsonb_build_object(key_columns[1], threadline.key_value(key_types[1], record_key))
    ELSE threadline.composite_key_json(key_columns, key_types, record_key)
END;

-- Returns the image with the numbers of the given columns as strings.
CREATE OR REPLACE FUNCTION threadline.exact_members(image jsonb, numeric_columns text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN pg_catalog.jsonb_typeof(image) <> 'object' THEN image
    ELSE image || coalesce((
        SELECT pg_catalog.jsonb_object_agg(c.name, image ->> c.name)
        FROM pg_catalog.unnest(numeric_columns) AS c (name)
        WHERE pg_catalog.jsonb_typeof(image -> c.name) = 'number'), '{}')
END;

-- Returns the image with the values of numeric columns as strings, digit for digit, because most
-- JSON readers would parse them as binary floats. Inlined into the calling query, so that an
-- image without such a column costs nothing.
CREATE OR REPLACE FUNCTION threadline.exact_numbers(image jsonb, numeric_columns text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN image OPERATOR(pg_catalog.?|) numeric_columns
    THEN threadline.exact_members(image, numeric_columns)
    ELSE image
END;

-- Returns images with the numbers of their numeric columns as strings, digit for digit. If a
-- column is no longer numeric, this applies to numbers with a fraction in any column that is not
-- a float.
CREATE OR REPLACE FUNCTION threadline.exact_images(images jsonb[], numeric_columns text[], columns jsonb) RETURNS jsonb[]
LANGUAGE sql STABLE
RETURN (
    SELECT pg_catalog.array_agg(
        CASE WHEN pg_catalog.jsonb_typeof(i.image) <> 'object' THEN i.image
            ELSE i.image || coalesce((
                SELECT pg_catalog.jsonb_object_agg(field.key, field.value #>> '{}')
                FROM pg_catalog.jsonb_each(i.image) AS field
                WHERE pg_catalog.jsonb_typeof(field.value) = 'number'
                  AND (field.key = ANY (numeric_columns)
                       OR field.value::pg_catalog.text LIKE '%.%' AND field.key = ANY (ARRAY(
                           SELECT c.name
                           FROM pg_catalog.jsonb_to_recordset(columns) AS c (name pg_catalog.text, type pg_catalog.text)
                           WHERE threadline.base_type(pg_catalog.to_regtype(c.type)) NOT IN (
                               'pg_catalog.float4'::pg_catalog.regtype, 'pg_catalog.float8'::pg_catalog.regtype,
                               'pg_catalog.json'::pg_catalog.regtype, 'pg_catalog.jsonb'::pg_catalog.regtype))))), '{}')
        END ORDER BY i.place)
    FROM pg_catalog.unnest(images) WITH ORDINALITY AS i (image, place));

-- Returns threadline.exact_images() of one image.
CREATE OR REPLACE FUNCTION threadline.exact_image(image jsonb, numeric_columns text[], columns jsonb) RETURNS jsonb
LANGUAGE sql STABLE
RETURN (threadline.exact_images(ARRAY[image], numeric_columns, columns))[1];

-- Returns images in which texts of json columns are replaced by the json that they hold, for
-- jsonb_populate_record(), which would take them for strings.
CREATE OR REPLACE FUNCTION threadline.json_documents(images jsonb[], of_type regtype) RETURNS jsonb[]
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
    LOOP
        FOR tl_at IN array_lower(images, 1)..array_upper(images, 1) LOOP
            CONTINUE WHEN jsonb_typeof(images[tl_at] -> tl_name) IS DISTINCT FROM 'string';
            BEGIN
                images[tl_at] := images[tl_at] || jsonb_build_object(tl_name, (images[tl_at] ->> tl_name)::jsonb);
            EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
                -- It has no form in jsonb, or was not json then.
            END;
        END LOOP;
    END LOOP;
    RETURN images;
END
$$;

-- Returns rows of a table made from images, in their order: jsonb_populate_record() that does not
-- fail the whole query when one image no longer matches the table's types. A placeholder that its
-- column's type does not accept (a masked date) reads as NULL; a row that does not match is NULL.
-- Takes many images at once, because each attempt costs a plan and a subtransaction: if one does
-- not match, each eighth is tried. Planned at each call: a cached plan keeps the row type from
-- before a change of the table.
CREATE OR REPLACE FUNCTION threadline.populate_rows(base anyelement, images jsonb[], redacted text[], OUT populated anyarray)
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    tl_attempt text := 'SELECT pg_catalog.array_agg(pg_catalog.jsonb_populate_record($1, i.image) ORDER BY i.place)
                        FROM pg_catalog.unnest($2) WITH ORDINALITY AS i (image, place)';
    tl_eighth integer := (pg_catalog.cardinality(images) + 7) / 8;
BEGIN
    IF pg_catalog.strpos(images::pg_catalog.text, 'erased:') OPERATOR(pg_catalog.>) 0 THEN
        images := ARRAY(
            SELECT threadline.without_marks(i.image, pg_catalog.pg_typeof(base))
            FROM pg_catalog.unnest(images) WITH ORDINALITY AS i (image, place)
            ORDER BY i.place);
    END IF;
    images := threadline.json_documents(images, pg_catalog.pg_typeof(base));
    EXECUTE tl_attempt INTO populated USING base, images;
EXCEPTION WHEN data_exception OR integrity_constraint_violation OR datatype_mismatch OR program_limit_exceeded THEN
    populated := NULL;
    IF pg_catalog.cardinality(images) > 1 THEN
        FOR tl_part IN 0..7 LOOP
            EXIT WHEN tl_part * tl_eighth >= pg_catalog.cardinality(images);
            populated := populated OPERATOR(pg_catalog.||) threadline.populate_rows(
                base, images[tl_part * tl_eighth + 1 : (tl_part + 1) * tl_eighth], redacted);
        END LOOP;
        RETURN;
    END IF;
    EXECUTE 'SELECT ARRAY[$1]' INTO populated USING base;
    IF images[1] OPERATOR(pg_catalog.?|) redacted THEN
        BEGIN
            EXECUTE tl_attempt INTO populated USING base, ARRAY[images[1] OPERATOR(pg_catalog.-) redacted];
        EXCEPTION WHEN data_exception OR integrity_constraint_violation OR datatype_mismatch OR program_limit_exceeded THEN
            -- It stays NULL.
        END;
    END IF;
END
$$;

-- Returns why an image does not match a row type: the columns whose values the type does not
-- accept, with the error of each, as {"column": "reason"}. For threadline.populate_rows(), which
-- only detects the mismatch.
CREATE OR REPLACE FUNCTION threadline.misfits(base anyelement, image jsonb, redacted text[]) RETURNS jsonb
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    tl_column record;
    tl_misfits jsonb := '{}';
BEGIN
    image := (threadline.json_documents(ARRAY[threadline.without_marks(image, pg_catalog.pg_typeof(base))], pg_catalog.pg_typeof(base)))[1];
    FOR tl_column IN
        SELECT a.attname::pg_catalog.text AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type
        FROM pg_catalog.pg_type AS t
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE t.oid = pg_catalog.pg_typeof(base) AND a.attname::pg_catalog.text <> ALL (redacted)
        ORDER BY a.attnum
    LOOP
        BEGIN
            EXECUTE pg_catalog.format('SELECT tl_row.%1$I::pg_catalog.text FROM pg_catalog.jsonb_to_record($1) AS tl_row (%1$I %2$s)',
                tl_column.name, tl_column.type) USING image;
        EXCEPTION WHEN data_exception OR integrity_constraint_violation OR datatype_mismatch OR program_limit_exceeded THEN
            tl_misfits := tl_misfits || pg_catalog.jsonb_build_object(tl_column.name, SQLERRM);
        END;
    END LOOP;
    RETURN tl_misfits;
END
$$;

-- Merges objects, later ones over earlier ones; as a window aggregate it turns the undo values of
-- a record's updates into the image of every version.
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
-- An optimization fence: merged with the calling query, it would search the ledger without its
-- indexes.
OFFSET 0);
COMMENT ON VIEW threadline.audit_changes IS
    'Every recorded change, whether it is still in the journal or in the ledger';

-- Returns the changes of one record, including those by which its key came and went: as in
-- threadline.audit_changes, but without reading the final form of other records' unposted
-- entries.
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
     FROM threadline.pending_changes(only_table => record_changes.audited_table, only_key => record_changes.record_key) AS p
     OFFSET 0);
END;

-- Returns the recorded state of a row after a change: the whole row after an insert or a change
-- of its key, the changed columns after an update, nothing after its end.
CREATE OR REPLACE FUNCTION threadline.image_left(op "char", previous_key text, row_data jsonb, changed_to jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN op IN ('D', 'T') THEN NULL
    WHEN op = 'I' THEN row_data
    WHEN previous_key IS NOT NULL THEN row_data || changed_to
    ELSE changed_to
END;

-- Returns every key that a record has had, and those of the records that had one of them.
CREATE OR REPLACE FUNCTION threadline.keys_of_record(audited_table integer, record_key text) RETURNS text[]
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    WITH RECURSIVE keys (key) AS (
        SELECT keys_of_record.record_key COLLATE "C"
        UNION
        SELECT moved.key
        FROM keys
        CROSS JOIN LATERAL (
            SELECT c.previous_key AS key FROM threadline.audit_changes AS c
            WHERE c.table_id = audited_table AND c.record_key = keys.key AND c.previous_key IS NOT NULL
            UNION ALL
            SELECT c.record_key FROM threadline.audit_changes AS c
            WHERE c.table_id = audited_table AND c.previous_key = keys.key
        ) AS moved
    )
    SELECT array_agg(key) FROM keys;
END;

CREATE VIEW threadline.audit_transactions AS
SELECT * FROM threadline.ledger_transactions
UNION ALL
(SELECT * FROM threadline.pending_transactions() OFFSET 0);
COMMENT ON VIEW threadline.audit_transactions IS
    'Every AuditTransaction, whether it is still in the journal or in the ledger';

-- The kept state of records whose changes were purged, in the form of changes: an insert
-- of the whole row, or an update if not all of it was on record.
CREATE VIEW threadline.kept_changes AS
SELECT k.id, k.transaction_id, k.captured_at, k.table_id, k.statement,
       CASE WHEN k.image IS NULL THEN 'D' WHEN k.is_whole THEN 'I' ELSE 'U' END::"char" AS op,
       k.record_key, NULL::text COLLATE "C" AS previous_key,
       NULL::jsonb AS changed_from,
       CASE WHEN NOT k.is_whole THEN k.image END AS changed_to,
       CASE WHEN k.is_whole THEN k.image END AS row_data
FROM threadline.kept_images AS k;
COMMENT ON VIEW threadline.kept_changes IS
    'The kept state of records whose changes were purged, in the form of changes';

-- Returns whether this transaction reads values recorded before their column was redacted. That
-- needs an action of threadline.unmask() in the same session, so that it is on record.
CREATE OR REPLACE FUNCTION threadline.unmasked() RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_action text := coalesce(current_setting('threadline.unmasked', true), '');
BEGIN
    RETURN tl_action ~ '^[0-9]{1,18}$' AND EXISTS (
        SELECT FROM threadline.audit_actions AS a
        WHERE a.id = tl_action::bigint AND a.name = 'audit.unmasked'
          AND a.meta ->> 'pid' = pg_backend_pid()::text AND a.occurred_at > now() - interval '1 hour');
END
$$;

-- Returns the former names of a table's columns, [{"until": ..., "names": "{...}"}], oldest
-- first. Those of `dropped` count under a name also before another column got it.
CREATE OR REPLACE FUNCTION threadline.former_names(audited_table integer, names text[], dropped text[]) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_names text[] := names;
    tl_former jsonb := jsonb_build_array(jsonb_build_object('until', 'infinity', 'names', tl_names::text));
    tl_batch record;
BEGIN
    FOR tl_batch IN
        SELECT r.renamed_at, jsonb_object_agg(r.former_name, r.name) AS names
        FROM threadline.renamed_columns AS r
        WHERE r.table_id = audited_table
        GROUP BY r.renamed_at
        ORDER BY r.renamed_at DESC
    LOOP
        tl_names := ARRAY(
            SELECT n.key FROM jsonb_each_text(tl_batch.names) AS n
            WHERE n.value = ANY (tl_names) OR n.value IS NULL AND n.key = ANY (dropped)
            UNION
            SELECT h.name FROM unnest(tl_names) AS h (name) WHERE NOT tl_batch.names ? h.name);
        tl_former := jsonb_build_array(jsonb_build_object('until', tl_batch.renamed_at, 'names', tl_names::text)) || tl_former;
    END LOOP;
    RETURN tl_former;
END
$$;

-- Returns the columns of a table whose values the present policy hides: each with the names that
-- it had, [{"until": ..., "names": "{...}"}], oldest first. A column that was redacted when it
-- was dropped stays hidden, also when another one has its name.
CREATE OR REPLACE FUNCTION threadline.hiding(audited_table integer) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_redacted text[];
    tl_hidden text[];
BEGIN
    SELECT t.masked_columns || ARRAY(
               SELECT k.name FROM jsonb_to_recordset(t.columns) AS k (name text, column_policy text)
               WHERE k.column_policy <> 'plain' AND k.name <> ALL (t.masked_columns)),
           ARRAY(SELECT k.name FROM jsonb_to_recordset(t.columns) AS k (name text, column_policy text) WHERE k.column_policy = 'plain')
    INTO tl_redacted, tl_hidden
    FROM threadline.audited_tables AS t
    WHERE t.id = audited_table;
    tl_hidden := ARRAY(
        SELECT r.name FROM unnest(tl_redacted) WITH ORDINALITY AS r (name, place)
        WHERE r.name <> ALL (tl_hidden)
        ORDER BY r.place);
    RETURN threadline.former_names(audited_table, tl_hidden, tl_redacted);
END
$$;

-- Returns threadline.hiding() of each table that hides anything, by its id. Each query that reads
-- changes calls it once.
CREATE OR REPLACE FUNCTION threadline.hidings() RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    IF threadline.unmasked() THEN
        RETURN NULL;
    END IF;
    RETURN (
        SELECT jsonb_object_agg(t.id, threadline.hiding(t.id))
        FROM threadline.audited_tables AS t
        WHERE t.masked_columns <> '{}' OR jsonb_path_exists(t.columns, '$[*] ? (@.column_policy <> "plain")'));
END
$$;

-- Returns the columns of a change that threadline.hiding() hides, under the names that they had
-- then. Called for each change that is read, so it must not contain a query.
CREATE OR REPLACE FUNCTION threadline.hidden_names(hiding jsonb, captured_at timestamptz) RETURNS text[]
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    FOR tl_part IN 0 .. jsonb_array_length(hiding) - 1 LOOP
        IF captured_at < (hiding -> tl_part ->> 'until')::timestamptz THEN
            RETURN (hiding -> tl_part ->> 'names')::text[];
        END IF;
    END LOOP;
    RETURN '{}';
END
$$;

-- Returns an image of a change with a placeholder for each value that threadline.hiding() hides.
-- NULL, keyed hashes and the marks of erased values stay, because they reveal no value.
CREATE OR REPLACE FUNCTION threadline.shown_image(image jsonb, hiding jsonb, captured_at timestamptz) RETURNS jsonb
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_name text;
BEGIN
    IF jsonb_typeof(image) <> 'object' THEN
        RETURN image;
    END IF;
    FOREACH tl_name IN ARRAY threadline.hidden_names(hiding, captured_at) LOOP
        CONTINUE WHEN (image ->> tl_name) IS NULL OR image ->> tl_name ~ '^(hash:([0-9a-f]{32}|unknown)|erased:[0-9]+)$';
        image := image || jsonb_build_object(tl_name,
            CASE jsonb_typeof(image -> tl_name)
                WHEN 'number' THEN '0'::jsonb
                WHEN 'boolean' THEN 'false'::jsonb
                WHEN 'object' THEN '{}'::jsonb
                WHEN 'array' THEN '[]'::jsonb
                ELSE '"***"'::jsonb END);
    END LOOP;
    RETURN image;
END
$$;

CREATE VIEW threadline.changes AS
SELECT c.id,
       c.captured_at,
       t.schema_name,
       t.table_name,
       CASE c.op WHEN 'I' THEN 'insert' WHEN 'U' THEN 'update' WHEN 'D' THEN 'delete' WHEN 'T' THEN 'truncate'
                 ELSE c.op::text END AS op,
       threadline.key_json(t.key_columns, t.key_types, c.record_key) AS key,
       threadline.key_json(t.key_columns, t.key_types, c.previous_key) AS previous_key,
       CASE WHEN (SELECT threadline.hidings()) ? c.table_id::text
            THEN threadline.shown_image(c.changed_from, (SELECT threadline.hidings()) -> c.table_id::text, c.captured_at) ELSE c.changed_from END AS changed_from,
       CASE WHEN (SELECT threadline.hidings()) ? c.table_id::text
            THEN threadline.shown_image(c.changed_to, (SELECT threadline.hidings()) -> c.table_id::text, c.captured_at) ELSE c.changed_to END AS changed_to,
       CASE WHEN (SELECT threadline.hidings()) ? c.table_id::text
            THEN threadline.shown_image(c.row_data, (SELECT threadline.hidings()) -> c.table_id::text, c.captured_at) ELSE c.row_data END AS row_data,
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
       x.application_name,
       x.context_error,
       c.transaction_id,
       x.xact_id,
       x.occurred_at,
       c.record_key
FROM threadline.audit_changes AS c
LEFT JOIN threadline.audited_tables AS t ON t.id = c.table_id
LEFT JOIN threadline.audit_transactions AS x ON x.id = c.transaction_id;
COMMENT ON VIEW threadline.changes IS
    'Every recorded change with its table, key, actor and context, for reading in psql, without values that the present policy hides; the newest with ORDER BY transaction_id DESC, id DESC';

CREATE VIEW threadline.transactions AS
SELECT x.*,
       (SELECT count(*) FROM threadline.audit_changes AS c WHERE c.transaction_id = x.id) AS changes
FROM threadline.audit_transactions AS x;
COMMENT ON VIEW threadline.transactions IS
    'Every AuditTransaction with the number of its changes';

-- A fault in a table's audit, and the command that fixes it.
CREATE TYPE threadline.finding AS (
    code     text,
    relation text,
    message  text,
    fix     text
);

-- Returns the table that is audited under an id, or should be, also if its triggers were removed.
-- Identified by its row trigger; else by its recorded name; else by its OID, if the columns
-- agree: after a restore the OID may be that of any table.
CREATE OR REPLACE FUNCTION threadline.locate_table(audited_table integer) RETURNS regclass
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(
        (SELECT g.tgrelid
         -- PostgreSQL has no index on the functions of triggers.
         FROM pg_depend AS d
         JOIN pg_trigger AS g ON d.classid = 'pg_trigger'::regclass AND g.oid = d.objid
         WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid = to_regproc('threadline.capture_' || t.id) AND g.tgfoid = d.refobjid
           AND g.tgparentid = 0 AND g.tgname = '!threadline_capture_' || t.id
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

-- Returns the call that audits a table again under its recorded policy and also excludes the
-- columns in `excluding`.
CREATE OR REPLACE FUNCTION threadline.audit_call(audited_table integer, target regclass, excluding text[] DEFAULT '{}') RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
-- As text: a parsed body is shown differently after a restore.
AS $$
    SELECT format('SELECT threadline.audit_as_decided(%L', target)
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
        || coalesce(', keep => ' || quote_literal(t.policy ->> 'keep'), '')
        || coalesce(', personal => ARRAY[' || string_agg(quote_literal(coalesce(live.name, decided.name)), ', ' ORDER BY decided.name)
               FILTER (WHERE decided.column_policy = 'personal') || ']', '')
        || coalesce(', subject => ' || quote_literal(jsonb_object_agg(coalesce(live.name, decided.name), t.policy -> 'subject' -> decided.name)
               FILTER (WHERE decided.column_policy = 'subject')), '')
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
        SELECT name, 'personal' FROM jsonb_array_elements_text(t.policy -> 'personal') AS name
        UNION ALL
        SELECT name, 'subject' FROM jsonb_object_keys(t.policy -> 'subject') AS name
        UNION ALL
        SELECT name, 'exclude' FROM unnest(excluding) AS name
    ) AS decided ON true
    LEFT JOIN jsonb_to_recordset(t.columns) AS k (number smallint, name text) ON k.name = decided.name
    LEFT JOIN threadline.columns_of(target) AS live ON live.number = k.number AND t.relation = target
    WHERE t.id = audited_table
    GROUP BY t.id;
$$;

-- Returns the command that repairs a table's capture. If only its row trigger is gone, the other
-- triggers still identify the table, and it keeps its history.
CREATE OR REPLACE FUNCTION threadline.fix_for(audited_table integer, target regclass) RETURNS text
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

-- Returns where the triggers of an audited table, and of its partitions, differ from those that
-- threadline.audit() installs.
CREATE OR REPLACE FUNCTION threadline.trigger_drift(audited_table integer, target regclass) RETURNS SETOF threadline.finding
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
SET standard_conforming_strings = on
AS $$
DECLARE
    tl_class pg_class;
    tl_fix text := threadline.fix_for(audited_table, target);
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
                   -- unaudit() leaves its triggers like this.
                   AND g.tgenabled <> 'D'
                   -- table-attached reports that parent and partition are both audited.
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
           CASE WHEN c.drift = 'duplicated' THEN format('DROP TRIGGER %I ON %s;', c.name, c.relation) ELSE tl_fix END
    FROM compared AS c
    WHERE c.drift IS NOT NULL
    ORDER BY c.relation::text COLLATE "C", c.name COLLATE "C";
END
$$;

-- Returns differences between a table's columns and key and those that its capture was built for.
CREATE OR REPLACE FUNCTION threadline.column_drift(audited_table integer, target regclass) RETURNS SETOF threadline.finding
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
AS $$
DECLARE
    tl_table threadline.audited_tables;
    tl_fix text := threadline.fix_for(audited_table, target);
    tl_keys text[];
    tl_differences text;
    tl_added smallint[];
BEGIN
    SELECT * INTO STRICT tl_table FROM threadline.audited_tables WHERE id = audited_table;
    IF tl_table.relation <> target THEN
        RETURN NEXT ROW('table-restored', target::text,
            'it was restored or created anew since its capture was built; until it is built anew, renamed columns cannot be followed', tl_fix)::threadline.finding;
    END IF;

    IF tl_table.fingerprint <> threadline.fingerprint(target) THEN
        SELECT coalesce(array_agg(live.number) FILTER (WHERE k.name IS NULL), '{}'), string_agg(
            CASE WHEN k.name IS NULL THEN format('%I was added', live.name)
                 WHEN live.name IS NULL THEN format('%I was dropped', k.name)
                 ELSE concat_ws(', ',
                     CASE WHEN live.name <> k.name THEN format('%I was renamed to %I', k.name, live.name) END,
                     CASE WHEN live.type::text <> k.type THEN format('%I was %s and is %s', live.name, k.type, live.type) END)
            END, ', ' ORDER BY coalesce(k.number, live.number))
        INTO tl_added, tl_differences
        FROM (
            SELECT k.*, CASE WHEN tl_table.relation = target THEN k.number::text ELSE k.name END AS identity
            FROM jsonb_to_recordset(tl_table.columns) AS k (number smallint, name text, type text)
        ) AS k
        FULL JOIN (
            SELECT c.*, CASE WHEN tl_table.relation = target THEN c.number::text ELSE c.name END AS identity
            FROM threadline.columns_of(target) AS c
        ) AS live USING (identity)
        WHERE k.name IS DISTINCT FROM live.name OR k.type IS DISTINCT FROM live.type::text;
        IF NOT threadline.redacts(tl_table.policy) AND threadline.fingerprint_but(target, tl_added) = tl_table.fingerprint THEN
            RETURN NEXT ROW('columns-added', target::text,
                format('it has columns that came since its capture was built, and they are recorded: %s', tl_differences), tl_fix)::threadline.finding;
        ELSE
            RETURN NEXT ROW('columns-changed', target::text,
                'its columns are not those that its capture was built for'
                || coalesce(': ' || tl_differences, ''), tl_fix)::threadline.finding;
        END IF;
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
                 ELSE '' END || tl_fix)::threadline.finding;
    END IF;

    IF tl_table.capture_version <> threadline.capture_version() THEN
        RETURN NEXT ROW('capture-outdated', target::text,
            format('its capture is of version %s, and this is version %s', tl_table.capture_version, threadline.capture_version()), tl_fix)::threadline.finding;
    END IF;
END
$$;

-- Returns the differences between a table's capture function and the one that threadline.audit()
-- writes; only meaningful if columns and version match.
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
           threadline.fix_for(audited_table, target)
    FROM threadline.audited_tables AS t
    CROSS JOIN LATERAL (
        -- A restore gives the table another OID, and the function keeps the old one.
        SELECT replace(replace(replace(
            threadline.capture_source(t.id, target),
            '"relation": ' || target::oid, '"relation": ' || t.relation),
            quote_literal(target::oid) || '::pg_catalog.oid', quote_literal(t.relation) || '::pg_catalog.oid'),
            format('TG_NAME, %s)', target::oid), format('TG_NAME, %s)', t.relation)) AS source
        -- Once, and not for each comparison.
        OFFSET 0
    ) AS written
    LEFT JOIN pg_proc AS p ON p.oid = to_regproc('threadline.capture_' || t.id)
    LEFT JOIN pg_language AS l ON l.oid = p.prolang
    WHERE t.id = audited_table AND (
        p.oid IS NULL
        OR p.prosrc <> written.source
        OR l.lanname <> 'plpgsql'
        OR NOT p.prosecdef
        OR p.proowner <> (SELECT n.nspowner FROM pg_namespace AS n WHERE n.oid = p.pronamespace)
        -- PostgreSQL writes names of settings its own way: TimeZone.
        OR ARRAY(
            SELECT lower(split_part(c, '=', 1)) || '=' || substr(c, strpos(c, '=') + 1) FROM unnest(p.proconfig) AS c ORDER BY 1
        ) IS DISTINCT FROM ARRAY(
            SELECT pin[1] || '=' || btrim(pin[2], '''')
            FROM regexp_matches(threadline.pinned_settings(t.id, target, written.source), 'SET ([a-z_]+) = (''[^'']*''|pg_catalog, threadline, pg_temp)', 'g') AS pin
            ORDER BY 1));
END
$$;

-- Returns triggers that record the changes of one table as if they were another's, or of a table
-- without a known policy.
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
           format('what was decided for it is not on record; its capture goes on as it was built; say it again with SELECT threadline.audit(%L, mask => ..., exclude => ...)', c.relation),
           NULL::text
    FROM capturing AS c
    WHERE NOT EXISTS (SELECT FROM threadline.audited_tables AS t WHERE t.id = c.table_id)
      AND c.name = '!threadline_capture_' || c.table_id AND (target IS NULL OR c.relation = target)
    UNION ALL
    SELECT 'trigger-stray', c.relation::text,
           format('trigger %I is that of %s, and records nothing here', c.name, coalesce(at.relation::text, 'a table that is gone')),
           format('DROP TRIGGER %I ON %s;', c.name, c.relation)
    FROM capturing AS c
    JOIN threadline.audited_tables AS t ON t.id = c.table_id
    CROSS JOIN LATERAL (SELECT threadline.locate_table(t.id) AS relation) AS at
    WHERE c.fires AND (target IS NULL OR c.relation = target)
      AND c.relation <> at.relation
      AND c.relation NOT IN (SELECT p.relid FROM pg_partition_tree(at.relation) AS p)
      -- Otherwise it is reported as altered or duplicated there.
      AND c.relation NOT IN (
          SELECT threadline.locate_table(other.id) FROM threadline.audited_tables AS other
          WHERE other.unaudited_at IS NULL AND other.id <> t.id AND threadline.locate_table(other.id) IS NOT NULL)
    ORDER BY 2, 3;
END
$$;

-- Returns the faults on the way from the journal into the ledger.
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
    RETURN QUERY
    SELECT 'sequence-behind', format('threadline.%s', b.sequence),
           CASE WHEN b.sequence = pg_get_serial_sequence('threadline.journal', 'id')::regclass
                THEN 'ids that are on record are given once more; the next entries are renumbered when they are posted'
                ELSE 'ids that are on record are given once more' END,
           'SELECT threadline.set_sequences();'
    FROM threadline.sequences_behind() AS b
    ORDER BY 2;
END
$$;

-- Returns every name that columns of a table ever had.
CREATE OR REPLACE FUNCTION threadline.all_names(audited_table integer, names text[]) RETURNS text[]
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(array_agg(DISTINCT n.name), '{}')
    FROM jsonb_array_elements(threadline.former_names(audited_table, names, names)) AS f
    CROSS JOIN unnest((f ->> 'names')::text[]) AS n (name);
END;

-- Returns whether one of the values from threadline.named_in() is one of the keys.
CREATE OR REPLACE FUNCTION threadline.names_one_of(owners jsonb, keys text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN EXISTS (SELECT FROM pg_catalog.jsonb_each_text(owners) AS o WHERE o.value = ANY (keys));

-- Returns the changes that recorded values of the person of an erasure after it.
CREATE OR REPLACE FUNCTION threadline.recorded_again(erasure bigint) RETURNS TABLE (table_id integer, id bigint)
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
-- As text: a parsed body is shown differently after a restore.
AS $$
    WITH run AS MATERIALIZED (
        SELECT e.* FROM threadline.erasures AS e WHERE e.id = recorded_again.erasure
    ), of_table AS MATERIALIZED (
        SELECT (p -> 'table_id')::integer AS table_id, (p -> 'itself')::boolean AS itself, run.record_keys,
               threadline.all_names((p -> 'table_id')::integer, ARRAY(SELECT jsonb_array_elements_text(p -> 'columns'))) AS columns,
               threadline.all_names((p -> 'table_id')::integer, ARRAY(SELECT jsonb_array_elements_text(p -> 'by'))) AS by
        FROM run CROSS JOIN jsonb_array_elements(run.plan) AS p
    ), pending AS MATERIALIZED (
        SELECT p.id, p.table_id, p.record_key COLLATE "C" AS record_key, p.changed_from, p.changed_to, p.row_data
        FROM threadline.pending_changes() AS p
    ), since AS (
        -- Records that are known to belong to the person.
        SELECT o.table_id, c.id, c.changed_from, c.changed_to, c.row_data
        FROM of_table AS o
        JOIN threadline.erased_records AS r ON r.erasure_id = recorded_again.erasure AND r.table_id = o.table_id
        CROSS JOIN LATERAL (
            SELECT l.id, l.changed_from, l.changed_to, l.row_data FROM threadline.ledger_changes AS l
            WHERE l.table_id = r.table_id AND l.record_key = r.record_key AND l.id > r.reached_id
            UNION ALL
            SELECT p.id, p.changed_from, p.changed_to, p.row_data FROM pending AS p
            WHERE p.table_id = r.table_id AND p.record_key = r.record_key AND p.id > r.reached_id
            UNION ALL
            SELECT k.id, NULL, NULL, k.image FROM threadline.kept_images AS k
            WHERE k.table_id = r.table_id AND k.record_key = r.record_key AND k.id > r.reached_id
        ) AS c
        WHERE o.itself AND r.record_key = ANY (o.record_keys) OR threadline.names_one_of(r.owners, o.record_keys)
        UNION
        -- Records that have named the person since.
        SELECT o.table_id, c.id, c.changed_from, c.changed_to, c.row_data
        FROM of_table AS o
        CROSS JOIN unnest(o.by) AS b
        JOIN (
            SELECT l.id, l.table_id, l.changed_from, l.changed_to, l.row_data
            FROM threadline.ledger_changes AS l
            WHERE l.position > (SELECT run.reached_position FROM run)
            UNION ALL
            SELECT p.id, p.table_id, p.changed_from, p.changed_to, p.row_data FROM pending AS p
        ) AS c ON c.table_id = o.table_id
        WHERE coalesce(c.row_data, c.changed_to) ->> b = ANY (o.record_keys)
    )
    SELECT s.table_id, s.id
    FROM since AS s
    JOIN of_table AS o ON o.table_id = s.table_id
    WHERE EXISTS (
        SELECT
        FROM unnest(o.columns) AS n
        CROSS JOIN LATERAL (VALUES (s.changed_from -> n), (s.changed_to -> n), (s.row_data -> n)) AS v (value)
        WHERE v.value <> 'null' AND NOT threadline.is_erased(v.value));
$$;

-- Returns erasures that are not done, and values of their persons that were recorded since.
CREATE OR REPLACE FUNCTION threadline.erasure_drift() RETURNS SETOF threadline.finding
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_run record;
    tl_again record;
BEGIN
    FOR tl_run IN
        SELECT e.* FROM threadline.erasures AS e WHERE e.ended_at IS NULL ORDER BY e.id
    LOOP
        RETURN NEXT ROW('erasure-unfinished', tl_run.subject_table,
            format('erasure %s of %s:%s, begun at %s, is not done; call it until it returns 0', tl_run.id, tl_run.subject_table, tl_run.record_key, tl_run.begun_at),
            format('SELECT threadline.erase(%s);', tl_run.id))::threadline.finding;
    END LOOP;
    FOR tl_run IN
        SELECT DISTINCT ON (e.subject_table, e.record_key, e.plan) e.*
        FROM threadline.erasures AS e
        WHERE e.ended_at IS NOT NULL AND NOT EXISTS (
            SELECT FROM threadline.erasures AS again
            WHERE again.ended_at IS NULL AND again.subject_table = e.subject_table AND again.record_key = e.record_key)
        ORDER BY e.subject_table, e.record_key, e.plan, e.id DESC
    LOOP
        SELECT count(*) AS changes, min(a.id) AS id INTO tl_again FROM threadline.recorded_again(tl_run.id) AS a;
        IF tl_again.changes > 0 THEN
            RETURN NEXT ROW('erased-recorded-again', tl_run.subject_table,
                format('personal values of %s:%s were recorded after they had been erased, in %s changes, the first %s; erase them again, and call threadline.erase() with the number that comes until it returns 0',
                    tl_run.subject_table, tl_run.record_key, tl_again.changes, tl_again.id),
                format('SELECT threadline.begin_erasure(%L, %L, reason => %L%s);', tl_run.subject_table, tl_run.record_key, tl_run.reason,
                    ', columns => ' || quote_literal(tl_run.chosen_columns) || '::text[]'))::threadline.finding;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION threadline.erasure_drift() IS
    'Unfinished erasures, and values of their persons that were recorded since';

-- Returns every object of a schema of the audit and a digest of each, by which a change is
-- detected. Functions, views, types and tables, and what is attached to tables, also from other
-- schemas: indexes, constraints, triggers, rules, policies, statistics and inheritance children.
-- Not the capture functions, which depend on the audited tables; threadline.function_drift()
-- compares those. `audit protect` calls it for the installed schema and for the one it ships,
-- under another name, so the schema's name is left out.
CREATE OR REPLACE FUNCTION threadline.own_objects(
    schema_name name DEFAULT 'threadline',
    OUT object text, OUT digest text, OUT shown_digest text
) RETURNS SETOF record
LANGUAGE sql STABLE
-- So that PostgreSQL shows every name with its schema.
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
SET standard_conforming_strings = on
-- So that a constant in an expression is shown the same way to every role.
SET timezone = 'UTC'
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET bytea_output = 'hex'
SET extra_float_digits = 1
SET jit = off
-- As text: a parsed body is shown differently after a restore.
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
        JOIN pg_class AS x ON x.oid = i.indexrelid
        -- An index of threadline.index_reference() belongs to the database. It counts as such
        -- only if it calls no foreign code.
        WHERE NOT (
            r.relname = 'ledger_changes' AND x.relname ~ '^ledger_reference_[0-9]+_[0-9a-f]{8}_(came|went)$' AND NOT i.indisunique
            AND NOT EXISTS (
                SELECT FROM pg_depend AS d
                WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid AND d.refclassid <> 'pg_class'::regclass))
        UNION ALL
        -- Since PostgreSQL 18, NOT NULL is a constraint, too.
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
        -- Of the other kinds of objects, the schema has only types.
        SELECT own.classid::regclass, own.objid, concat_ws(' ', t.typtype, (
                   SELECT string_agg(a.attname || ' ' || a.atttypid::regtype, ', ' ORDER BY a.attnum)
                   FROM pg_attribute AS a
                   WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped)), NULL
        FROM own
        LEFT JOIN pg_type AS t ON own.classid = 'pg_type'::regclass AND t.oid = own.objid
        WHERE own.classid NOT IN ('pg_proc'::regclass, 'pg_class'::regclass, 'pg_statistic_ext'::regclass, 'pg_constraint'::regclass)
    )
    -- Which of its own types PostgreSQL shows with their schema depends on its version.
    SELECT DISTINCT ON (1) replace(replace(i.type || ' ' || i.identity, 'pg_catalog.', ''), schema_name, 'threadline'),
           md5(replace(d.text, schema_name, 'threadline')), md5(replace(d.shown, schema_name, 'threadline'))
    FROM described AS d
    CROSS JOIN LATERAL pg_identify_object(d.class, d.oid, 0) AS i
    ORDER BY 1, 2;
$$;

-- Notes the objects of the schema, for threadline.audit_drift() to compare.
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

-- Returns those of the given roles that can become a role which can undo the protection of the
-- audit, and that role: the role itself or, through memberships, the owner of the audit, a
-- superuser, a role that may create roles and so grant itself others, or one that writes every
-- table or on the server. A membership counts if it lets the member act, inherit or grant.
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
            -- The database's owner is an implicit member, without a row in pg_auth_members.
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

-- Returns the faults of the audit itself: objects in its schema that were not installed or differ
-- from those installed and, where the schema has an owner that cannot log in, the other roles
-- that can write to it.
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
                'views and functions in SQL were not compared with those that were installed, because the server is of another major version now; run `audit protect`, which compares and notes them, or, where the audit is not protected, as its owner:',
                -- Noting them without a comparison would hide changes to a protected schema.
                CASE WHEN (SELECT r.rolcanlogin FROM pg_roles AS r WHERE r.oid = tl_owner)
                     THEN 'SELECT threadline.note_installed_code();' END)::threadline.finding;
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
            -- With one role for everything, the audit is open to that role, which is known.
            RETURN;
        END IF;
        -- It was protected, and then opened.
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
        -- The roles that write to audited tables, or decide how they are audited. A superuser
        -- that owns tables is not the application; one that became a superuser after being the
        -- application's role is.
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
    'Faults of the audit itself: unknown or altered objects in its schema, and roles that can write to it';

-- Returns the faults in the capture of the audited tables, or of one of them.
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
        CROSS JOIN LATERAL (SELECT threadline.locate_table(t.id) AS relation) AS at
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
            RETURN QUERY
            SELECT 'partition-left', tl_audited.relation::text,
                   format('%s is no partition of it any more%s; its rows stay in the past until then', p.name,
                       CASE WHEN p.left_by IS NOT NULL THEN
                           format(', since %s, by role %s', to_char(p.left_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'), p.left_by) END),
                   threadline.fix_for(tl_audited.id, tl_audited.relation)
            FROM threadline.partitions_left(tl_audited.id) AS p
            WHERE NOT p.is_noted
            ORDER BY p.name COLLATE "C";
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
        RETURN QUERY SELECT * FROM threadline.erasure_drift();
        RETURN QUERY SELECT * FROM threadline.audit_drift();
    END IF;
END
$$;
COMMENT ON FUNCTION threadline.table_drift(regclass) IS
    'Faults in the capture of audited tables, and the commands that fix them';

-- Returns the faults of the audited tables that one query of the catalogs shows: triggers that
-- are missing, do not fire or fire for something else, and columns that changed. For a health
-- check every few seconds; threadline.table_drift() compares the capture functions and the
-- audit's own objects, too.
CREATE OR REPLACE FUNCTION threadline.structure_drift() RETURNS SETOF threadline.finding
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
SET jit = off
AS $$
BEGIN
    RETURN QUERY
    WITH audited AS MATERIALIZED (
        SELECT t.id, t.schema_name, t.table_name, t.policy, t.columns, t.capture_version, t.relation AS built_for,
               to_regproc('threadline.capture_' || t.id)::oid AS function,
               -- The slow query runs only where the fast one finds nothing.
               CASE WHEN g.oid IS NOT NULL AND g.tgfoid = to_regproc('threadline.capture_' || t.id) THEN t.relation
                    ELSE threadline.locate_table(t.id)::oid END AS relation
        FROM threadline.audited_tables AS t
        LEFT JOIN pg_trigger AS g ON g.tgrelid = t.relation AND g.tgname = ('!threadline_capture_' || t.id)::name
        WHERE t.unaudited_at IS NULL
    ), part AS MATERIALIZED (
        SELECT a.id, a.relation AS part FROM audited AS a WHERE a.relation IS NOT NULL
        UNION
        SELECT a.id, p.relid
        FROM audited AS a
        JOIN pg_class AS c ON c.oid = a.relation AND c.relkind = 'p'
        CROSS JOIN LATERAL pg_partition_tree(a.relation) AS p
        JOIN pg_class AS f ON f.oid = p.relid AND f.relkind IN ('r', 'p')
    ), expected AS (
        -- The bits of pg_trigger.tgtype: 1 row, 2 before, 4 insert, 8 delete, 16 update, 32 truncate.
        SELECT a.*, p.part, kind.name, kind.of_rows,
               CASE WHEN kind.of_rows THEN 1
                    + CASE WHEN coalesce(a.policy -> 'operations' ? 'insert', true) THEN 4 ELSE 0 END
                    + CASE WHEN coalesce(a.policy -> 'operations' ? 'delete', true) THEN 8 ELSE 0 END
                    + CASE WHEN coalesce(a.policy -> 'operations' ? 'update', true) THEN 16 ELSE 0 END
                    ELSE 34 END AS type
        FROM part AS p
        JOIN audited AS a ON a.id = p.id
        CROSS JOIN LATERAL (
            VALUES (('!threadline_capture_' || a.id)::name, true), (('!threadline_truncate_' || a.id)::name, false)
        ) AS kind (name, of_rows)
        WHERE kind.of_rows OR coalesce(a.policy -> 'operations' ? 'truncate', true)
    ), compared AS (
        SELECT e.id, e.relation, e.part, e.name, e.of_rows, e.built_for, g.tgenabled,
               CASE WHEN g.oid IS NULL THEN 'missing'
                    WHEN g.tgenabled IN ('D', 'R') THEN 'disabled'
                    WHEN g.tgenabled <> 'A' OR g.tgfoid IS DISTINCT FROM e.function OR g.tgtype <> e.type OR g.tgattr::text <> ''
                         OR (g.tgqual IS NOT NULL) <> (e.of_rows AND e.policy ? 'condition') THEN 'altered' END AS drift,
               bool_or(g.tgfoid = e.function) OVER (PARTITION BY e.id) IS TRUE OR e.built_for = e.relation AS known
        FROM expected AS e
        LEFT JOIN pg_trigger AS g ON g.tgrelid = e.part AND g.tgname = e.name
    ), known AS (
        SELECT a.id, k.name, k.type
        FROM audited AS a
        CROSS JOIN LATERAL jsonb_to_recordset(a.columns) AS k (name text, type text)
        WHERE a.relation IS NOT NULL
    ), live AS (
        SELECT a.id, f.attname::text AS name, f.atttypid::regtype::text AS type
        FROM audited AS a
        JOIN pg_attribute AS f ON f.attrelid = a.relation AND f.attnum > 0 AND NOT f.attisdropped AND f.attgenerated <> 'v'
    ), columns AS (
        SELECT d.id, bool_or(d.changed) AS changed, string_agg(DISTINCT quote_ident(d.name), ', ') AS names
        FROM (
            SELECT coalesce(k.id, l.id) AS id, coalesce(l.name, k.name) AS name, k.id IS NOT NULL AS changed
            FROM known AS k
            FULL JOIN live AS l ON l.id = k.id AND l.name = k.name AND l.type = k.type
            WHERE k.id IS NULL OR l.id IS NULL
        ) AS d
        GROUP BY d.id
    ), found AS (
        SELECT 'table-dropped' AS code, a.id, a.relation, format('%I.%I', a.schema_name, a.table_name) AS name, 'it is gone; what was recorded of it can still be read' AS message
        FROM audited AS a
        WHERE a.relation IS NULL
        UNION ALL
        SELECT 'table-recreated', c.id, c.relation, c.relation::regclass::text, 'it was created anew, or restored without triggers, and nothing of it is recorded'
        FROM compared AS c
        WHERE NOT c.known
        GROUP BY c.id, c.relation
        UNION ALL
        SELECT CASE WHEN c.part <> c.relation AND c.drift <> 'altered'
                    THEN CASE WHEN c.of_rows THEN 'partition-unseen' ELSE 'partition-truncate-unseen' END
                    ELSE 'trigger-' || c.drift END,
               c.id, c.relation, c.part::regclass::text,
               format(CASE c.drift WHEN 'missing' THEN 'trigger %I is missing' WHEN 'disabled' THEN 'trigger %I does not fire'
                                   ELSE 'trigger %I is not as it was made' END, c.name)
        FROM compared AS c
        WHERE c.known AND c.drift IS NOT NULL
        UNION ALL
        SELECT CASE WHEN c.changed OR threadline.redacts(a.policy) THEN 'columns-changed' ELSE 'columns-added' END,
               a.id, a.relation, a.relation::regclass::text, 'since its capture was built, columns changed or were added: ' || c.names
        FROM columns AS c
        JOIN audited AS a ON a.id = c.id
        WHERE NOT EXISTS (SELECT FROM compared AS x WHERE x.id = a.id AND NOT x.known)
        UNION ALL
        SELECT 'capture-outdated', a.id, a.relation, a.relation::regclass::text,
               format('its capture is of version %s, and this is version %s', a.capture_version, threadline.capture_version())
        FROM audited AS a
        WHERE a.relation IS NOT NULL AND a.capture_version <> threadline.capture_version()
    )
    SELECT f.code, f.name, f.message,
           CASE WHEN f.relation IS NOT NULL THEN threadline.fix_for(f.id, f.relation) END
    FROM found AS f
    ORDER BY 2, 1, 3;
END
$$;
COMMENT ON FUNCTION threadline.structure_drift() IS
    'Faults of the audited tables that one query of the catalogs shows';

-- Returns the position after which the ledger has the changes captured from an instant on. A
-- binary search of a few dozen look-ups in a ledger of any size, and so an estimate: positions
-- are in the order of visibility, not of capture.
CREATE OR REPLACE FUNCTION threadline.position_at(instant timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_low bigint := 0;
    tl_high bigint := coalesce((SELECT max(c.position) FROM threadline.ledger_changes AS c), 0);
    tl_middle bigint;
    tl_found timestamptz;
BEGIN
    WHILE tl_low < tl_high LOOP
        tl_middle := tl_low + (tl_high - tl_low) / 2;
        SELECT c.captured_at INTO tl_found
        FROM threadline.ledger_changes AS c
        WHERE c.position > tl_middle
        ORDER BY c.position
        LIMIT 1;
        IF tl_found < instant THEN
            tl_low := tl_middle + 1;
        ELSE
            tl_high := tl_middle;
        END IF;
    END LOOP;
    RETURN tl_low;
END
$$;

-- Returns the state of the audit in numbers, at a cost that does not grow with the audit, for
-- health checks and metrics. Runs as the owner of the audit and shows only these numbers.
CREATE OR REPLACE FUNCTION threadline.counters(
    OUT audited_tables bigint, OUT entries_waiting bigint, OUT oldest_waiting timestamptz, OUT last_posting timestamptz, OUT entries_set_aside bigint,
    OUT changes_last_day bigint, OUT bytes_last_day bigint, OUT ledger_bytes bigint,
    OUT recent_transactions bigint, OUT unattributed_transactions bigint, OUT oldest_change timestamptz
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
SET jit = off
AS $$
DECLARE
    tl_first bigint;
    tl_last bigint;
BEGIN
    audited_tables := (SELECT count(*) FROM threadline.audited_tables AS t WHERE t.unaudited_at IS NULL);
    SELECT count(*), min(j.captured_at), min(j.id) INTO entries_waiting, oldest_waiting, tl_first
    FROM (SELECT j.id, j.captured_at FROM threadline.journal AS j LIMIT 10000) AS j;
    IF entries_waiting = 10000 THEN
        -- A larger number is estimated from ids, some of which were rolled back.
        entries_waiting := greatest(entries_waiting, pg_sequence_last_value('threadline.entry_ids') - tl_first + 1);
    END IF;
    entries_set_aside := (SELECT count(*) FROM threadline.unposted);
    last_posting := (SELECT p.posted_at FROM threadline.posting AS p);

    SELECT c.position, c.captured_at INTO tl_first, oldest_change FROM threadline.ledger_changes AS c ORDER BY c.position LIMIT 1;
    oldest_change := coalesce(oldest_change, oldest_waiting);
    tl_last := (SELECT max(c.position) FROM threadline.ledger_changes AS c);
    changes_last_day := coalesce(tl_last - threadline.position_at(now() - interval '1 day'), 0) + entries_waiting;
    ledger_bytes := pg_total_relation_size('threadline.ledger_changes') + pg_total_relation_size('threadline.ledger_transactions');
    -- Assumes the average size of all kept changes.
    bytes_last_day := coalesce(ledger_bytes::numeric * changes_last_day / (tl_last - tl_first + 1), 0);

    SELECT count(*), count(*) FILTER (WHERE x.actor_type IS NULL) INTO recent_transactions, unattributed_transactions
    FROM (SELECT x.actor_type FROM threadline.ledger_transactions AS x ORDER BY x.id DESC LIMIT 1000) AS x;
END
$$;
COMMENT ON FUNCTION threadline.counters() IS
    'The state of the audit in numbers: waiting entries, growth, and attributed share';

-- Returns until when a table was audited under a policy that has been replaced since; NULL if it
-- never was. This shows whether a process that expects the policy is older than the database, as
-- in a rolling deploy, or newer.
CREATE OR REPLACE FUNCTION threadline.in_force_until(audited_table integer, policy jsonb) RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT max(a.occurred_at)
    FROM threadline.audit_actions AS a
    WHERE a.name IN ('audit.policy_changed', 'audit.restarted') AND a.transaction_id IS NOT NULL
      AND a.meta -> 'table_id' = to_jsonb(audited_table) AND a.meta -> 'former_policy' = in_force_until.policy;
END;

-- One row of numbers for a monitoring agent; see threadline.counters().
CREATE VIEW threadline.metrics AS
SELECT (SELECT max(v.version) FROM threadline.schema_versions AS v) AS schema_version,
       c.audited_tables,
       (SELECT coalesce(max(x.position), 0) FROM threadline.ledger_changes AS x) AS changes_total,
       c.entries_waiting,
       coalesce(extract(epoch FROM clock_timestamp() - c.oldest_waiting), 0)::double precision AS oldest_waiting_seconds,
       extract(epoch FROM clock_timestamp() - c.last_posting)::double precision AS last_posting_seconds,
       c.entries_set_aside,
       c.changes_last_day,
       c.bytes_last_day,
       c.ledger_bytes,
       c.recent_transactions,
       c.unattributed_transactions,
       extract(epoch FROM clock_timestamp() - c.oldest_change)::double precision AS oldest_change_seconds
FROM threadline.counters() AS c;
COMMENT ON VIEW threadline.metrics IS
    'The state of the audit, in numbers for a monitoring agent';

-- Counts the findings of threadline.structure_drift(); returns no row if there are none.
CREATE VIEW threadline.metrics_findings AS
SELECT f.code,
       CASE WHEN f.code IN ('columns-added', 'table-dropped') THEN 'info'
            WHEN f.code IN ('partition-truncate-unseen', 'capture-outdated') THEN 'warning'
            ELSE 'error' END AS severity,
       f.relation,
       count(*) AS findings
FROM threadline.structure_drift() AS f
GROUP BY f.code, f.relation;
COMMENT ON VIEW threadline.metrics_findings IS
    'Faults of the audited tables, for a monitoring agent';

-- Rebuilds the capture functions of all audited tables from the installed code. Takes no lock on
-- the tables: their writers continue, each write with the old function or the new one. The policy
-- of a table stays, also where its columns changed since; threadline.refresh() handles those.
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
        CROSS JOIN LATERAL (SELECT threadline.locate_table(t.id) AS relation) AS at
        WHERE at.relation IS NOT NULL AND to_regproc('threadline.capture_' || t.id) IS NOT NULL
        ORDER BY t.id
    LOOP
        PERFORM threadline.build_function(tl_audited.id, tl_audited.target);
        IF tl_audited.relation <> tl_audited.target THEN
            -- For a restored table, the function names the OID that the table had.
            EXECUTE regexp_replace(
                pg_get_functiondef(to_regproc('threadline.capture_' || tl_audited.id)),
                '\m' || tl_audited.target::oid || '\M', tl_audited.relation::text, 'g');
        END IF;
        UPDATE threadline.audited_tables
        SET capture_version = threadline.capture_version(),
            columns = CASE WHEN relation = tl_audited.target THEN threadline.with_column_states(tl_audited.target, columns) ELSE columns END
        WHERE id = tl_audited.id;
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION threadline.rebuild_captures() FROM PUBLIC;

-- Returns the columns whose names differ from those that their table's capture function was built
-- for, and when the first image under the new names was captured; NULL if there is none yet. A
-- column without a new name is gone, and a renamed one has taken its name.
--
-- A rename leaves its transaction's id on the column. Writers before it have an older id. Images
-- by the same transaction came after it, unless they show a name that no column has any more.
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
        CROSS JOIN LATERAL threadline.full_xid(f.xmin) AS whole (id)
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

-- Returns the parts of a type's recorded values that a command can rename, by a stable
-- identifier: the labels of an enum by their OIDs, the attributes of a composite type by their
-- numbers. For a domain or an array, those of its base or element type. NULL for all other types.
CREATE OR REPLACE FUNCTION threadline.type_labels(type oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_type pg_type;
BEGIN
    IF type < 16384 THEN
        RETURN NULL;
    END IF;
    SELECT * INTO tl_type FROM pg_type AS t WHERE t.oid = threadline.base_type(type);
    IF tl_type.typcategory = 'A' THEN
        SELECT * INTO tl_type FROM pg_type AS t WHERE t.oid = threadline.base_type(tl_type.typelem);
    END IF;
    RETURN CASE tl_type.typtype
        WHEN 'e' THEN (SELECT jsonb_object_agg(e.oid, e.enumlabel) FROM pg_enum AS e WHERE e.enumtypid = tl_type.oid)
        WHEN 'c' THEN (
            SELECT jsonb_object_agg(a.attnum, a.attname)
            FROM pg_attribute AS a
            WHERE a.attrelid = tl_type.typrelid AND a.attnum > 0 AND NOT a.attisdropped)
    END;
END
$$;

-- Returns the newest transaction that gave labels of a type their names; see
-- threadline.type_labels().
CREATE OR REPLACE FUNCTION threadline.labels_since(type oid) RETURNS xid8
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT max(threadline.full_xid(label.xmin)::text::numeric)::text::xid8
    FROM (
        SELECT under.oid, under.typrelid
        FROM pg_type AS base
        JOIN pg_type AS under ON under.oid IN (base.oid, threadline.base_type(base.typelem))
        WHERE base.oid = threadline.base_type(labels_since.type)
    ) AS named
    CROSS JOIN LATERAL (
        SELECT e.xmin FROM pg_enum AS e WHERE e.enumtypid = named.oid
        UNION ALL
        SELECT a.xmin FROM pg_attribute AS a WHERE a.attrelid = named.typrelid AND a.attnum > 0
    ) AS label;
END;

-- Returns the files that hold a table. If they differ after a command, the rows were rewritten.
CREATE OR REPLACE FUNCTION threadline.stored_in(target oid) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT string_agg(c.relfilenode::text, ' ' ORDER BY c.oid)
    FROM pg_class AS c
    WHERE c.relkind = 'r' AND (c.oid = target OR c.oid IN (SELECT p.relid FROM pg_partition_tree(target::regclass) AS p));
END;

-- Returns the columns of an audited table as threadline.audited_tables notes them, each with its
-- present state in the catalog, by which a later command that altered it is detected.
CREATE OR REPLACE FUNCTION threadline.with_column_states(target oid, columns jsonb) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(jsonb_agg(
        CASE WHEN a.attnum IS NULL OR k.column ? 'stored_in' THEN k.column
             ELSE k.column || jsonb_strip_nulls(jsonb_build_object(
                 'typmod', a.atttypmod, 'altered_by', a.xmin::text, 'stored_in', stored.files,
                 'labels', threadline.type_labels(a.atttypid))) END
        ORDER BY k.ordinality), '[]')
    FROM jsonb_array_elements(columns) WITH ORDINALITY AS k ("column", ordinality)
    CROSS JOIN (SELECT threadline.stored_in(target) AS files OFFSET 0) AS stored
    LEFT JOIN pg_attribute AS a ON a.attrelid = target AND a.attnum = (k.column ->> 'number')::integer
        AND a.attname = k.column ->> 'name' AND a.atttypid::regtype::text = k.column ->> 'type' AND NOT a.attisdropped;
END;

-- Returns the time by which a transaction had altered a table, as exactly as it can be known: its
-- commit, if the server tracks commit timestamps; else when the next recorded transaction began
-- to write. For the running one it is now: no other session can have written since it altered the
-- table. NULL if no transaction has written since.
CREATE OR REPLACE FUNCTION threadline.altered_at(altered_by xid8, noted_before timestamptz) RETURNS timestamptz
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    IF altered_by::text::numeric >= pg_snapshot_xmax(pg_current_snapshot())::text::numeric
       OR pg_xact_status(altered_by) IS NOT DISTINCT FROM 'in progress'
    THEN
        -- It may be the id of a savepoint, or of before a restore.
        RETURN clock_timestamp();
    ELSIF current_setting('track_commit_timestamp') = 'on' THEN
        RETURN pg_xact_commit_timestamp((altered_by::text::numeric % 4294967296)::text::xid);
    END IF;
    RETURN (
        SELECT x.opened_at
        FROM threadline.audit_transactions AS x
        WHERE x.xact_id > altered_by AND x.opened_at > noted_before
        ORDER BY x.xact_id, x.id
        LIMIT 1);
END
$$;

-- Returns the columns of a table that a command altered since its capture was built: see
-- threadline.altered_columns. A command that rewrote no row and kept the type changed no value. If
-- one transaction altered the values of several columns and kept their types, only the first is
-- known. After a restore only names, types and modifiers can be compared. An entry without an
-- instant: no transaction has written since.
CREATE OR REPLACE FUNCTION threadline.unnoted_alterations(
    audited_table integer, target oid,
    OUT name text, OUT what text, OUT altered_at timestamptz, OUT labels jsonb
) RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH known AS (
        SELECT k.*, t.built_at, t.relation = target AS is_same,
               CASE WHEN t.relation = target THEN k.number::text ELSE k.name END AS identity
        FROM threadline.audited_tables AS t
        CROSS JOIN jsonb_to_recordset(t.columns) AS k (
            number smallint, name text, type text, typmod integer, altered_by text, stored_in text, labels jsonb)
        -- The others belong to no column: see threadline.note_absent().
        WHERE t.id = audited_table AND k.number < 20000
    ), live AS (
        SELECT a.attnum, a.attname::text AS name, a.atttypid, a.atttypid::regtype::text AS type, a.atttypmod, a.xmin,
               CASE WHEN noted.is_same THEN a.attnum::text ELSE a.attname::text END AS identity
        FROM (SELECT bool_or(k.is_same) AS is_same FROM known AS k) AS noted
        CROSS JOIN pg_attribute AS a
        WHERE a.attrelid = target AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v'
    ), compared AS (
        SELECT k.name AS former_name, l.name, k.number, l.attnum, k.is_same, k.labels, l.atttypid, l.xmin,
               CASE WHEN l.identity IS NULL THEN 'dropped'
                    WHEN k.identity IS NULL THEN 'added'
                    WHEN k.type <> l.type AND NOT (
                             '{text,"character varying"}'::text[] @> ARRAY[k.type, l.type] AND k.is_same
                             AND k.stored_in = threadline.stored_in(target))
                         OR (k.typmod <> l.atttypmod
                             OR k.is_same AND k.altered_by <> l.xmin::text
                             -- Altering a column also writes those after it in the catalog.
                             AND NOT EXISTS (SELECT FROM live AS left_of WHERE left_of.xmin = l.xmin AND left_of.attnum < l.attnum))
                             AND (NOT k.is_same OR k.stored_in <> threadline.stored_in(target))
                        THEN 'converted'
                    WHEN l.atttypid >= 16384 AND EXISTS (
                             SELECT
                             FROM jsonb_each_text(k.labels) AS former
                             WHERE threadline.type_labels(l.atttypid) ->> former.key <> former.value)
                        THEN 'relabelled' END AS what
        FROM known AS k
        FULL JOIN live AS l ON l.identity = k.identity
    ), altered AS (
        SELECT c.*,
               CASE c.what WHEN 'relabelled' THEN threadline.labels_since(c.atttypid)
                           WHEN 'dropped' THEN (
                               SELECT threadline.full_xid(a.xmin) FROM pg_attribute AS a
                               WHERE c.is_same AND a.attrelid = target AND a.attnum = c.number)
                           ELSE threadline.full_xid(c.xmin) END AS altered_by
        FROM compared AS c
        WHERE c.what IS NOT NULL
          -- Earlier images show the renamed column under the name.
          AND NOT (c.what = 'dropped' AND EXISTS (
              SELECT FROM compared AS taker WHERE taker.name = c.former_name AND taker.former_name <> taker.name))
    )
    SELECT coalesce(a.name, a.former_name), a.what, threadline.altered_at(a.altered_by, noted.built_at),
           CASE WHEN a.what = 'relabelled' THEN (
               SELECT jsonb_object_agg(former.value, threadline.type_labels(a.atttypid) ->> former.key)
               FROM jsonb_each_text(a.labels) AS former
               WHERE threadline.type_labels(a.atttypid) ->> former.key <> former.value) END
    FROM altered AS a
    CROSS JOIN (SELECT max(k.built_at) AS built_at FROM known AS k) AS noted;
END
$$;

-- Returns the condition of the rows that a partition holds if it calls no foreign code; else
-- NULL.
CREATE OR REPLACE FUNCTION threadline.rows_of_partition(part regclass) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
BEGIN ATOMIC
    SELECT CASE WHEN NOT EXISTS (
        SELECT
        FROM pg_partition_ancestors(part) AS a
        JOIN pg_partitioned_table AS p ON p.partrelid = a.relid
        WHERE a.relid <> part AND (
            p.partexprs IS NOT NULL OR p.partstrat = 'h'
            OR EXISTS (SELECT FROM unnest(p.partclass) AS c (oid) WHERE c.oid >= 16384)
            OR EXISTS (
                SELECT FROM unnest(p.partattrs) AS k (number)
                JOIN pg_attribute AS f ON f.attrelid = p.partrelid AND f.attnum = k.number
                WHERE f.atttypid >= 16384))
    ) THEN pg_get_partition_constraintdef(part) END;
END;

-- Returns the partitions of an audited table that were detached or dropped since they were noted,
-- and by when. `is_noted` marks those that threadline.refresh() has seen. Until then, the time of
-- a drop is known only if threadline.watch() saw it.
CREATE OR REPLACE FUNCTION threadline.partitions_left(
    audited_table integer, OUT part oid, OUT name text, OUT rows_of text, OUT left_at timestamptz, OUT left_by text, OUT is_noted boolean
) RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT k.part, k.name, k.rows_of,
           coalesce(k.left_at, CASE WHEN c.oid IS NOT NULL THEN threadline.altered_at(threadline.full_xid(c.xmin), k.known_at) END, 'infinity'),
           k.left_by, k.noted_at IS NOT NULL
    FROM threadline.known_partitions AS k
    JOIN threadline.audited_tables AS t ON t.id = k.table_id
    LEFT JOIN pg_class AS c ON c.oid = k.part
    WHERE k.table_id = audited_table
      AND (k.left_at IS NOT NULL
           OR k.part NOT IN (SELECT p.relid FROM pg_partition_tree(t.relation::regclass) AS p)
              AND threadline.audited_table_of(t.relation) IS NOT DISTINCT FROM t.id);
END
$$;

-- Returns whether a row of a table left after an instant together with a partition.
CREATE OR REPLACE FUNCTION threadline.left_with_partition(audited_table integer, target regclass, image jsonb, instant timestamptz) RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_part record;
    tl_held boolean;
BEGIN
    FOR tl_part IN SELECT * FROM threadline.partitions_left(audited_table) AS p WHERE p.left_at > instant LOOP
        BEGIN
            EXECUTE format('SELECT %s FROM jsonb_populate_record(NULL::%s, $1) AS tl_row', coalesce(tl_part.rows_of, 'true'), target)
            INTO tl_held USING image;
        EXCEPTION WHEN data_exception OR integrity_constraint_violation OR datatype_mismatch OR undefined_column OR undefined_function THEN
            -- Its columns have changed.
            tl_held := true;
        END;
        IF tl_held THEN
            RETURN true;
        END IF;
    END LOOP;
    RETURN false;
END
$$;

-- Notes for threadline.write_policy() the partitions of a table, and those that left it: each
-- once, with the role and time.
CREATE OR REPLACE FUNCTION threadline.note_partitions(audited_table integer, target regclass, is_same boolean) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_left record;
BEGIN
    IF NOT is_same THEN
        DELETE FROM threadline.known_partitions AS k WHERE k.table_id = audited_table AND k.left_at IS NULL;
    END IF;
    FOR tl_left IN SELECT * FROM threadline.partitions_left(audited_table) AS p WHERE NOT p.is_noted LOOP
        UPDATE threadline.known_partitions AS k
        SET left_at = least(tl_left.left_at, clock_timestamp()), noted_at = clock_timestamp()
        WHERE k.table_id = audited_table AND k.part = tl_left.part;
        PERFORM threadline.own_action('audit.partition_left', jsonb_build_object(
            'table', target, 'table_id', audited_table, 'partition', tl_left.name, 'left_by', tl_left.left_by,
            'left_at', CASE WHEN tl_left.left_by IS NOT NULL THEN tl_left.left_at END));
    END LOOP;
    INSERT INTO threadline.known_partitions AS k (table_id, part, name, rows_of, known_at)
    SELECT audited_table, p.relid, p.relid::text, threadline.rows_of_partition(p.relid), clock_timestamp()
    FROM pg_partition_tree(target) AS p
    WHERE p.isleaf AND p.relid <> target
    ON CONFLICT (table_id, part) DO UPDATE
    SET name = excluded.name, rows_of = excluded.rows_of, known_at = excluded.known_at, left_at = NULL, left_by = NULL, noted_at = NULL
    WHERE k.left_at IS NOT NULL OR (k.name, k.rows_of) IS DISTINCT FROM (excluded.name, excluded.rows_of);
END
$$;
REVOKE ALL ON FUNCTION threadline.note_partitions(integer, regclass, boolean) FROM PUBLIC;

-- Fails for a relation that cannot be audited.
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

-- Returns threadline.current_transaction() for an action. An action is not posted, so its
-- database transaction is not compared later: an AuditTransaction that a session named counts
-- only if its entry is of this database transaction. The journal has no index, so the entry's
-- location is remembered, and the newest blocks are read before the others.
CREATE OR REPLACE FUNCTION threadline.own_transaction() RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_transaction bigint := threadline.current_transaction();
    tl_place tid := substring(current_setting('threadline.transaction_place', true) FROM '^\([0-9]{1,9},[0-9]{1,4}\)$');
BEGIN
    -- Entries that are not committed are not posted either.
    IF EXISTS (SELECT FROM threadline.journal AS j WHERE j.ctid = tl_place AND j.id = tl_transaction AND j.xact_id = pg_current_xact_id()) THEN
        RETURN tl_transaction;
    END IF;
    tl_place := format('(%s,0)', greatest(pg_relation_size('threadline.journal') / current_setting('block_size')::integer - 4, 0));
    SELECT j.ctid INTO tl_place FROM threadline.journal AS j
    WHERE j.ctid >= tl_place AND j.id = tl_transaction AND j.xact_id = pg_current_xact_id();
    IF NOT FOUND THEN
        SELECT j.ctid INTO tl_place FROM threadline.journal AS j WHERE j.id = tl_transaction AND j.xact_id = pg_current_xact_id();
    END IF;
    IF FOUND THEN
        PERFORM set_config('threadline.transaction_place', tl_place::text, true);
    ELSE
        PERFORM set_config('threadline.transaction', '', true);
        tl_transaction := threadline.current_transaction();
    END IF;
    RETURN tl_transaction;
END
$$;

-- Records an operation on the audit itself as an action of the running transaction. The actor is
-- the context's unless another is named. For functions that run as the owner of the audit.
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
    LOOP
        INSERT INTO threadline.audit_actions (
            transaction_id, name, category, verb, actor_type, actor_id, reason, request_id, correlation_id, job_id, meta, source, remote_ip)
        SELECT tl_transaction, own_action.name, split_part(own_action.name, '.', 1), split_part(own_action.name, '.', 2),
               coalesce(own_action.actor_type, c.actor_type, 'anonymous'),
               CASE WHEN own_action.actor_type IS NULL THEN c.actor_id ELSE own_action.actor_id END,
               own_action.reason, c.request_id, c.correlation_id, c.job_id,
               -- Of an untrusted context, the transaction keeps only the beginning.
               CASE WHEN c.actor_origin NOT IN ('untrusted', 'unreadable') AND jsonb_typeof(c.meta) = 'object' THEN c.meta ELSE '{}' END
                   || jsonb_build_object('session_user', session_user) || jsonb_strip_nulls(own_action.meta),
               c.source, c.remote_ip
        FROM threadline.read_context(coalesce(current_setting('threadline.context', true), ''), now()) AS c
        ON CONFLICT (id) DO NOTHING
        RETURNING * INTO tl_action;
        EXIT WHEN FOUND;
        -- As in threadline.record_action().
        PERFORM threadline.set_sequences();
    END LOOP;
    RETURN tl_action;
END
$$;

-- Records for threadline.watch() that a command removed a trigger of the audit.
CREATE OR REPLACE FUNCTION threadline.note_tampering(table_id integer, relation text, command text, what text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_meta jsonb := jsonb_build_object('table', relation, 'table_id', table_id, 'command', command, 'what', what);
BEGIN
    PERFORM threadline.own_action('audit.triggers_changed', tl_meta);
EXCEPTION
    -- An unusable context must not prevent the record.
    WHEN data_exception OR program_limit_exceeded OR integrity_constraint_violation OR internal_error OR raise_exception THEN
        INSERT INTO threadline.audit_actions (name, category, verb, actor_type, meta)
        VALUES ('audit.triggers_changed', 'audit', 'triggers_changed', 'anonymous',
            jsonb_build_object('session_user', session_user) || tl_meta);
END
$$;
REVOKE ALL ON FUNCTION threadline.note_tampering(integer, text, text, text) FROM PUBLIC;

-- Records the action audit.triggers_changed when a command leaves an audited table without a
-- trigger of the audit, or detaches or drops one of its partitions. So writes in the meantime
-- leave a trace even if the trigger is restored before anyone looks. Called by the event triggers
-- that `audit protect` creates. It compares the state after the command, so that audit(),
-- refresh() and unaudit() record nothing, and it does not depend on settings. It also maintains
-- threadline.known_partitions: which rows an attached partition holds, who removed it and when.
-- ALTER TABLE … TYPE … USING changes values bypassing the triggers, and records the action
-- audit.table_rewritten: migrations do that, too.
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
              AND threadline.locate_table(t.id) IN (
                  pg_event_trigger_table_rewrite_oid(), pg_partition_root(pg_event_trigger_table_rewrite_oid()));
        END IF;
        RETURN;
    END IF;
    IF TG_EVENT = 'sql_drop' THEN
        -- Not those of a table that was dropped with them.
        UPDATE threadline.known_partitions AS k
        SET name = d.object_identity, left_at = clock_timestamp(), left_by = session_user
        FROM pg_event_trigger_dropped_objects() AS d, threadline.audited_tables AS t
        WHERE d.classid = 'pg_class'::regclass AND d.objsubid = 0 AND d.objid = k.part
          AND k.left_at IS NULL AND t.id = k.table_id AND t.unaudited_at IS NULL
          AND threadline.audited_table_of(t.relation) IS NOT DISTINCT FROM t.id;
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
            CROSS JOIN LATERAL (SELECT threadline.locate_table(t.id) AS relation) AS at
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
            SELECT c.* FROM candidate AS c WHERE threadline.locate_table(c.id) = c.root
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
        ), leaf AS MATERIALIZED (
            SELECT a.id AS table_id, p.relid AS part
            FROM (SELECT DISTINCT a.id, a.root FROM audited AS a) AS a
            CROSS JOIN pg_partition_tree(a.root) AS p
            WHERE p.isleaf AND p.relid <> a.root
        ), known AS (
            INSERT INTO threadline.known_partitions AS k (table_id, part, name, rows_of, known_at)
            SELECT l.table_id, l.part, l.part::regclass::text, threadline.rows_of_partition(l.part), clock_timestamp()
            FROM leaf AS l
            ON CONFLICT (table_id, part) DO UPDATE
            SET name = excluded.name, rows_of = excluded.rows_of, known_at = excluded.known_at, left_at = NULL, left_by = NULL, noted_at = NULL
            WHERE k.left_at IS NOT NULL
        ), departed AS (
            UPDATE threadline.known_partitions AS k
            SET name = k.part::regclass::text, left_at = clock_timestamp(), left_by = session_user
            WHERE k.left_at IS NULL AND k.table_id IN (SELECT a.id FROM audited AS a)
              AND (k.table_id, k.part) NOT IN (SELECT l.table_id, l.part FROM leaf AS l)
              AND EXISTS (SELECT FROM pg_class AS c WHERE c.oid = k.part)
        )
        SELECT found.table_id, found.relation, string_agg(found.what, ', ' ORDER BY found.what) AS what
        FROM (
            SELECT g.table_id, g.part::regclass::text AS relation, 'the partition was detached' AS what
            FROM gone AS g
            -- A dropped partition is noted as dropped.
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
                    -- Until the condition is noted, its deparsed form is not known.
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
    -- No command fails because of this.
    WHEN insufficient_privilege OR undefined_table OR undefined_function OR undefined_column OR undefined_object OR invalid_schema_name
      OR data_exception OR integrity_constraint_violation OR program_limit_exceeded OR internal_error OR raise_exception THEN
        RAISE WARNING 'threadline: the effect of the command % on audited tables could not be checked: %', TG_TAG, SQLERRM;
END
$$;
REVOKE ALL ON FUNCTION threadline.watch() FROM PUBLIC;

-- Allows one policy change at a time, until the end of the transaction; readers and writers do
-- not wait.
CREATE OR REPLACE FUNCTION threadline.lock_policies() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    LOCK TABLE threadline.audited_tables IN SHARE ROW EXCLUSIVE MODE;
END
$$;
REVOKE ALL ON FUNCTION threadline.lock_policies() FROM PUBLIC;

-- Where the audit schema has an owner of its own: lets that owner read a table, for the rows that
-- a TRUNCATE removes, and grants it the right to create triggers, which proves that the caller
-- acts for the table's owner. Runs with the caller's rights, so that only a role that may grant
-- on the table can hand it over.
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

-- Revokes what threadline.hand_over() granted: the proof, or everything.
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

-- Fails unless the table is the owner's, or was handed over by a role that may; for functions
-- that run as the owner of the audit.
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

-- Notes the deparsed condition of a table's row trigger, for verify to compare. Fails if the
-- given condition was more than an expression and created a trigger other than the one that
-- records. A trigger created by hand under the name is taken for that of threadline.audit(), so
-- the function records what it noted.
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
        -- Its arguments could contain anything.
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

-- Notes columns of a policy that the table does not have now, so that a column of that name is
-- redacted from the moment it comes back.
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

-- Returns whether there is a key for each column of a table that is recorded as a keyed hash; a
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

-- Returns whether every change that commands made to the columns and partitions of an audited
-- table is noted; see threadline.altered_columns and threadline.known_partitions.
CREATE OR REPLACE FUNCTION threadline.columns_noted(audited_table integer, target regclass) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    RETURN NOT EXISTS (SELECT FROM threadline.unnoted_alterations(audited_table, target))
       AND NOT EXISTS (SELECT FROM threadline.partitions_left(audited_table) AS p WHERE NOT p.is_noted)
       AND NOT EXISTS (
           SELECT
           FROM pg_partition_tree(target) AS p
           WHERE p.isleaf AND p.relid <> target
             AND p.relid NOT IN (SELECT k.part FROM threadline.known_partitions AS k WHERE k.table_id = audited_table AND k.left_at IS NULL));
END
$$;

-- Returns the id under which a table is audited if its audit matches a policy in every part; else
-- NULL. The retention and the subjects are not compared, because capture does not depend on them.
CREATE OR REPLACE FUNCTION threadline.as_decided(target regclass, policy jsonb) RETURNS integer
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT t.id
    FROM threadline.audited_tables AS t
    JOIN pg_class AS c ON c.oid = target
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE t.id = threadline.audited_table_of(target) AND t.policy - '{keep,personal,subject}'::text[] = as_decided.policy - '{keep,personal,subject}'::text[]
      AND (t.schema_name, t.table_name) = (n.nspname, c.relname)
      AND threadline.hash_keys_match(t.id)
      AND NOT EXISTS (SELECT FROM threadline.trigger_drift(t.id, target))
      AND NOT EXISTS (SELECT FROM threadline.column_drift(t.id, target))
      AND NOT EXISTS (SELECT FROM threadline.function_drift(t.id, target))
      AND threadline.columns_noted(t.id, target);
END;

-- Runs the part of threadline.audit() that needs the owner of the audit: notes the policy of a
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
    ignore        text[],
    keep          text,
    continues     regclass DEFAULT NULL,
    personal      text[]  DEFAULT '{}',
    subject       jsonb   DEFAULT NULL
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
    tl_rekeyed boolean;
    tl_former threadline.audited_tables;
    tl_gone text[];
BEGIN
    PERFORM threadline.require_handed_over(target);
    PERFORM threadline.check_auditable(target);
    SELECT * INTO STRICT tl_class FROM pg_class WHERE oid = target;
    SELECT nspname INTO STRICT tl_schema FROM pg_namespace WHERE oid = tl_class.relnamespace;
    SELECT array_agg(name ORDER BY number) INTO tl_columns FROM threadline.columns_of(target);
    SELECT coalesce(array_agg(k.name ORDER BY k.place), '{}'),
           -- Only for recorded columns.
           coalesce(array_agg(CASE threadline.policy_of_column(target, c.number, mask, exclude, hash) WHEN 'hash' THEN 'text' ELSE k.type::text END ORDER BY k.place), '{}')
    INTO tl_keys, tl_key_types
    FROM threadline.key_columns_of(target) WITH ORDINALITY AS k (name, type, place)
    JOIN threadline.columns_of(target) AS c ON c.name = k.name;
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
        RAISE EXCEPTION 'threadline: column % of table % is recorded as a keyed hash, and masked or excluded; choose one',
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
    WHERE c.name = ANY (tl_keys) AND threadline.policy_of_column(target, c.number, mask, exclude, hash) NOT IN ('plain', 'hash');
    IF tl_wrong IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: column % belongs to the primary key of %; a key identifies the record and can be neither masked nor excluded',
            array_to_string(tl_wrong, ', '), target
            USING HINT = format('A key that is a secret can be recorded as a keyed hash: hash => ARRAY[%L].', tl_wrong[1]);
    END IF;
    -- Types of which two equal values have one text.
    SELECT array_agg(format('%s (%s)', c.name, c.type)) INTO tl_wrong
    FROM threadline.columns_of(target) AS c
    WHERE c.name = ANY (tl_keys) AND threadline.policy_of_column(target, c.number, mask, exclude, hash) = 'hash'
      AND threadline.base_type(c.type) <> ALL ('{text,varchar,uuid,smallint,integer,bigint}'::regtype[]);
    IF tl_wrong IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: key column % of table % cannot be recorded as a keyed hash: of its type, equal values may have several texts; that can be keys of type text, character varying, uuid, smallint, integer and bigint',
            array_to_string(tl_wrong, ', '), target;
    END IF;

    PERFORM threadline.check_keep(target, keep);
    PERFORM threadline.set_sequences();
    tl_policy := threadline.policy(mask, exclude, require_actor, columns, operations, condition, plain, hash, ignore, keep, personal, subject);
    IF cardinality(columns) > 0 THEN
        exclude := exclude || ARRAY(
            SELECT c FROM unnest(tl_columns) AS c WHERE c <> ALL (columns || tl_keys || mask || exclude || hash));
    END IF;
    PERFORM threadline.check_personal(target, personal, subject, ARRAY(
        SELECT c.name FROM threadline.columns_of(target) AS c WHERE threadline.policy_of_column(target, c.number, mask, exclude, hash) <> 'plain'));

    tl_id := coalesce(threadline.known_table_of(target), (
        -- The trigger by which a table is identified was dropped, and the other was not.
        SELECT min(substring(p.proname FROM '^capture_([0-9]{1,9})$')::integer)
        FROM pg_trigger AS g
        JOIN pg_proc AS p ON p.oid = g.tgfoid AND p.pronamespace = 'threadline'::regnamespace
        WHERE g.tgrelid = target AND g.tgparentid = 0 AND g.tgname = '!threadline_truncate_' || substring(p.proname FROM '^capture_([0-9]{1,9})$')
          AND threadline.captured_relation(substring(p.proname FROM '^capture_([0-9]{1,9})$')::integer, 0) = 0));
    tl_resumed := tl_id IS NULL AND continues IS NULL OR EXISTS (SELECT FROM threadline.audited_tables AS t WHERE t.id = tl_id AND t.unaudited_at IS NOT NULL);
    IF tl_id IS NULL THEN
        -- A table that is created again under its old name continues its history.
        tl_id := threadline.former_table(tl_schema, tl_class.relname);
    END IF;
    -- After a restore without data, functions exist without their rows: an id counts as taken by
    -- either.
    WHILE tl_id IS NULL LOOP
        tl_id := nextval(pg_get_serial_sequence('threadline.audited_tables', 'id'));
        IF to_regproc('threadline.capture_' || tl_id) IS NOT NULL OR EXISTS (SELECT FROM threadline.audited_tables AS t WHERE t.id = tl_id) THEN
            tl_id := NULL;
        END IF;
    END LOOP;
    SELECT * INTO tl_former FROM threadline.audited_tables WHERE id = tl_id;
    INSERT INTO threadline.audited_tables (
        id, schema_name, table_name, key_columns, key_types, policy, columns, masked_columns, numeric_columns, relation, fingerprint, capture_version)
    OVERRIDING SYSTEM VALUE
    VALUES (tl_id, tl_schema, tl_class.relname, tl_keys, tl_key_types, '{}', '[]', '{}', '{}', target, '', 0)
    ON CONFLICT (id) DO NOTHING;

    tl_rekeyed := coalesce((
        SELECT bool_or((was.column_policy = 'hash') <> (threadline.policy_of_column(target, c.number, mask, exclude, hash) = 'hash')
                       OR was.column_policy = 'hash' AND was.hash_key NOT IN (SELECT k.id FROM threadline.hash_keys AS k))
        FROM ROWS FROM (unnest(tl_former.key_columns), unnest(tl_keys)) AS k (former_name, name)
        JOIN threadline.columns_of(target) AS c ON c.name = k.name
        JOIN jsonb_to_recordset(tl_former.columns) AS was (name text, column_policy text, hash_key integer) ON was.name = k.former_name), false);
    IF tl_former.key_columns <> tl_keys OR tl_rekeyed THEN
        -- Journal entries have the key that they were captured with.
        PERFORM threadline.post_all();
    END IF;
    -- Records without a key are not found under a key that comes later, nor those with keyed
    -- hashes by values.
    tl_resumed := tl_resumed OR tl_rekeyed OR coalesce(tl_former.key_columns = '{}' AND tl_keys <> '{}', false);

    INSERT INTO threadline.renamed_columns (table_id, former_name, name, renamed_at)
    SELECT tl_id, r.former_name, r.name, coalesce(r.renamed_at, at.now)
    FROM (SELECT clock_timestamp() AS now OFFSET 0) AS at
    CROSS JOIN threadline.unnoted_renames(tl_id, target) AS r;
    IF NOT tl_resumed THEN
        INSERT INTO threadline.altered_columns (table_id, name, what, altered_at, noted_at, labels)
        SELECT tl_id, a.name, a.what, least(a.altered_at, at.now), at.now, a.labels
        FROM threadline.unnoted_alterations(tl_id, target) AS a
        CROSS JOIN (SELECT clock_timestamp() AS now OFFSET 0) AS at;
    END IF;

    tl_gone := ARRAY(
        SELECT was.name
        FROM (
            SELECT unnest(tl_former.masked_columns)
            UNION
            SELECT f.name FROM jsonb_to_recordset(tl_former.columns) AS f (name text, column_policy text) WHERE f.column_policy <> 'plain'
        ) AS was (name)
        WHERE (
            NOT EXISTS (
                -- It has a column policy of its own now, under any name.
                SELECT
                FROM jsonb_to_recordset(tl_former.columns) AS f (number smallint, name text, column_policy text)
                JOIN threadline.columns_of(target) AS c
                    ON CASE WHEN tl_former.relation = target THEN c.number = f.number ELSE c.name = f.name END
                WHERE f.name = was.name AND f.column_policy <> 'plain')
            OR EXISTS (
                -- Another column had the name before.
                SELECT FROM threadline.renamed_columns AS r
                WHERE r.table_id = tl_id AND r.former_name = was.name AND r.name IS NULL))
          AND NOT EXISTS (
            SELECT FROM threadline.columns_of(target) AS c
            WHERE c.name = was.name AND threadline.policy_of_column(target, c.number, mask, exclude, hash) <> 'plain')
        ORDER BY was.name);
    -- From now on, this name is that of another column.
    INSERT INTO threadline.renamed_columns (table_id, former_name, name, renamed_at)
    SELECT tl_id, c.name, NULL, clock_timestamp()
    FROM threadline.columns_of(target) AS c
    WHERE c.name = ANY (tl_gone) AND NOT EXISTS (
        SELECT FROM jsonb_to_recordset(tl_former.columns) AS f (number smallint, name text)
        WHERE f.name = c.name AND (f.number = c.number OR tl_former.relation <> target));

    UPDATE threadline.audited_tables AS t
    SET schema_name = tl_schema,
        table_name = tl_class.relname,
        key_columns = tl_keys,
        key_types = tl_key_types,
        chained_since = CASE
            WHEN ARRAY(SELECT k.name FROM threadline.live_key(tl_id) AS k ORDER BY k.ordinal) = tl_keys AND NOT tl_rekeyed
                 AND NOT t.policy ?| '{operations,condition}'
            THEN t.chained_since
            ELSE clock_timestamp() END,
        policy = tl_policy,
        personal_data = threadline.personal_data(tl_id, target, personal, subject),
        deparsed_condition = CASE WHEN t.policy ->> 'condition' = condition THEN t.deparsed_condition END,
        columns = threadline.with_column_states(target, (
            SELECT coalesce(jsonb_agg(
                jsonb_strip_nulls(jsonb_build_object(
                    'number', c.number, 'name', c.name, 'type', c.type::text, 'column_policy', now.column_policy,
                    -- A column generated from others may be generated from a redacted one later.
                    'generation_expression', CASE
                        WHEN now.column_policy = 'plain' AND cardinality(mask || exclude || hash) > 0
                        THEN threadline.generation_of(target, c.number) END,
                    -- Values of a redacted column up to now were not recorded.
                    'plain_since', CASE
                        WHEN now.column_policy <> 'plain' THEN NULL
                        WHEN former.column_policy <> 'plain' THEN clock_timestamp()
                        ELSE former.plain_since END,
                    -- Kept, so that the key stays while the column has another policy.
                    'hash_key', CASE
                        WHEN former.hash_key IN (SELECT id FROM threadline.hash_keys) THEN former.hash_key
                        WHEN now.column_policy = 'hash' THEN threadline.new_hash_key() END,
                    -- Values recorded under its name are of another column, or written another
                    -- way.
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
                ON CASE WHEN t.relation = target THEN former.number = c.number ELSE former.name = c.name END)),
        -- Includes columns that were redacted when they were dropped: some of their earlier
        -- values may be on record.
        masked_columns = ARRAY(
            SELECT c.name
            FROM threadline.columns_of(target) AS c
            WHERE threadline.policy_of_column(target, c.number, mask, exclude, hash) <> 'plain'
            ORDER BY c.number) || tl_gone,
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

    PERFORM threadline.note_partitions(tl_id, target, coalesce(tl_former.relation = target, false) AND NOT tl_resumed);
    PERFORM threadline.build_function(tl_id, target);
    -- No writes happen before the triggers exist. Changes made while the table was not audited
    -- are unknown.
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
REVOKE ALL ON FUNCTION threadline.write_policy(regclass, text[], text[], boolean, boolean, text[], text[], text, text[], text[], text[], text, regclass, text[], jsonb) FROM PUBLIC;

-- Sets the retention and the subjects of a table; the rest of its policy stays.
CREATE OR REPLACE FUNCTION threadline.set_terms(target regclass, keep text, personal text[], subject jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_former jsonb;
    tl_table threadline.audited_tables;
BEGIN
    SELECT * INTO STRICT tl_table FROM threadline.audited_tables AS t WHERE t.id = threadline.audited_table_of(target);
    PERFORM threadline.require_handed_over(target);
    PERFORM threadline.check_keep(target, keep);
    PERFORM threadline.check_personal(target, personal, subject, ARRAY(
        SELECT k.name FROM jsonb_to_recordset(tl_table.columns) AS k (name text, column_policy text) WHERE k.column_policy <> 'plain'));
    tl_former := tl_table.policy;
    UPDATE threadline.audited_tables AS t
    SET policy = t.policy - '{keep,personal,subject}'::text[]
            || threadline.policy('{}', '{}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, set_terms.keep, set_terms.personal, set_terms.subject) - '{mask,exclude}'::text[],
        personal_data = threadline.personal_data(t.id, target, set_terms.personal, set_terms.subject)
    WHERE t.id = tl_table.id
    RETURNING * INTO tl_table;
    PERFORM threadline.own_action('audit.policy_changed',
        jsonb_build_object('table', target, 'table_id', tl_table.id, 'policy', tl_table.policy, 'former_policy', tl_former));
END
$$;
REVOKE ALL ON FUNCTION threadline.set_terms(regclass, text, text[], jsonb) FROM PUBLIC;

-- Gives the history of an audited table to the table that replaces it, as the owner of the audit,
-- for threadline.audit(continues => ...).
CREATE OR REPLACE FUNCTION threadline.give_history(former regclass, target regclass) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_id integer := threadline.audited_table_of(former);
    tl_keys text[] := ARRAY(SELECT k.name || ' ' || k.type FROM threadline.key_columns_of(target) AS k);
BEGIN
    PERFORM threadline.require_handed_over(former);
    PERFORM threadline.require_handed_over(target);
    IF tl_id IS NULL THEN
        RAISE EXCEPTION 'threadline: table % is not audited, so that % cannot continue its history', former, target;
    ELSIF threadline.audited_table_of(target) IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: table % has a history of its own, and cannot continue that of %', target, former;
    ELSIF tl_keys = '{}' OR tl_keys <> ARRAY(SELECT k.name || ' ' || k.type FROM threadline.key_columns_of(former) AS k) THEN
        RAISE EXCEPTION 'threadline: table % cannot continue the history of %: their primary keys are not the same', target, former;
    ELSIF EXISTS (SELECT FROM threadline.key_columns_of(target) AS k WHERE k.type::oid >= 16384) THEN
        RAISE EXCEPTION 'threadline: table % cannot continue the history of %: a column of the key has a type that is not PostgreSQL''s own', target, former;
    ELSIF threadline.readable(former) IS DISTINCT FROM former OR threadline.readable(target) IS DISTINCT FROM target THEN
        RAISE EXCEPTION 'threadline: table % cannot continue the history of %: the owner of the audit cannot compare their rows without running functions of others, of a row-level policy or a generated column', target, former;
    END IF;
    UPDATE threadline.audited_tables AS t
    SET schema_name = n.nspname, table_name = c.relname
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE t.id = tl_id AND c.oid = target;
    PERFORM threadline.own_action('audit.continued', jsonb_build_object('table', target, 'table_id', tl_id, 'former_table', former));
END
$$;
REVOKE ALL ON FUNCTION threadline.give_history(regclass, regclass) FROM PUBLIC;

-- Records the differences when one table replaces another: rows that are only in one of them, and
-- rows that differ in a column that both have with the same type. Runs as the owner of the audit,
-- for threadline.audit(continues => ...).
CREATE OR REPLACE FUNCTION threadline.record_replacement(former regclass, target regclass) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET bytea_output = 'hex'
SET extra_float_digits = 1
SET array_nulls = on
-- Otherwise, functions that a CHECK calls would run as the owner of the audit.
SET constraint_exclusion = off
SET jit = off
AS $$
DECLARE
    tl_id integer := threadline.audited_table_of(target);
    tl_table threadline.audited_tables;
    tl_common text[];
    tl_recorded bigint;
BEGIN
    PERFORM threadline.require_handed_over(former);
    PERFORM threadline.require_handed_over(target);
    SELECT * INTO STRICT tl_table FROM threadline.audited_tables AS t WHERE t.id = tl_id;
    IF tl_table.policy ?| '{operations,condition}' THEN
        -- The policy does not record every change.
        RETURN;
    END IF;
    tl_common := ARRAY(
        SELECT n.name
        FROM threadline.columns_of(target) AS n
        JOIN threadline.columns_of(former) AS o ON o.name = n.name AND o.type = n.type
        JOIN jsonb_to_recordset(tl_table.columns) AS c (name text, column_policy text) ON c.name = n.name AND c.column_policy <> 'exclude'
        ORDER BY n.number);
    EXECUTE format(
        $query$
        INSERT INTO threadline.journal (
            id, transaction_id, xact_id, occurred_at, captured_at, op, table_id, relation, depth, old_row, new_row, changed)
        SELECT nextval('threadline.entry_ids'), $1, pg_current_xact_id(), now(), clock_timestamp(), d.op, $2, $3, 1,
               i.old_row - i.elsewhere, i.new_row - i.elsewhere, d.changed
        FROM (
            SELECT CASE WHEN o.tableoid IS NULL THEN 'I' WHEN n.tableoid IS NULL THEN 'D' ELSE 'U' END::"char" AS op,
                   CASE WHEN o.tableoid IS NOT NULL THEN %1$s END AS old_row,
                   CASE WHEN n.tableoid IS NOT NULL THEN %2$s END AS new_row,
                   CASE WHEN o.tableoid IS NOT NULL AND n.tableoid IS NOT NULL THEN array_remove(ARRAY[%3$s]::text[], NULL) END AS changed
            FROM %4$s AS o
            FULL JOIN %5$s AS n ON %6$s
        ) AS d
        CROSS JOIN LATERAL threadline.redacted_change(d.old_row, d.new_row, $4) AS r
        CROSS JOIN LATERAL (
            SELECT r.old_row, r.new_row, CASE d.op
                WHEN 'U' THEN ARRAY(SELECT key FROM jsonb_object_keys(r.old_row || r.new_row) AS key WHERE key <> ALL ($5))
                ELSE '{}' END AS elsewhere
        ) AS i
        WHERE d.op <> 'U' OR d.changed <> '{}'
        $query$,
        threadline.image_of(former, 'o'),
        threadline.image_of(target, 'n'),
        (SELECT string_agg(format('CASE WHEN record_image_ne(ROW(o.%1$s), ROW(n.%1$s)) THEN %2$L END', threadline.quoted(name), name), ', ')
         FROM unnest(tl_common) AS name),
        threadline.own_rows(former),
        threadline.own_rows(target),
        (SELECT string_agg(format('o.%1$s = n.%1$s', threadline.quoted(k.name)), ' AND ') FROM threadline.key_columns_of(target) AS k))
    USING threadline.current_transaction(), tl_id, target::oid,
        threadline.redaction_now(target, threadline.built_for(tl_id, target)), tl_common;
    GET DIAGNOSTICS tl_recorded = ROW_COUNT;
    IF tl_recorded > 0 AND (tl_table.policy -> 'require_actor')::boolean THEN
        PERFORM threadline.require_actor(tl_id);
    END IF;
END
$$;
REVOKE ALL ON FUNCTION threadline.record_replacement(regclass, regclass) FROM PUBLIC;

-- Returns whether a column's name suggests a secret, by the rule of the library's `looks_secret`:
-- by whole words, in snake case or camel case, in the singular or plural, with or without a
-- number. Names of times and of yes/no columns do not. digits: whether it could be a secret made
-- of digits, such as a PIN; token_count could not.
CREATE OR REPLACE FUNCTION threadline.looks_secret(name text, digits boolean DEFAULT false) RETURNS boolean
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT CASE
        -- Most names contain none of these and are not split into words.
        WHEN lower(regexp_replace(name, '[\x01-\x40\x5b-\x60\x7b-\x7f]', '', 'g') COLLATE "C")
             !~ '(pass(w|phrase|code)|pwd|pin|otp|code|salt|secret|token|jwt|credential|key|card|pan|cvv|cvc|iban|ssn|socialsecurity)'
        THEN false
        ELSE (
            SELECT NOT (cardinality(of.words) > 1 AND (
                       of.words[1] IN ('is', 'has')
                       OR of.words[cardinality(of.words)] IN ('at', 'enabled', 'disabled', 'required', 'verified', 'expired')))
               AND NOT (digits AND of.words[cardinality(of.words)] IN ('count', 'counter', 'total', 'attempts'))
               AND EXISTS (
                   SELECT
                   FROM generate_subscripts(of.words, 1) AS f (first)
                   CROSS JOIN generate_subscripts(of.words, 1) AS l (last)
                   WHERE l.last >= f.first
                     AND array_to_string(of.words[f.first:l.last], '') ~ CASE
                         WHEN digits THEN '^(passcode|pin|t?otp|(recovery|backup|security)code|(credit|debit)?card|card(number|no)|pan|cvv|cvc|ssn|socialsecurity)$'
                         ELSE '^(password|passwd|pwd|passphrase|passcode|pin|t?otp|(recovery|backup|security)code|salt|secret|token|jwt|credential|(api|access|private|signing|encryption|master)key|(credit|debit)?card|card(number|no)|pan|cvv|cvc|iban|ssn|socialsecurity)s?$' END)
            FROM (
                SELECT array_remove(regexp_split_to_array(
                    lower(regexp_replace(regexp_replace(name COLLATE "C",
                        '([^A-Z])([A-Z])', '\1_\2', 'g'),
                        '([A-Z])([A-Z][a-z])', '\1_\2', 'g')),
                    '[\x01-\x40\x5b-\x60\x7b-\x7f]+'), '') AS words
            ) AS of)
    END;
END;

-- Returns the columns of a table whose names suggest a secret and whose types could hold one:
-- boolean and time columns cannot, and a number only if it could be a PIN or the like. A column
-- that refers to another table is judged by the name of the column that it refers to.
CREATE OR REPLACE FUNCTION threadline.secret_columns(target regclass) RETURNS TABLE (number smallint, name text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT c.number, c.name
    FROM threadline.columns_of(target) AS c
    WHERE threadline.looks_secret(c.name)
      AND CASE
          WHEN threadline.base_type(c.type) = ANY ('{bool,date,time,timetz,timestamp,timestamptz,interval}'::regtype[]) THEN false
          WHEN threadline.base_type(c.type) = ANY ('{int2,int4,int8,numeric,float4,float8}'::regtype[])
          THEN threadline.looks_secret(c.name, digits => true)
          ELSE true END
      AND NOT EXISTS (
          SELECT
          FROM pg_constraint AS k
          CROSS JOIN unnest(k.conkey, k.confkey) AS pair (number, referenced)
          JOIN pg_attribute AS a ON a.attrelid = k.confrelid AND a.attnum = pair.referenced
          WHERE k.conrelid = target AND k.contype = 'f' AND pair.number = c.number
            AND NOT threadline.looks_secret(a.attname::text))
    ORDER BY c.number;
END;

-- Fails for a policy that would record columns whose names suggest a secret without naming them,
-- unless that policy is in force.
CREATE OR REPLACE FUNCTION threadline.ask_about_secrets(target regclass, policy jsonb) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_keys text[] := ARRAY(SELECT k.name FROM threadline.key_columns_of(target) AS k);
    tl_redacted text[] := ARRAY(
        SELECT jsonb_array_elements_text(policy -> list) FROM unnest('{mask,exclude,hash}'::text[]) AS list);
    tl_said text[] := ARRAY(
        SELECT jsonb_array_elements_text(policy -> list) FROM unnest('{plain,columns}'::text[]) AS list);
    tl_secret text[] := ARRAY(
        SELECT s.name
        FROM threadline.secret_columns(target) AS s
        WHERE s.name <> ALL (tl_said)
          AND (NOT policy ? 'columns' OR s.name = ANY (tl_keys))
          AND threadline.policy_of_column(target, s.number, tl_redacted, '{}', '{}') = 'plain');
BEGIN
    -- Columns that do not exist get their own error.
    IF tl_secret <> '{}' AND tl_redacted || tl_said <@ ARRAY(SELECT c.name FROM threadline.columns_of(target) AS c)
       AND threadline.as_decided(target, policy) IS NULL
    THEN
        RAISE EXCEPTION USING
            MESSAGE = format(CASE cardinality(tl_secret)
                WHEN 1 THEN 'threadline: column %s of table %s needs an explicit policy, because its name suggests a secret'
                ELSE 'threadline: columns %s of table %s need an explicit policy, because their names suggest secrets'
            END, array_to_string(tl_secret, ', '), target),
            HINT = concat_ws(' ',
                'Choose what is recorded:',
                (SELECT format('exclude => ARRAY[%1$s] (nothing), mask => ARRAY[%1$s] (that it changed), hash => ARRAY[%1$s] (a keyed hash), or', string_agg(quote_literal(s), ', '))
                 FROM unnest(tl_secret) AS s
                 WHERE s <> ALL (tl_keys)
                 HAVING count(*) > 0),
                (SELECT format('hash => ARRAY[%s] (a keyed hash, by which records are found), or', string_agg(quote_literal(s), ', '))
                 FROM unnest(tl_secret) AS s
                 WHERE s = ANY (tl_keys)
                 HAVING count(*) > 0),
                (SELECT format('plain => ARRAY[%s] (it is no secret).', string_agg(quote_literal(s), ', '))
                 FROM unnest(tl_secret) AS s));
    END IF;
END
$$;

-- Runs threadline.audit() without the check for columns that suggest a secret: it ran where the
-- policy was written, for a model or earlier.
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
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
SET jit = off
AS $$
DECLARE
    tl_id integer;
    tl_part regclass;
BEGIN
    PERFORM threadline.check_auditable(target);
    tl_id := threadline.as_decided(target, threadline.policy(
        mask, exclude, require_actor, columns, operations, condition, plain, hash, ignore, keep, personal, subject));
    IF tl_id IS NOT NULL THEN
        -- Triggers that already match are not replaced, so no writer waits for them.
        IF (SELECT t.policy FROM threadline.audited_tables AS t WHERE t.id = tl_id) <> threadline.policy(
            mask, exclude, require_actor, columns, operations, condition, plain, hash, ignore, keep, personal, subject) THEN
            PERFORM threadline.hand_over(target);
            PERFORM threadline.set_terms(target, keep, personal, subject);
            PERFORM threadline.take_back(target, 'proof');
        END IF;
        RETURN tl_id;
    END IF;
    PERFORM threadline.check_condition(target, condition);
    PERFORM threadline.lock_policies();
    -- The writes so far are visible here and were recorded by the old function; the triggers
    -- block further writers in any case.
    EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', target);
    PERFORM threadline.hand_over(target);
    IF continues IS NOT NULL THEN
        EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', continues);
        PERFORM threadline.hand_over(continues);
        PERFORM threadline.give_history(continues, target);
        FOR tl_part IN SELECT continues UNION SELECT p.relid FROM pg_partition_tree(continues) AS p LOOP
            PERFORM threadline.drop_triggers(tl_part);
        END LOOP;
    END IF;
    tl_id := threadline.write_policy(target, mask, exclude, require_actor, keyless, columns, operations, condition, plain, hash, ignore, keep, continues, personal, subject);
    -- Left over from when the table was a partition of another.
    PERFORM threadline.drop_triggers(target, but_of => tl_id);
    PERFORM threadline.install_triggers(tl_id, target, condition);
    IF condition IS NOT NULL THEN
        PERFORM threadline.note_condition(target);
    END IF;
    IF continues IS NOT NULL THEN
        PERFORM threadline.record_replacement(continues, target);
        PERFORM threadline.take_back(continues, 'all');
    END IF;
    PERFORM threadline.take_back(target, 'proof');
    RETURN tl_id;
END
$$;

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

-- Rebuilds a table's capture for its present columns, under the same policy. Call it in the
-- migration that changes the columns. A redacted column stays redacted through a rename; so does
-- a column that is dropped and added again, or that was generated from a redacted one.
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
    tl_personal text[];
    tl_subject jsonb;
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
    RETURN threadline.audit_as_decided(target, tl_mask, tl_exclude, (tl_table.policy -> 'require_actor')::boolean,
        keyless => tl_table.key_columns = '{}',
        columns => tl_columns,
        operations => (SELECT array_agg(o) FROM jsonb_array_elements_text(tl_table.policy -> 'operations') AS o),
        condition => tl_table.policy ->> 'condition',
        plain => tl_plain,
        hash => tl_hash,
        ignore => tl_ignore,
        keep => tl_table.policy ->> 'keep',
        personal => tl_personal,
        subject => tl_subject);
END
$$;

-- Rebuilds the capture of every audited table under its recorded policy, and sets the sequences;
-- run it after a restore, an upgrade of the server or a switch-over. A table that was restored
-- without its triggers is audited again and continues its history. Returns for each table the
-- reason if that was not possible, or NULL.
--
--   SELECT * FROM threadline.refresh_all();
--
-- Writers of the tables that differ wait until the transaction ends; to avoid that, call
-- threadline.refresh() for one table at a time.
CREATE OR REPLACE FUNCTION threadline.refresh_all(OUT relation text, OUT error text) RETURNS SETOF record
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_command text;
BEGIN
    PERFORM threadline.set_sequences();
    FOR relation, tl_command IN
        SELECT at.relation, threadline.fix_for(t.id, at.relation)
        FROM threadline.audited_tables AS t
        CROSS JOIN LATERAL (SELECT threadline.locate_table(t.id) AS relation) AS at
        WHERE t.unaudited_at IS NULL AND at.relation IS NOT NULL
        ORDER BY t.schema_name COLLATE "C", t.table_name COLLATE "C", t.id
    LOOP
        error := NULL;
        BEGIN
            EXECUTE tl_command;
        EXCEPTION WHEN raise_exception OR insufficient_privilege OR undefined_column OR undefined_table THEN
            error := SQLERRM;
            RAISE WARNING 'threadline: table % was not refreshed: %', relation, error;
        END;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION threadline.refresh_all() IS
    'Rebuilds the capture of every audited table and sets the sequences, after a restore or a switch-over';

-- Runs the part of threadline.unaudit() that needs the owner of the audit.
CREATE OR REPLACE FUNCTION threadline.end_audit(target regclass) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_id integer := threadline.known_table_of(target);
BEGIN
    PERFORM threadline.require_handed_over(target);
    -- ENABLE TRIGGER ALL, after a load of data, enables the triggers again.
    EXECUTE format('CREATE OR REPLACE FUNCTION threadline.capture_%s() RETURNS trigger LANGUAGE plpgsql AS %L',
        tl_id, 'BEGIN RETURN NULL; END');
    UPDATE threadline.audited_tables SET unaudited_at = now() WHERE id = tl_id;
    PERFORM threadline.own_action('audit.stopped', jsonb_build_object('table', target, 'table_id', tl_id));
END
$$;
REVOKE ALL ON FUNCTION threadline.end_audit(regclass) FROM PUBLIC;

-- Stops auditing a table. What was recorded stays readable. The triggers are disabled and not
-- dropped: dropping them would block readers, and they identify the table when it is audited
-- again, also under another name.
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
    -- First, so that threadline.watch() recognizes it.
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

-- Records a semantic event. With `linked` it belongs to the AuditTransaction of the running
-- database transaction and opens one if no change has; otherwise it has no transaction. Runs as
-- the owner, so that an application needs no right on the tables: GRANT USAGE ON SCHEMA
-- threadline is enough.
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
    linked         boolean DEFAULT true,
    source         text    DEFAULT NULL,
    remote_ip      inet    DEFAULT NULL
) RETURNS SETOF threadline.audit_actions
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    tl_recorder text := CASE record_action.name
        WHEN 'audit.suspended' THEN 'suspend'
        WHEN 'audit.resumed' THEN 'resume'
        WHEN 'audit.unmasked' THEN 'unmask'
        WHEN 'audit.stopped' THEN 'unaudit'
        WHEN 'audit.restarted' THEN 'audit'
        WHEN 'audit.policy_changed' THEN 'audit'
        WHEN 'audit.condition_changed' THEN 'audit'
        WHEN 'audit.continued' THEN 'audit'
        WHEN 'audit.partition_left' THEN 'refresh'
        WHEN 'audit.purged' THEN 'purge'
        WHEN 'audit.held' THEN 'hold'
        WHEN 'audit.released' THEN 'release'
        WHEN 'audit.retention_changed' THEN 'set_retention'
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
    LOOP
        RETURN QUERY
        INSERT INTO threadline.audit_actions (
            transaction_id, name, category, verb, actor_type, actor_id, status, reason, comment,
            request_id, correlation_id, job_id, meta, source, remote_ip)
        VALUES (
            CASE WHEN linked THEN threadline.own_transaction() END,
            record_action.name,
            coalesce(record_action.category, substring(record_action.name FROM '^(.*)\.[^.]*$')),
            coalesce(record_action.verb, substring(record_action.name FROM '[^.]*$')),
            record_action.actor_type, record_action.actor_id,
            coalesce(record_action.status, 'ok'), record_action.reason, record_action.comment,
            record_action.request_id, record_action.correlation_id, record_action.job_id, record_action.meta,
            record_action.source, record_action.remote_ip)
        ON CONFLICT (id) DO NOTHING
        RETURNING *;
        EXIT WHEN FOUND;
        -- After a switch-over the sequence can be behind; no action fails because of that.
        PERFORM threadline.set_sequences();
    END LOOP;
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
       a.source,
       a.remote_ip,
       a.meta,
       a.application_name,
       a.transaction_id
FROM threadline.audit_actions AS a;
COMMENT ON VIEW threadline.actions IS
    'Every recorded action, for reading in psql';

-- For actions the table is NULL.
CREATE VIEW threadline.kept_for AS
SELECT t.id AS table_id, k.keep, now() - k.keep AS horizon
FROM threadline.audited_tables AS t
LEFT JOIN threadline.retention AS r ON true
CROSS JOIN LATERAL (SELECT greatest((t.policy ->> 'keep')::interval, r.floor) AS keep) AS k
WHERE t.policy ? 'keep'
UNION ALL
SELECT NULL, r.actions, now() - r.actions FROM threadline.retention AS r WHERE r.actions IS NOT NULL;
COMMENT ON VIEW threadline.kept_for IS
    'How long the changes of each table are kept, and the start of that period; no row: for ever';

-- Returns whether a legal hold keeps what belongs to a record, an actor or a correlation id.
CREATE OR REPLACE FUNCTION threadline.held(
    table_id integer, record_key text, previous_key text, actor_type text, actor_id text, correlation_id text
) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT EXISTS (
        SELECT
        FROM threadline.legal_holds AS h
        WHERE h.released_at IS NULL
          AND (h.table_id IS NULL OR h.table_id = held.table_id)
          AND (h.record_keys IS NULL OR h.record_keys && ARRAY[held.record_key, held.previous_key])
          AND (h.actor_type IS NULL OR (h.actor_type = held.actor_type AND h.actor_id IS NOT DISTINCT FROM held.actor_id))
          AND (h.correlation_id IS NULL OR h.correlation_id = held.correlation_id));
END;

-- Keeps from threadline.purge(), until threadline.release(), what belongs to a record (under
-- every key that it has had), to a table, an actor, or a correlation id; if several are given,
-- what belongs to all of them. Returns the number of the hold.
--
--   SELECT threadline.hold('lawsuit 2026-17', target => 'users', record_key => '42');
CREATE OR REPLACE FUNCTION threadline.hold(
    reason         text,
    target         regclass DEFAULT NULL,
    record_key     text     DEFAULT NULL,
    actor_type     text     DEFAULT NULL,
    actor_id       text     DEFAULT NULL,
    correlation_id text     DEFAULT NULL
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    tl_table integer := threadline.known_table_of(target);
    tl_keys text[];
    tl_id bigint;
BEGIN
    IF coalesce(hold.reason, '') = '' THEN
        RAISE EXCEPTION 'threadline: a hold needs a reason, such as ''lawsuit 2026-17''';
    ELSIF target IS NOT NULL AND tl_table IS NULL THEN
        RAISE EXCEPTION 'threadline: table % was never audited', target;
    ELSIF hold.record_key IS NOT NULL AND target IS NULL THEN
        RAISE EXCEPTION 'threadline: a hold on a record needs its table';
    ELSIF target IS NULL AND hold.actor_type IS NULL AND hold.correlation_id IS NULL THEN
        RAISE EXCEPTION 'threadline: say what is held: a table, a record of it, an actor, or a correlation id';
    ELSIF (hold.actor_type IS NULL) <> (hold.actor_id IS NULL) AND hold.actor_type IS DISTINCT FROM 'anonymous' THEN
        RAISE EXCEPTION 'threadline: an actor has a type and an id';
    END IF;
    IF hold.record_key IS NOT NULL THEN
        tl_keys := threadline.keys_of_record(tl_table, hold.record_key);
    END IF;
    INSERT INTO threadline.legal_holds (reason, table_id, record_keys, actor_type, actor_id, correlation_id, placed_by)
    VALUES (hold.reason, tl_table, tl_keys, hold.actor_type, hold.actor_id, hold.correlation_id, session_user)
    RETURNING id INTO tl_id;
    PERFORM threadline.own_action('audit.held', jsonb_build_object('hold', tl_id, 'table_id', tl_table,
        'record_keys', tl_keys, 'actor_type', hold.actor_type, 'actor_id', hold.actor_id, 'correlation_id', hold.correlation_id),
        reason => hold.reason);
    RETURN tl_id;
END
$$;
REVOKE ALL ON FUNCTION threadline.hold(text, regclass, text, text, text, text) FROM PUBLIC;

-- Ends a hold; the next threadline.purge() removes what it kept.
--
--   SELECT threadline.release(3, 'lawsuit 2026-17 is settled');
CREATE OR REPLACE FUNCTION threadline.release(hold bigint, reason text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    IF coalesce(reason, '') = '' THEN
        RAISE EXCEPTION 'threadline: a release needs a reason';
    END IF;
    UPDATE threadline.legal_holds AS h
    SET released_at = clock_timestamp(), released_by = session_user
    WHERE h.id = hold AND h.released_at IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'threadline: no hold % is in force; SELECT * FROM threadline.legal_holds shows them', hold;
    END IF;
    PERFORM threadline.own_action('audit.released', jsonb_build_object('hold', hold), reason => release.reason);
END
$$;
REVOKE ALL ON FUNCTION threadline.release(bigint, text) FROM PUBLIC;

-- Sets the minimum time for which changes of any table are kept, and how long actions are kept;
-- NULL: for ever. For the owner of the audit.
--
--   SELECT threadline.set_retention(floor => '1 year', actions => '7 years');
CREATE OR REPLACE FUNCTION threadline.set_retention(floor interval DEFAULT NULL, actions interval DEFAULT NULL) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    tl_former threadline.retention;
BEGIN
    IF set_retention.floor <= '0' OR set_retention.actions <= '0' THEN
        RAISE EXCEPTION 'threadline: a retention must be a length of time above zero, such as ''7 years'', or NULL';
    ELSIF set_retention.actions < set_retention.floor THEN
        RAISE EXCEPTION 'threadline: actions cannot be kept for %: the minimum is %', set_retention.actions, set_retention.floor;
    END IF;
    SELECT * INTO tl_former FROM threadline.retention;
    INSERT INTO threadline.retention (floor, actions)
    VALUES (set_retention.floor, set_retention.actions)
    ON CONFLICT (only_row) DO UPDATE SET floor = excluded.floor, actions = excluded.actions;
    PERFORM threadline.own_action('audit.retention_changed', jsonb_build_object(
        'floor', set_retention.floor, 'actions', set_retention.actions,
        'former_floor', tl_former.floor, 'former_actions', tl_former.actions));
END
$$;
REVOKE ALL ON FUNCTION threadline.set_retention(interval, interval) FROM PUBLIC;

-- Returns whether a legal hold keeps a change.
CREATE OR REPLACE FUNCTION threadline.is_held(change threadline.ledger_changes) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT threadline.held(change.table_id, change.record_key, change.previous_key, x.actor_type, x.actor_id, x.correlation_id)
    FROM (SELECT change.transaction_id AS id) AS of
    LEFT JOIN threadline.ledger_transactions AS x ON x.id = of.id;
END;

-- Returns the id from which on nothing is old enough for a purge with this horizon: that of the
-- first AuditTransaction which can have changes after it, or can belong to a database transaction
-- that has. One is in use for an hour at most, or says for how long, as in
-- threadline.first_transaction_since(); threadline.straddling() finds those of transactions that
-- had already lasted an hour.
CREATE OR REPLACE FUNCTION threadline.purge_end(horizon timestamptz) RETURNS bigint
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(
        (SELECT x.id FROM threadline.ledger_transactions AS x WHERE x.opened_at >= horizon - interval '3 hours' ORDER BY x.opened_at LIMIT 1),
        9223372036854775807);
END;
REVOKE ALL ON FUNCTION threadline.purge_end(timestamptz) FROM PUBLIC;

-- Returns the AuditTransactions of database transactions that began before a purge's horizon and
-- continued after it, as far as their ids are below an end.
CREATE OR REPLACE FUNCTION threadline.straddling(horizon timestamptz, end_id bigint) RETURNS bigint[]
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(array_agg(DISTINCT earlier.id), '{}')
    FROM (
        -- Few: a transaction that lasted an hour and then opened another context.
        SELECT late.xact_id, late.occurred_at FROM threadline.ledger_transactions AS late
        WHERE late.opened_at - late.occurred_at > interval '1 hour' AND late.opened_at >= horizon - interval '2 hours'
        UNION
        SELECT late.xact_id, late.occurred_at FROM threadline.ledger_transactions AS late
        WHERE late.extended_until >= horizon
    ) AS of
    CROSS JOIN LATERAL (
        SELECT x.id FROM threadline.ledger_transactions AS x
        WHERE x.xact_id = of.xact_id AND x.occurred_at = of.occurred_at AND x.id < end_id
        OFFSET 0
    ) AS earlier;
END;
REVOKE ALL ON FUNCTION threadline.straddling(timestamptz, bigint) FROM PUBLIC;

-- Returns the changes of a table, or with NULL the actions, that a purge reads next, in the order
-- of their transactions. Old ones are removed, unless they are held.
CREATE OR REPLACE FUNCTION threadline.purgeable(
    audited_table integer, horizon timestamptz, after_transaction bigint, after_id bigint, at_most bigint
) RETURNS TABLE (transaction_id bigint, id bigint, is_old boolean, goes boolean, bytes bigint)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    tl_holds boolean := EXISTS (SELECT FROM threadline.legal_holds AS h WHERE h.released_at IS NULL);
    tl_end bigint;
    tl_straddling bigint[];
BEGIN
    IF audited_table IS NULL THEN
        RETURN QUERY
        SELECT a.transaction_id, a.id, age.is_old,
               age.is_old AND NOT (tl_holds AND threadline.held(NULL, NULL, NULL, a.actor_type, a.actor_id, a.correlation_id)),
               pg_column_size(a.*)::bigint
        FROM threadline.audit_actions AS a
        -- Actions on the audit itself stay.
        CROSS JOIN LATERAL (SELECT a.occurred_at < horizon AND a.name NOT LIKE 'audit.%' AS is_old) AS age
        WHERE a.id > after_id
          AND a.id <= (SELECT o.id FROM threadline.audit_actions AS o WHERE o.occurred_at < horizon ORDER BY o.id DESC LIMIT 1)
        ORDER BY a.id
        LIMIT at_most;
        RETURN;
    END IF;
    -- Changes of a record are removed in their order: none that came after the first change that
    -- stays.
    tl_end := threadline.purge_end(horizon);
    -- If a transaction continued after the horizon, all of it is needed for the state before it.
    tl_straddling := threadline.straddling(horizon, tl_end);
    RETURN QUERY
    SELECT c.transaction_id, c.id, age.is_old,
           age.is_old AND NOT (tl_holds AND threadline.is_held(c)),
           pg_column_size(c.*)::bigint
    FROM threadline.ledger_changes AS c
    CROSS JOIN LATERAL (
        SELECT c.captured_at < horizon AND c.id < tl_end AND c.transaction_id <> ALL (tl_straddling) AS is_old
    ) AS age
    -- One index has this order, regardless of the estimates: by the primary key, the changes of
    -- all other tables would be read to find the first of this one.
    WHERE (c.table_id, c.transaction_id, c.id) > (audited_table, after_transaction, after_id)
      AND (c.table_id, c.transaction_id) < (audited_table, tl_end)
    ORDER BY c.table_id, c.transaction_id, c.id
    LIMIT at_most;
END
$$;

-- Merges images of a record: the last value of each column.
CREATE OR REPLACE AGGREGATE threadline.overlay(jsonb) (
    SFUNC = pg_catalog.jsonb_concat,
    STYPE = pg_catalog.jsonb
);

-- Keeps the state of each record after those of its changes that a purge is about to remove, so
-- that queries about later instants return the same as before. They are those of the batch up to
-- its last one, as far as they are old: before the end, and not of a straddling transaction.
CREATE OR REPLACE FUNCTION threadline.keep_images(
    run threadline.purges, last_transaction bigint, last_id bigint, end_id bigint, straddling bigint[], up_to_position bigint
) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
#variable_conflict use_variable
DECLARE
    audited_table integer := run.table_id;
    tl_renames jsonb := threadline.renames_of(audited_table);
    tl_alterations jsonb := threadline.alterations_of(audited_table);
    -- If a TRUNCATE recorded only the number of rows, which rows it removed is unknown.
    tl_blind bigint;
BEGIN
    SELECT coalesce(max(c.id), 0) INTO tl_blind
    FROM threadline.ledger_changes AS c
    WHERE c.table_id = run.table_id
      AND c.transaction_id BETWEEN run.reached_transaction AND last_transaction
      AND (c.transaction_id, c.id) > (run.reached_transaction, run.reached_id) AND (c.transaction_id, c.id) <= (last_transaction, last_id)
      AND c.captured_at < run.kept_since AND c.id < end_id AND c.transaction_id <> ALL (straddling) AND c.position <= up_to_position
      AND c.op = 'T' AND c.record_key IS NULL;
    DELETE FROM threadline.kept_images AS k WHERE k.table_id = audited_table AND k.id < tl_blind;

    WITH doomed AS MATERIALIZED (
        SELECT c.*
        FROM threadline.ledger_changes AS c
        WHERE c.table_id = run.table_id
          AND c.transaction_id BETWEEN run.reached_transaction AND last_transaction
          AND (c.transaction_id, c.id) > (run.reached_transaction, run.reached_id) AND (c.transaction_id, c.id) <= (last_transaction, last_id)
          AND c.captured_at < run.kept_since AND c.id < end_id AND c.transaction_id <> ALL (straddling) AND c.position <= up_to_position
          AND c.record_key IS NOT NULL AND c.id > tl_blind
    ), grouped AS MATERIALIZED (
        -- One statement moved these keys at the same moment.
        SELECT d.transaction_id, d.statement, min(d.id) AS position FROM doomed AS d
        WHERE d.previous_key IS NOT NULL GROUP BY d.transaction_id, d.statement
    ), event AS MATERIALIZED (
        SELECT d.record_key AS event_key, d.id, d.transaction_id, d.statement, d.captured_at, coalesce(g.position, d.id) AS position,
               CASE WHEN d.op IN ('D', 'T') THEN 'end' WHEN d.op = 'I' OR d.previous_key IS NOT NULL THEN 'birth' ELSE 'update' END AS kind,
               threadline.image_left(d.op, d.previous_key, d.row_data, d.changed_to) AS leaves
        FROM doomed AS d
        LEFT JOIN grouped AS g ON g.transaction_id = d.transaction_id AND g.statement = d.statement
        UNION ALL
        SELECT d.previous_key, d.id, d.transaction_id, d.statement, d.captured_at, coalesce(g.position, d.id), 'end', NULL
        FROM doomed AS d
        LEFT JOIN grouped AS g ON g.transaction_id = d.transaction_id AND g.statement = d.statement
        WHERE d.previous_key IS NOT NULL
    ), placed AS (
        SELECT e.*, CASE WHEN e.kind = 'end' THEN 0 ELSE 1 END AS turn FROM event AS e
        UNION ALL
        SELECT k.record_key, k.id, k.transaction_id, k.statement, k.captured_at, coalesce(g.position, k.id),
               CASE WHEN k.image IS NULL THEN 'end' WHEN k.is_whole THEN 'birth' ELSE 'update' END, k.image,
               CASE WHEN k.image IS NULL THEN 0 ELSE 1 END
        FROM (SELECT DISTINCT e.event_key FROM event AS e) AS of
        -- Looked up by index: a join might read everything kept of the table.
        CROSS JOIN LATERAL (
            SELECT i.* FROM threadline.kept_images AS i WHERE i.table_id = audited_table AND i.record_key = of.event_key
            OFFSET 0
        ) AS k
        LEFT JOIN grouped AS g ON g.transaction_id = k.transaction_id AND g.statement = k.statement
    ), counted AS (
        SELECT p.*,
               CASE WHEN tl_renames IS NULL THEN p.leaves ELSE threadline.renamed_image(tl_renames, p.leaves, p.captured_at) END AS image,
               count(*) FILTER (WHERE p.kind = 'end') OVER back AS ends_since,
               count(*) FILTER (WHERE p.kind = 'birth') OVER (back ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS births_since,
               row_number() OVER back AS from_last,
               first_value(p.captured_at) OVER back AS last_at
        FROM placed AS p
        WINDOW back AS (PARTITION BY p.event_key ORDER BY p.position DESC, p.turn DESC, p.id DESC)
    ), left_behind AS (
        SELECT c.event_key,
               max(c.id) FILTER (WHERE c.from_last = 1) AS id,
               max(c.transaction_id) FILTER (WHERE c.from_last = 1) AS transaction_id,
               max(c.statement) FILTER (WHERE c.from_last = 1) AS statement,
               max(c.last_at) AS captured_at,
               coalesce(bool_or(c.kind = 'birth' AND jsonb_typeof(c.leaves) = 'object') FILTER (WHERE c.ends_since = 0), false) AS is_whole,
               CASE WHEN tl_alterations IS NULL
                    THEN threadline.overlay(c.image ORDER BY c.position, c.turn, c.id)
                        FILTER (WHERE c.ends_since = 0 AND c.births_since = 0 AND tl_alterations IS NULL)
                    ELSE threadline.laid(tl_alterations,
                        threadline.lay(tl_alterations, c.image, c.captured_at ORDER BY c.position, c.turn, c.id)
                            FILTER (WHERE c.ends_since = 0 AND c.births_since = 0 AND tl_alterations IS NOT NULL),
                        max(c.last_at))
               END AS image
        FROM counted AS c
        GROUP BY c.event_key
    )
    INSERT INTO threadline.kept_images (table_id, record_key, id, transaction_id, statement, captured_at, is_whole, image)
    SELECT audited_table, l.event_key, l.id, l.transaction_id, l.statement, l.captured_at, l.is_whole,
           CASE WHEN tl_renames IS NULL THEN l.image ELSE threadline.former_image(tl_renames, l.image, l.captured_at) END
    FROM left_behind AS l
    ON CONFLICT (table_id, record_key) DO UPDATE
    SET id = excluded.id, transaction_id = excluded.transaction_id, statement = excluded.statement, captured_at = excluded.captured_at,
        is_whole = excluded.is_whole, image = excluded.image;
END
$$;
REVOKE ALL ON FUNCTION threadline.keep_images(threadline.purges, bigint, bigint, bigint, bigint[], bigint) FROM PUBLIC;

-- Keeps the images of the next changes of a purge, of many batches at once, before they are removed.
-- An image is written once for all changes of its record among them, and not once a batch.
CREATE OR REPLACE FUNCTION threadline.keep_images_ahead(run threadline.purges, at_most bigint) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
-- By index, even where the planner would prefer to read a whole table.
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
DECLARE
    tl_end bigint := threadline.purge_end(run.kept_since);
    tl_straddling bigint[] := threadline.straddling(run.kept_since, tl_end);
    tl_position bigint := (SELECT max(c.position) FROM threadline.ledger_changes AS c);
    tl_to_transaction bigint;
    tl_to_id bigint;
    tl_plain boolean := threadline.renames_of(run.table_id) IS NULL AND threadline.alterations_of(run.table_id) IS NULL;
    tl_one_by_one boolean;
BEGIN
    SELECT c.transaction_id, c.id INTO tl_to_transaction, tl_to_id
    FROM threadline.ledger_changes AS c
    WHERE (c.table_id, c.transaction_id, c.id) > (run.table_id, run.reached_transaction, run.reached_id)
      AND (c.table_id, c.transaction_id) < (run.table_id, tl_end)
    ORDER BY c.table_id, c.transaction_id, c.id
    OFFSET at_most - 1 LIMIT 1;
    tl_to_transaction := coalesce(tl_to_transaction, tl_end - 1);
    tl_to_id := coalesce(tl_to_id, tl_end);

    WITH old AS MATERIALIZED (
        SELECT c.record_key, c.id, c.transaction_id, c.statement, c.captured_at, c.op, c.previous_key, c.row_data, c.changed_to
        FROM threadline.ledger_changes AS c
        WHERE c.table_id = run.table_id
          AND c.transaction_id BETWEEN run.reached_transaction AND tl_to_transaction
          AND (c.transaction_id, c.id) > (run.reached_transaction, run.reached_id) AND (c.transaction_id, c.id) <= (tl_to_transaction, tl_to_id)
          AND c.captured_at < run.kept_since AND c.id < tl_end AND c.transaction_id <> ALL (tl_straddling) AND c.position <= tl_position
    ), of_record AS MATERIALIZED (
        SELECT o.record_key, min(o.id) AS first_id, max(o.id) AS last_id, max(o.id) FILTER (WHERE o.op <> 'U') AS from_id
        FROM old AS o
        WHERE o.record_key IS NOT NULL
        GROUP BY o.record_key
    ), known AS MATERIALIZED (
        SELECT r.*, k.id, k.is_whole, k.image
        FROM of_record AS r
        LEFT JOIN LATERAL (
            SELECT i.id, i.is_whole, i.image FROM threadline.kept_images AS i
            WHERE i.table_id = run.table_id AND i.record_key = r.record_key
            OFFSET 0
        ) AS k ON true
    ), one_by_one AS MATERIALIZED (
        -- Where a kept image is of a later change, a hold kept this one, or its transaction began
        -- after that of the later change.
        SELECT NOT tl_plain
               OR EXISTS (SELECT FROM known AS k WHERE k.id >= k.first_id)
               OR EXISTS (SELECT FROM old AS o WHERE o.previous_key IS NOT NULL OR o.record_key IS NULL) AS is_so
    ), ordered AS (
        SELECT o.*, k.last_id, k.from_id
        FROM old AS o
        JOIN known AS k ON k.record_key = o.record_key AND o.id >= coalesce(k.from_id, 0)
        ORDER BY o.record_key, o.id
    ), folded AS (
        SELECT o.record_key,
               max(o.transaction_id) FILTER (WHERE o.id = o.last_id) AS transaction_id,
               max(o.statement) FILTER (WHERE o.id = o.last_id) AS statement,
               max(o.captured_at) FILTER (WHERE o.id = o.last_id) AS captured_at,
               coalesce(bool_or(o.op = 'I' AND o.row_data IS NOT NULL) FILTER (WHERE o.id = o.from_id), false) AS is_whole,
               threadline.overlay(CASE o.op WHEN 'U' THEN o.changed_to WHEN 'I' THEN o.row_data END) AS image
        FROM ordered AS o
        GROUP BY o.record_key
    ), written AS (
        INSERT INTO threadline.kept_images (table_id, record_key, id, transaction_id, statement, captured_at, is_whole, image)
        SELECT run.table_id, f.record_key, k.last_id, f.transaction_id, f.statement, f.captured_at,
               CASE WHEN k.from_id IS NULL THEN k.image IS NOT NULL AND k.is_whole ELSE f.is_whole END,
               CASE WHEN k.from_id IS NULL THEN coalesce(k.image || f.image, k.image, f.image) ELSE f.image END
        FROM folded AS f
        JOIN known AS k ON k.record_key = f.record_key
        WHERE NOT (SELECT o.is_so FROM one_by_one AS o)
        ON CONFLICT (table_id, record_key) DO UPDATE
        SET id = excluded.id, transaction_id = excluded.transaction_id, statement = excluded.statement, captured_at = excluded.captured_at,
            is_whole = excluded.is_whole, image = excluded.image
    )
    SELECT o.is_so INTO tl_one_by_one FROM one_by_one AS o;
    IF tl_one_by_one THEN
        PERFORM threadline.keep_images(run, tl_to_transaction, tl_to_id, tl_end, tl_straddling, tl_position);
    END IF;
    UPDATE threadline.purges AS p
    SET kept_transaction = tl_to_transaction, kept_id = tl_to_id, kept_position = tl_position
    WHERE p.id = run.id;
END
$$;
REVOKE ALL ON FUNCTION threadline.keep_images_ahead(threadline.purges, bigint) FROM PUBLIC;

-- Returns whether a purge of a table keeps images ahead of the removal: where there are many old
-- changes, and the changes of a record are those under its key and count as they were recorded.
CREATE OR REPLACE FUNCTION threadline.keeps_images_ahead(audited_table integer, horizon timestamptz, at_most bigint) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
    tl_end bigint := threadline.purge_end(horizon);
BEGIN
    RETURN threadline.renames_of(audited_table) IS NULL
       AND threadline.alterations_of(audited_table) IS NULL
       AND NOT EXISTS (
           SELECT FROM threadline.ledger_changes AS c
           WHERE c.table_id = audited_table AND c.previous_key IS NOT NULL AND c.id < tl_end)
       -- A TRUNCATE of unknown rows.
       AND NOT EXISTS (
           SELECT FROM threadline.ledger_changes AS c
           WHERE c.table_id = audited_table AND c.record_key IS NULL AND c.id < tl_end)
       AND EXISTS (
           SELECT FROM threadline.ledger_changes AS c
           WHERE (c.table_id, c.transaction_id) >= (audited_table, 0) AND (c.table_id, c.transaction_id) < (audited_table, tl_end)
           ORDER BY c.table_id, c.transaction_id, c.id
           OFFSET 20 * at_most LIMIT 1);
END
$$;
REVOKE ALL ON FUNCTION threadline.keeps_images_ahead(integer, timestamptz, bigint) FROM PUBLIC;

-- Begins the next run of threadline.purge() and records it as an action; NULL if there is none. It
-- is for the table with changes older than its retention that was purged least recently. From now
-- on queries about instants before the horizon fail, so that no result depends on the progress of
-- the run.
CREATE OR REPLACE FUNCTION threadline.begin_purge(at_most bigint) RETURNS threadline.purges
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_next threadline.kept_for;
    tl_run threadline.purges;
    tl_action threadline.audit_actions;
    tl_seen record;
    tl_after_transaction bigint;
    tl_after_id bigint;
BEGIN
    FOR tl_next IN
        SELECT k.* FROM threadline.kept_for AS k
        -- Time goes on: the table of the last run has old changes again.
        ORDER BY (SELECT max(p.id) FROM threadline.purges AS p WHERE p.table_id IS NOT DISTINCT FROM k.table_id) NULLS FIRST, k.table_id
    LOOP
        tl_after_transaction := -1;
        tl_after_id := -1;
        -- Held changes may come first.
        LOOP
            SELECT bool_or(p.goes) AS any_goes, (array_agg(p.transaction_id ORDER BY p.turn DESC))[1] AS transaction_id, (array_agg(p.id ORDER BY p.turn DESC))[1] AS id
            INTO tl_seen
            FROM threadline.purgeable(tl_next.table_id, tl_next.horizon, tl_after_transaction, tl_after_id, 100)
                WITH ORDINALITY AS p (transaction_id, id, is_old, goes, bytes, turn);
            EXIT WHEN tl_seen.any_goes IS NOT false;
            tl_after_transaction := tl_seen.transaction_id;
            tl_after_id := tl_seen.id;
        END LOOP;
        CONTINUE WHEN tl_seen.any_goes IS NULL;
        tl_action := threadline.own_action('audit.purged', jsonb_build_object(
            'table_id', tl_next.table_id, 'keep', tl_next.keep, 'kept_since', tl_next.horizon));
        UPDATE threadline.audited_tables AS t
        SET kept_since = greatest(t.kept_since, tl_next.horizon)
        WHERE t.id = tl_next.table_id;
        INSERT INTO threadline.purges (table_id, kept_since, action_id, purged_by, images)
        VALUES (tl_next.table_id, tl_next.horizon, tl_action.id, session_user,
                CASE WHEN threadline.keeps_images_ahead(tl_next.table_id, tl_next.horizon, at_most) THEN 'ahead' ELSE 'by batch' END)
        RETURNING * INTO tl_run;
        RETURN tl_run;
    END LOOP;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION threadline.begin_purge(bigint) FROM PUBLIC;

-- Removes one batch of a run of threadline.purge(), which holds its lock; returns the number of
-- removed changes or actions. Transactions without any remaining changes are removed with them.
CREATE OR REPLACE FUNCTION threadline.purge_batch(run threadline.purges, at_most bigint) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
-- By index, even where the planner would prefer to read a whole table.
SET enable_seqscan = off
SET enable_bitmapscan = off
-- And one by one, where a join would read all that remains.
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
DECLARE
    tl_holds boolean := EXISTS (SELECT FROM threadline.legal_holds AS h WHERE h.released_at IS NULL);
    tl_end bigint := threadline.purge_end(run.kept_since);
    tl_straddling bigint[] := threadline.straddling(run.kept_since, tl_end);
    tl_position bigint := coalesce(run.kept_position, (SELECT max(c.position) FROM threadline.ledger_changes AS c));
    -- Of the last change or action of this batch; NULL: it is the last batch.
    tl_last_transaction bigint;
    tl_last_id bigint;
    tl_actions bigint[];
    tl_to_transaction bigint;
    tl_to_id bigint;
    tl_transactions bigint[];
    tl_bytes bigint;
    tl_purged bigint;
    tl_emptied bigint;
BEGIN
    IF run.table_id IS NULL THEN
        SELECT array_agg(p.id) FILTER (WHERE p.goes), (array_agg(p.id))[at_most::integer] INTO tl_actions, tl_last_id
        FROM threadline.purgeable(NULL, run.kept_since, -1, run.reached_id, at_most) AS p;
        WITH gone AS (
            DELETE FROM threadline.audit_actions AS a WHERE a.id = ANY (tl_actions)
            RETURNING a.transaction_id, pg_column_size(a.*) AS bytes
        )
        SELECT count(*), sum(g.bytes), array_agg(g.transaction_id) INTO tl_purged, tl_bytes, tl_transactions FROM gone AS g;
    ELSE
        SELECT c.transaction_id, c.id INTO tl_last_transaction, tl_last_id
        FROM threadline.ledger_changes AS c
        WHERE (c.table_id, c.transaction_id, c.id) > (run.table_id, run.reached_transaction, run.reached_id)
          AND (c.table_id, c.transaction_id) < (run.table_id, tl_end)
          AND (run.images = 'by batch' OR (c.table_id, c.transaction_id, c.id) <= (run.table_id, run.kept_transaction, run.kept_id))
        ORDER BY c.table_id, c.transaction_id, c.id
        OFFSET at_most - 1 LIMIT 1;
        IF tl_last_id IS NULL AND run.images = 'ahead' AND run.kept_id < tl_end THEN
            tl_last_transaction := run.kept_transaction;
            tl_last_id := run.kept_id;
        END IF;
        tl_to_transaction := coalesce(tl_last_transaction, tl_end - 1);
        tl_to_id := coalesce(tl_last_id, tl_end);
        IF run.images = 'by batch' THEN
            -- Held changes count as well.
            PERFORM threadline.keep_images(run, tl_to_transaction, tl_to_id, tl_end, tl_straddling, tl_position);
        END IF;
        WITH gone AS (
            DELETE FROM threadline.ledger_changes AS c
            WHERE c.table_id = run.table_id
              AND c.transaction_id BETWEEN run.reached_transaction AND tl_to_transaction
              AND (c.transaction_id, c.id) > (run.reached_transaction, run.reached_id) AND (c.transaction_id, c.id) <= (tl_to_transaction, tl_to_id)
              AND c.captured_at < run.kept_since AND c.id < tl_end AND c.transaction_id <> ALL (tl_straddling)
              -- One that was posted since has no part in the images.
              AND c.position <= tl_position
              AND NOT (tl_holds AND threadline.is_held(c))
            RETURNING c.transaction_id, pg_column_size(c.*) AS bytes
        )
        SELECT count(*), sum(g.bytes), array_agg(g.transaction_id) INTO tl_purged, tl_bytes, tl_transactions FROM gone AS g;
    END IF;

    DELETE FROM threadline.ledger_transactions AS x
    WHERE x.id = ANY (ARRAY(
            SELECT of.id FROM (SELECT DISTINCT unnest(tl_transactions) AS id) AS of
            WHERE NOT EXISTS (SELECT FROM threadline.ledger_changes AS c WHERE c.transaction_id = of.id)
              AND NOT EXISTS (SELECT FROM threadline.audit_actions AS a WHERE a.transaction_id = of.id)))
      -- Not by the index on opened_at, which contains everything old.
      AND (x.opened_at < run.kept_since) IS true;
    GET DIAGNOSTICS tl_emptied = ROW_COUNT;

    UPDATE threadline.purges AS p
    SET purged = p.purged + tl_purged,
        transactions = p.transactions + tl_emptied,
        bytes = p.bytes + coalesce(tl_bytes, 0),
        reached_transaction = coalesce(tl_last_transaction, p.reached_transaction),
        reached_id = coalesce(tl_last_id, p.reached_id),
        ended_at = CASE WHEN tl_last_id IS NULL THEN clock_timestamp() END
    WHERE p.id = run.id;
    IF tl_last_id IS NULL THEN
        -- The end of a record is needed as long as something from before it is held.
        DELETE FROM threadline.kept_images AS k
        WHERE k.table_id = run.table_id AND k.image IS NULL AND (
            SELECT c.id FROM threadline.ledger_changes AS c
            WHERE c.table_id = k.table_id AND c.record_key = k.record_key AND c.id < k.id LIMIT 1) IS NULL;
    END IF;
    RETURN tl_purged;
END
$$;
REVOKE ALL ON FUNCTION threadline.purge_batch(threadline.purges, bigint) FROM PUBLIC;

-- Removes changes and actions older than the retention of their policies, oldest first, and
-- returns their number; NULL if there is nothing to do, or another session is purging. Call it until
-- it returns NULL:
--
--   SELECT threadline.purge();
--
-- Each call is one transaction of about 10,000 changes and blocks no writer. An interrupted run
-- continues from its last batch. What is under a hold stays. A call that only keeps the images of
-- records, for the next hundred batches, returns 0.
CREATE OR REPLACE FUNCTION threadline.purge(at_most integer DEFAULT 10000) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
SET jit = off
AS $$
DECLARE
    tl_run threadline.purges;
    tl_purged bigint := 0;
BEGIN
    IF pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' THEN
        RETURN NULL;
    END IF;
    PERFORM FROM threadline.retention FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        IF EXISTS (SELECT FROM threadline.retention) THEN
            RETURN NULL;
        END IF;
        -- A restore left it out.
        INSERT INTO threadline.retention DEFAULT VALUES;
    END IF;
    WHILE tl_purged = 0 LOOP
        SELECT * INTO tl_run FROM threadline.purges AS p WHERE p.ended_at IS NULL ORDER BY p.id LIMIT 1;
        IF NOT FOUND THEN
            tl_run := threadline.begin_purge(greatest(at_most, 1));
            EXIT WHEN tl_run.id IS NULL;
        END IF;
        IF tl_run.images = 'ahead' AND (tl_run.reached_transaction, tl_run.reached_id) >= (tl_run.kept_transaction, tl_run.kept_id) THEN
            PERFORM threadline.keep_images_ahead(tl_run, greatest(at_most, least(100::bigint * at_most, 1000000), 1));
            RETURN 0;
        END IF;
        tl_purged := threadline.purge_batch(tl_run, greatest(at_most, 1));
    END LOOP;
    RETURN nullif(tl_purged, 0);
END
$$;
REVOKE ALL ON FUNCTION threadline.purge(integer) FROM PUBLIC;
COMMENT ON FUNCTION threadline.purge(integer) IS
    'Removes changes and actions older than the retention of their policy, one batch a call; returns their number, and NULL at the end';

-- Returns what threadline.purge() would remove, and from where; for a long period this reads many
-- rows.
CREATE OR REPLACE FUNCTION threadline.purge_preview()
RETURNS TABLE (schema_name text, table_name text, keep interval, horizon timestamptz, goes bigint, held bigint, bytes bigint, oldest timestamptz)
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT t.schema_name, t.table_name, k.keep, k.horizon, counted.goes, counted.held, counted.bytes, counted.oldest
    FROM threadline.kept_for AS k
    LEFT JOIN threadline.audited_tables AS t ON t.id = k.table_id
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE p.goes) AS goes, count(*) FILTER (WHERE NOT p.goes) AS held,
               coalesce(sum(p.bytes) FILTER (WHERE p.goes), 0)::bigint AS bytes,
               min(coalesce(c.captured_at, a.occurred_at)) FILTER (WHERE p.goes) AS oldest
        FROM threadline.purgeable(k.table_id, k.horizon, -1, -1, 9223372036854775807) AS p
        LEFT JOIN threadline.ledger_changes AS c ON k.table_id IS NOT NULL AND c.transaction_id = p.transaction_id AND c.id = p.id
        LEFT JOIN threadline.audit_actions AS a ON k.table_id IS NULL AND a.id = p.id
    ) AS counted
    ORDER BY t.schema_name, t.table_name;
END;

-- Waits for a running purge or erasure, one batch at most.
CREATE OR REPLACE FUNCTION threadline.lock_erasing() RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    -- A restore may have left it out.
    INSERT INTO threadline.retention DEFAULT VALUES ON CONFLICT DO NOTHING;
    SELECT FROM threadline.retention FOR UPDATE;
END;
REVOKE ALL ON FUNCTION threadline.lock_erasing() FROM PUBLIC;

-- Returns the values of columns in an image, by the names in `by`: {"user_id": "42"}. `former` is
-- threadline.former_names() of each. Columns that the image lacks are missing.
CREATE OR REPLACE FUNCTION threadline.named_in(image jsonb, former jsonb, captured_at timestamptz) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(jsonb_object_agg(f.key, image ->> n.name), '{}')
    FROM jsonb_each(former) AS f
    CROSS JOIN LATERAL unnest(threadline.hidden_names(f.value, captured_at)) AS n (name)
    -- Images from before the column got this name do not contain it under this name.
    WHERE image ? n.name;
END;

-- Returns the keys that the record of a person has had. Fails if other records had one of them.
CREATE OR REPLACE FUNCTION threadline.subject_keys(audited_table integer, record_key text) RETURNS text[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_keys text[] := threadline.keys_of_record(audited_table, subject_keys.record_key);
    tl_moves bigint;
    tl_births bigint;
BEGIN
    IF cardinality(tl_keys) > 1 THEN
        SELECT count(*) FILTER (WHERE c.previous_key IS NOT NULL), count(*) FILTER (WHERE c.op = 'I')
        INTO tl_moves, tl_births
        FROM threadline.audit_changes AS c
        WHERE c.table_id = audited_table AND c.record_key = ANY (tl_keys) AND (c.previous_key IS NOT NULL OR c.op = 'I');
        IF tl_moves > cardinality(tl_keys) - 1 OR tl_births > 1 THEN
            RAISE EXCEPTION 'threadline: record % shares keys with other records, and the owner of the changes under % is unknown',
                subject_keys.record_key, array_to_string(tl_keys, ', ')
                USING HINT = 'Records with keys that never change are unambiguous.';
        END IF;
    END IF;
    RETURN tl_keys;
END
$$;

-- Returns the tables in which something belongs to the records of a table, by their policies:
-- [{"table_id", "columns": the personal ones, "by": those that name the record, "itself": whether
-- it is the table of the record}].
CREATE OR REPLACE FUNCTION threadline.personal_tables(target regclass) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_id integer := coalesce(threadline.audited_table_of(target), threadline.known_table_of(target));
    tl_named record;
    tl_by jsonb := '{}';
BEGIN
    FOR tl_named IN
        SELECT t.id, t.schema_name, t.table_name, f.key AS name, f.value AS table_named
        FROM threadline.audited_tables AS t
        CROSS JOIN jsonb_each_text(t.personal_data -> 'subject') AS f
    LOOP
        IF threadline.subject_table_of(tl_named.schema_name, tl_named.table_named) IS NULL THEN
            RAISE EXCEPTION 'threadline: column % of table %.% names the records of %, and there is no such table any more',
                tl_named.name, tl_named.schema_name, tl_named.table_name, tl_named.table_named
                USING HINT = format('Say what it is called now, as in SELECT threadline.audit(''%s.%s'', ..., subject => ''{"%s": "..."}'').',
                    tl_named.schema_name, tl_named.table_name, tl_named.name);
        ELSIF threadline.subject_table_of(tl_named.schema_name, tl_named.table_named) = target THEN
            tl_by := tl_by || jsonb_build_object(tl_named.id::text, coalesce(tl_by -> tl_named.id::text, '[]') || to_jsonb(tl_named.name));
        END IF;
    END LOOP;
    RETURN (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'table_id', t.id, 'columns', t.personal_data -> 'columns',
            'by', coalesce(tl_by -> t.id::text, '[]'), 'itself', coalesce(t.id = tl_id, false)) ORDER BY t.id), '[]')
        FROM threadline.audited_tables AS t
        WHERE t.id = tl_id OR tl_by ? t.id::text);
END
$$;

-- Returns a plan of threadline.personal_tables() restricted to the named columns.
CREATE OR REPLACE FUNCTION threadline.chosen_columns(target regclass, plan jsonb, columns text[]) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_schema text := (SELECT n.nspname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = target);
    tl_column text;
    tl_parts text[];
    tl_table threadline.audited_tables;
    tl_chosen jsonb := '{}';
BEGIN
    FOREACH tl_column IN ARRAY columns LOOP
        tl_parts := parse_ident(tl_column);
        tl_table := NULL;
        SELECT t.* INTO tl_table
        FROM jsonb_array_elements(plan) AS p
        JOIN threadline.audited_tables AS t ON t.id = (p -> 'table_id')::integer
        WHERE CASE cardinality(tl_parts)
            WHEN 1 THEN (p -> 'itself')::boolean
            WHEN 2 THEN (t.schema_name, t.table_name) = (tl_schema, tl_parts[1])
            WHEN 3 THEN (t.schema_name, t.table_name) = (tl_parts[1], tl_parts[2]) END
        ORDER BY (p -> 'itself')::boolean DESC
        LIMIT 1;
        IF tl_table.id IS NULL THEN
            RAISE EXCEPTION 'threadline: no policy says which rows of the table of column % belong to a record of %', tl_column, target
                USING HINT = 'Say which column names the person: #[audited(subject(user_id = users))], subject => ''{"user_id": "users"}'' of threadline.audit().';
        END IF;
        tl_column := tl_parts[cardinality(tl_parts)];
        IF tl_column = ANY (tl_table.key_columns) THEN
            RAISE EXCEPTION 'threadline: column % belongs to the primary key of %.%; a key identifies the record and cannot be erased', tl_column, tl_table.schema_name, tl_table.table_name;
        ELSIF NOT jsonb_path_exists(tl_table.columns, '$[*] ? (@.name == $name)', jsonb_build_object('name', tl_column))
              AND NOT EXISTS (
                  SELECT FROM threadline.ledger_changes AS c
                  WHERE c.table_id = tl_table.id AND (c.row_data ? tl_column OR c.changed_from ? tl_column OR c.changed_to ? tl_column)) THEN
            RAISE EXCEPTION 'threadline: table %.% has no recorded column %', tl_table.schema_name, tl_table.table_name, tl_column;
        END IF;
        tl_chosen := tl_chosen || jsonb_build_object(tl_table.id::text, coalesce(tl_chosen -> tl_table.id::text, '[]') || to_jsonb(tl_column));
    END LOOP;
    RETURN (SELECT coalesce(jsonb_agg(p || jsonb_build_object('columns', coalesce(tl_chosen -> (p ->> 'table_id'), '[]'))), '[]') FROM jsonb_array_elements(plan) AS p);
END
$$;

-- Begins to make the recorded data of a person unreadable (GDPR, article 17) and returns the
-- number of the erasure; threadline.erase() does the work:
--
--   SELECT threadline.begin_erasure('users', '42', reason => 'request 2026-31');
--   SELECT threadline.erase(3);  -- until it returns 0
--
-- The policies define what belongs to the person: see `personal` and `subject` of
-- threadline.audit(). The fact, time and actor of each change stay on record.
-- columns: replaces the columns of the policies: ARRAY['users.email', 'addresses.street'].
-- actor_type, actor_id: also erases reason, comment, metadata and address of this actor's
-- actions and transactions.
-- actions: also erases reason, comment and metadata of these actions.
CREATE OR REPLACE FUNCTION threadline.begin_erasure(
    target     regclass,
    record_key text,
    reason     text,
    columns    text[]   DEFAULT NULL,
    actor_type text     DEFAULT NULL,
    actor_id   text     DEFAULT NULL,
    actions    bigint[] DEFAULT NULL
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    tl_name text := (SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = target);
    tl_id integer := coalesce(threadline.audited_table_of(target), threadline.known_table_of(target));
    tl_plan jsonb := threadline.personal_tables(target);
    tl_keys text[] := ARRAY[begin_erasure.record_key];
    tl_hold threadline.legal_holds;
    tl_action threadline.audit_actions;
    tl_erasure bigint;
BEGIN
    IF coalesce(begin_erasure.reason, '') = '' THEN
        RAISE EXCEPTION 'threadline: an erasure needs a reason, such as ''request 2026-31''';
    ELSIF begin_erasure.record_key IS NULL OR target IS NULL THEN
        RAISE EXCEPTION 'threadline: say whose values are erased: a table and the key of a record of it';
    ELSIF (begin_erasure.actor_type IS NULL) <> (begin_erasure.actor_id IS NULL) THEN
        RAISE EXCEPTION 'threadline: an actor has a type and an id';
    END IF;
    PERFORM threadline.lock_erasing();
    -- Unposted entries are searched with the rest.
    PERFORM threadline.post_all();
    IF tl_id IS NOT NULL THEN
        tl_keys := threadline.subject_keys(tl_id, begin_erasure.record_key);
    END IF;
    IF begin_erasure.columns IS NOT NULL THEN
        tl_plan := threadline.chosen_columns(target, tl_plan, begin_erasure.columns);
    END IF;
    tl_plan := (SELECT coalesce(jsonb_agg(p), '[]') FROM jsonb_array_elements(tl_plan) AS p WHERE p -> 'columns' <> '[]');
    IF tl_plan = '[]' AND begin_erasure.actor_type IS NULL AND begin_erasure.actions IS NULL THEN
        RAISE EXCEPTION 'threadline: no policy declares personal columns of records of %', target
            USING HINT = format('Declare it: #[audited(personal(email))] on the model, SELECT threadline.audit(''%s'', ..., personal => ARRAY[''email'']) in SQL; or name it this once: columns => ARRAY[''%s.email''], `audit erase --column %s.email`.', target, target, target);
    END IF;
    SELECT h.* INTO tl_hold
    FROM threadline.legal_holds AS h
    WHERE h.released_at IS NULL AND h.actor_type IS NULL AND h.correlation_id IS NULL
      AND h.table_id = tl_id AND (h.record_keys IS NULL OR h.record_keys && tl_keys)
    ORDER BY h.id LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'threadline: the recorded data of %:% is under hold % (%), and is not erased before the hold is released', tl_name, begin_erasure.record_key, tl_hold.id, tl_hold.reason;
    END IF;

    tl_action := threadline.own_action('audit.erased', jsonb_build_object(
        'table', tl_name, 'record_key', begin_erasure.record_key, 'tables', (
            SELECT jsonb_object_agg(format('%I.%I', t.schema_name, t.table_name), p -> 'columns')
            FROM jsonb_array_elements(tl_plan) AS p
            JOIN threadline.audited_tables AS t ON t.id = (p -> 'table_id')::integer),
        'actor_type', begin_erasure.actor_type, 'actor_id', begin_erasure.actor_id, 'actions', to_jsonb(begin_erasure.actions)),
        reason => begin_erasure.reason);
    INSERT INTO threadline.erasures (subject_table, record_key, record_keys, plan, chosen_columns, actor_type, actor_id, actions, reason, action_id, erased_by, reached_position)
    VALUES (tl_name, begin_erasure.record_key, tl_keys, tl_plan, begin_erasure.columns, begin_erasure.actor_type, begin_erasure.actor_id,
        begin_erasure.actions, begin_erasure.reason, tl_action.id, session_user,
        (SELECT coalesce(max(c.position), 0) FROM threadline.ledger_changes AS c))
    RETURNING id INTO tl_erasure;
    INSERT INTO threadline.erased_records (erasure_id, table_id, record_key)
    SELECT tl_erasure, tl_id, k FROM unnest(tl_keys) AS k
    WHERE EXISTS (SELECT FROM jsonb_array_elements(tl_plan) AS p WHERE (p -> 'itself')::boolean);
    RETURN tl_erasure;
END
$$;
REVOKE ALL ON FUNCTION threadline.begin_erasure(regclass, text, text, text[], text, text, bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION threadline.begin_erasure(regclass, text, text, text[], text, text, bigint[]) IS
    'Begins to make the recorded data of a person unreadable; call threadline.erase() with the number that it returns';

-- Returns the persons that columns of a record named before its first kept change: from the image
-- that a purge left of it, from the state before its changes, or from the live row.
CREATE OR REPLACE FUNCTION threadline.owners_before(audited_table integer, record_key text, former jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    tl_owners jsonb := '{}';
    tl_count bigint := (SELECT count(*) FROM jsonb_object_keys(former));
    tl_change record;
    tl_relation regclass;
BEGIN
    SELECT threadline.named_in(k.image, former, k.captured_at) INTO tl_owners
    FROM threadline.kept_images AS k
    WHERE k.table_id = audited_table AND k.record_key = owners_before.record_key;
    tl_owners := coalesce(tl_owners, '{}');
    FOR tl_change IN
        SELECT c.op, c.row_data, c.changed_from, c.captured_at
        FROM threadline.record_changes(audited_table, owners_before.record_key) AS c
        WHERE c.record_key = owners_before.record_key
        ORDER BY c.id
    LOOP
        EXIT WHEN tl_change.op = 'I' OR tl_count = (SELECT count(*) FROM jsonb_object_keys(tl_owners));
        -- Earlier owners take precedence.
        tl_owners := threadline.named_in(coalesce(tl_change.row_data, tl_change.changed_from), former, tl_change.captured_at) || tl_owners;
        -- These are of another record that took this key.
        EXIT WHEN tl_change.row_data IS NOT NULL;
    END LOOP;
    IF NOT FOUND OR tl_change.op = 'U' AND tl_change.row_data IS NULL THEN
        tl_relation := threadline.readable(threadline.locate_table(audited_table));
        IF tl_relation IS NOT NULL AND tl_count > (SELECT count(*) FROM jsonb_object_keys(tl_owners)) THEN
            tl_owners := threadline.named_in(threadline.live_image(audited_table, tl_relation, record_key), former, clock_timestamp()) || tl_owners;
        END IF;
    END IF;
    RETURN tl_owners;
END
$$;

-- Returns the changes of a record with the sides of them that belong to a person: the image
-- before and the image after. `plan` is one of threadline.personal_tables(). `owners` gives the
-- persons that the record named after the change `after_id`, and is returned after each change.
CREATE OR REPLACE FUNCTION threadline.changes_of_person(
    plan jsonb, keys text[], key text, INOUT owners jsonb, after_id bigint, at_most bigint, with_pending boolean,
    OUT change threadline.audit_changes, OUT before boolean, OUT after boolean
) RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    tl_table integer := (plan -> 'table_id')::integer;
    tl_former jsonb := (
        SELECT coalesce(jsonb_object_agg(b, threadline.former_names(tl_table, ARRAY[b], ARRAY[b])), '{}')
        FROM jsonb_array_elements_text(plan -> 'by') AS b);
    tl_before jsonb;
    tl_after jsonb;
BEGIN
    IF (plan -> 'itself')::boolean AND changes_of_person.key = ANY (keys) THEN
        before := true;
        after := true;
    ELSIF changes_of_person.owners IS NULL THEN
        changes_of_person.owners := threadline.owners_before(tl_table, changes_of_person.key, tl_former);
    END IF;
    FOR change IN
        SELECT c.id, c.transaction_id, c.captured_at, c.table_id, c.statement, c.op, c.record_key, c.previous_key, c.changed_from, c.changed_to, c.row_data
        FROM threadline.ledger_changes AS c
        WHERE c.table_id = tl_table AND c.record_key = changes_of_person.key AND c.id > after_id
        UNION ALL
        SELECT c.id, c.transaction_id, c.captured_at, c.table_id, c.statement, c.op, c.record_key, c.previous_key, c.changed_from, c.changed_to, c.row_data
        FROM threadline.ledger_changes AS c
        WHERE c.table_id = tl_table AND c.previous_key = changes_of_person.key AND c.previous_key IS NOT NULL
          AND c.record_key <> changes_of_person.key AND c.id > after_id
        UNION ALL
        SELECT p.id, p.transaction_id, p.captured_at, p.table_id, p.statement, p.op, p.record_key COLLATE "C", p.previous_key COLLATE "C", p.changed_from, p.changed_to, p.row_data
        FROM threadline.pending_changes(only_table => tl_table, only_key => changes_of_person.key) AS p
        WHERE with_pending AND p.id > after_id
        ORDER BY id
        LIMIT at_most
    LOOP
        IF changes_of_person.owners IS NOT NULL THEN
            tl_before := CASE WHEN change.op = 'I' THEN '{}'
                WHEN change.row_data IS NOT NULL THEN threadline.named_in(change.row_data, tl_former, change.captured_at)
                ELSE changes_of_person.owners || threadline.named_in(change.changed_from, tl_former, change.captured_at) END;
            tl_after := CASE WHEN change.op = 'I' THEN threadline.named_in(change.row_data, tl_former, change.captured_at)
                WHEN change.op = 'U' THEN tl_before || threadline.named_in(change.changed_to, tl_former, change.captured_at)
                ELSE '{}' END;
            -- A record that left this key says nothing about the one that took it.
            IF change.record_key = changes_of_person.key THEN
                changes_of_person.owners := tl_after;
            END IF;
            before := threadline.names_one_of(tl_before, keys);
            after := threadline.names_one_of(tl_after, keys);
        END IF;
        RETURN NEXT;
    END LOOP;
END
$$;

-- Returns the keys of the live rows that name one of the given keys in one of the given columns;
-- none if the caller may not read them.
CREATE OR REPLACE FUNCTION threadline.live_records(audited_table integer, by text[], keys text[]) RETURNS SETOF text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET bytea_output = 'hex'
SET extra_float_digits = 1
AS $$
DECLARE
    tl_relation regclass := threadline.readable(threadline.locate_table(audited_table));
    tl_named text;
BEGIN
    SELECT string_agg(CASE WHEN c.type::oid < 16384 THEN format('tl_live.%I::text = ANY ($1)', c.name)
        ELSE format('(%s) ->> %L = ANY ($1)', threadline.live_expression(audited_table, tl_relation, 'tl_live'), c.name) END, ' OR ')
    INTO tl_named
    FROM threadline.columns_of(tl_relation) AS c
    WHERE c.name = ANY (by);
    IF tl_named IS NOT NULL THEN
        RETURN QUERY EXECUTE format('SELECT %s FROM %s AS tl_live WHERE %s',
            threadline.key_expression(audited_table, 'tl_live'), threadline.own_rows(tl_relation), tl_named)
        USING keys;
    END IF;
END
$$;

-- Returns all changes of what belongs or belonged to a person, as in threadline.audit_changes,
-- without the sides of them that belong to others (GDPR, article 15). The policies name those
-- rows; without a policy, the changes of the record itself are returned.
CREATE OR REPLACE FUNCTION threadline.subject_changes(target regclass, record_key text) RETURNS SETOF threadline.audit_changes
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    tl_id integer := coalesce(threadline.audited_table_of(target), threadline.known_table_of(target));
    tl_keys text[] := ARRAY[subject_changes.record_key];
    tl_plan jsonb;
    tl_names text[];
    tl_by text[];
    tl_key text;
BEGIN
    IF tl_id IS NOT NULL THEN
        tl_keys := threadline.subject_keys(tl_id, subject_changes.record_key);
    END IF;
    FOR tl_plan IN SELECT p FROM jsonb_array_elements(threadline.personal_tables(target)) AS p LOOP
        tl_by := ARRAY(SELECT jsonb_array_elements_text(tl_plan -> 'by'));
        tl_names := threadline.all_names((tl_plan -> 'table_id')::integer, tl_by);
        FOR tl_key IN
            SELECT k FROM unnest(tl_keys) AS k WHERE (tl_plan -> 'itself')::boolean
            UNION
            SELECT k
            FROM threadline.audit_changes AS c
            CROSS JOIN unnest(ARRAY[c.record_key, c.previous_key]) AS k
            WHERE tl_by <> '{}' AND c.table_id = (tl_plan -> 'table_id')::integer AND k IS NOT NULL AND EXISTS (
                SELECT FROM unnest(tl_names) AS n
                WHERE c.row_data ->> n = ANY (tl_keys) OR c.changed_from ->> n = ANY (tl_keys) OR c.changed_to ->> n = ANY (tl_keys))
            UNION
            SELECT k.record_key
            FROM threadline.kept_images AS k
            WHERE k.table_id = (tl_plan -> 'table_id')::integer AND EXISTS (SELECT FROM unnest(tl_names) AS n WHERE k.image ->> n = ANY (tl_keys))
            UNION
            SELECT l FROM threadline.live_records((tl_plan -> 'table_id')::integer, tl_by, tl_keys) AS l
        LOOP
            RETURN QUERY
            SELECT (p.change).id, (p.change).transaction_id, (p.change).captured_at, (p.change).table_id, (p.change).statement,
                   (p.change).op, (p.change).record_key, (p.change).previous_key,
                   CASE WHEN p.before THEN (p.change).changed_from END,
                   CASE WHEN p.after THEN (p.change).changed_to END,
                   CASE WHEN CASE (p.change).op WHEN 'I' THEN p.after ELSE p.before END THEN (p.change).row_data END
            FROM threadline.changes_of_person(tl_plan, tl_keys, tl_key, NULL, -1, 9223372036854775807, true) AS p
            WHERE p.before OR p.after;
        END LOOP;
    END LOOP;
END
$$;
COMMENT ON FUNCTION threadline.subject_changes(regclass, text) IS
    'All changes of values that belong or belonged to a person, without values of others';

-- Erases the person's values in the next changes of one record, for an erasure, and returns the
-- number of changes it read.
CREATE OR REPLACE FUNCTION threadline.erase_record(run threadline.erasures, record threadline.erased_records, at_most bigint) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_plan jsonb := (SELECT p FROM jsonb_array_elements(run.plan) AS p WHERE (p -> 'table_id')::integer = record.table_id);
    tl_mark jsonb := to_jsonb('erased:' || run.id);
    tl_columns text[] := ARRAY(SELECT jsonb_array_elements_text(tl_plan -> 'columns'));
    tl_names jsonb := threadline.former_names(record.table_id, tl_columns, tl_columns);
    tl_whole boolean := (tl_plan -> 'itself')::boolean AND record.record_key = ANY (run.record_keys);
    tl_owners jsonb := record.owners;
    tl_reached bigint := record.reached_id;
    tl_found record;
    tl_then text[];
    tl_from jsonb;
    tl_to jsonb;
    tl_row jsonb;
    tl_seen bigint := 0;
    tl_count bigint := 0;
BEGIN
    -- A purge may have removed it first.
    IF record.reached_id < 0 OR EXISTS (
        SELECT FROM threadline.kept_images AS k
        WHERE k.table_id = record.table_id AND k.record_key = record.record_key AND k.id > record.reached_id)
    THEN
        IF NOT tl_whole THEN
            tl_owners := threadline.owners_before(record.table_id, record.record_key, (
                SELECT coalesce(jsonb_object_agg(b, threadline.former_names(record.table_id, ARRAY[b], ARRAY[b])), '{}')
                FROM jsonb_array_elements_text(tl_plan -> 'by') AS b));
        END IF;
        UPDATE threadline.kept_images AS k
        SET image = threadline.erased_image(k.image, threadline.hidden_names(tl_names, k.captured_at), tl_mark)
        WHERE k.table_id = record.table_id AND k.record_key = record.record_key
          AND (tl_whole OR threadline.names_one_of(tl_owners, run.record_keys));
    END IF;
    FOR tl_found IN
        SELECT (p.change).*, p.owners, p.before, p.after
        FROM threadline.changes_of_person(tl_plan, run.record_keys, record.record_key, tl_owners, record.reached_id, at_most, false) AS p
    LOOP
        tl_seen := tl_seen + 1;
        tl_reached := tl_found.id;
        tl_owners := tl_found.owners;
        tl_then := threadline.hidden_names(tl_names, tl_found.captured_at);
        tl_from := CASE WHEN tl_found.before THEN threadline.erased_image(tl_found.changed_from, tl_then, tl_mark) ELSE tl_found.changed_from END;
        tl_to := CASE WHEN tl_found.after THEN threadline.erased_image(tl_found.changed_to, tl_then, tl_mark) ELSE tl_found.changed_to END;
        tl_row := CASE WHEN CASE tl_found.op WHEN 'I' THEN tl_found.after ELSE tl_found.before END
            THEN threadline.erased_image(tl_found.row_data, tl_then, tl_mark) ELSE tl_found.row_data END;
        IF (tl_from, tl_to, tl_row) IS DISTINCT FROM (tl_found.changed_from, tl_found.changed_to, tl_found.row_data) THEN
            UPDATE threadline.ledger_changes AS c
            SET changed_from = tl_from, changed_to = tl_to, row_data = tl_row
            WHERE c.transaction_id = tl_found.transaction_id AND c.id = tl_found.id;
            tl_count := tl_count + 1;
        END IF;
    END LOOP;
    UPDATE threadline.erased_records AS r
    SET owners = tl_owners, reached_id = tl_reached, done = tl_seen < at_most
    WHERE r.erasure_id = record.erasure_id AND r.table_id = record.table_id AND r.record_key = record.record_key;
    UPDATE threadline.erasures AS e SET changes = e.changes + tl_count WHERE e.id = run.id;
    RETURN tl_seen;
END
$$;
REVOKE ALL ON FUNCTION threadline.erase_record(threadline.erasures, threadline.erased_records, bigint) FROM PUBLIC;

-- Fails if the owner of a record is unknown: no change shows it, and the row cannot be read.
CREATE OR REPLACE FUNCTION threadline.refuse_unknown(plan jsonb) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_table integer := (plan -> 'table_id')::integer;
    tl_relation regclass := threadline.locate_table(tl_table);
    tl_columns text[] := threadline.all_names(tl_table, ARRAY(SELECT jsonb_array_elements_text(plan -> 'columns')));
    tl_by text[] := threadline.all_names(tl_table, ARRAY(SELECT jsonb_array_elements_text(plan -> 'by')));
BEGIN
    IF tl_relation IS NOT NULL AND threadline.readable(tl_relation) IS NULL AND EXISTS (
        SELECT
        FROM threadline.ledger_changes AS c
        WHERE c.table_id = tl_table AND c.op = 'U' AND c.previous_key IS NULL AND c.changed_from ?| tl_columns
          AND NOT EXISTS (
              SELECT FROM threadline.ledger_changes AS said
              WHERE said.table_id = tl_table AND said.record_key = c.record_key
                AND (said.row_data ?| tl_by OR said.changed_from ?| tl_by)))
    THEN
        RAISE EXCEPTION 'threadline: the owner of the audit cannot read table % without running functions of others, and rows older than its audit have no change that names their owner', tl_relation
            USING HINT = format('GRANT SELECT ON %s TO %s;', tl_relation, current_user);
    END IF;
END
$$;

-- Searches the next changes of a table for records that belonged to the person of an erasure and
-- returns the number of changes it read; a number below `at_most` means the end of the table.
CREATE OR REPLACE FUNCTION threadline.find_records(run threadline.erasures, plan jsonb, at_most bigint) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_table integer := (plan -> 'table_id')::integer;
    tl_names text[] := threadline.all_names(tl_table, ARRAY(SELECT jsonb_array_elements_text(plan -> 'by')));
    tl_seen record;
BEGIN
    WITH seen AS MATERIALIZED (
        SELECT c.transaction_id, c.id, c.record_key, c.previous_key, c.row_data, c.changed_from, c.changed_to
        FROM threadline.ledger_changes AS c
        WHERE c.table_id = tl_table AND (c.transaction_id, c.id) > (run.reached_transaction, run.reached_id)
        ORDER BY c.transaction_id, c.id
        LIMIT at_most
    ), found AS (
        INSERT INTO threadline.erased_records (erasure_id, table_id, record_key)
        SELECT DISTINCT run.id, tl_table, k
        FROM seen AS s
        CROSS JOIN unnest(ARRAY[s.record_key, s.previous_key]) AS k
        WHERE k IS NOT NULL AND EXISTS (
            SELECT FROM unnest(tl_names) AS n
            WHERE s.row_data ->> n = ANY (run.record_keys) OR s.changed_from ->> n = ANY (run.record_keys) OR s.changed_to ->> n = ANY (run.record_keys))
        ON CONFLICT DO NOTHING
    )
    SELECT count(*) AS count, (array_agg(s.transaction_id ORDER BY s.transaction_id DESC, s.id DESC))[1] AS transaction_id,
           (array_agg(s.id ORDER BY s.transaction_id DESC, s.id DESC))[1] AS id
    INTO tl_seen
    FROM seen AS s;
    IF tl_seen.count = at_most THEN
        UPDATE threadline.erasures AS e SET reached_transaction = tl_seen.transaction_id, reached_id = tl_seen.id WHERE e.id = run.id;
        RETURN tl_seen.count;
    END IF;

    INSERT INTO threadline.erased_records (erasure_id, table_id, record_key)
    SELECT run.id, tl_table, k.record_key
    FROM threadline.kept_images AS k
    WHERE k.table_id = tl_table AND EXISTS (SELECT FROM unnest(tl_names) AS n WHERE k.image ->> n = ANY (run.record_keys))
    ON CONFLICT DO NOTHING;
    -- If a row existed before the audit, its changes need not show to whom it belongs.
    INSERT INTO threadline.erased_records (erasure_id, table_id, record_key)
    SELECT run.id, tl_table, l
    FROM threadline.live_records(tl_table, ARRAY(SELECT jsonb_array_elements_text(plan -> 'by')), run.record_keys) AS l
    ON CONFLICT DO NOTHING;
    PERFORM threadline.refuse_unknown(plan);
    UPDATE threadline.erasures AS e
    SET looked_through = tl_table, reached_transaction = -1, reached_id = -1
    WHERE e.id = run.id;
    RETURN tl_seen.count;
END
$$;
REVOKE ALL ON FUNCTION threadline.find_records(threadline.erasures, jsonb, bigint) FROM PUBLIC;

-- Searches the changes posted since for more changes of the person of an erasure and returns the
-- number of changes it read.
CREATE OR REPLACE FUNCTION threadline.find_new_changes(run threadline.erasures, at_most bigint) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_seen bigint;
    tl_position bigint;
    tl_by jsonb := (
        SELECT coalesce(jsonb_object_agg(p ->> 'table_id', to_jsonb(threadline.all_names((p -> 'table_id')::integer, ARRAY(SELECT jsonb_array_elements_text(p -> 'by'))))), '{}')
        FROM jsonb_array_elements(run.plan) AS p);
BEGIN
    WITH seen AS MATERIALIZED (
        SELECT c.* FROM threadline.ledger_changes AS c
        WHERE c.position > run.reached_position
        ORDER BY c.position
        LIMIT at_most
    ), found AS (
        SELECT s.table_id, k AS record_key, max(s.id) AS id
        FROM seen AS s
        CROSS JOIN unnest(ARRAY[s.record_key, s.previous_key]) AS k
        WHERE k IS NOT NULL AND tl_by ? s.table_id::text AND (
            EXISTS (
                SELECT FROM threadline.erased_records AS r
                WHERE r.erasure_id = run.id AND r.table_id = s.table_id AND r.record_key = k COLLATE "C")
            OR EXISTS (
                SELECT FROM jsonb_array_elements_text(tl_by -> s.table_id::text) AS n
                WHERE s.row_data ->> n = ANY (run.record_keys) OR s.changed_from ->> n = ANY (run.record_keys) OR s.changed_to ->> n = ANY (run.record_keys)))
        GROUP BY s.table_id, k
    ), added AS (
        INSERT INTO threadline.erased_records AS r (erasure_id, table_id, record_key)
        SELECT run.id, f.table_id, f.record_key FROM found AS f
        ON CONFLICT (erasure_id, table_id, record_key) DO UPDATE SET done = false
        WHERE r.reached_id < (SELECT f.id FROM found AS f WHERE f.table_id = r.table_id AND f.record_key COLLATE "C" = r.record_key)
    )
    SELECT count(*), max(s.position) INTO tl_seen, tl_position FROM seen AS s;
    UPDATE threadline.erasures AS e SET reached_position = coalesce(tl_position, e.reached_position) WHERE e.id = run.id;
    RETURN tl_seen;
END
$$;
REVOKE ALL ON FUNCTION threadline.find_new_changes(threadline.erasures, bigint) FROM PUBLIC;

-- Fails if a legal hold keeps data that would be erased.
CREATE OR REPLACE FUNCTION threadline.refuse_held(run threadline.erasures) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_hold threadline.legal_holds;
BEGIN
    SELECT h.* INTO tl_hold
    FROM threadline.legal_holds AS h
    WHERE h.released_at IS NULL AND (
        EXISTS (
            SELECT
            FROM threadline.erased_records AS r
            CROSS JOIN LATERAL (
                SELECT c.transaction_id, c.record_key, c.previous_key FROM threadline.ledger_changes AS c
                WHERE c.table_id = r.table_id AND c.record_key = r.record_key
                UNION ALL
                SELECT c.transaction_id, c.record_key, c.previous_key FROM threadline.ledger_changes AS c
                WHERE c.table_id = r.table_id AND c.previous_key = r.record_key AND c.previous_key IS NOT NULL
                UNION ALL
                SELECT NULL, r.record_key, NULL
            ) AS c
            LEFT JOIN threadline.ledger_transactions AS x ON x.id = c.transaction_id
            WHERE r.erasure_id = run.id
              AND (h.table_id IS NULL OR h.table_id = r.table_id)
              AND (h.record_keys IS NULL OR h.record_keys && ARRAY[c.record_key, c.previous_key])
              AND (h.actor_type IS NULL OR (h.actor_type = x.actor_type AND h.actor_id IS NOT DISTINCT FROM x.actor_id))
              AND (h.correlation_id IS NULL OR h.correlation_id = x.correlation_id))
        OR h.actor_type = run.actor_type AND h.actor_id = run.actor_id)
    ORDER BY h.id
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'threadline: the recorded data of %:% is under hold % (%), and is not erased before the hold is released',
            run.subject_table, run.record_key, tl_hold.id, tl_hold.reason
            USING HINT = format('After that, SELECT threadline.erase(%s) continues.', run.id);
    END IF;
END
$$;

-- Returns whether the text of a context that could not be read contains the id of an actor, as a
-- word of its own.
CREATE OR REPLACE FUNCTION threadline.names_actor(context text, actor_id text) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN context ~ ('(^|[^[:alnum:]_])' || pg_catalog.regexp_replace(actor_id, '([^[:alnum:]_])', '\\\1', 'g') || '($|[^[:alnum:]_])');

-- Returns a context of the journal with a mark instead of its metadata and its address, or instead
-- of all its text if it cannot be read.
CREATE OR REPLACE FUNCTION threadline.erased_context(context text, occurred_at timestamptz, mark text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_read record := threadline.read_context(context, occurred_at);
    tl_epoch text := extract(epoch FROM occurred_at)::text;
    tl_context jsonb;
BEGIN
    IF tl_read.meta ? 'untrusted_context' THEN
        RETURN mark;
    ELSIF tl_read.meta ? 'unreadable_context' THEN
        RETURN tl_epoch || ' ' || mark;
    END IF;
    tl_context := substr(context, length(tl_epoch) + 2)::jsonb - 'remote_ip';
    IF tl_read.meta IS NOT NULL THEN
        tl_context := tl_context || jsonb_build_object('metadata', jsonb_build_object('erased', mark));
    END IF;
    RETURN tl_epoch || ' ' || tl_context;
END
$$;
REVOKE ALL ON FUNCTION threadline.erased_context(text, timestamptz, text) FROM PUBLIC;

-- Erases the free text of the actor of an erasure and of its actions, and returns the number of
-- actions and transactions.
CREATE OR REPLACE FUNCTION threadline.erase_texts(run threadline.erasures, at_most bigint) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_mark text := 'erased:' || run.id;
    tl_actions bigint;
    tl_transactions bigint := 0;
BEGIN
    WITH due AS (
        SELECT a.id FROM threadline.audit_actions AS a
        WHERE (a.actor_type = run.actor_type AND a.actor_id = run.actor_id OR a.id = ANY (run.actions))
          -- Actions on the audit itself stay.
          AND a.name NOT LIKE 'audit.%'
          AND (a.reason !~ '^erased:[0-9]+$' OR a.comment !~ '^erased:[0-9]+$' OR a.remote_ip IS NOT NULL
               OR a.meta IS NOT NULL AND NOT threadline.is_erased(a.meta -> 'erased'))
        LIMIT at_most
    )
    UPDATE threadline.audit_actions AS a
    SET reason = CASE WHEN a.reason IS NOT NULL THEN tl_mark END,
        comment = CASE WHEN a.comment IS NOT NULL THEN tl_mark END,
        meta = CASE WHEN a.meta IS NOT NULL THEN jsonb_build_object('erased', tl_mark) END,
        remote_ip = NULL
    FROM due WHERE a.id = due.id;
    GET DIAGNOSTICS tl_actions = ROW_COUNT;
    IF run.actor_type IS NOT NULL THEN
        WITH due AS (
            SELECT x.id FROM threadline.ledger_transactions AS x
            WHERE x.actor_type = run.actor_type AND x.actor_id = run.actor_id
              AND (x.remote_ip IS NOT NULL OR x.meta IS NOT NULL AND NOT threadline.is_erased(x.meta -> 'erased'))
            UNION ALL
            -- A context that could not be read is kept as text, and may be this actor's.
            SELECT x.id FROM threadline.ledger_transactions AS x
            WHERE x.actor_type IS NULL
              AND threadline.names_actor(coalesce(x.meta ->> 'unreadable_context', x.meta ->> 'untrusted_context'), run.actor_id)
            LIMIT at_most
        )
        UPDATE threadline.ledger_transactions AS x
        SET meta = CASE WHEN x.meta IS NOT NULL THEN jsonb_build_object('erased', tl_mark) END, remote_ip = NULL
        FROM due WHERE x.id = due.id;
        GET DIAGNOSTICS tl_transactions = ROW_COUNT;
    END IF;
    UPDATE threadline.erasures AS e SET texts = e.texts + tl_actions + tl_transactions WHERE e.id = run.id;
    RETURN tl_actions + tl_transactions;
END
$$;
REVOKE ALL ON FUNCTION threadline.erase_texts(threadline.erasures, bigint) FROM PUBLIC;

-- Erases in the entries that could not be posted: in their images, which are of whole rows, and
-- the text of their contexts, if the erasure is also of an actor.
CREATE OR REPLACE FUNCTION threadline.erase_unposted(run threadline.erasures) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_mark jsonb := to_jsonb('erased:' || run.id);
BEGIN
    WITH of_table AS (
        SELECT (p -> 'table_id')::integer AS table_id, (p -> 'itself')::boolean AS itself, c.columns,
               threadline.former_names(t.id, c.columns, c.columns) AS names, threadline.former_names(t.id, t.key_columns, t.key_columns) AS key_names, t.key_types,
               (SELECT coalesce(jsonb_object_agg(b, threadline.former_names(t.id, ARRAY[b], ARRAY[b])), '{}') FROM jsonb_array_elements_text(p -> 'by') AS b) AS former
        FROM jsonb_array_elements(run.plan) AS p
        JOIN threadline.audited_tables AS t ON t.id = (p -> 'table_id')::integer
        CROSS JOIN LATERAL (SELECT ARRAY(SELECT jsonb_array_elements_text(p -> 'columns')) AS columns) AS c
    ), erased AS (
        SELECT u.id, side.old_mine, side.new_mine, threadline.hidden_names(o.names, u.captured_at) AS names
        FROM threadline.unposted AS u
        JOIN of_table AS o ON o.table_id = u.table_id
        CROSS JOIN LATERAL (
            SELECT coalesce(o.itself AND threadline.key_in_image(u.old_row, threadline.hidden_names(o.key_names, u.captured_at), o.key_types) = ANY (run.record_keys), false)
                   OR threadline.names_one_of(threadline.named_in(u.old_row, o.former, u.captured_at), run.record_keys) AS old_mine,
                   coalesce(o.itself AND threadline.key_in_image(u.new_row, threadline.hidden_names(o.key_names, u.captured_at), o.key_types) = ANY (run.record_keys), false)
                   OR threadline.names_one_of(threadline.named_in(u.new_row, o.former, u.captured_at), run.record_keys) AS new_mine
        ) AS side
        WHERE side.old_mine OR side.new_mine
    )
    UPDATE threadline.unposted AS u
    SET old_row = CASE WHEN e.old_mine THEN threadline.erased_image(u.old_row, e.names, tl_mark) ELSE u.old_row END,
        new_row = CASE WHEN e.new_mine THEN threadline.erased_image(u.new_row, e.names, tl_mark) ELSE u.new_row END,
        -- It may repeat a value.
        error = 'erased:' || run.id
    FROM erased AS e
    WHERE u.id = e.id;
    IF run.actor_type IS NOT NULL THEN
        UPDATE threadline.unposted AS u
        SET context = threadline.erased_context(u.context, u.occurred_at, 'erased:' || run.id)
        FROM (
            SELECT o.id, c.actor_type, c.actor_id, c.meta
            FROM threadline.unposted AS o
            CROSS JOIN LATERAL threadline.read_context(o.context, o.occurred_at) AS c
            WHERE o.context IS NOT NULL
        ) AS read
        WHERE u.id = read.id AND (
            (read.actor_type = run.actor_type AND read.actor_id = run.actor_id)
            OR (read.actor_type IS NULL
                AND threadline.names_actor(coalesce(read.meta ->> 'unreadable_context', read.meta ->> 'untrusted_context'), run.actor_id)));
    END IF;
END
$$;
REVOKE ALL ON FUNCTION threadline.erase_unposted(threadline.erasures) FROM PUBLIC;

-- Continues an erasure that threadline.begin_erasure() began and returns the number of changes it
-- read; 0 when it is done. Call it until it returns 0:
--
--   SELECT threadline.erase(3);
--
-- Each call is one transaction of about 10,000 changes and blocks no writer. An interrupted
-- erasure continues from its last batch. If anything is under a hold, the whole erasure is
-- refused.
CREATE OR REPLACE FUNCTION threadline.erase(erasure bigint, at_most integer DEFAULT 10000) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    tl_limit bigint := greatest(at_most, 1);
    tl_run threadline.erasures;
    tl_plan jsonb;
    tl_record threadline.erased_records;
    tl_seen bigint := 0;
    tl_keys text[];
    tl_id integer;
BEGIN
    PERFORM threadline.lock_erasing();
    SELECT e.* INTO tl_run FROM threadline.erasures AS e WHERE e.id = erasure;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'threadline: there is no erasure %; SELECT * FROM threadline.erasures shows them', erasure;
    ELSIF tl_run.ended_at IS NOT NULL THEN
        RETURN 0;
    END IF;

    IF tl_run.found_at IS NULL THEN
        SELECT p INTO tl_plan
        FROM jsonb_array_elements(tl_run.plan) AS p
        WHERE p -> 'by' <> '[]' AND (p -> 'table_id')::integer > tl_run.looked_through
        ORDER BY (p -> 'table_id')::integer
        LIMIT 1;
        IF FOUND THEN
            RETURN greatest(threadline.find_records(tl_run, tl_plan, tl_limit), 1);
        END IF;
        UPDATE threadline.erasures AS e SET found_at = clock_timestamp() WHERE e.id = erasure;
    END IF;

    PERFORM threadline.refuse_held(tl_run);
    FOR tl_record IN SELECT r.* FROM threadline.erased_records AS r WHERE r.erasure_id = erasure AND NOT r.done ORDER BY r.table_id, r.record_key LOOP
        tl_seen := tl_seen + greatest(threadline.erase_record(tl_run, tl_record, tl_limit - tl_seen), 1);
        EXIT WHEN tl_seen >= tl_limit;
    END LOOP;
    IF tl_seen > 0 THEN
        RETURN tl_seen;
    END IF;

    -- Changes recorded meanwhile.
    PERFORM threadline.post_all();
    tl_seen := threadline.find_new_changes(tl_run, tl_limit);
    IF tl_seen = tl_limit OR EXISTS (SELECT FROM threadline.erased_records AS r WHERE r.erasure_id = erasure AND NOT r.done) THEN
        RETURN greatest(tl_seen, 1);
    END IF;
    FOR tl_plan IN SELECT p FROM jsonb_array_elements(tl_run.plan) AS p WHERE p -> 'by' <> '[]' LOOP
        PERFORM threadline.refuse_unknown(tl_plan);
    END LOOP;
    SELECT p INTO tl_plan FROM jsonb_array_elements(tl_run.plan) AS p WHERE (p -> 'itself')::boolean;
    IF FOUND THEN
        tl_id := (tl_plan -> 'table_id')::integer;
        tl_keys := threadline.subject_keys(tl_id, tl_run.record_key);
        IF NOT tl_keys <@ tl_run.record_keys THEN
            INSERT INTO threadline.erased_records (erasure_id, table_id, record_key)
            SELECT erasure, tl_id, k FROM unnest(tl_keys) AS k
            ON CONFLICT DO NOTHING;
            UPDATE threadline.erasures AS e SET record_keys = tl_keys, looked_through = -1, found_at = NULL WHERE e.id = erasure;
            UPDATE threadline.erased_records AS r SET done = false, owners = NULL, reached_id = -1 WHERE r.erasure_id = erasure;
            RETURN 1;
        END IF;
    END IF;
    tl_seen := threadline.erase_texts(tl_run, tl_limit);
    IF tl_seen > 0 THEN
        RETURN tl_seen;
    END IF;
    PERFORM threadline.erase_unposted(tl_run);
    UPDATE threadline.erasures AS e SET ended_at = clock_timestamp() WHERE e.id = erasure;
    RETURN 0;
END
$$;
REVOKE ALL ON FUNCTION threadline.erase(bigint, integer) FROM PUBLIC;
COMMENT ON FUNCTION threadline.erase(bigint, integer) IS
    'Continues an erasure, one batch a call; returns the number of changes it read, 0 when it is done';

-- Returns the first AuditTransaction that can have changes captured at an instant or later. One
-- is in use for an hour at most, or records for how long; the rest allows for a clock that was
-- set back.
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

-- Returns the last AuditTransaction that can have changes captured at an instant or earlier, with
-- allowance for a clock that was set back.
CREATE OR REPLACE FUNCTION threadline.last_transaction_by(instant timestamptz) RETURNS bigint
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(
        (SELECT id FROM threadline.audit_transactions
         WHERE opened_at <= instant + interval '1 hour' ORDER BY opened_at DESC LIMIT 1), 0);
END;

-- Returns up to when a standby has replayed everything that the primary did: the time of the last
-- message from the primary, if the standby has replayed up to its position; else the time of the
-- last transaction. Details of the connection that a role may not see are ignored.
CREATE OR REPLACE FUNCTION threadline.replayed_until() RETURNS timestamptz
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    RETURN greatest(
        pg_last_xact_replay_timestamp(),
        (SELECT r.last_msg_send_time FROM pg_stat_wal_receiver AS r WHERE r.latest_end_lsn <= pg_last_wal_replay_lsn()));
END
$$;

-- Returns the open transactions that wrote audited rows, or an action, and may have done so by an
-- instant: `since` and `application_name` where the role may see them. Open transactions that
-- began to write after others which began after the instant do not count: ids are assigned in the
-- order in which transactions first write.
--
-- An open transaction that wrote audited rows holds a lock on the journal; one that ended before
-- the locks were read is visible to later snapshots. So query this first and read then.
CREATE OR REPLACE FUNCTION threadline.open_writers(
    instant timestamptz,
    OUT pid integer, OUT since timestamptz, OUT application_name text
) RETURNS SETOF record
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    tl_later numeric;
BEGIN
    SELECT min(xact_id::text::numeric) INTO tl_later
    FROM (
        SELECT xact_id
        FROM threadline.audit_transactions
        WHERE opened_at > instant AND occurred_at > instant
        ORDER BY opened_at
        LIMIT 10
    ) AS opened;
    RETURN QUERY
    SELECT writes.pid, a.xact_start, nullif(a.application_name, '')
    FROM pg_locks AS writes
    LEFT JOIN pg_stat_activity AS a ON a.pid = writes.pid
    WHERE writes.locktype = 'relation' AND writes.mode = 'RowExclusiveLock'
      AND writes.relation = 'threadline.journal'::regclass
      -- A session that posts writes nothing else.
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
            AND tl_later <= threadline.full_xid(own.transactionid)::text::numeric)
    ORDER BY a.xact_start, writes.pid;
END
$$;
COMMENT ON FUNCTION threadline.open_writers(timestamptz) IS
    'The open transactions because of which the state at an instant is not final';

-- Returns why an instant is not final, for a message.
CREATE OR REPLACE FUNCTION threadline.why_not_final(instant timestamptz) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    IF instant > clock_timestamp() THEN
        RETURN 'the instant is still to come';
    ELSIF pg_is_in_recovery() THEN
        RETURN CASE WHEN threadline.replayed_until() >= instant
            THEN 'a transaction is still open on the primary'
            ELSE format('this standby knows what the primary did until %s', coalesce(threadline.replayed_until()::text, 'an unknown time')) END;
    END IF;
    RETURN coalesce(
        (SELECT 'a transaction that wrote audited rows by then is still open: '
             || string_agg(concat_ws(', ', 'pid ' || w.pid, 'since ' || w.since, w.application_name), '; ')
         FROM threadline.open_writers(instant) AS w),
        'a transaction that wrote audited rows by then was still open when this one began');
END
$$;

-- Returns whether every change captured up to an instant is visible: the state at an instant is
-- computed from committed changes, and a transaction that wrote before the instant may commit
-- after the query.
--
-- threadline.open_writers() returns the open transactions. On a standby, an instant is final when
-- everything that the primary did by then is replayed and no transaction was writing there.
CREATE OR REPLACE FUNCTION threadline.is_final(instant timestamptz) RETURNS boolean
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
        -- The primary's locks are not visible here, but whether any transaction writes is.
        RETURN NOT tl_old_snapshot
           AND pg_snapshot_xmin(pg_current_snapshot()) = pg_snapshot_xmax(pg_current_snapshot())
           AND coalesce(threadline.replayed_until() >= instant, false);
    ELSIF EXISTS (
        SELECT FROM threadline.open_writers(instant)
    ) THEN
        RETURN false;
    ELSIF NOT tl_old_snapshot THEN
        RETURN true;
    END IF;

    -- Changes of a transaction that was running in an old snapshot stay invisible after its
    -- commit. Transactions of other databases count too: they can no longer be distinguished.
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
        -- An id that is not assigned yet.
        WHEN invalid_parameter_value THEN
    END;
    RETURN true;
END
$$;
COMMENT ON FUNCTION threadline.is_final(timestamptz) IS
    'Whether the state at an instant is final: no transaction that wrote audited rows by then is still open';

-- Returns when the database transaction of an AuditTransaction captured its last change. A
-- transaction counts as of then, whole or not at all, under however many contexts it wrote: no
-- other session could see its earlier writes. Takes many transactions in one query, so that it
-- reads the raw journal and not its final form.
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

-- Returns the renames that apply to a table's images: both those noted by threadline.audit() and
-- those not yet noted. [{"at": ..., "names": {"former": "now"}}], oldest first, NULL if there are
-- none. Columns renamed at once are exchanged at once.
CREATE OR REPLACE FUNCTION threadline.renames_of(audited_table integer) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_relation oid;
BEGIN
    SELECT t.relation INTO tl_relation FROM threadline.audited_tables AS t WHERE t.id = audited_table;
    IF EXISTS (SELECT FROM threadline.unnoted_renames(audited_table, tl_relation))
       AND threadline.audited_table_of(tl_relation) IS DISTINCT FROM audited_table THEN
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

-- Returns an image captured at an instant, its columns under today's names.
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

-- Returns an image under the column names of an instant, given one under today's names: the
-- inverse of threadline.renamed_image().
CREATE OR REPLACE FUNCTION threadline.former_image(renames jsonb, image jsonb, instant timestamptz) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_batch jsonb;
    tl_image jsonb := image;
BEGIN
    IF renames IS NULL OR jsonb_typeof(image) IS DISTINCT FROM 'object' THEN
        RETURN image;
    END IF;
    FOR tl_batch IN SELECT b.value FROM jsonb_array_elements(renames) WITH ORDINALITY AS b (value, place) ORDER BY b.place DESC LOOP
        CONTINUE WHEN (tl_batch ->> 'at')::timestamptz <= instant;
        SELECT coalesce(jsonb_object_agg(coalesce(former.key, field.key), field.value ORDER BY former.key IS NOT NULL), '{}')
        INTO tl_image
        FROM jsonb_each(tl_image) AS field
        LEFT JOIN jsonb_each_text(tl_batch -> 'names') AS former ON former.value = field.key;
    END LOOP;
    RETURN tl_image;
END
$$;

-- Returns an image captured at an instant, its columns under today's names. For many images of
-- one table, query its renames once.
CREATE OR REPLACE FUNCTION threadline.current_names(audited_table integer, image jsonb, captured_at timestamptz) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
RETURN threadline.renamed_image(threadline.renames_of(audited_table), image, captured_at);

-- Returns today's name of a column that had another one at an instant; NULL if it was dropped,
-- and images of that time show another column under the name.
CREATE OR REPLACE FUNCTION threadline.renamed_column(renames jsonb, name text, named_at timestamptz) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_batch jsonb;
    tl_names jsonb;
BEGIN
    FOR tl_batch IN SELECT * FROM jsonb_array_elements(renames) LOOP
        CONTINUE WHEN (tl_batch ->> 'at')::timestamptz <= named_at;
        tl_names := tl_batch -> 'names';
        IF tl_names ? name THEN
            name := tl_names ->> name;
        ELSIF EXISTS (SELECT FROM jsonb_each_text(tl_names) AS taken WHERE taken.value = name) THEN
            name := NULL;
        END IF;
        EXIT WHEN name IS NULL;
    END LOOP;
    RETURN name;
END
$$;

-- Returns what must be known to read images of a table at other instants: the columns that a
-- command altered, under today's names, both those noted by threadline.audit() and those not yet
-- noted. NULL if there are none.
--
-- [{"name", "what", "at", "labels", "cuts"}], oldest first. A value that was recorded on one
-- side of an alteration that cuts does not hold on the other side.
CREATE OR REPLACE FUNCTION threadline.alterations_of(audited_table integer) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_relation oid;
    tl_renames jsonb;
    tl_alterations jsonb;
BEGIN
    SELECT t.relation INTO tl_relation FROM threadline.audited_tables AS t WHERE t.id = audited_table;
    IF (EXISTS (SELECT FROM threadline.unnoted_alterations(audited_table, tl_relation))
        OR EXISTS (SELECT FROM threadline.audited_tables AS t WHERE t.id = audited_table AND jsonb_path_exists(t.columns, '$[*].plain_since')))
       AND threadline.audited_table_of(tl_relation) IS DISTINCT FROM audited_table THEN
        tl_relation := NULL;
    END IF;
    SELECT jsonb_agg(to_jsonb(a)) INTO tl_alterations
    FROM (
        SELECT n.name, n.what, n.altered_at, n.noted_at, n.labels
        FROM threadline.altered_columns AS n
        WHERE n.table_id = audited_table
        UNION ALL
        SELECT u.name, u.what, coalesce(u.altered_at, 'infinity'), 'infinity', u.labels
        FROM threadline.unnoted_alterations(audited_table, tl_relation) AS u
        WHERE tl_relation IS NOT NULL
        UNION ALL
        -- A recorded value of a column that was redacted then is no value.
        SELECT a.attname, 'cleared', k.plain_since, 'infinity', NULL
        FROM threadline.audited_tables AS t
        CROSS JOIN jsonb_to_recordset(t.columns) AS k (number smallint, name text, plain_since timestamptz)
        JOIN pg_attribute AS a ON a.attrelid = t.relation AND a.attnum = k.number AND NOT a.attisdropped
        WHERE t.id = audited_table AND t.relation = tl_relation AND k.plain_since IS NOT NULL
    ) AS a;
    IF tl_alterations IS NULL THEN
        RETURN NULL;
    END IF;
    tl_renames := threadline.renames_of(audited_table);
    RETURN (
        WITH named AS (
            SELECT threadline.renamed_column(tl_renames, a.name, a.noted_at) AS name,
                   a.what, a.altered_at, a.labels
            FROM jsonb_to_recordset(tl_alterations) AS a (
                name text, what text, altered_at timestamptz, noted_at timestamptz, labels jsonb)
        )
        SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
                   'name', n.name, 'what', n.what, 'at', n.altered_at, 'labels', n.labels,
                   'cuts', n.what <> 'added' OR EXISTS (
                       SELECT FROM named AS d WHERE d.name = n.name AND d.what = 'dropped' AND d.altered_at <= n.altered_at)))
                   ORDER BY n.altered_at)
        FROM named AS n
        WHERE n.name IS NOT NULL
        HAVING bool_or(n.what <> 'added'));
END
$$;

-- Returns a value with today's labels, or names of attributes, in place of the former ones.
CREATE OR REPLACE FUNCTION threadline.relabel(value jsonb, labels jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    RETURN CASE jsonb_typeof(value)
        WHEN 'string' THEN coalesce(labels -> (value #>> '{}'), value)
        WHEN 'array' THEN (
            SELECT coalesce(jsonb_agg(threadline.relabel(e.value, labels) ORDER BY e.ordinality), '[]')
            FROM jsonb_array_elements(value) WITH ORDINALITY AS e)
        WHEN 'object' THEN (
            SELECT coalesce(jsonb_object_agg(coalesce(labels ->> m.key, m.key), m.value), '{}') FROM jsonb_each(value) AS m)
        ELSE value END;
END
$$;

-- Returns an image captured at an instant, its labels of enums and attributes of composite types
-- under their present names, which the table accepts today.
CREATE OR REPLACE FUNCTION threadline.relabelled_image(alterations jsonb, image jsonb, captured_at timestamptz) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_altered record;
BEGIN
    FOR tl_altered IN
        SELECT a.name, a.labels
        FROM ROWS FROM (jsonb_to_recordset(alterations) AS (name text, what text, "at" timestamptz, labels jsonb)) WITH ORDINALITY AS a (name, what, "at", labels, position)
        WHERE a.what = 'relabelled' AND a.at > captured_at AND image ? a.name
        ORDER BY a.position
    LOOP
        image := image || jsonb_build_object(tl_altered.name, threadline.relabel(image -> tl_altered.name, tl_altered.labels));
    END LOOP;
    RETURN image;
END
$$;

-- Returns the part of an image captured at one instant that holds at another: without the columns
-- that a command altered between the two.
CREATE OR REPLACE FUNCTION threadline.still_true(alterations jsonb, image jsonb, captured_at timestamptz, instant timestamptz) RETURNS jsonb
LANGUAGE sql STABLE
RETURN CASE
    WHEN alterations IS NULL OR pg_catalog.jsonb_typeof(image) <> 'object' THEN image
    ELSE image - ARRAY(
        SELECT a.name
        FROM pg_catalog.jsonb_to_recordset(alterations) AS a (name text, "at" timestamptz, cuts boolean)
        WHERE a.cuts AND CASE WHEN captured_at <= instant THEN a.at > captured_at AND a.at <= instant
                              ELSE a.at <= captured_at AND a.at > instant END)
END;

-- Merges images of a record, in the order of time or against it, with what each implies for the
-- next: for threadline.laid().
CREATE OR REPLACE FUNCTION threadline.lay_image(state jsonb, alterations jsonb, image jsonb, captured_at timestamptz) RETURNS jsonb
LANGUAGE sql STABLE
RETURN CASE
    WHEN pg_catalog.jsonb_typeof(image) IS DISTINCT FROM 'object' THEN state
    WHEN alterations IS NULL THEN pg_catalog.jsonb_build_object('image', coalesce(state -> 'image', '{}') || image)
    ELSE pg_catalog.jsonb_build_object('at', captured_at, 'image',
        coalesce(threadline.still_true(alterations, state -> 'image', (state ->> 'at')::timestamptz, captured_at), '{}') || image)
END;

CREATE OR REPLACE AGGREGATE threadline.lay(alterations jsonb, image jsonb, captured_at timestamptz) (
    SFUNC = threadline.lay_image,
    STYPE = jsonb
);

-- Returns the state of a record at an instant, from images merged with threadline.lay().
CREATE OR REPLACE FUNCTION threadline.laid(alterations jsonb, state jsonb, instant timestamptz) RETURNS jsonb
LANGUAGE sql STABLE
RETURN CASE
    WHEN alterations IS NULL THEN state -> 'image'
    ELSE threadline.still_true(alterations, state -> 'image', (state ->> 'at')::timestamptz, instant)
END;

-- Returns the columns that an image of an instant lacks because a command altered them and their
-- values of that time are not on record: only the converted values are.
CREATE OR REPLACE FUNCTION threadline.unrecorded(alterations jsonb, image jsonb, instant timestamptz) RETURNS text[]
LANGUAGE sql STABLE
RETURN CASE
    WHEN alterations IS NULL OR image IS NULL THEN '{}'
    ELSE ARRAY(
        SELECT a.name
        FROM pg_catalog.jsonb_to_recordset(alterations) AS a (name text, what text, "at" timestamptz, cuts boolean)
        WHERE NOT image ? a.name
        GROUP BY a.name
        HAVING pg_catalog.bool_or(a.cuts)
           -- Without columns that did not exist then.
           AND CASE (pg_catalog.array_agg(a.what ORDER BY a.at DESC) FILTER (WHERE a.what IN ('added', 'dropped') AND a.at <= instant))[1]
               WHEN 'added' THEN true
               WHEN 'dropped' THEN false
               ELSE (pg_catalog.array_agg(a.what ORDER BY a.at) FILTER (WHERE a.what IN ('added', 'dropped') AND a.at > instant))[1] IS DISTINCT FROM 'added' END
        ORDER BY a.name)
END;

-- Returns the columns of a table under today's names, and how each is shown. Fails closed like
-- redaction_now(): on a table with redaction a column is plain only if it can be traced to one
-- that the policy left plain, by number while the table keeps its OID, by name after a restore.
-- For a reader a keyed hash counts as a mask: it shows no value.
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

-- Returns which columns of a table's images as of an instant must not be shown, or are not known:
-- `hidden` columns are left out, `masks` have placeholders. A model's row gets `filled` and lacks
-- `unreadable`: a placeholder that is not a text would be taken for a value. An unmasked read
-- shows what was recorded of a column before it was masked; an excluded column may have changed
-- since without a record.
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
               -- The audit does not have its values from before it became plain.
               CASE WHEN policy.plain_since > instant THEN 'exclude' ELSE policy.column_policy END AS column_policy
        FROM threadline.column_policy(audited_table, target) AS policy
    ) AS c
    JOIN pg_type AS p ON p.oid = c.type;
    IF threadline.unmasked() THEN
        masks := '{}';
    END IF;
    -- Columns that were redacted when they were dropped.
    hidden := hidden || ARRAY(
        SELECT gone.name
        FROM threadline.audited_tables AS t
        CROSS JOIN unnest(t.masked_columns) AS gone (name)
        WHERE t.id = audited_table
          AND NOT EXISTS (SELECT FROM threadline.column_policy(audited_table, target) AS live WHERE live.name = gone.name));
END
$$;

-- Returns an image redacted by a result of redaction(). NULL stays NULL, and erased values stay
-- erased.
CREATE OR REPLACE FUNCTION threadline.redacted(image jsonb, hidden text[], masks jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN masks = '{}' THEN image - hidden
    ELSE (image - hidden) || coalesce((
        SELECT pg_catalog.jsonb_object_agg(mask.key, mask.value)
        FROM pg_catalog.jsonb_each(masks) AS mask
        WHERE image -> mask.key <> 'null' AND NOT threadline.is_erased(image -> mask.key)), '{}')
END;

-- Returns SQL for the image of a live row called row_name, redacted by the table's policy. Must
-- run with capture's settings.
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

-- Returns the image of the live row with a record key, redacted as in the audit; NULL if there is
-- none.
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

-- As threadline.is_final(), but waits briefly: an instant that is not final only because a short
-- transaction is open becomes final a moment later. Later reads have a later snapshot, which
-- contains everything that was final.
CREATE OR REPLACE FUNCTION threadline.await_final(instant timestamptz) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    FOR tl_wait IN 0..6 LOOP
        IF threadline.is_final(instant) THEN
            RETURN true;
        END IF;
        EXIT WHEN instant > clock_timestamp();
        PERFORM pg_sleep(0.002 * tl_wait * tl_wait);
    END LOOP;
    RETURN false;
END
$$;

-- Returns where rows of a table were removed without being recorded one by one: by a TRUNCATE
-- above the limit, or of rows that its snapshot did not see.
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

-- Returns whether rows of a table were removed after a change without being recorded one by one:
-- by a TRUNCATE above the limit, or of rows that its snapshot did not see.
CREATE OR REPLACE FUNCTION threadline.truncated_unseen(audited_table integer, after_change bigint) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT EXISTS (
        SELECT
        FROM threadline.blind_truncates(audited_table) AS c
        WHERE c.id > after_change);
END;

-- Returns the result of record_as_of() for an instant that is final and audited; runs in one
-- snapshot.
--
-- Built from what was recorded by then: the nearest whole image, with each update applied.
-- Columns that are not on record come from the present row, or its last state, going back.
CREATE OR REPLACE FUNCTION threadline.final_record(
    audited_table integer, target regclass, record_key text, instant timestamptz,
    OUT state text, OUT image jsonb, OUT transaction_id bigint, OUT change_id bigint, OUT unrecorded text[]
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    tl_changes threadline.audit_changes[];
    tl_counts bigint;
    tl_does_not_count bigint;
    tl_change threadline.audit_changes;
    tl_here threadline.audit_changes;
    tl_left threadline.audit_changes;
    tl_before threadline.audit_changes;
    tl_former threadline.audit_changes;
    tl_end threadline.audit_changes;
    tl_birth threadline.audit_changes;
    tl_cut bigint;
    tl_from bigint;
    tl_since timestamptz;
    tl_blind bigint;
    tl_is_whole boolean;
    tl_alterations jsonb;
    tl_renames jsonb;
    tl_forward jsonb;
    tl_backward jsonb;
    tl_undo jsonb;
    tl_unseen boolean;
    tl_is_partitioned boolean;
    tl_is_answer boolean;
    tl_redaction record;
BEGIN
    SELECT array_agg(ROW(c.*)::threadline.audit_changes ORDER BY c.id) INTO tl_changes
    FROM (
        SELECT * FROM threadline.record_changes(audited_table, final_record.record_key)
        UNION ALL
        SELECT * FROM threadline.kept_changes AS k WHERE k.table_id = audited_table AND k.record_key = final_record.record_key
    ) AS c;
    -- The last change under the key, and the last that took a record away from it, as of then. A
    -- transaction counts either before or after the instant, never on both sides.
    FOR tl_at IN REVERSE coalesce(cardinality(tl_changes), 0)..1 LOOP
        tl_change := tl_changes[tl_at];
        CONTINUE WHEN tl_change.captured_at > instant OR tl_change.transaction_id = tl_does_not_count;
        IF tl_change.transaction_id IS DISTINCT FROM tl_counts THEN
            IF threadline.last_captured(tl_change.transaction_id) > instant THEN
                tl_does_not_count := tl_change.transaction_id;
                CONTINUE;
            END IF;
            tl_counts := tl_change.transaction_id;
        END IF;
        IF tl_here.id IS NULL AND tl_change.record_key = final_record.record_key THEN
            tl_here := tl_change;
        END IF;
        IF tl_left.id IS NULL AND tl_change.previous_key = final_record.record_key THEN
            tl_left := tl_change;
        END IF;
        EXIT WHEN tl_here.id IS NOT NULL;
    END LOOP;
    tl_cut := greatest(tl_here.id, tl_left.id, 0);
    -- In a statement that shifts keys, the departing key is freed before the arriving one uses
    -- it.
    tl_before := CASE
        WHEN tl_left.id IS NULL OR tl_left.id < tl_here.id
            OR (tl_left.transaction_id, tl_left.statement) = (tl_here.transaction_id, tl_here.statement)
        THEN tl_here ELSE tl_left END;
    transaction_id := tl_before.transaction_id;
    change_id := tl_before.id;
    IF tl_before.op IN ('D', 'T') THEN
        state := 'deleted';
        RETURN;
    ELSIF tl_before.previous_key = final_record.record_key THEN
        state := 'moved';
        RETURN;
    END IF;

    SELECT coalesce(max(c.id), 0) INTO tl_blind
    FROM threadline.blind_truncates(audited_table) AS c
    WHERE c.captured_at <= instant AND threadline.last_captured(c.transaction_id) <= instant;
    tl_unseen := threadline.truncated_unseen(audited_table, tl_blind);
    SELECT greatest(t.audited_since, t.chained_since) INTO tl_since FROM threadline.audited_tables AS t WHERE t.id = audited_table;
    tl_renames := threadline.renames_of(audited_table);
    tl_alterations := threadline.alterations_of(audited_table);

    -- The changes by which the record that had the key then began, and the one before it ended.
    FOR tl_at IN REVERSE coalesce(cardinality(tl_changes), 0)..1 LOOP
        tl_change := tl_changes[tl_at];
        CONTINUE WHEN tl_change.id > tl_before.id IS NOT FALSE;
        EXIT WHEN tl_change.captured_at < tl_since OR tl_change.id <= tl_blind
            OR tl_former.id IS NOT NULL AND (tl_former.transaction_id, tl_former.statement) IS DISTINCT FROM (tl_change.transaction_id, tl_change.statement);
        IF tl_change.record_key = final_record.record_key AND (tl_change.op = 'I' OR tl_change.previous_key IS NOT NULL) THEN
            tl_from := tl_change.id;
            tl_is_whole := jsonb_typeof(tl_change.row_data) = 'object';
            EXIT;
        ELSIF tl_change.previous_key = final_record.record_key THEN
            -- It freed the key for the record that took it in the same statement.
            EXIT WHEN tl_change.statement IS NULL;
            tl_former := tl_change;
            CONTINUE;
        END IF;
        EXIT WHEN tl_change.op IN ('D', 'T');
        tl_from := tl_change.id;
    END LOOP;
    SELECT threadline.laid(tl_alterations, threadline.lay(
               tl_alterations,
               threadline.renamed_image(tl_renames,
                   threadline.image_left(c.op, c.previous_key, c.row_data, c.changed_to), c.captured_at),
               c.captured_at ORDER BY c.id), instant)
    INTO tl_forward
    FROM unnest(tl_changes) AS c
    WHERE c.record_key = final_record.record_key AND c.id BETWEEN tl_from AND tl_cut;

    -- The changes recorded by then give the whole row.
    tl_is_partitioned := EXISTS (SELECT FROM pg_class AS c WHERE c.oid = target AND c.relkind = 'p');
    SELECT tl_is_whole AND NOT tl_is_partitioned AND NOT t.policy ? 'ignore'
           AND tl_forward ?& ARRAY(SELECT p.name FROM threadline.column_policy(audited_table, target) AS p WHERE p.column_policy <> 'exclude')
    INTO tl_is_answer
    FROM threadline.audited_tables AS t
    WHERE t.id = audited_table;

    -- The changes by which the record that had the key then ended, and another began.
    SELECT * INTO tl_end
    FROM unnest(tl_changes) AS c
    WHERE c.id > tl_cut
      AND (c.record_key = final_record.record_key AND c.op IN ('D', 'T') OR c.previous_key = final_record.record_key)
    ORDER BY c.id
    LIMIT 1;
    SELECT * INTO tl_birth
    FROM unnest(tl_changes) AS c
    WHERE c.id > tl_cut AND c.record_key = final_record.record_key AND (c.op = 'I' OR c.previous_key IS NOT NULL)
    ORDER BY c.id
    LIMIT 1;
    IF tl_birth.id IS NULL OR tl_end.id < tl_birth.id
        OR (tl_end.transaction_id, tl_end.statement) = (tl_birth.transaction_id, tl_birth.statement)
    THEN
        SELECT threadline.lay(
                   tl_alterations, threadline.renamed_image(tl_renames, c.changed_from, c.captured_at), c.captured_at ORDER BY c.id DESC)
        INTO tl_undo
        FROM unnest(tl_changes) AS c
        WHERE c.record_key = final_record.record_key
          AND c.id > tl_cut AND c.id < least(tl_end.id, tl_birth.id, 9223372036854775807)
          AND c.op = 'U' AND c.previous_key IS NULL;
        tl_backward := CASE
            WHEN tl_is_answer THEN '{}'
            WHEN tl_end.id IS NULL THEN threadline.still_true(
                tl_alterations, threadline.live_image(audited_table, target, final_record.record_key), 'infinity', instant)
            ELSE threadline.still_true(
                tl_alterations, threadline.renamed_image(tl_renames, tl_end.row_data, tl_end.captured_at), tl_end.captured_at, instant)
            END || coalesce(threadline.laid(tl_alterations, tl_undo, instant), '{}');
    ELSIF tl_is_whole IS NOT TRUE THEN
        state := CASE WHEN tl_before.id IS NULL AND NOT tl_unseen THEN 'never' ELSE 'incomplete' END;
        RETURN;
    END IF;
    -- The rows of a detached partition exist until it left.
    IF tl_backward IS NULL AND (tl_is_whole IS NOT TRUE
        OR tl_is_partitioned
           AND NOT threadline.left_with_partition(audited_table, target, tl_forward, instant))
    THEN
        state := CASE WHEN tl_before.id IS NULL AND tl_undo IS NULL AND NOT tl_unseen THEN 'never' ELSE 'incomplete' END;
        RETURN;
    END IF;

    -- Changes of only ignored columns are not recorded: the present value is nearer.
    image := coalesce(tl_forward || tl_backward || (tl_forward - ARRAY(
        SELECT jsonb_array_elements_text(t.policy -> 'ignore') FROM threadline.audited_tables AS t WHERE t.id = audited_table)), tl_backward, tl_forward);
    SELECT * INTO tl_redaction FROM threadline.redaction(audited_table, target, instant);
    unrecorded := ARRAY(
        SELECT name FROM unnest(threadline.unrecorded(tl_alterations, image, instant)) AS name WHERE name <> ALL (tl_redaction.columns));
    image := threadline.redacted(image, tl_redaction.hidden, tl_redaction.masks);
    state := 'there';
END
$$;

-- Returns one record as it was at an instant: from the changes recorded by then and, where these
-- do not give the whole row, from its present or last state with every later change undone.
--
--   SELECT * FROM threadline.record_as_of('members', '42', '2026-11-23 09:00');
--
-- state: there; or why not: not_final, unaudited (before the audit began), purged (before the
-- retained period), never (no record of this key by then), deleted, moved (to another key),
-- incomplete (something was written bypassing the triggers). The change is the last one of
-- the key by then. Columns that are `unrecorded` are not in the image: a command (ALTER
-- TABLE ... TYPE, a label of an enum) altered their values since, and their values of that
-- time are not on record.
CREATE OR REPLACE FUNCTION threadline.record_as_of(
    target regclass, record_key text, instant timestamptz,
    OUT state text, OUT image jsonb, OUT transaction_id bigint, OUT change_id bigint, OUT unrecorded text[]
)
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_id integer := threadline.audited_table_of(target);
    tl_table threadline.audited_tables;
BEGIN
    SELECT * INTO tl_table FROM threadline.audited_tables AS t WHERE t.id = tl_id;
    IF tl_table.id IS NULL THEN
        RAISE EXCEPTION 'threadline: table % is not audited', target;
    ELSIF tl_table.key_columns = '{}' THEN
        RAISE EXCEPTION 'threadline: table % has no primary key, so the row of a change is unknown; add one, and call SELECT threadline.refresh(''%'')',
            target, target;
    ELSIF tl_table.policy ?| '{operations,condition}' THEN
        -- The policy did not record all changes.
        state := 'incomplete';
    ELSIF NOT threadline.await_final(instant) THEN
        state := 'not_final';
    ELSIF instant < tl_table.audited_since THEN
        state := 'unaudited';
    ELSIF instant < tl_table.kept_since THEN
        state := 'purged';
    ELSE
        SELECT r.state, r.image, r.transaction_id, r.change_id, r.unrecorded
        INTO state, image, transaction_id, change_id, unrecorded
        FROM threadline.final_record(tl_table.id, target, record_as_of.record_key, instant) AS r;
    END IF;
END
$$;
COMMENT ON FUNCTION threadline.record_as_of(regclass, text, timestamptz) IS
    'A record as it was at an instant, or the reason why it is not available';

-- Returns every row of a table as it was at an instant, including rows that were deleted since.
-- See threadline.record_as_of() for how each is computed.
--
--   SELECT * FROM threadline.rows_as_of('members', '2026-11-23 09:00');
CREATE OR REPLACE FUNCTION threadline.rows_as_of(
    target regclass, instant timestamptz,
    OUT record_key text, OUT key jsonb, OUT image jsonb, OUT unrecorded text[]
) RETURNS SETOF record
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET bytea_output = 'hex'
SET extra_float_digits = 1
SET array_nulls = on
SET jit = off
AS $rows_as_of$
DECLARE
    tl_id integer := threadline.audited_table_of(target);
    tl_table threadline.audited_tables;
    tl_renames jsonb;
    tl_alterations jsonb;
    tl_blind bigint;
    tl_redaction record;
    tl_image text := '%s';
    tl_first bigint;
    tl_is_plain boolean;
    tl_is_partitioned boolean := EXISTS (SELECT FROM pg_class AS c WHERE c.oid = target AND c.relkind = 'p');
    tl_columns text[];
    tl_work_mem text := current_setting('work_mem');
BEGIN
    SELECT * INTO tl_table FROM threadline.audited_tables AS t WHERE t.id = tl_id;
    IF tl_table.id IS NULL THEN
        RAISE EXCEPTION USING
            CONSTRAINT = 'threadline_not_audited',
            MESSAGE = format('threadline: table %s is not audited', target);
    ELSIF tl_table.key_columns = '{}' THEN
        RAISE EXCEPTION 'threadline: table % has no primary key, so the row of a change is unknown; add one, and call SELECT threadline.refresh(''%'')',
            target, target;
    ELSIF tl_table.policy ?| '{operations,condition}' THEN
        RAISE EXCEPTION USING
            CONSTRAINT = 'threadline_incomplete',
            MESSAGE = format('threadline: the state of %s is unknown: by its policy, not every change is recorded', target);
    ELSIF NOT threadline.await_final(instant) THEN
        RAISE EXCEPTION USING
            CONSTRAINT = 'threadline_not_final',
            MESSAGE = format('threadline: what %s was at %s is not final yet: %s', target, instant, threadline.why_not_final(instant)),
            DETAIL = coalesce((SELECT jsonb_agg(to_jsonb(w)) FROM threadline.open_writers(instant) AS w WHERE NOT pg_is_in_recovery()), '[]'),
            HINT = 'Query again later, or an earlier instant.';
    ELSIF instant < tl_table.audited_since THEN
        RAISE EXCEPTION USING
            CONSTRAINT = 'threadline_unaudited',
            MESSAGE = format('threadline: table %s is audited since %s only', target, tl_table.audited_since),
            DETAIL = tl_table.audited_since;
    ELSIF instant < tl_table.kept_since THEN
        RAISE EXCEPTION USING
            CONSTRAINT = 'threadline_purged',
            MESSAGE = format('threadline: changes of %s are kept since %s only', target, tl_table.kept_since),
            DETAIL = tl_table.kept_since;
    END IF;
    SELECT coalesce(max(c.id), 0) INTO tl_blind
    FROM threadline.blind_truncates(tl_table.id) AS c
    WHERE c.captured_at <= instant AND threadline.last_captured(c.transaction_id) <= instant;
    IF threadline.truncated_unseen(tl_table.id, tl_blind) THEN
        RAISE EXCEPTION USING
            CONSTRAINT = 'threadline_incomplete',
            MESSAGE = format('threadline: rows of %s were removed since %s by a TRUNCATE that recorded only their number', target, instant),
            HINT = 'Query a later instant, or single records that exist again.';
    END IF;
    tl_renames := threadline.renames_of(tl_table.id);
    tl_alterations := threadline.alterations_of(tl_table.id);
    IF tl_renames IS NOT NULL THEN
        tl_image := 'threadline.renamed_image($6, %s, e.captured_at)';
    END IF;
    -- Where a command altered or renamed columns, each image is converted accordingly.
    tl_is_plain := tl_renames IS NULL AND tl_alterations IS NULL;
    tl_columns := ARRAY(SELECT p.name FROM threadline.column_policy(tl_table.id, target) AS p WHERE p.column_policy <> 'exclude');
    SELECT * INTO tl_redaction FROM threadline.redaction(tl_table.id, target, instant);
    -- A transaction's writes by then count as of its last change, which may have come much later,
    -- under another context.
    tl_first := threadline.first_transaction_since(instant);
    SELECT least(tl_first, min(part.id)) INTO tl_first
    FROM threadline.audit_transactions AS x
    JOIN threadline.audit_transactions AS part USING (xact_id, occurred_at)
    WHERE x.id >= tl_first AND occurred_at <= instant;

    -- With the 4 MB that many servers have, sorting a long history takes twice as long.
    IF pg_size_bytes(tl_work_mem) < pg_size_bytes('32MB') THEN
        PERFORM set_config('work_mem', '32MB', true);
    END IF;
    RETURN QUERY EXECUTE threadline.filled(
        $query$
        WITH later_transaction AS MATERIALIZED (
            -- A transaction counts either before or after the instant, never on both sides.
            SELECT x.id
            FROM threadline.audit_transactions AS x
            WHERE x.id >= $3 AND x.opened_at <= $2 AND threadline.last_captured(x.id) > $2
        ), later AS NOT MATERIALIZED (
            SELECT c.*
            FROM threadline.audit_changes AS c
            WHERE c.table_id = $1
              AND c.transaction_id >= $3
              AND (c.captured_at > $2 OR c.transaction_id IN (SELECT id FROM later_transaction))
        ), earlier AS NOT MATERIALIZED (
            SELECT c.*
            FROM threadline.audit_changes AS c
            WHERE c.table_id = $1 AND c.captured_at >= $9 AND c.captured_at <= $2 AND c.id > $10
              AND (c.transaction_id < $3 OR c.transaction_id NOT IN (SELECT id FROM later_transaction))
            UNION ALL
            SELECT k.* FROM threadline.kept_changes AS k WHERE k.table_id = $1 AND k.captured_at >= $9 AND k.id > $10
        ), shifted AS MATERIALIZED (
            SELECT unnest(ARRAY[c.record_key, c.previous_key]) AS shifted_key
            FROM threadline.audit_changes AS c
            WHERE c.table_id = $1 AND c.previous_key IS NOT NULL
            UNION
            SELECT k.record_key
            FROM threadline.kept_changes AS k
            WHERE k.table_id = $1 AND k.statement IS NOT NULL
        ), replayed AS MATERIALIZED (
            -- Most records: inserted at most once, with one key, deleted at most once.
            SELECT r.replayed_key, r.is_whole, r.had_ended, r.redo,
                   -- The changes recorded by then give the whole row.
                   r.is_straight AND s.shifted_key IS NULL AND r.is_whole AND {answers alone} AND r.redo ?& $14 AS is_answer,
                   r.is_straight AND s.shifted_key IS NULL AS is_straight
            FROM (
                SELECT g.replayed_key, g.born IS NOT NULL AS is_whole, g.had_ended, g.is_straight,
                       coalesce(g.born || g.updated, g.updated) AS redo
                FROM (
                    SELECT e.record_key AS replayed_key,
                           (array_agg(e.leaves) FILTER (WHERE e.op = 'I' AND e.leaves IS NOT NULL))[1] AS born,
                           threadline.jsonb_merge(e.leaves) FILTER (WHERE e.op = 'U') AS updated,
                           coalesce(max(e.id) FILTER (WHERE e.op IN ('D', 'T')) = max(e.id), false) AS had_ended,
                           count(*) FILTER (WHERE e.op IN ('D', 'T')) <= 1
                               AND coalesce(max(e.id) FILTER (WHERE e.op IN ('D', 'T')) = max(e.id), true)
                               AND count(*) FILTER (WHERE e.op = 'I') <= 1
                               AND coalesce(min(e.id) FILTER (WHERE e.op = 'I') = min(e.id), true) AS is_straight
                    FROM (
                        SELECT c.record_key, c.id, c.op, CASE WHEN jsonb_typeof(step.leaves) = 'object' THEN step.leaves END AS leaves
                        FROM earlier AS c
                        CROSS JOIN LATERAL (SELECT CASE c.op WHEN 'I' THEN c.row_data WHEN 'U' THEN c.changed_to END) AS step (leaves)
                        WHERE c.record_key IS NOT NULL AND {plain}
                        ORDER BY c.record_key, c.id
                    ) AS e
                    GROUP BY e.record_key
                ) AS g
                OFFSET 0
            ) AS r
            LEFT JOIN shifted AS s ON s.shifted_key = r.replayed_key
        ), undone AS MATERIALIZED (
            SELECT u.undone_key, u.undo, u.last_image, u.ended, u.existed, u.is_straight AND s.shifted_key IS NULL AS is_straight
            FROM (
                SELECT e.record_key AS undone_key,
                       threadline.jsonb_merge(e.undo) AS undo,
                       (array_agg(e.last_image) FILTER (WHERE e.op IN ('D', 'T')))[1] AS last_image,
                       min(e.id) FILTER (WHERE e.op IN ('D', 'T')) AS ended,
                       count(*) FILTER (WHERE e.op = 'I') = 0 AS existed,
                       coalesce(min(e.id) FILTER (WHERE e.op = 'I') = min(e.id), false)
                           OR count(*) FILTER (WHERE e.op = 'I') = 0
                           AND count(*) FILTER (WHERE e.op IN ('D', 'T')) <= 1
                           AND coalesce(max(e.id) FILTER (WHERE e.op IN ('D', 'T')) = max(e.id), true) AS is_straight
                FROM (
                    SELECT c.record_key, c.id, c.op,
                           CASE WHEN c.op IN ('D', 'T') THEN c.row_data END AS last_image,
                           CASE WHEN c.op = 'U' AND jsonb_typeof(c.changed_from) = 'object' THEN c.changed_from END AS undo
                    FROM later AS c
                    WHERE c.record_key IS NOT NULL AND {plain}
                      AND NOT EXISTS (SELECT FROM replayed AS r WHERE r.replayed_key = c.record_key AND r.is_answer)
                    ORDER BY c.record_key, c.id DESC
                ) AS e
                GROUP BY e.record_key
            ) AS u
            LEFT JOIN shifted AS s ON s.shifted_key = u.undone_key
        ), winding AS MATERIALIZED (
            SELECT s.shifted_key AS winding_key FROM shifted AS s
            UNION
            SELECT r.replayed_key FROM replayed AS r WHERE NOT r.is_straight
            UNION
            SELECT u.undone_key FROM undone AS u WHERE NOT u.is_straight
        ), event AS (
            SELECT l.record_key AS event_key, l.id, l.transaction_id, l.statement, l.captured_at, l.row_data, l.changed_from,
                   CASE WHEN l.op IN ('D', 'T') THEN 'end'
                        WHEN l.op = 'I' OR l.previous_key IS NOT NULL THEN 'birth'
                        ELSE 'update' END AS kind
            FROM later AS l
            WHERE l.record_key IS NOT NULL AND {winding: l.record_key}
            UNION ALL
            SELECT l.previous_key, l.id, l.transaction_id, l.statement, l.captured_at, l.row_data, NULL, 'end'
            FROM later AS l
            WHERE l.previous_key IS NOT NULL AND {winding: l.previous_key}
        ), ends AS (
            SELECT DISTINCT ON (event_key) * FROM event WHERE kind = 'end' ORDER BY event_key, id
        ), births AS (
            SELECT DISTINCT ON (event_key) * FROM event WHERE kind = 'birth' ORDER BY event_key, id
        ), touched AS (
            SELECT e.event_key,
                   {undo} AS undo,
                   (array_agg({last image}) FILTER (WHERE e.id = ends.id AND e.kind = 'end'))[1] AS last_image,
                   min(ends.id) AS ended,
                   -- In a statement that shifts keys, the departing key is freed before the
                   -- arriving one uses it.
                   bool_or(births.id IS NULL OR ends.id < births.id
                           OR (ends.transaction_id, ends.statement) = (births.transaction_id, births.statement)) AS existed
            FROM event AS e
            LEFT JOIN ends USING (event_key)
            LEFT JOIN births USING (event_key)
            GROUP BY e.event_key
        ), moved AS MATERIALIZED (
            SELECT * FROM earlier AS e WHERE e.previous_key IS NOT NULL
        ), grouped AS MATERIALIZED (
            -- One statement moved these keys at the same moment.
            SELECT m.transaction_id, m.statement, min(m.id) AS position FROM moved AS m GROUP BY m.transaction_id, m.statement
        ), placed AS (
            SELECT e.record_key AS event_key, e.id, e.captured_at, coalesce(g.position, e.id) AS position,
                   CASE WHEN e.op IN ('D', 'T') THEN 0 ELSE 1 END AS turn,
                   CASE WHEN e.op IN ('D', 'T') THEN 'end'
                        WHEN e.op = 'I' OR e.previous_key IS NOT NULL THEN 'birth'
                        ELSE 'update' END AS kind,
                   threadline.image_left(e.op, e.previous_key, e.row_data, e.changed_to) AS leaves
            FROM earlier AS e
            LEFT JOIN grouped AS g ON g.transaction_id = e.transaction_id AND g.statement = e.statement
            WHERE e.record_key IS NOT NULL AND {winding: e.record_key}
            UNION ALL
            SELECT m.previous_key, m.id, m.captured_at, coalesce(g.position, m.id), 0, 'end', NULL
            FROM moved AS m
            LEFT JOIN grouped AS g ON g.transaction_id = m.transaction_id AND g.statement = m.statement
        ), counted AS (
            SELECT p.*,
                   count(*) FILTER (WHERE p.kind = 'end') OVER back AS ends_since,
                   count(*) FILTER (WHERE p.kind = 'birth') OVER (back ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS births_since
            FROM placed AS p
            WINDOW back AS (PARTITION BY p.event_key ORDER BY p.position DESC, p.turn DESC, p.id DESC)
        ), before AS (
            SELECT e.event_key,
                   bool_and(e.ends_since > 0) AS had_ended,
                   coalesce(bool_or(e.kind = 'birth' AND jsonb_typeof(e.leaves) = 'object') FILTER (WHERE e.ends_since = 0), false) AS is_whole,
                   {redo} AS redo
            FROM counted AS e
            GROUP BY e.event_key
        ), live AS (
            SELECT {live key} COLLATE "C" AS live_key, {live image} AS live_image
            FROM {rows} AS tl_live
            WHERE NOT EXISTS (SELECT FROM replayed AS r WHERE r.replayed_key = {live key} COLLATE "C" AND r.is_answer)
        ), known AS (
            SELECT coalesce(u.undone_key, r.replayed_key) AS known_key, u.undo, u.last_image, u.ended, u.existed, u.undone_key IS NOT NULL AS is_touched,
                   r.had_ended, r.is_whole, r.redo
            FROM undone AS u
            FULL JOIN (SELECT * FROM replayed AS r WHERE NOT r.is_answer) AS r ON r.replayed_key = u.undone_key
            WHERE u.is_straight IS NOT FALSE AND r.is_straight IS NOT FALSE
            UNION ALL
            SELECT coalesce(t.event_key, b.event_key), t.undo, t.last_image, t.ended, t.existed, t.event_key IS NOT NULL,
                   b.had_ended, b.is_whole, b.redo
            FROM touched AS t
            FULL JOIN before AS b USING (event_key)
        ), past AS (
            SELECT r.replayed_key AS past_key, false AS untouched, r.redo AS past_image
            FROM replayed AS r
            WHERE r.is_answer AND NOT r.had_ended
            UNION ALL
            SELECT coalesce(k.known_key, live_key), k.known_key IS NULL, (
                       SELECT CASE WHEN b.backward IS NULL THEN CASE WHEN k.is_whole AND {there} THEN k.redo END ELSE {image of both} END
                       FROM (
                           SELECT CASE WHEN k.is_touched AND k.existed IS NOT TRUE THEN NULL
                                       WHEN k.ended IS NULL THEN {still live} ELSE k.last_image END || coalesce(k.undo, '{}') AS backward
                           OFFSET 0
                       ) AS b)
            FROM live
            FULL JOIN known AS k ON k.known_key = live_key
            WHERE k.had_ended IS NOT TRUE
            OFFSET 0
        )
        SELECT past_key, {key}, {image}, {unrecorded}
        FROM past
        WHERE past_image IS NOT NULL
        $query$, jsonb_build_object(
            'plain', tl_is_plain::text,
            'winding: l.record_key', CASE WHEN tl_is_plain THEN 'l.record_key IN (SELECT w.winding_key FROM winding AS w)' ELSE 'true' END,
            'winding: l.previous_key', CASE WHEN tl_is_plain THEN 'l.previous_key IN (SELECT w.winding_key FROM winding AS w)' ELSE 'true' END,
            'winding: e.record_key', CASE WHEN tl_is_plain THEN 'e.record_key IN (SELECT w.winding_key FROM winding AS w)' ELSE 'true' END,
            'answers alone', (NOT tl_table.policy ? 'ignore' AND NOT tl_is_partitioned)::text,
            'undo', CASE WHEN tl_alterations IS NULL
                THEN format('threadline.jsonb_merge(%s ORDER BY e.id DESC) FILTER (WHERE e.kind = ''update'' AND e.id < least(ends.id, births.id, 9223372036854775807) AND jsonb_typeof(e.changed_from) = ''object'')',
                    format(tl_image, 'e.changed_from'))
                ELSE format('threadline.laid($11, threadline.lay($11, %s, e.captured_at ORDER BY e.id DESC) FILTER (WHERE e.kind = ''update'' AND e.id < least(ends.id, births.id, 9223372036854775807)), $2)',
                    format(tl_image, 'e.changed_from')) END,
            'redo', CASE WHEN tl_alterations IS NULL
                THEN format('threadline.jsonb_merge(%s ORDER BY e.position, e.turn, e.id) FILTER (WHERE e.ends_since = 0 AND e.births_since = 0 AND jsonb_typeof(e.leaves) = ''object'')',
                    format(tl_image, 'e.leaves'))
                ELSE format('threadline.laid($11, threadline.lay($11, %s, e.captured_at ORDER BY e.position, e.turn, e.id) FILTER (WHERE e.ends_since = 0 AND e.births_since = 0), $2)',
                    format(tl_image, 'e.leaves')) END,
            'last image', format(CASE WHEN tl_alterations IS NULL THEN '%s' ELSE 'threadline.still_true($11, %s, e.captured_at, $2)' END,
                format(tl_image, 'e.row_data')),
            'live key', threadline.key_expression(tl_table.id, 'tl_live'),
            'live image', threadline.live_expression(tl_table.id, target, 'tl_live'),
            'rows', threadline.own_rows(target),
            'still live', CASE WHEN tl_alterations IS NULL THEN 'live_image' ELSE 'threadline.still_true($11, live_image, ''infinity'', $2)' END,
            -- Changes of only ignored columns are not recorded: the present value is nearer.
            'image of both', CASE WHEN tl_table.policy ? 'ignore'
                THEN format('coalesce(k.redo || b.backward || (k.redo - %L::text[]), b.backward)', ARRAY(SELECT jsonb_array_elements_text(tl_table.policy -> 'ignore')))
                ELSE 'coalesce(b.backward || k.redo, b.backward)' END,
            'key', CASE WHEN tl_is_plain AND cardinality(tl_table.key_columns) = 1 AND tl_table.key_types[1] IN ('smallint', 'integer', 'bigint')
                THEN format('jsonb_build_object(%L, past_key::bigint)', tl_table.key_columns[1])
                ELSE 'threadline.key_json($4, $5, past_key)' END,
            'image', CASE WHEN (tl_redaction.hidden, tl_redaction.masks) = ('{}'::text[], '{}'::jsonb) THEN 'past_image'
                          ELSE 'CASE WHEN untouched THEN past_image - $7 ELSE threadline.redacted(past_image, $7, $8) END' END,
            -- The rows of a detached partition exist until it left.
            'there', CASE WHEN tl_is_partitioned
                          THEN 'threadline.left_with_partition($1, $13, k.redo, $2)' ELSE 'true' END,
            'unrecorded', CASE WHEN tl_alterations IS NULL THEN '''{}''::text[]'
                               ELSE 'ARRAY(SELECT u FROM unnest(threadline.unrecorded($11, past_image, $2)) AS u WHERE u <> ALL ($12))' END))
    USING tl_table.id, instant, tl_first, tl_table.key_columns, tl_table.key_types,
          tl_renames, tl_redaction.hidden, tl_redaction.masks, greatest(tl_table.audited_since, tl_table.chained_since), tl_blind,
          tl_alterations, tl_redaction.columns, target, tl_columns;
    PERFORM set_config('work_mem', tl_work_mem, true);
END
$rows_as_of$;
COMMENT ON FUNCTION threadline.rows_as_of(regclass, timestamptz) IS
    'Every row of an audited table as it was at an instant';

-- Returns the table that is audited under an id, wherever it is now; NULL if none is.
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

-- Returns SQL for the name that a column of a table had when a change was captured.
CREATE OR REPLACE FUNCTION threadline.name_then(renames jsonb, name text, row_name text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_batch jsonb;
    tl_former text;
    tl_sql text := quote_literal(name);
    tl_name text := name;
BEGIN
    FOR tl_batch IN
        SELECT b.value FROM jsonb_array_elements(renames) WITH ORDINALITY AS b (value, place) ORDER BY b.place DESC
    LOOP
        SELECT n.key INTO tl_former FROM jsonb_each_text(tl_batch -> 'names') AS n WHERE n.value = tl_name;
        IF NOT FOUND THEN
            -- Another column had the name.
            CONTINUE WHEN NOT tl_batch -> 'names' ? tl_name;
            tl_former := NULL;
        END IF;
        tl_name := tl_former;
        tl_sql := format('CASE WHEN %I.captured_at < %L::timestamptz THEN %s ELSE %s END', row_name, tl_batch ->> 'at', coalesce(quote_literal(tl_name), 'NULL::text'), tl_sql);
        EXIT WHEN tl_name IS NULL;
    END LOOP;
    RETURN tl_sql;
END
$$;

-- Returns the values of one column in record keys of a given number of columns.
CREATE OR REPLACE FUNCTION threadline.key_parts(record_keys text[], columns integer, place integer) RETURNS text[]
LANGUAGE sql IMMUTABLE
RETURN ARRAY(
    SELECT DISTINCT CASE columns WHEN 1 THEN k.record_key ELSE threadline.json_array_or_null(k.record_key) ->> (place - 1) END
    FROM pg_catalog.unnest(record_keys) AS k (record_key));

-- Returns the type in which values of a referring column and of a key column have equal texts
-- exactly if they are equal; NULL if they must be brought into the form of a key first. If a key
-- was too long for the index, only a digest of it is known.
CREATE OR REPLACE FUNCTION threadline.compared_as(referring regtype, key_type text, key_values text[]) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
RETURN CASE
    WHEN key_type IN ('smallint', 'integer', 'bigint') AND threadline.base_type(referring)::regtype::text IN ('smallint', 'integer', 'bigint')
        THEN 'bigint'
    WHEN key_type = 'uuid' AND threadline.base_type(referring) = 'uuid'::regtype THEN 'uuid'
    WHEN key_type IN ('text', 'character varying') AND threadline.base_type(referring)::regtype::text IN ('text', 'character varying')
         AND array_to_string(key_values, ' ') !~ '[.]{3} sha256:[0-9a-f]{64}' THEN 'text'
END;

-- Returns the columns of a table by which rows can refer to others: the present ones, and
-- recorded ones that were dropped. Shows how each is recorded, and since when.
CREATE OR REPLACE FUNCTION threadline.referring_columns(
    audited_table integer, target regclass,
    OUT name text, OUT type regtype, OUT column_policy text, OUT plain_since timestamptz
) RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT c.name, c.type,
           CASE WHEN t.policy -> 'ignore' ? c.name THEN 'ignore'
                WHEN c.column_policy = 'mask' THEN coalesce(
                    (SELECT k.column_policy FROM jsonb_to_recordset(t.columns) AS k (name text, column_policy text) WHERE k.name = c.name AND k.column_policy = 'hash'), 'mask')
                ELSE c.column_policy END,
           c.plain_since
    FROM threadline.audited_tables AS t
    CROSS JOIN LATERAL threadline.column_policy(t.id, target) AS c
    WHERE t.id = audited_table AND target IS NOT NULL
    UNION ALL
    SELECT k.name, to_regtype(k.type),
           CASE WHEN t.policy -> 'ignore' ? k.name THEN 'ignore'
                WHEN k.name = ANY (t.masked_columns) AND k.column_policy = 'plain' THEN 'mask'
                ELSE k.column_policy END,
           k.plain_since
    FROM threadline.audited_tables AS t
    CROSS JOIN LATERAL jsonb_to_recordset(t.columns) AS k (name text, type text, column_policy text, plain_since timestamptz)
    WHERE t.id = audited_table AND target IS NULL
    UNION ALL
    SELECT DISTINCT a.name, NULL::regtype, CASE WHEN a.name = ANY (t.masked_columns) THEN 'mask' ELSE 'plain' END, NULL::timestamptz
    FROM threadline.altered_columns AS a
    JOIN threadline.audited_tables AS t ON t.id = a.table_id
    WHERE a.table_id = audited_table AND a.what = 'dropped'
      AND NOT EXISTS (SELECT FROM jsonb_to_recordset(t.columns) AS k (name text) WHERE k.name = a.name);
END;

-- Returns today's name of the column that last had this name; NULL if there is none, or it was
-- dropped.
CREATE OR REPLACE FUNCTION threadline.column_now(renames jsonb, name text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT threadline.renamed_column(column_now.renames, column_now.name, batch.known_since)
    FROM (
        SELECT b.value -> 'names' AS names, b.place, lag((b.value ->> 'at')::timestamptz, 1, '-infinity') OVER (ORDER BY b.place) AS known_since
        FROM jsonb_array_elements(column_now.renames) WITH ORDINALITY AS b (value, place)
    ) AS batch
    WHERE batch.names ? column_now.name
    ORDER BY batch.place DESC
    LIMIT 1;
END;

-- Returns the columns by which rows of a table refer to those of another: for 'posts' the columns
-- of its only foreign key, for 'posts.user_id' or 'posts(tenant, author)' the named ones. Fails
-- if the recorded data cannot give the answer.
CREATE OR REPLACE FUNCTION threadline.reference_in(
    referred integer, reference text,
    OUT table_id integer, OUT relation regclass, OUT columns text[]
)
LANGUAGE plpgsql STABLE
AS $$
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
        SELECT pg_catalog.jsonb_agg(k.named ORDER BY k.oid), pg_catalog.count(*) FILTER (WHERE k.by_key) INTO tl_keys
        FROM (
            SELECT c.oid,
                   pg_catalog.jsonb_agg(child.attname ORDER BY pg_catalog.array_position(tl_key, parent.attname::text)) AS named,
                   pg_catalog.bool_and(parent.attname = ANY (tl_key)) AND pg_catalog.count(*) = pg_catalog.cardinality(tl_key) AS by_key
            FROM pg_catalog.pg_constraint AS c
            CROSS JOIN ROWS FROM (pg_catalog.unnest(c.conkey), pg_catalog.unnest(c.confkey)) AS pair (child, parent)
            JOIN pg_catalog.pg_attribute AS child ON child.attrelid = c.conrelid AND child.attnum = pair.child
            JOIN pg_catalog.pg_attribute AS parent ON parent.attrelid = c.confrelid AND parent.attnum = pair.parent
            WHERE c.contype = 'f' AND c.conparentid = 0 AND c.conrelid = relation AND c.confrelid = threadline.relation_of(referred)
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

-- Returns the name of a reference: posts.user_id, or posts(tenant, author).
CREATE OR REPLACE FUNCTION threadline.reference_name(referring integer, columns text[]) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT CASE cardinality(reference_name.columns)
               WHEN 1 THEN format('%I.%I', t.table_name, reference_name.columns[1])
               ELSE format('%I(%s)', t.table_name, (SELECT string_agg(quote_ident(c.name), ', ' ORDER BY c.place) FROM unnest(reference_name.columns) WITH ORDINALITY AS c (name, place)))
           END
    FROM threadline.audited_tables AS t
    WHERE t.id = referring;
END;

-- Returns SQL for the image of a change that shows the row after it or, with `as_it_went`, before
-- it; NULL if there is none. The indexes of threadline.index_reference() contain the same
-- expression.
CREATE OR REPLACE FUNCTION threadline.image_shown(as_it_went boolean, row_name text) RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, threadline, pg_temp
RETURN format(
    CASE WHEN as_it_went
         THEN 'CASE WHEN %1$I.op = ''U'' AND %1$I.previous_key IS NULL THEN %1$I.changed_from WHEN %1$I.op <> ''I'' THEN %1$I.row_data END'
         ELSE 'CASE WHEN %1$I.op = ''I'' THEN %1$I.row_data WHEN %1$I.op = ''U'' AND %1$I.previous_key IS NOT NULL THEN %1$I.row_data || %1$I.changed_to ELSE %1$I.changed_to END'
    END, row_name);

-- Returns SQL that is true of a change called c if an image of it shows that its row referred to
-- a record with one of the given keys: the image after it or, with `as_it_went`, before it. For a
-- reference by several columns it is true if nothing in the image contradicts it. For one column
-- it has the form of the indexes that threadline.index_reference() creates.
CREATE OR REPLACE FUNCTION threadline.shows_reference(
    columns text[], types regtype[], key_types text[], renames jsonb, record_keys text[], as_it_went boolean
) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_image text := format('(%s)', threadline.image_shown(as_it_went, 'c'));
    tl_name text;
    tl_texts text[];
    tl_parts text[] := '{}';
    tl_any text[] := '{}';
BEGIN
    FOR tl_place IN 1..cardinality(columns) LOOP
        tl_name := threadline.name_then(renames, columns[tl_place], 'c');
        tl_texts := threadline.key_parts(record_keys, cardinality(columns), tl_place);
        tl_any := tl_any || format('%s ? %s', tl_image, tl_name);
        tl_parts := tl_parts || CASE
            WHEN threadline.compared_as(types[tl_place], key_types[tl_place], tl_texts) IS NOT NULL
                THEN format(CASE cardinality(columns) WHEN 1 THEN '%s ->> %s = ANY (%L)' ELSE 'coalesce(%s ->> %s = ANY (%L), true)' END,
                    tl_image, tl_name, tl_texts)
            WHEN cardinality(columns) = 1
                THEN format('threadline.key_in_image(jsonb_build_object(''value'', %s -> %s), ''{value}'', %L) = ANY (%L)',
                    tl_image, tl_name, ARRAY[key_types[tl_place]], tl_texts)
            ELSE 'true' END;
    END LOOP;
    RETURN array_to_string(tl_parts, ' AND ')
        || CASE WHEN cardinality(columns) > 1 THEN format(' AND (%s)', array_to_string(tl_any, ' OR ')) ELSE '' END;
END
$$;

-- Returns SQL for the rows of a table that now refer to records with given keys: the record key
-- of each, and its reference as {"column": value}. For a reference by one column, an index on it
-- is used.
CREATE OR REPLACE FUNCTION threadline.referring_rows(
    referring integer, target regclass, columns text[], types regtype[], key_types text[], record_keys text[]
) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_texts text[];
    tl_compared_as text;
    tl_conditions text[] := '{}';
    tl_values text[] := '{}';
    tl_form text;
BEGIN
    FOR tl_place IN 1..cardinality(columns) LOOP
        -- The table or the column is gone.
        IF target IS NULL OR types[tl_place] IS NULL THEN
            RETURN 'SELECT NULL::text AS live_key, NULL::jsonb AS reference WHERE false';
        END IF;
        tl_texts := threadline.key_parts(record_keys, cardinality(columns), tl_place);
        tl_compared_as := threadline.compared_as(types[tl_place], key_types[tl_place], tl_texts);
        tl_form := threadline.json_form(types[tl_place], format('tl_live.%I', columns[tl_place]));
        tl_values := tl_values || format('%L, %s', columns[tl_place], tl_form);
        tl_conditions := tl_conditions || CASE
            WHEN tl_compared_as = 'text' THEN format('tl_live.%I::text = ANY (%L::text[])', columns[tl_place], tl_texts)
            WHEN tl_compared_as IS NOT NULL THEN format('tl_live.%I = ANY (%L::%s[])', columns[tl_place], tl_texts, tl_compared_as)
            ELSE format('threadline.key_in_image(jsonb_build_object(''value'', %s), ''{value}'', %L) = ANY (%L)',
                tl_form, ARRAY[key_types[tl_place]], tl_texts) END;
    END LOOP;
    RETURN format('SELECT %s COLLATE "C" AS live_key, jsonb_build_object(%s) AS reference FROM %s AS tl_live WHERE %s',
        threadline.key_expression(referring, 'tl_live'), array_to_string(tl_values, ', '), threadline.own_rows(target),
        array_to_string(tl_conditions, ' AND '));
END
$$;

-- Returns the spans, in the order of changes, in which rows of a table referred to given records:
-- `since` and `until` where known, with the changes that began and ended each reference, if there
-- were any. The records have the same form: [{"record_key", "since", "until",
-- "since_transaction", "until_transaction"}].
--
-- A row is found by changes that show its reference before or after them, and in the table as it
-- is now. Between two changes that show its reference, it has the value that the earlier one
-- left; before the first, the value that change found; if no change shows it, the value in the
-- table now.
CREATE OR REPLACE FUNCTION threadline.referring_spans(
    referring integer, target regclass, columns text[], referred integer, referents jsonb,
    OUT record_key text, OUT since bigint, OUT until bigint, OUT begun bigint, OUT ended bigint,
    OUT since_transaction bigint, OUT until_transaction bigint
) RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET bytea_output = 'hex'
SET extra_float_digits = 1
SET array_nulls = on
SET jit = off
AS $referring_spans$
#variable_conflict use_column
DECLARE
    tl_keys text[] := ARRAY(SELECT DISTINCT r.record_key FROM jsonb_to_recordset(referents) AS r (record_key text));
    tl_renames jsonb := threadline.renames_of(referring);
    tl_table threadline.audited_tables;
    tl_key_types text[];
    tl_types regtype[];
    tl_plain_since timestamptz;
    tl_image text := CASE WHEN tl_renames IS NULL THEN '%s' ELSE 'threadline.renamed_image($4, %s, c.captured_at)' END;
    tl_values text;
BEGIN
    SELECT * INTO tl_table FROM threadline.audited_tables AS t WHERE t.id = referring;
    SELECT t.key_types INTO tl_key_types FROM threadline.audited_tables AS t WHERE t.id = referred;
    SELECT array_agg(c.type ORDER BY given.place), max(c.plain_since) INTO tl_types, tl_plain_since
    FROM unnest(columns) WITH ORDINALITY AS given (name, place)
    LEFT JOIN threadline.referring_columns(referring, target) AS c USING (name);
    -- The part of an image that shows the reference.
    SELECT string_agg(format('CASE WHEN i.image ? %1$L THEN jsonb_build_object(%1$L, i.image -> %1$L) ELSE ''{}'' END', c.name), ' || ')
    INTO tl_values
    FROM unnest(columns) AS c (name);

    RETURN QUERY EXECUTE threadline.filled(
        $query$
        WITH pending AS MATERIALIZED (
            SELECT * FROM threadline.pending_changes(only_table => $1)
        ), live AS MATERIALIZED (
            {live}
        ), candidate AS MATERIALIZED (
            SELECT DISTINCT of.event_key
            FROM (
                SELECT c.record_key, c.previous_key FROM threadline.ledger_changes AS c
                WHERE c.table_id = $1 AND ({comes} OR {goes}) AND {is plain}
                UNION ALL
                SELECT c.record_key, c.previous_key FROM pending AS c
                WHERE ({comes} OR {goes}) AND {is plain}
                UNION ALL
                SELECT l.live_key, NULL FROM live AS l
            ) AS found
            CROSS JOIN LATERAL unnest(ARRAY[found.record_key, found.previous_key]) AS of (event_key)
            WHERE of.event_key IS NOT NULL
        ), change AS (
            SELECT k.event_key, c.id, c.transaction_id, c.captured_at, c.statement, c.op, c.record_key, c.previous_key, c.changed_from, c.changed_to, c.row_data
            FROM candidate AS k
            JOIN threadline.ledger_changes AS c ON c.table_id = $1 AND c.record_key = k.event_key
            UNION ALL
            SELECT k.event_key, c.id, c.transaction_id, c.captured_at, c.statement, c.op, c.record_key, c.previous_key, c.changed_from, c.changed_to, c.row_data
            FROM candidate AS k
            JOIN threadline.ledger_changes AS c ON c.table_id = $1 AND c.previous_key = k.event_key AND c.previous_key IS NOT NULL
            UNION ALL
            SELECT k.event_key, c.id, c.transaction_id, c.captured_at, c.statement, c.op, c.record_key, c.previous_key, c.changed_from, c.changed_to, c.row_data
            FROM candidate AS k
            JOIN pending AS c ON k.event_key IN (c.record_key, c.previous_key)
        ), event AS (
            SELECT c.event_key, c.id, c.transaction_id, c.captured_at < $3 AS interrupted,
                   -- One statement moved these keys at the same moment.
                   CASE WHEN c.previous_key IS NULL THEN c.id ELSE min(c.id) OVER (PARTITION BY c.event_key, c.transaction_id, c.statement, c.previous_key IS NULL) END AS position,
                   e.kind,
                   CASE WHEN {is plain} THEN (SELECT {values} FROM (SELECT {renamed from}) AS i (image) WHERE jsonb_typeof(i.image) = 'object') END AS was,
                   CASE WHEN {is plain} THEN (SELECT {values} FROM (SELECT {renamed to}) AS i (image) WHERE jsonb_typeof(i.image) = 'object') END AS now
            FROM (
                SELECT c.*, {image went} AS image_from, {image came} AS image_to
                FROM change AS c
            ) AS c
            CROSS JOIN LATERAL (
                SELECT 'end' AS kind WHERE c.op IN ('D', 'T') OR c.previous_key = c.event_key
                UNION ALL
                SELECT 'birth' WHERE c.op = 'I' OR c.previous_key IS NOT NULL AND c.record_key = c.event_key
                UNION ALL
                SELECT 'update' WHERE c.op = 'U' AND c.previous_key IS NULL AND {is plain}
                UNION ALL
                -- Its changes are not on record.
                SELECT masked.kind FROM unnest('{end,birth}'::text[]) AS masked (kind) WHERE c.op = 'U' AND c.previous_key IS NULL AND NOT {is plain}
            ) AS e
            -- Updates of other columns do not show the reference.
            WHERE e.kind <> 'update' AND (c.op <> 'U' OR c.previous_key IS NOT NULL OR c.image_to ?| {names})
               OR e.kind = 'update' AND (c.captured_at < $3 OR c.image_from ?| {names} OR c.image_to ?| {names})
            UNION ALL
            SELECT k.record_key, k.id, k.transaction_id, k.captured_at < $3, k.id, CASE WHEN c.image IS NULL THEN 'end' ELSE 'birth' END,
                   NULL, CASE WHEN {is plain} THEN (SELECT {values} FROM (SELECT {renamed kept}) AS i (image) WHERE jsonb_typeof(i.image) = 'object') END
            FROM candidate
            JOIN threadline.kept_images AS k ON k.table_id = $1 AND k.record_key = candidate.event_key
            CROSS JOIN LATERAL (SELECT k.image, k.captured_at) AS c
            UNION ALL
            SELECT k.event_key, t.id, t.transaction_id, t.captured_at < $3, t.id, 'end', NULL, NULL
            FROM candidate AS k
            CROSS JOIN threadline.blind_truncates($1) AS t
            UNION ALL
            SELECT l.live_key, 9223372036854775807, NULL, false, 9223372036854775807, 'live', l.reference, l.reference
            FROM live AS l
            UNION ALL
            -- With several columns, a change may show only one of them; the row has the others.
            SELECT k.event_key, 9223372036854775807, NULL, false, 9223372036854775807, 'live', {values}, {values}
            FROM candidate AS k
            CROSS JOIN LATERAL (SELECT threadline.live_image($1, $7, k.event_key) WHERE {is partial} OFFSET 0) AS i (image)
            WHERE i.image IS NOT NULL AND k.event_key NOT IN (SELECT l.live_key FROM live AS l)
        ), ordered AS (
            SELECT e.*,
                   row_number() OVER (PARTITION BY e.event_key ORDER BY e.position, e.kind <> 'end', e.id) AS place
            FROM event AS e
        ), lived AS (
            -- A life begins with an insert, and after an end.
            SELECT e.*,
                   count(*) FILTER (WHERE e.kind = 'birth') OVER (PARTITION BY e.event_key ORDER BY e.place)
                   + count(*) FILTER (WHERE e.kind = 'end') OVER (PARTITION BY e.event_key ORDER BY e.place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
                   + CASE WHEN e.interrupted THEN 0 ELSE 1000000000 END AS life
            FROM ordered AS e
        ), told AS (
            SELECT e.*,
                   coalesce(threadline.jsonb_merge(coalesce(e.was, '{}')) OVER (PARTITION BY e.event_key, e.life ORDER BY e.place DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), '{}') AS later,
                   coalesce(threadline.jsonb_merge(coalesce(e.now, '{}')) OVER (PARTITION BY e.event_key, e.life ORDER BY e.place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), '{}') AS earlier,
                   lag(e.place) OVER (PARTITION BY e.event_key, e.life ORDER BY e.place) IS NULL AS is_first,
                   lag(e.id) OVER following AS id_before,
                   lead(e.id) OVER following AS id_after,
                   lead(e.position) OVER following AS position_after,
                   lead(e.kind) OVER following AS kind_after,
                   lead(e.transaction_id) OVER following AS transaction_after,
                   lead(e.interrupted) OVER following AS interrupted_after
            FROM lived AS e
            WINDOW following AS (PARTITION BY e.event_key ORDER BY e.place)
        ), span AS (
            SELECT t.event_key, t.id AS since, t.id AS begun, t.transaction_id AS since_transaction,
                   CASE WHEN t.interrupted AND t.interrupted_after IS DISTINCT FROM true THEN t.id
                        -- Another row has the key, and the end of this one is not on record.
                        WHEN t.kind_after = 'birth' THEN t.id_after - 1
                        WHEN t.kind_after = 'end' AND t.position_after < t.id_after THEN t.position_after - 1
                        ELSE coalesce(t.id_after, 9223372036854775807) END AS until,
                   CASE WHEN t.kind_after <> 'birth' AND (NOT t.interrupted OR t.interrupted_after) THEN t.id_after END AS ended,
                   t.transaction_after AS until_transaction,
                   threadline.key_in_image(t.later || t.earlier || coalesce(t.now, '{}'), $2, $5) AS referred_key
            FROM told AS t
            WHERE t.kind NOT IN ('end', 'live')
            UNION ALL
            SELECT t.event_key, coalesce(t.id_before + 1, 0), NULL, NULL,
                   CASE WHEN t.kind = 'end' AND t.position < t.id THEN t.position - 1 ELSE t.id END, t.id, t.transaction_id,
                   threadline.key_in_image(t.later || coalesce(t.was, '{}'), $2, $5)
            FROM told AS t
            WHERE t.kind <> 'birth' AND t.is_first
        )
        SELECT s.event_key,
               greatest(s.since, r.since), least(s.until, r.until),
               CASE WHEN s.since >= r.since OR s.since_transaction = r.since_transaction THEN s.begun END,
               CASE WHEN s.until <= r.until OR s.until_transaction = r.until_transaction THEN s.ended END,
               CASE WHEN s.since >= r.since THEN s.since_transaction ELSE r.since_transaction END,
               CASE WHEN s.until <= r.until THEN s.until_transaction ELSE r.until_transaction END
        FROM span AS s
        JOIN jsonb_to_recordset($6) AS r (record_key text, since bigint, until bigint, since_transaction bigint, until_transaction bigint)
            ON r.record_key = s.referred_key
        WHERE (s.since <= r.until OR s.since_transaction = r.until_transaction)
          AND (s.until >= r.since OR s.until_transaction = r.since_transaction)
        $query$,
        jsonb_build_object(
            'live', threadline.referring_rows(referring, target, columns, tl_types, tl_key_types, tl_keys),
            'is partial', (cardinality(columns) > 1 AND target IS NOT NULL)::text,
            'comes', threadline.shows_reference(columns, tl_types, tl_key_types, tl_renames, tl_keys, false),
            'goes', threadline.shows_reference(columns, tl_types, tl_key_types, tl_renames, tl_keys, true),
            'is plain', CASE WHEN tl_plain_since IS NULL THEN 'true' ELSE format('c.captured_at >= %L', tl_plain_since) END,
            'names', format('ARRAY[%s]', (
                SELECT string_agg(threadline.name_then(tl_renames, n.name, 'c'), ', ') FROM unnest(columns) AS n (name))),
            'image came', threadline.image_shown(false, 'c'),
            'image went', threadline.image_shown(true, 'c'),
            'values', tl_values,
            'renamed from', format(tl_image, 'c.image_from'),
            'renamed to', format(tl_image, 'c.image_to'),
            'renamed kept', format(tl_image, 'c.image')))
    USING referring, columns, greatest(tl_table.audited_since, tl_table.chained_since), tl_renames, tl_key_types, referents, target;
END
$referring_spans$;

-- Returns the changes of rows within spans from threadline.referring_spans(): the newest of each
-- span before a change, up to a limit.
CREATE OR REPLACE FUNCTION threadline.changes_in_spans(
    referring integer, spans jsonb, before bigint, at_most bigint
) RETURNS TABLE (
    id bigint, transaction_id bigint, captured_at timestamptz, table_id integer, statement integer, op "char",
    record_key text, previous_key text, changed_from jsonb, changed_to jsonb, row_data jsonb, begins boolean, ends boolean
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH span AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset(spans) AS s (record_key text, since bigint, until bigint, begun bigint, ended bigint)
    ), pending AS MATERIALIZED (
        SELECT * FROM threadline.pending_changes(only_table => referring)
    )
    SELECT c.*, c.id IS NOT DISTINCT FROM s.begun, c.id IS NOT DISTINCT FROM s.ended
    FROM span AS s
    CROSS JOIN LATERAL (
        (SELECT l.id, l.transaction_id, l.captured_at, l.table_id, l.statement, l.op, l.record_key, l.previous_key, l.changed_from, l.changed_to, l.row_data
        FROM threadline.ledger_changes AS l
        WHERE l.table_id = referring AND l.record_key = s.record_key
          AND l.id BETWEEN least(s.since, s.begun) AND greatest(s.until, s.ended) AND l.id < before
          AND (l.id BETWEEN s.since AND s.until OR l.id = s.begun OR l.id = s.ended)
        ORDER BY l.id DESC
        LIMIT at_most)
        UNION ALL
        SELECT l.id, l.transaction_id, l.captured_at, l.table_id, l.statement, l.op, l.record_key, l.previous_key, l.changed_from, l.changed_to, l.row_data
        FROM threadline.ledger_changes AS l
        WHERE l.table_id = referring AND l.previous_key = s.record_key AND l.previous_key IS NOT NULL
          AND l.id = s.ended AND l.id < before
    ) AS c
    UNION ALL
    SELECT c.*, c.id IS NOT DISTINCT FROM s.begun, c.id IS NOT DISTINCT FROM s.ended
    FROM span AS s
    JOIN pending AS c ON c.record_key = s.record_key AND (c.id BETWEEN s.since AND s.until OR c.id = s.begun OR c.id = s.ended)
                      OR c.previous_key = s.record_key AND c.id = s.ended
    WHERE c.id < before;
END
$$;

-- Returns the changes of rows that referred to a record at the time, along the requested paths:
-- 'posts.user_id' returns those of posts, 'versions.crate_id/dependencies.version_id' those of
-- versions and of the rows that referred to these. The record is given by the keys that it had,
-- in the form that threadline.referring_spans() takes. `moved`: in, if the change made its row
-- refer to the record; out, if it ended the reference.
--
-- Limit per row, the newest before a change: as many as a page takes, and more.
CREATE OR REPLACE FUNCTION threadline.associated_changes(
    referred integer, referents jsonb, paths text[], before bigint, at_most bigint
) RETURNS TABLE (
    id bigint, transaction_id bigint, captured_at timestamptz, table_id integer, statement integer, op "char",
    record_key text, previous_key text, changed_from jsonb, changed_to jsonb, row_data jsonb, through text, moved text
)
LANGUAGE plpgsql STABLE
AS $$
#variable_conflict use_column
DECLARE
    tl_path text;
    tl_step text;
    tl_through text;
    tl_way text;
    tl_seen text[] := '{}';
    tl_from integer;
    tl_spans jsonb;
    tl_reference record;
BEGIN
    FOREACH tl_path IN ARRAY paths LOOP
        tl_from := referred;
        tl_spans := referents;
        tl_through := NULL;
        tl_way := NULL;
        FOR tl_step IN SELECT s.step FROM pg_catalog.regexp_split_to_table(tl_path, '/(?=(?:[^"]*"[^"]*")*[^"]*$)') AS s (step) LOOP
            SELECT * INTO tl_reference FROM threadline.reference_in(tl_from, pg_catalog.btrim(tl_step)) AS r;
            SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(s)), '[]') INTO tl_spans
            FROM threadline.referring_spans(tl_reference.table_id, tl_reference.relation, tl_reference.columns, tl_from, tl_spans) AS s;
            tl_from := tl_reference.table_id;
            tl_through := pg_catalog.concat_ws('/', tl_through, threadline.reference_name(tl_reference.table_id, tl_reference.columns));
            -- Two paths may share their first step.
            tl_way := pg_catalog.concat_ws('/', tl_way, tl_from || tl_reference.columns::text);
            CONTINUE WHEN tl_way = ANY (tl_seen);
            tl_seen := tl_seen || tl_way;
            RETURN QUERY
            -- A change that shows one row under two keys, or two references to the record, moves
            -- nothing.
            SELECT DISTINCT ON (x.id) x.id, x.transaction_id, x.captured_at, x.table_id, x.statement, x.op,
                   x.record_key, x.previous_key, x.changed_from, x.changed_to, x.row_data, tl_through,
                   CASE WHEN x.op <> 'U' OR x.begins AND x.ends THEN NULL WHEN x.begins THEN 'in' WHEN x.ends THEN 'out' END
            FROM (
                SELECT c.id, c.transaction_id, c.captured_at, c.table_id, c.statement, c.op, c.record_key, c.previous_key,
                       c.changed_from, c.changed_to, c.row_data,
                       pg_catalog.bool_or(c.begins) OVER (PARTITION BY c.id) AS begins, pg_catalog.bool_or(c.ends) OVER (PARTITION BY c.id) AS ends
                FROM threadline.changes_in_spans(tl_from, tl_spans, before, at_most) AS c
            ) AS x
            ORDER BY x.id DESC
            LIMIT at_most;
        END LOOP;
    END LOOP;
END
$$;

-- Creates an index by which rows that referred to a record by a column are found without reading
-- all changes of the table. For the owner of the audit. Posting waits meanwhile; writers do not.
CREATE OR REPLACE FUNCTION threadline.index_reference(target regclass, column_name text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_id integer := threadline.audited_table_of(target);
    tl_name text;
    tl_index text;
BEGIN
    IF tl_id IS NULL THEN
        RAISE EXCEPTION 'threadline: table % is not audited', target;
    ELSIF NOT EXISTS (
        SELECT FROM threadline.referring_columns(tl_id, target) AS c WHERE c.name = column_name AND c.column_policy = 'plain')
    THEN
        RAISE EXCEPTION 'threadline: rows of % cannot be found by a column %, which is not there, or of which values are not recorded', target, column_name;
    END IF;
    tl_name := threadline.name_then(threadline.renames_of(tl_id), column_name, 'ledger_changes');
    FOR tl_went IN 0..1 LOOP
        tl_index := format('ledger_reference_%s_%s_%s', tl_id, left(md5(column_name), 8), (ARRAY['came', 'went'])[tl_went + 1]);
        -- An index under an earlier name of the column would not be used.
        EXECUTE format('DROP INDEX IF EXISTS threadline.%I', tl_index);
        EXECUTE format('CREATE INDEX %I ON threadline.ledger_changes (((%2$s) ->> %3$s)) WHERE table_id = %4$s AND ((%2$s) ->> %3$s) IS NOT NULL',
            tl_index, threadline.image_shown(tl_went = 1, 'ledger_changes'), tl_name, tl_id);
    END LOOP;
    ANALYZE threadline.ledger_changes;
END
$$;
COMMENT ON FUNCTION threadline.index_reference(regclass, text) IS
    'Creates an index for finding rows that referred to a record by a column';

-- Returns the changes of a record by the running transaction since an instant, also under other
-- keys: those of a revert itself, or of the application's triggers and references that it fired.
CREATE OR REPLACE FUNCTION threadline.own_changes(
    audited_table integer, record_key text, began timestamptz
) RETURNS SETOF threadline.audit_changes
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_transaction bigint := nullif(split_part(current_setting('threadline.transaction', true), ' ', 1), '');
BEGIN
    -- Found by record, and not through the index on the transaction, which may have a great many
    -- changes.
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

-- Makes deferred constraints of tables take effect immediately, or makes them wait again as they
-- were declared.
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

-- Returns the columns of an image captured at an instant whose values the audit does not have:
-- those that are masked, or were redacted then, and are not NULL, those that are erased, and for
-- a whole row those that were never recorded. Generated columns need no value.
CREATE OR REPLACE FUNCTION threadline.unrestorable(
    audited_table integer, target regclass, image jsonb, captured_at timestamptz, whole boolean
) RETURNS text[]
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(array_agg(c.name ORDER BY c.name), '{}')
    FROM threadline.column_policy(audited_table, target) AS c
    JOIN pg_attribute AS a ON a.attrelid = target AND a.attname = c.name AND a.attgenerated = ''
    WHERE threadline.is_erased(image -> c.name) OR (c.column_policy <> 'plain' OR c.plain_since > captured_at)
      AND CASE WHEN image ? c.name THEN image -> c.name <> 'null' ELSE whole END;
END;

-- Returns the columns that no longer have the value that a change gave them. For a masked or
-- erased one, the image only shows whether it is NULL: there the record's later changes are read.
-- Changes by the revert itself do not count.
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
        WHEN c.column_policy = 'plain' AND c.plain_since > change.captured_at IS NOT TRUE AND NOT threadline.is_erased(field.value)
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

-- Returns a table with rows that the deletion of a row would affect, by cascade or by losing
-- their reference; NULL if there is none. A row's reference to itself does not count.
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

-- Writes an image into a table: as a new row, or over the row that matches the condition. Columns
-- that the image lacks stay unchanged. Returns whether the row was written: a trigger may have
-- prevented it. Runs under the caller's search_path, like the application's own triggers, which
-- fire here.
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

-- Deletes the row that matches the condition, unless other rows refer to it. Returns NULL, or the
-- reason why not.
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

-- Undoes one change if its result is still there, or differs only because of the revert itself,
-- which began at an instant. Returns NULL, or the reason why not.
CREATE OR REPLACE FUNCTION threadline.revert_change(change threadline.audit_changes, began timestamptz) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    tl_target regclass := threadline.relation_of(change.table_id);
    tl_alterations jsonb := threadline.alterations_of(change.table_id);
    tl_before jsonb := threadline.relabelled_image(tl_alterations, threadline.current_names(change.table_id,
        CASE WHEN change.op = 'U' THEN change.changed_from ELSE change.row_data END, change.captured_at), change.captured_at);
    tl_after jsonb := threadline.relabelled_image(tl_alterations, threadline.current_names(change.table_id,
        CASE WHEN change.op = 'U' THEN change.changed_to ELSE change.row_data END, change.captured_at), change.captured_at);
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
    -- Locked, so that it cannot change between the check and the write.
    EXECUTE format('SELECT FROM %s AS tl_row WHERE %s FOR UPDATE', threadline.own_rows(tl_target), tl_where);
    tl_live := threadline.live_image(change.table_id, tl_target, change.record_key);
    IF (tl_live IS NULL) <> (change.op IN ('D', 'T')) THEN
        -- Triggers may have done it already: those that insert or delete a row along with
        -- another.
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
    -- A constraint that was deferred by hand would not report the conflict in time.
    IF change.previous_key IS NOT NULL
       AND threadline.live_image(change.table_id, tl_target, change.previous_key) IS NOT NULL THEN
        RETURN 'there is another row with the key that it had';
    ELSIF NOT threadline.put_row(tl_target, tl_before, tl_where) THEN
        RETURN 'a trigger of the table did not let it be written';
    END IF;
    RETURN NULL;
END
$$;

-- Writes rows again that were reverted and then changed along with others: deleting an inserted
-- row decrements, by a trigger, a counter that its insertion incremented and that the revert has
-- already restored.
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
           -- If a trigger sets columns of its own row last, its value stays.
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

-- Undoes changes, newest first, as new audited changes: all of them, or none with the reasons. A
-- change that fails only because of the order, such as a row whose parent is not yet restored, is
-- tried again after the others, in the other order; but no change of a record is undone before
-- those that came after it.
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
                    -- The next one in the order has the reason.
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

-- Undoes the changes of an AuditTransaction, as new audited changes: all of them, or none with
-- the reasons. The records of the changes in leave_out stay unchanged.
--
--   BEGIN; SELECT * FROM threadline.revert_transaction(7); COMMIT;
--   BEGIN; SELECT * FROM threadline.revert_transaction(7, leave_out => ARRAY[12, 13]); COMMIT;
CREATE OR REPLACE FUNCTION threadline.revert_transaction(
    audit_transaction bigint,
    leave_out bigint[] DEFAULT '{}',
    OUT change_id bigint, OUT schema_name text, OUT table_name text, OUT key jsonb, OUT reason text
) RETURNS SETOF record
LANGUAGE plpgsql
AS $$
DECLARE
    tl_left threadline.audit_changes[] := ARRAY(
        SELECT c FROM threadline.audit_changes AS c WHERE c.transaction_id = audit_transaction AND c.id = ANY (leave_out));
    tl_foreign bigint := (
        SELECT min(given.id) FROM unnest(leave_out) AS given (id)
        WHERE given.id NOT IN (SELECT l.id FROM unnest(tl_left) AS l));
BEGIN
    IF tl_foreign IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: change % is not one of transaction %, and cannot be left out', tl_foreign, audit_transaction;
    END IF;
    RETURN QUERY
    SELECT r.*
    FROM threadline.revert_changes(ARRAY(
        SELECT c
        FROM threadline.audit_changes AS c
        WHERE c.transaction_id = audit_transaction AND NOT EXISTS (
            SELECT FROM unnest(tl_left) AS l
            WHERE l.table_id = c.table_id AND ARRAY[l.record_key, l.previous_key] && ARRAY[c.record_key, c.previous_key])
    )) AS r;
END
$$;
COMMENT ON FUNCTION threadline.revert_transaction(bigint, bigint[]) IS
    'Undoes the changes of a transaction if nothing changed since; returns the reasons why not';

-- Returns the present key of a record that had another one after a change; NULL if the record is
-- gone.
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
        -- In a statement that shifts keys, the departing key is freed before the arriving one
        -- uses it.
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

-- Returns the key that a present record had at an instant; NULL if it was created since.
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

-- Returns the part of a record's image at an instant that can be written over the present row,
-- after commands that converted columns since. A column that did not change since is left out. A
-- value that a command altered cannot be restored: `altered` names its column.
CREATE OR REPLACE FUNCTION threadline.lasting_image(
    audited_table integer, target regclass, record_key text, instant timestamptz, past jsonb, live jsonb,
    OUT image jsonb, OUT altered text[]
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_column record;
    tl_before jsonb;
    tl_after jsonb;
BEGIN
    image := past;
    altered := '{}';
    FOR tl_column IN
        SELECT a.name, min(a.at) AS first, max(a.at) AS last
        FROM jsonb_to_recordset(threadline.alterations_of(audited_table)) AS a (name text, what text, "at" timestamptz)
        WHERE a.what = 'converted' AND a.at > instant AND past ? a.name AND live ? a.name
        GROUP BY a.name
    LOOP
        tl_before := (SELECT r.image FROM threadline.final_record(audited_table, target, record_key,
            CASE WHEN isfinite(tl_column.first) THEN tl_column.first - interval '1 microsecond' ELSE clock_timestamp() END) AS r);
        tl_after := CASE WHEN isfinite(tl_column.last)
            THEN (SELECT r.image FROM threadline.final_record(audited_table, target, record_key, tl_column.last) AS r)
            ELSE live END;
        IF (past -> tl_column.name)::text = (tl_before -> tl_column.name)::text
           AND (live -> tl_column.name)::text = (tl_after -> tl_column.name)::text THEN
            image := image - tl_column.name;
        ELSIF (tl_before -> tl_column.name)::text IS DISTINCT FROM (tl_after -> tl_column.name)::text THEN
            altered := altered || tl_column.name;
        END IF;
    END LOOP;
END
$$;

-- Reverts a record to its state at an instant. Returns NULL, or the reason why not.
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
    tl_lasting record;
    tl_columns text[];
BEGIN
    IF tl_where IS NOT NULL THEN
        EXECUTE format('SELECT FROM %s AS tl_row WHERE %s FOR UPDATE', threadline.own_rows(target), tl_where);
    END IF;
    SELECT * INTO tl_then FROM threadline.record_as_of(target, put_record_back.record_key, instant);
    tl_live := threadline.live_image(tl_id, target, put_record_back.record_key);
    IF tl_then.state = 'not_final' THEN
        RETURN 'what was then is not final yet: a transaction that wrote audited rows by then is still open';
    ELSIF tl_then.state = 'unaudited' THEN
        RETURN 'the table was not audited then';
    ELSIF tl_then.state = 'purged' THEN
        RETURN 'changes of that time are no longer kept';
    ELSIF tl_then.state = 'incomplete' THEN
        RETURN 'only what changed is on record, not the whole row';
    END IF;

    -- A record is neither duplicated nor lost because it has another key now.
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

    -- For the same row, only changed columns matter.
    tl_columns := threadline.unrestorable(tl_id, target, tl_then.image, instant, true);
    IF tl_live IS NOT NULL AND tl_other IS NOT NULL THEN
        SELECT array_agg(name ORDER BY name) INTO tl_columns
        FROM unnest(tl_columns) AS name
        WHERE EXISTS (
            SELECT
            FROM threadline.record_changes(tl_id, put_record_back.record_key) AS c
            WHERE c.table_id = tl_id AND c.record_key = put_record_back.record_key AND c.id > coalesce(tl_then.change_id, 0)
              -- Changes under another key count too.
              AND (c.previous_key IS NOT NULL OR threadline.current_names(tl_id, c.changed_to, c.captured_at) ? name));
    END IF;
    IF tl_columns <> '{}' THEN
        RETURN CASE WHEN tl_live IS NOT NULL THEN 'changed since, and ' ELSE '' END
            || 'the audit does not have the values of ' || array_to_string(tl_columns, ', ');
    END IF;

    tl_then.image := threadline.relabelled_image(threadline.alterations_of(tl_id), tl_then.image, instant);
    IF tl_live IS NOT NULL THEN
        SELECT * INTO tl_lasting FROM threadline.lasting_image(tl_id, target, put_record_back.record_key, instant, tl_then.image, tl_live);
        IF tl_lasting.altered <> '{}' THEN
            RETURN 'an ALTER TABLE changed the values of ' || array_to_string(tl_lasting.altered, ', ')
                || ' since, and what was there before it is of another type or unit';
        END IF;
        tl_then.image := tl_lasting.image;
    END IF;

    -- Only columns that differ are written, digit for digit.
    SELECT coalesce(jsonb_object_agg(field.key, field.value), '{}') INTO tl_image
    FROM jsonb_each(tl_then.image) AS field
    WHERE tl_live IS NULL OR (tl_live ? field.key AND NOT threadline.is_erased(field.value) AND (tl_live -> field.key)::text <> field.value::text);
    IF tl_image <> '{}' AND NOT threadline.put_row(target, tl_image, CASE WHEN tl_live IS NOT NULL THEN tl_where END) THEN
        RETURN 'a trigger of the table did not let it be written';
    END IF;
    RETURN NULL;
END
$$;

-- Reverts a record to its state at an instant, as a new audited change. Returns NULL, or the
-- reason why not.
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
    'Reverts a record to its state at an instant; returns the reason why not';

-- Returns the application's tables that are not audited, except those that need not be.
CREATE OR REPLACE FUNCTION threadline.unaudited_tables_but(allowed oid[]) RETURNS SETOF threadline.finding
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT CASE WHEN former.relation IS NULL THEN 'table-unaudited' ELSE 'table-replaced' END, c.oid::regclass::text,
           CASE WHEN former.relation IS NULL THEN 'nothing of it is recorded'
                ELSE format('nothing of it is recorded; the audited table that had this name is called %s now', former.relation) END,
           format('SELECT threadline.audit(%L%s%s%s%s);', c.oid::regclass,
               ', continues => ' || quote_literal(former.relation::regclass::text),
               CASE WHEN former.relation IS NULL AND NOT EXISTS (SELECT FROM threadline.key_columns_of(c.oid)) THEN ', keyless => true' END,
               (SELECT ', exclude => ARRAY[' || string_agg(quote_literal(s.name), ', ') || ']' FROM threadline.secret_columns(c.oid) AS s
                WHERE s.name NOT IN (SELECT k.name FROM threadline.key_columns_of(c.oid) AS k)),
               (SELECT ', hash => ARRAY[' || string_agg(quote_literal(s.name), ', ') || ']' FROM threadline.secret_columns(c.oid) AS s
                WHERE s.name IN (SELECT k.name FROM threadline.key_columns_of(c.oid) AS k)))
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN LATERAL (
        SELECT at.relation
        FROM threadline.audited_tables AS t
        CROSS JOIN LATERAL (SELECT threadline.locate_table(t.id) AS relation) AS at
        WHERE (t.schema_name, t.table_name) = (n.nspname, c.relname) AND t.unaudited_at IS NULL AND at.relation <> c.oid
        ORDER BY t.id DESC
        LIMIT 1
    ) AS former ON true
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'threadline', 'pg_toast')
      AND c.relname <> '__diesel_schema_migrations'
      AND c.oid <> ALL (array_remove(allowed, NULL))
      AND threadline.audited_table_of(c.oid) IS NULL
      -- A table whose triggers are gone is reported as such.
      AND c.oid NOT IN (
          SELECT threadline.locate_table(t.id)
          FROM threadline.audited_tables AS t
          WHERE t.unaudited_at IS NULL AND threadline.locate_table(t.id) IS NOT NULL)
      AND NOT EXISTS (
          SELECT FROM pg_depend AS d
          WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY 2;
END
$$;

-- Returns the application's tables that are not audited. Those of extensions and Diesel's own are
-- not the application's. A name in `allowed` is quoted as in SQL.
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

-- Returns whether two recorded values of a column cannot be the same value. Numbers are the same
-- at any scale: a column's scale changes without a write. A value that capture could not convert
-- to JSON was kept as text, which cannot be compared with a number. An erased value is unknown.
CREATE OR REPLACE FUNCTION threadline.values_differ(one jsonb, other jsonb, any_json boolean) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN one <> other AND NOT (threadline.is_erased(one) OR threadline.is_erased(other)) AND (
    any_json
    OR pg_catalog.jsonb_typeof(one) = pg_catalog.jsonb_typeof(other)
    OR 'null' IN (pg_catalog.jsonb_typeof(one), pg_catalog.jsonb_typeof(other))
    OR one IN ('"NaN"', '"Infinity"', '"-Infinity"')
    OR other IN ('"NaN"', '"Infinity"', '"-Infinity"')
);

-- Returns the columns whose recorded values can be compared with each other and with the live
-- ones, and since when: earlier values are not comparable if the column was masked or excluded,
-- had another type or unit, or was another column of that name. A keyed hash can be compared by a
-- role that may compute it, with by_hash, if its type has one text for each value; that of
-- numeric differs after a change of its scale.
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
    SELECT live.name, greatest(k.plain_since, k.retyped_at, altered.at),
           CASE WHEN policy.column_policy = 'mask' AND NOT (by_hash AND k.column_policy = 'hash' AND live.bitwise AND live.type <> 'numeric'::regtype)
                THEN threadline.placeholder(live.type) END,
           live.type IN ('json'::regtype, 'jsonb'::regtype)
    FROM threadline.audited_tables AS t
    CROSS JOIN jsonb_to_recordset(t.columns) AS k (
        number smallint, name text, type text, column_policy text, plain_since timestamptz, retyped_at timestamptz)
    JOIN threadline.columns_of(target) AS live
      ON CASE WHEN t.relation = target THEN live.number = k.number ELSE live.name = k.name END
    JOIN threadline.column_policy(audited_table, target) AS policy ON policy.name = live.name
    LEFT JOIN (
        SELECT a.name, max(a.at) AS at
        FROM jsonb_to_recordset(threadline.alterations_of(audited_table)) AS a (name text, "at" timestamptz, cuts boolean)
        WHERE a.cuts
        GROUP BY a.name
    ) AS altered ON altered.name = live.name
    WHERE t.id = audited_table AND live.type::text = k.type AND policy.column_policy <> 'exclude'
      -- The text of these types changes when the object that they name is renamed.
      AND threadline.base_type(live.type) NOT IN (
          SELECT p.oid FROM pg_type AS p WHERE p.oid < 16384 AND p.typname ~ '^_?reg' AND p.typnamespace = 'pg_catalog'::regnamespace)
      -- A change of only this column is not recorded.
      AND coalesce(t.policy -> 'ignore' ? k.name, false) IS NOT true;
END
$$;

-- Returns why the history of a table cannot be compared with its rows; NULL if it can.
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
                 SELECT ROW(k.name, CASE WHEN k.hash_of IS NULL THEN recorded.type ELSE k.column_type END)::text
                 FROM threadline.live_key(tl_id) AS k
                 JOIN threadline.audited_tables AS t ON t.id = tl_id
                 CROSS JOIN LATERAL (SELECT t.key_types[k.ordinal] AS type) AS recorded
                 ORDER BY k.ordinal)
            THEN 'its key has changed'
    END;
END
$$;

-- Returns the key that ends a range of about a given number of posted changes of a table, for
-- threadline.chain_drift(); NULL if fewer follow the given key.
CREATE OR REPLACE FUNCTION threadline.next_key(target regclass, after text, changes integer) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT c.record_key
    FROM threadline.ledger_changes AS c
    WHERE c.table_id = threadline.audited_table_of(target) AND c.record_key > coalesce(after, '') COLLATE "C"
    ORDER BY c.record_key
    OFFSET changes - 1
    LIMIT 1;
END;

-- Returns records whose changes do not agree with each other or with the live rows: something was
-- written bypassing the triggers. Each change must find what the one before it left, and the live
-- row must be what the last one left.
--
--   SELECT * FROM threadline.chain_drift('members');
--
-- `expected` is the state after the earlier changes, `found` the state in the change or the
-- live row; each has the columns that differ, or is NULL for no row. Returns at most
-- `examples` of each code; `records` counts all.
--
-- Reports only what can be known: nothing from before the audit began, or before the present key
-- and policy, and nothing after a TRUNCATE that could not see all rows.
--
-- With `after` and `up_to`, only records whose keys as text, in byte order, come after the first
-- and not after the second. Checking one range after another finds the same as one check of all,
-- because the changes of a record are compared only with each other and with its row.
--
-- Everything is read in one snapshot, which is taken after the table is locked: to an older
-- snapshot, a truncated or rewritten table would look empty. Uses a hash join, to scan the table
-- once, regardless of the row estimate.
CREATE OR REPLACE FUNCTION threadline.chain_drift(
    target regclass, since timestamptz DEFAULT NULL, examples integer DEFAULT 10, after text DEFAULT NULL, up_to text DEFAULT NULL,
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
    -- Whether a key, which replaces %1$s, is in the requested range.
    tl_range text := concat_ws(' AND ', 'true', CASE WHEN after IS NOT NULL THEN '%1$s COLLATE "C" > $15' END, CASE WHEN up_to IS NOT NULL THEN '%1$s COLLATE "C" <= $16' END);
BEGIN
    tl_obstacle := threadline.chain_obstacle(target);
    IF tl_obstacle IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: the history of % cannot be compared with its rows: %', target, tl_obstacle;
    END IF;
    EXECUTE format('LOCK TABLE %s IN ACCESS SHARE MODE', target);
    SELECT * INTO STRICT tl_table FROM threadline.audited_tables AS t WHERE t.id = threadline.audited_table_of(target);
    tl_renames := threadline.renames_of(tl_table.id);
    tl_fresh := tl_table.relation = target AND tl_table.fingerprint = threadline.fingerprint(target);
    -- Keyed hashes of live rows need the keys.
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
            -- One statement moved these keys at the same moment.
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
              AND (c.record_key IS NULL OR (%7$s) OR (%8$s))
        ), blind AS MATERIALIZED (
            -- Changes of unknown records; read once, and not for each change.
            SELECT coalesce(array_agg(r.id ORDER BY r.id), '{}') AS ids FROM recorded AS r WHERE r.record_key IS NULL
        ), event AS (
            SELECT r.record_key AS event_key, r.position, 1 AS turn, r.id, r.transaction_id,
                   CASE WHEN r.op IN ('D', 'T') THEN 'end' WHEN r.op = 'I' OR r.previous_key IS NOT NULL THEN 'birth' ELSE 'update' END AS kind,
                   CASE WHEN r.op IN ('D', 'T') THEN r.whole WHEN r.op = 'U' AND r.previous_key IS NULL THEN r.was END AS shows,
                   CASE WHEN r.op = 'I' THEN r.whole WHEN r.previous_key IS NOT NULL THEN r.whole || r.became WHEN r.op = 'U' THEN r.became END AS leaves
            FROM recorded AS r
            WHERE r.record_key IS NOT NULL AND %9$s
            UNION ALL
            -- In a statement that shifts keys, the departing key is freed before the arriving one
            -- uses it.
            SELECT r.previous_key, r.position, 0, r.id, r.transaction_id, 'end', r.whole, NULL
            FROM recorded AS r
            WHERE r.previous_key IS NOT NULL AND %10$s
        ), numbered AS (
            SELECT e.*,
                   -- PostgreSQL needs the type of an empty array here.
                   CASE WHEN blind.ids = '{}' THEN 0 ELSE width_bucket(e.id, blind.ids) END AS era,
                   CASE WHEN blind.ids = '{}' THEN 0 ELSE cardinality(blind.ids) END AS last_era
            FROM event AS e
            CROSS JOIN blind
        ), sequenced AS (
            SELECT n.event_key, n.position, n.turn, n.id, n.transaction_id, n.kind, n.shows, n.leaves, n.era,
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
        ), claim AS (
            -- Compares what was known with what is shown; NULL for no row.
            SELECT of.code, c.event_key, c.position, c.transaction_id, c.id, of.known, of.shown
            FROM chained AS c
            LEFT JOIN (
                SELECT %4$s COLLATE "C" AS live_key, %5$s AS live_image FROM %6$s AS tl_live WHERE %11$s
            ) AS live ON c.is_last AND live.live_key = c.event_key
            CROSS JOIN LATERAL (
                SELECT 'chain-broken' AS code,
                       CASE WHEN c.before = 'end' THEN NULL ELSE c.known END AS known,
                       CASE WHEN c.kind = 'birth' THEN NULL ELSE coalesce(c.shows, '{}') END AS shown
                WHERE c.before IS NOT NULL AND NOT (c.before = 'end' AND c.kind = 'birth')
                UNION ALL
                SELECT CASE WHEN c.kind = 'end' THEN 'row-unrecorded' WHEN live.live_key IS NULL THEN 'row-missing' ELSE 'row-altered' END,
                       CASE WHEN c.kind <> 'end' THEN c.known || coalesce(c.leaves, '{}') END,
                       CASE WHEN live.live_key IS NOT NULL THEN live.live_image END
                WHERE c.is_last AND (c.kind <> 'end' OR live.live_key IS NOT NULL)
                  -- The rows of a detached partition are not missing.
                  AND NOT ($13 AND live.live_key IS NULL AND threadline.left_with_partition($1, $14, c.known || coalesce(c.leaves, '{}'), '-infinity'))
            ) AS of
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
        threadline.own_rows(target),
        format(tl_range, 'c.record_key'), format(tl_range, 'c.previous_key'),
        format(tl_range, 'r.record_key'), format(tl_range, 'r.previous_key'),
        format(tl_range, '(' || threadline.key_expression(tl_table.id, 'tl_live') || ')'))
    USING tl_table.id, threadline.first_transaction_since(tl_since), tl_since, tl_columns.names, tl_columns.documents,
          tl_renames, tl_columns.masks, tl_columns.late_names, tl_columns.late_since,
          tl_table.key_columns, tl_table.key_types, examples,
          EXISTS (SELECT FROM threadline.partitions_left(tl_table.id)), target, after, up_to;
END
$chain_drift$;
COMMENT ON FUNCTION threadline.chain_drift(regclass, timestamptz, integer, text, text) IS
    'Records of an audited table whose changes do not agree with each other or with the live rows: something was written bypassing the triggers';

-- Suspends capture for the rest of the running transaction and records the suspension with its
-- reason. It ends with the transaction; rolling back to an earlier savepoint ends it too. The
-- actor is the context's unless another is named. Only roles that were granted EXECUTE may call
-- it.
--
--   BEGIN; SELECT threadline.suspend('reload of the price list, ticket 4711'); ... COMMIT;
--
-- for_session: suspends capture for the session, until threadline.resume() or its end. Do not use
-- it on a pooled connection, where another client gets the session next.
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
        RAISE EXCEPTION 'threadline: suspending capture needs a reason: SELECT threadline.suspend(''why'')';
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
    'Suspends capture for the rest of the running transaction, or for the session, and records the suspension';

-- Records, with the reason, that values recorded before their column was redacted are read. The
-- session then sees them in each transaction that has the action's id in the setting
-- threadline.unmasked, for an hour at most. The actor is the context's unless another is named.
-- Only roles that were granted EXECUTE may call it.
CREATE OR REPLACE FUNCTION threadline.unmask(
    reason     text,
    actor_type text DEFAULT NULL,
    actor_id   text DEFAULT NULL
) RETURNS SETOF threadline.audit_actions
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    IF coalesce(btrim(unmask.reason), '') = '' THEN
        RAISE EXCEPTION 'threadline: reading values that are masked now needs a reason: SELECT threadline.unmask(''why'')';
    END IF;
    RETURN NEXT threadline.own_action('audit.unmasked', jsonb_build_object('pid', pg_backend_pid()),
        unmask.reason, unmask.actor_type, unmask.actor_id);
END
$$;
REVOKE ALL ON FUNCTION threadline.unmask(text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION threadline.unmask(text, text, text) IS
    'Records that values hidden by the present policy are read, and lets the session read them';

-- Ends the suspension that threadline.suspend(..., for_session => true) began, and records that
-- as an action.
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
    -- The transaction may be suspended independently.
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
    'Resumes capture in the session, and records that';
