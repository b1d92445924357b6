-- Returns a fingerprint of the names and types of a relation's columns, how they are compared,
-- and their generation expressions. If it differs, the table needs threadline.refresh(). Column
-- numbers are not part of it: a dump and restore closes the gaps that dropped columns left.
CREATE OR REPLACE FUNCTION threadline.fingerprint(target regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
RETURN threadline.fingerprint_but(target, '{}');
