-- The keys of columns that are recorded as tokens, each made ready for HMAC (RFC 2104).
-- For the owner of the audit alone: who has a key can try values until one gives the
-- token, so that no function hands out tokens either.
CREATE TABLE threadline.token_keys (
    id        integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    inner_key bytea NOT NULL,
    outer_key bytea NOT NULL
);
COMMENT ON TABLE threadline.token_keys IS
    'The keys of columns recorded as tokens; a token whose key is deleted can be matched with no value any more';
