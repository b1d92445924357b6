-- Fails for columns that the table does not have or that are part of its primary key, and for
-- subjects that are not tables, or whose records a column cannot name.
CREATE OR REPLACE FUNCTION threadline.check_personal(target regclass, policy jsonb, redacted text[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off AS $$
DECLARE
    tl_columns text[] := ARRAY(SELECT c.name FROM threadline.columns_of(target) AS c ORDER BY c.number);
    tl_keys text[] := ARRAY(SELECT k.name FROM threadline.key_columns_of(target) AS k);
    tl_personal text[] := ARRAY(SELECT jsonb_array_elements_text(policy -> 'personal'));
    tl_subject jsonb := policy -> 'subject';
    tl_wrong text;
    tl_schema text := (SELECT n.nspname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = target);
    tl_field record;
    tl_named regclass;
BEGIN
    IF jsonb_typeof(tl_subject) <> 'object' THEN
        RAISE EXCEPTION 'threadline: the subject of table % is no object; say for each column whom it names, as in subject => ''{"user_id": "users"}''', target;
    END IF;
    SELECT string_agg(c, ', ') INTO tl_wrong
    FROM (SELECT unnest(tl_personal) UNION SELECT jsonb_object_keys(tl_subject)) AS named (c) WHERE c <> ALL (tl_columns);
    IF tl_wrong IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: table % has no column %; its columns are: %', target, tl_wrong, array_to_string(tl_columns, ', ');
    END IF;
    SELECT string_agg(c, ', ') INTO tl_wrong FROM unnest(tl_personal || threadline.generated_from(target, tl_personal)) AS c WHERE c = ANY (tl_keys);
    IF tl_wrong IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: column % belongs to the primary key of %; a key identifies the record and cannot be erased', tl_wrong, target
            USING HINT = 'Give the table a key that contains no personal data.';
    END IF;
    IF tl_keys = '{}' AND (tl_personal <> '{}' OR tl_subject <> '{}') THEN
        RAISE EXCEPTION 'threadline: table % has no primary key, so its changes belong to no record and to no person; add a key first', target;
    END IF;
    SELECT string_agg(c, ', ') INTO tl_wrong FROM jsonb_object_keys(tl_subject) AS c WHERE c = ANY (redacted);
    IF tl_wrong IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: column % of table % is not recorded as it is, and cannot name the owner of a recorded row', tl_wrong, target;
    END IF;
    FOR tl_field IN SELECT * FROM jsonb_each_text(tl_subject) LOOP
        tl_named := threadline.subject_table_of(tl_schema, tl_field.value);
        IF tl_named IS NULL THEN
            RAISE EXCEPTION 'threadline: column % of table % names the records of %, and there is no such table', tl_field.key, target, tl_field.value
                USING HINT = 'Without a schema it is looked for in that of the table.';
        END IF;
        tl_wrong := threadline.not_nameable(tl_named, CASE WHEN tl_named = target THEN policy END);
        IF tl_wrong IS NOT NULL THEN
            RAISE EXCEPTION 'threadline: column % of table % cannot name the records of %: %', tl_field.key, target, tl_named, tl_wrong
                USING HINT = 'A column can name a record by a primary key of one column that is recorded as it is.';
        END IF;
        SELECT c.type::text INTO tl_wrong
        FROM threadline.columns_of(target) AS c
        JOIN pg_type AS base ON base.oid = threadline.base_type(c.type)
        WHERE c.name = tl_field.key
          AND (base.oid IN ('json'::regtype, 'jsonb'::regtype) OR base.typtype IN ('c', 'r', 'm') OR base.typsubscript = 'array_subscript_handler'::regproc);
        IF tl_wrong IS NOT NULL THEN
            RAISE EXCEPTION 'threadline: column % of table % is of type %, which is not the key of one record of %', tl_field.key, target, tl_wrong, tl_named;
        END IF;
    END LOOP;
END
$$;
