-- Returns the type in which values of a referring column and of a key column have equal texts
-- exactly if they are equal; NULL if they must be brought into the form of a key first. If a key
-- was too long for the index, only a digest of it is known.
CREATE OR REPLACE FUNCTION threadline.compared_as(referring regtype, key_type text, key_values text[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
RETURN CASE
    WHEN key_type IN ('smallint', 'integer', 'bigint') AND threadline.base_type(referring)::regtype::text IN ('smallint', 'integer', 'bigint')
        THEN 'bigint'
    WHEN key_type = 'uuid' AND threadline.base_type(referring) = 'uuid'::regtype THEN 'uuid'
    WHEN key_type IN ('text', 'character varying') AND threadline.base_type(referring)::regtype::text IN ('text', 'character varying')
         AND array_to_string(key_values, ' ') !~ '[.]{3} sha256:[0-9a-f]{64}' THEN 'text'
END;
