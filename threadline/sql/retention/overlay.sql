-- Merges images of a record: the last value of each column.
CREATE OR REPLACE AGGREGATE threadline.overlay(jsonb) (
    SFUNC = pg_catalog.jsonb_concat,
    STYPE = pg_catalog.jsonb
);
