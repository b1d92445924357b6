-- Returns whether a recorded value was erased: its mark names the erasure, erased:3.
CREATE OR REPLACE FUNCTION threadline.is_erased(value jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN coalesce(pg_catalog.jsonb_typeof(value) = 'string' AND value::pg_catalog.text ~ '^"erased:[0-9]+"$', false);
