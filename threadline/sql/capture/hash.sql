-- Returns the keyed hash of a value: the first half of HMAC-SHA-256 of its text. Equal values
-- have equal hashes, also after the type of the column changed. NULL stays NULL. If the key is
-- missing, as in a restore that left out the rows, all values give the same result. Not written
-- as one expression, because PostgreSQL would inline that into the expressions of capture and
-- plan each as a query, which takes three times as long for a single row.
CREATE OR REPLACE FUNCTION threadline.hash(key_id integer, value jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_text text := value #>> '{}';
    tl_hash text;
BEGIN
    IF tl_text IS NULL THEN
        RETURN 'null';
    END IF;
    SELECT encode(substr(sha256(k.outer_key || sha256(k.inner_key || convert_to(tl_text, threadline.digest_encoding()))), 1, 16), 'hex')
    INTO tl_hash
    FROM threadline.hash_keys AS k
    WHERE k.id = key_id;
    RETURN to_jsonb('hash:' || coalesce(tl_hash, 'unknown'));
END
$$;
REVOKE ALL ON FUNCTION threadline.hash(integer, jsonb) FROM PUBLIC;
