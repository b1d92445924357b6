-- Returns whether a record key was too long for the index, so that only a digest of it is known, as
-- threadline.bounded_key() makes it. Inlined where it is called.
CREATE OR REPLACE FUNCTION threadline.is_digest(record_key text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN record_key ~ '[.]{3} sha256:[0-9a-f]{64}("|$)';
