-- Returns SQL for the image of a change that shows the row after it or, with `as_it_went`, before
-- it; NULL if there is none. The indexes of threadline.index_reference() contain the same
-- expression.
CREATE OR REPLACE FUNCTION threadline.image_shown(as_it_went boolean, row_name text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, threadline, pg_temp
RETURN format(
    CASE WHEN as_it_went
         THEN 'CASE WHEN %1$I.op = ''U'' AND %1$I.previous_key IS NULL THEN %1$I.changed_from WHEN %1$I.op <> ''I'' THEN %1$I.row_data END'
         ELSE 'CASE WHEN %1$I.op = ''I'' THEN %1$I.row_data WHEN %1$I.op = ''U'' AND %1$I.previous_key IS NOT NULL THEN %1$I.row_data || %1$I.changed_to ELSE %1$I.changed_to END'
    END, row_name);
