-- Whether two recorded values of a column cannot be one value. Numbers are, at any
-- scale: a column's scale changes without a write. A value that capture could not
-- turn to JSON was kept as text, and a text says nothing about a number. Of an erased
-- value nothing is known.
CREATE FUNCTION threadline.values_differ(one jsonb, other jsonb, any_json boolean) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN one <> other AND NOT (threadline.is_erased(one) OR threadline.is_erased(other)) AND (
    any_json
    OR pg_catalog.jsonb_typeof(one) = pg_catalog.jsonb_typeof(other)
    OR 'null' IN (pg_catalog.jsonb_typeof(one), pg_catalog.jsonb_typeof(other))
    OR one IN ('"NaN"', '"Infinity"', '"-Infinity"')
    OR other IN ('"NaN"', '"Infinity"', '"-Infinity"')
);
