-- Images of a record laid over each other: of each column, the last value.
CREATE AGGREGATE threadline.overlay(jsonb) (
    SFUNC = pg_catalog.jsonb_concat,
    STYPE = pg_catalog.jsonb
);
