-- Returns whether one of the records from threadline.named_in() is one of those of
-- threadline.keys_named().
CREATE OR REPLACE FUNCTION threadline.names_one_of(owners jsonb, keys text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN EXISTS (SELECT FROM pg_catalog.jsonb_each_text(owners) AS o WHERE o.value = ANY (keys));
