-- Returns a retention period as text, the same under every IntervalStyle.
CREATE OR REPLACE FUNCTION threadline.keep_text(keep interval) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET intervalstyle = 'postgres'
RETURN keep::text;
