-- SQL for the token of a column of the row called row_name.
CREATE FUNCTION threadline.token_expression(row_name text, column_name text, type regtype, key_id integer) RETURNS text
LANGUAGE sql STABLE
RETURN pg_catalog.format(
    'threadline.token(%s, (%s)::jsonb)', key_id, threadline.value_expression(row_name, column_name, type, 'clear'));
