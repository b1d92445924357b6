-- A key of up to 64 bytes, each exclusive-or a byte, as HMAC mixes it in.
CREATE FUNCTION threadline.hash_pad(key bytea, pad integer) RETURNS bytea
LANGUAGE sql IMMUTABLE
RETURN (
    SELECT pg_catalog.string_agg(
        pg_catalog.set_byte('\x00', 0, pad # CASE WHEN i < pg_catalog.length(key) THEN pg_catalog.get_byte(key, i) ELSE 0 END), ''
        ORDER BY i)
    FROM pg_catalog.generate_series(0, 63) AS i
);
