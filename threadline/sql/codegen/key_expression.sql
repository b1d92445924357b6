-- Returns SQL for the record key of a row called row_name. Only long values, which are few, call
-- a function. Two keys that the column's collation treats as equal are two keys.
CREATE OR REPLACE FUNCTION threadline.key_expression(audited_table integer, row_name text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT CASE count(*)
        WHEN 0 THEN 'NULL::text'
        WHEN 1 THEN min(bounded)
        ELSE format('jsonb_build_array(%s)::text', string_agg(bounded, ', ' ORDER BY ordinal))
    END
    FROM (
        SELECT ordinal, CASE WHEN fixed THEN part ELSE format(
            'CASE WHEN octet_length(%1$s) > %3$s THEN threadline.bounded_key(%1$s, %2$s) ELSE %1$s END', part, parts,
            -- In a JSON array a byte takes six bytes at most.
            CASE parts WHEN 1 THEN 2000 ELSE (2000 / parts - 2) / 6 END) END AS bounded
        FROM (
            SELECT k.ordinal, count(*) OVER () AS parts, base.typlen > 0 OR k.hash_of IS NOT NULL AS fixed,
                   format(
                       CASE WHEN k.hash_of IS NOT NULL
                                THEN format('threadline.key_hash(%s, %L, to_jsonb(%%2$s)) COLLATE "C"', audited_table, k.hash_of)
                            WHEN k.type NOT IN ('smallint', 'integer', 'bigint', 'text', 'character varying', 'character', 'uuid')
                                THEN 'threadline.key_text(to_jsonb(%2$s))'
                            WHEN base.typcollation <> 0 THEN '%1$s::text COLLATE "C"'
                            ELSE '%1$s::text' END,
                       column_of.reference, threadline.json_form(k.column_type::regtype, column_of.reference)) AS part
            FROM threadline.live_key(audited_table) AS k
            JOIN pg_type AS base ON base.oid = threadline.base_type(k.type::regtype)
            CROSS JOIN LATERAL (SELECT format('%s.%I', row_name, k.name) AS reference) AS column_of
        ) AS whole
    ) AS parts;
END;
