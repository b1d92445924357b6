-- A live row's image as the table's policy lets it be seen in the audit.
CREATE FUNCTION threadline.policy_image(audited_table integer, image jsonb) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT CASE WHEN bool_and(c.treatment = 'clear') THEN image
        ELSE threadline.redacted_image(
            image,
            array_agg(c.name) FILTER (WHERE c.treatment = 'clear'),
            jsonb_object_agg(c.name, threadline.placeholder(to_regtype(c.type))) FILTER (WHERE c.treatment = 'mask'))
    END
    FROM threadline.audited_tables AS t
    CROSS JOIN jsonb_to_recordset(t.columns) AS c (name text, type text, treatment text)
    WHERE t.id = audited_table;
END;
