-- Returns SQL for the value of a column in the live row whose record key is the parameter $1, as
-- in threadline.live_image(), which takes ten times as long for each record. NULL if the value or
-- the key has a form that only that function knows. Must run with capture's settings.
CREATE OR REPLACE FUNCTION threadline.live_value_query(audited_table integer, target regclass, column_name text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    tl_value text;
    tl_condition text;
BEGIN
    SELECT threadline.json_form(c.type, format('tl_live.%I', c.name))
    INTO tl_value
    FROM threadline.column_policy(audited_table, target) AS c
    WHERE c.name = column_name AND c.column_policy = 'plain';
    IF tl_value IS NULL OR EXISTS (
        -- live_expression() has its own form for these.
        SELECT FROM pg_attribute AS a WHERE a.attrelid = target AND a.attgenerated = 'v'
    ) THEN
        RETURN NULL;
    END IF;
    -- As threadline.key_condition() has them.
    SELECT CASE WHEN bool_and(key.hash_of IS NULL AND base.type < 16384
                              AND base.type NOT IN ('character'::regtype, 'bit'::regtype)
                              AND coalesce(o.collisdeterministic, true))
           THEN string_agg(format(CASE WHEN key.single THEN 'tl_live.%1$I = $1::%2$s'
                                       ELSE 'tl_live.%1$I = (threadline.json_array_or_null($1) ->> %3$s)::%2$s' END,
                               key.name, base.type::regtype, key.ordinal - 1), ' AND ' ORDER BY key.ordinal) END
    INTO tl_condition
    FROM threadline.live_key(audited_table) AS key
    CROSS JOIN LATERAL threadline.base_type(key.type::regtype) AS base (type)
    LEFT JOIN pg_attribute AS a ON a.attrelid = target AND a.attname = key.name AND NOT a.attisdropped
    LEFT JOIN pg_collation AS o ON o.oid = a.attcollation;
    RETURN format('SELECT coalesce(to_jsonb(%s), ''null'') FROM %s AS tl_live WHERE ', tl_value, threadline.own_rows(target)) || tl_condition;
END
$$;
