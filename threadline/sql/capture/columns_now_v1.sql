-- threadline.columns_now() as capture functions of schema version 1 call it: see
-- threadline.plain_columns(oid, text[]).
CREATE OR REPLACE FUNCTION threadline.columns_now(relation oid, built_for jsonb, pinned text[]) RETURNS boolean
LANGUAGE sql STABLE
RETURN threadline.columns_now(relation, built_for, pinned, true);
