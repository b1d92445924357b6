-- The keys of columns that are recorded as keyed hashes, each made ready for HMAC (RFC 2104).
-- For the owner of the audit alone: who has a key can try values until one gives the
-- hash, so that no function hands out hashes either.
CREATE TABLE threadline.hash_keys (
    id        integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    inner_key bytea NOT NULL,
    outer_key bytea NOT NULL
);
COMMENT ON TABLE threadline.hash_keys IS
    'The keys of columns recorded as keyed hashes; a hash whose key is deleted can be matched with no value any more';
