-- Returns an expression of the catalog as SQL, with its constants in one form under every setting of
-- the session, so that the text can be stored and compared.
CREATE OR REPLACE FUNCTION threadline.deparsed_expression(expression pg_node_tree, relation oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
SET standard_conforming_strings = on
RETURN pg_get_expr(expression, relation);
SELECT threadline.pin_settings('threadline.deparsed_expression(pg_node_tree, oid)');
