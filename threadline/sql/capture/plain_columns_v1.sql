-- threadline.plain_columns() as capture functions of schema version 1 call it. A write that waited
-- for an upgrade continues with the capture function that it began with, so what that calls stays.
CREATE OR REPLACE FUNCTION threadline.plain_columns(relation oid, pinned text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN threadline.plain_columns(relation, pinned, true);
