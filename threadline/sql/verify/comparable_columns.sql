-- Returns the columns whose recorded values can be compared with each other and with the live
-- ones, and since when: earlier values are not comparable if the column was masked or excluded,
-- had another type or unit, or was another column of that name. A keyed hash can be compared by a
-- role that may compute it, with by_hash, if its type has one text for each value; that of
-- numeric differs after a change of its scale. `nested` is a type whose values are compared by
-- threadline.nested_values_differ().
CREATE OR REPLACE FUNCTION threadline.comparable_columns(
    audited_table integer, target regclass, by_hash boolean,
    OUT name text, OUT since timestamptz, OUT mask jsonb, OUT any_json boolean, OUT nested oid
) RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT live.name, greatest(k.plain_since, k.retyped_at, altered.at),
           CASE WHEN policy.column_policy = 'mask' AND NOT (by_hash AND k.column_policy = 'hash' AND live.bitwise AND live.type <> 'numeric'::regtype)
                THEN threadline.placeholder(live.type) END,
           live.type IN ('json'::regtype, 'jsonb'::regtype),
           (SELECT live.type
            FROM pg_type AS base
            JOIN pg_type AS under ON under.oid = threadline.base_type(
                CASE WHEN base.typsubscript = 'array_subscript_handler'::regproc THEN base.typelem ELSE base.oid END)
            WHERE base.oid = threadline.base_type(live.type) AND live.type >= 16384 AND under.typtype IN ('c', 'r', 'm'))::oid
    FROM threadline.audited_tables AS t
    CROSS JOIN jsonb_to_recordset(t.columns) AS k (
        number smallint, name text, type text, column_policy text, plain_since timestamptz, retyped_at timestamptz)
    JOIN threadline.columns_of(target) AS live
      ON CASE WHEN t.relation = target THEN live.number = k.number ELSE live.name = k.name END
    JOIN threadline.column_policy(audited_table, target) AS policy ON policy.name = live.name
    LEFT JOIN (
        SELECT a.name, max(a.at) AS at
        FROM jsonb_to_recordset(threadline.alterations_of(audited_table)) AS a (name text, "at" timestamptz, cuts boolean)
        WHERE a.cuts
        GROUP BY a.name
    ) AS altered ON altered.name = live.name
    WHERE t.id = audited_table AND live.type::text = k.type AND policy.column_policy <> 'exclude'
      -- The text of these types changes when the object that they name is renamed.
      AND threadline.base_type(live.type) NOT IN (
          SELECT p.oid FROM pg_type AS p WHERE p.oid < 16384 AND p.typname ~ '^_?reg' AND p.typnamespace = 'pg_catalog'::regnamespace)
      -- A change of only this column is not recorded.
      AND coalesce(t.policy -> 'ignore' ? k.name, false) IS NOT true;
END
$$;
