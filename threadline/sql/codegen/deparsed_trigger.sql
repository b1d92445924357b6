-- Returns the command that creates a trigger, with the constants of its condition in one form under
-- every setting of the session, so that the text can be stored and compared.
CREATE OR REPLACE FUNCTION threadline.deparsed_trigger(trigger oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
SET standard_conforming_strings = on
RETURN pg_get_triggerdef(trigger);
SELECT threadline.pin_settings('threadline.deparsed_trigger(oid)');
