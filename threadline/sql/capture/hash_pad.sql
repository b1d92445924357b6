-- Returns a key of up to 64 bytes with each byte exclusive-or a given byte, as HMAC needs it.
CREATE OR REPLACE FUNCTION threadline.hash_pad(key bytea, pad integer) RETURNS bytea
LANGUAGE sql IMMUTABLE
RETURN (
    SELECT pg_catalog.string_agg(
        pg_catalog.set_byte('\x00', 0, pad # CASE WHEN i < pg_catalog.length(key) THEN pg_catalog.get_byte(key, i) ELSE 0 END), ''
        ORDER BY i)
    FROM pg_catalog.generate_series(0, 63) AS i
);
