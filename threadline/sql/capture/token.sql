-- What a value is recorded as under a key: the first half of HMAC-SHA-256 of its text.
-- Equal values have equal tokens, also after the type of the column changed. NULL stays
-- NULL. Without the key, in a restore that left out the rows, all are alike.
CREATE FUNCTION threadline.token(key_id integer, value jsonb) RETURNS jsonb
LANGUAGE sql STABLE
RETURN CASE WHEN value #>> '{}' IS NULL THEN 'null'::pg_catalog.jsonb
    ELSE pg_catalog.to_jsonb('token:' || coalesce((
        SELECT pg_catalog.encode(
            pg_catalog.substr(
                pg_catalog.sha256(k.outer_key || pg_catalog.sha256(k.inner_key || pg_catalog.convert_to(value #>> '{}', 'UTF8'))),
                1, 16),
            'hex')
        FROM threadline.token_keys AS k
        WHERE k.id = key_id), 'unknown'))
END;
REVOKE ALL ON FUNCTION threadline.token(integer, jsonb) FROM PUBLIC;
