-- Do the columns of a relation stand as they did when its capture was built: the same
-- ones, each under its number and name, and of its type? Not if one is generated from
-- something else since, where others are redacted.
CREATE FUNCTION threadline.columns_match(relation oid, built_for jsonb) RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
AS $$
BEGIN
    RETURN NOT EXISTS (
        SELECT
        FROM threadline.present_columns(relation) AS now
        FULL JOIN jsonb_to_recordset(built_for -> 'columns') AS k (number smallint, name text, type text, scaled boolean, made_by oid)
            ON k.number = now.number AND k.name = now.name AND k.type = now.type::text
        WHERE now.number IS NULL OR k.number IS NULL
           OR NOT threadline.made_as_before(k.name, k.made_by)
           OR k.scaled AND (SELECT a.atttypmod FROM pg_attribute AS a WHERE a.attrelid = relation AND a.attnum = k.number) = -1);
EXCEPTION WHEN OTHERS THEN
    RETURN false;
END
$$;
