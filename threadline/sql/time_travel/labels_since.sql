-- Returns the newest transaction that gave labels of a type their names; see
-- threadline.type_labels().
CREATE OR REPLACE FUNCTION threadline.labels_since(type oid) RETURNS xid8
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT max(threadline.full_xid(label.xmin)::text::numeric)::text::xid8
    FROM (
        SELECT under.oid, under.typrelid
        FROM pg_type AS base
        JOIN pg_type AS under ON under.oid IN (base.oid, threadline.base_type(base.typelem))
        WHERE base.oid = threadline.base_type(labels_since.type)
    ) AS named
    CROSS JOIN LATERAL (
        SELECT e.xmin FROM pg_enum AS e WHERE e.enumtypid = named.oid
        UNION ALL
        SELECT a.xmin FROM pg_attribute AS a WHERE a.attrelid = named.typrelid AND a.attnum > 0
    ) AS label;
END;
