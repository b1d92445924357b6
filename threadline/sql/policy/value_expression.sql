-- SQL for the JSON text of a column of the row called row_name, as it may be
-- stored: the way that is quickest for its type.
CREATE FUNCTION threadline.value_expression(row_name text, column_name text, type regtype, treatment text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT CASE
        WHEN treatment = 'mask'
            THEN format('CASE WHEN %s IS NOT DISTINCT FROM NULL THEN ''null'' ELSE %L END', value.name, threadline.placeholder(type)::text)
        WHEN type IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'bool'::regtype, 'jsonb'::regtype)
            THEN format('coalesce(%s::text, ''null'')', value.name)
        WHEN type = 'uuid'::regtype
            THEN format('coalesce(''"'' || %s::text || ''"'', ''null'')', value.name)
        ELSE format('coalesce(to_json(%s)::text, ''null'')', threadline.json_form(type, value.name))
    END
    FROM (SELECT format('%s.%I', row_name, column_name) AS name) AS value;
END;
