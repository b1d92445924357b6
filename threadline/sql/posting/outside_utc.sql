-- Returns whether an image may have instants that are not in UTC: exactly for up to four of them.
-- An expression without a subquery, which PostgreSQL puts into the calling query.
CREATE OR REPLACE FUNCTION threadline.outside_utc(image jsonb, instants text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN pg_catalog.cardinality(instants) > 4
    OR image ->> instants[1] NOT LIKE '%+00:00'
    OR image ->> instants[2] NOT LIKE '%+00:00'
    OR image ->> instants[3] NOT LIKE '%+00:00'
    OR image ->> instants[4] NOT LIKE '%+00:00';
