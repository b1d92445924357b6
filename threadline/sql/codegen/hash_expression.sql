-- Returns SQL for the keyed hash of a value under the key of its column.
CREATE OR REPLACE FUNCTION threadline.hash_expression(reference text, type regtype, key_id integer) RETURNS text
LANGUAGE sql STABLE
RETURN pg_catalog.format('threadline.hash(%s, to_jsonb(%s))', key_id, threadline.json_form(type, reference));
