-- Returns the settings on which the text of values depends, and the value that each is pinned to,
-- so that one value has one text, independent of the session that writes or reads it.
CREATE OR REPLACE FUNCTION threadline.text_settings(OUT name text, OUT value text) RETURNS SETOF record
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    VALUES ('array_nulls', 'on'), ('bytea_output', 'hex'), ('datestyle', 'ISO, YMD'), ('extra_float_digits', '1'),
           ('intervalstyle', 'postgres'), ('quote_all_identifiers', 'off'), ('timezone', 'UTC');
END;
