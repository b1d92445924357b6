-- Merges objects, later ones over earlier ones; as a window aggregate it turns the undo values of
-- a record's updates into the image of every version.
CREATE OR REPLACE AGGREGATE threadline.jsonb_merge(jsonb) (
    SFUNC = pg_catalog.jsonb_concat,
    STYPE = jsonb,
    INITCOND = '{}'
);
