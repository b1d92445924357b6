-- Returns whether two recorded values of a column cannot be the same value. Numbers are the same
-- at any scale: a column's scale changes without a write. A value that capture could not convert
-- to JSON was kept as text, which cannot be compared with a number. An erased value is unknown.
CREATE OR REPLACE FUNCTION threadline.values_differ(one jsonb, other jsonb, any_json boolean) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN one <> other AND NOT (threadline.is_erased(one) OR threadline.is_erased(other)) AND (
    any_json
    OR pg_catalog.jsonb_typeof(one) = pg_catalog.jsonb_typeof(other)
    OR 'null' IN (pg_catalog.jsonb_typeof(one), pg_catalog.jsonb_typeof(other))
    OR one IN ('"NaN"', '"Infinity"', '"-Infinity"')
    OR other IN ('"NaN"', '"Infinity"', '"-Infinity"')
);
