-- Creates a key of 32 random bytes and returns the id under which it is kept. UUIDs come from
-- PostgreSQL's strong random source, 122 bits each.
CREATE OR REPLACE FUNCTION threadline.new_hash_key() RETURNS integer
LANGUAGE sql SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    INSERT INTO threadline.hash_keys (inner_key, outer_key)
    SELECT threadline.hash_pad(key, 54), threadline.hash_pad(key, 92)
    FROM (
        SELECT sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) AS key OFFSET 0
    ) AS new
    RETURNING id;
END;
REVOKE ALL ON FUNCTION threadline.new_hash_key() FROM PUBLIC;
