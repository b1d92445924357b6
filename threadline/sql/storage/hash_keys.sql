-- The keys of columns that are recorded as keyed hashes, each prepared for HMAC (RFC 2104). For
-- the owner of the audit only: with a key, values can be guessed until one gives the hash; for
-- the same reason no function returns keyed hashes.
CREATE TABLE threadline.hash_keys (
    id        integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    inner_key bytea NOT NULL,
    outer_key bytea NOT NULL
);
COMMENT ON TABLE threadline.hash_keys IS
    'The keys of columns recorded as keyed hashes; deleting a key makes its hashes unlinkable';
