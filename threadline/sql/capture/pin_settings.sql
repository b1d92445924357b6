-- Sets what decides how values become text, for the rest of the transaction, and
-- returns what it was; for a function that is not declared with all of them.
CREATE FUNCTION threadline.pin_settings(settings text[] DEFAULT ARRAY['UTC', 'ISO, YMD', 'postgres', 'hex', '1', 'on']) RETURNS text[]
LANGUAGE sql
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    WITH former AS MATERIALIZED (
        SELECT s.name, s.value, s.ordinality, current_setting(s.name) AS former
        FROM ROWS FROM (
            unnest(ARRAY['timezone', 'datestyle', 'intervalstyle', 'bytea_output', 'extra_float_digits', 'array_nulls']),
            unnest(settings)
        ) WITH ORDINALITY AS s (name, value, ordinality)
    )
    SELECT array_agg(f.former ORDER BY f.ordinality) FROM former AS f WHERE set_config(f.name, f.value, true) IS NOT NULL;
END;
