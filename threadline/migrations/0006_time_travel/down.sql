DROP FUNCTION threadline.rows_as_of(regclass, timestamptz);
DROP FUNCTION threadline.record_as_of(regclass, text, timestamptz);
DROP FUNCTION threadline.live_image(integer, regclass, text);
DROP FUNCTION threadline.live_expression(integer, regclass, text);
DROP FUNCTION threadline.current_names(integer, jsonb, timestamptz);
DROP FUNCTION threadline.renames_of(integer);
DROP FUNCTION threadline.last_captured(bigint);
DROP FUNCTION threadline.settled(timestamptz);
DELETE FROM threadline.schema_patches WHERE version = 6;
