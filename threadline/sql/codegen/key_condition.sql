-- Returns SQL that is true of the row called row_name with a given record key, by column, so that
-- the primary key's index is used. A cast to "character" or "bit" would cut the value to one
-- character or bit. If a key was too long for the index, only a digest is known, so the digest of
-- each row's key is computed.
--
-- Types of extensions are compared with the operator of their index, which the search_path does
-- not find and which only a superuser can have created. Values that citext or a collation treats
-- as equal are distinguished by their text.
CREATE OR REPLACE FUNCTION threadline.key_condition(audited_table integer, record_key text, row_name text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp
-- Planning it, or compiling it, takes a hundred times as long as running it.
SET plan_cache_mode = force_generic_plan
SET jit = off AS $$
DECLARE
    tl_exactly boolean := threadline.is_digest(record_key);
    tl_by_column text;
BEGIN
    IF tl_exactly IS NOT true THEN
        SELECT string_agg(
                   format(CASE WHEN k.hash_of IS NOT NULL THEN '%6$s = %4$L'
                               WHEN k.base IN ('character'::regtype, 'bit'::regtype) THEN '%s.%I %s %L'
                               -- Its text depends on the locale.
                               WHEN k.base = 'money'::regtype THEN '%s.%I %s %L::pg_catalog.numeric::%s'
                               ELSE '%s.%I %s %L::%s' END,
                       row_name, k.name, coalesce(k.equality, '='),
                       CASE WHEN k.single THEN record_key
                            ELSE threadline.json_array_or_null(record_key) ->> (k.ordinal::integer - 1) END,
                       k.base,
                       format('threadline.key_hash(%s, %L, to_jsonb(%s))', audited_table, k.hash_of,
                           threadline.json_form(k.column_type::regtype, format('%s.%I', row_name, k.name)))),
                   ' AND ' ORDER BY k.ordinal) FILTER (WHERE NOT k.is_nested),
               bool_or((k.equality IS NOT NULL OR k.loose OR k.is_nested) AND k.hash_of IS NULL)
        INTO tl_by_column, tl_exactly
        FROM (
            -- Every value in the table satisfies the checks of its domain.
            SELECT live.*, base.type::regtype AS base, live.hash_of IS NULL AND (
                -- An array or a composite value is recorded as JSON, which it does not accept.
                SELECT t.typcategory IN ('A', 'C') FROM pg_type AS t WHERE t.oid = base.type
            ) AS is_nested, (
                SELECT format('OPERATOR(%I.%s)', n.nspname, o.oprname)
                FROM pg_opclass AS c
                JOIN pg_am AS m ON m.oid = c.opcmethod AND m.amname = 'btree'
                JOIN pg_amop AS a ON a.amopfamily = c.opcfamily AND a.amopstrategy = 3
                    AND a.amoplefttype = base.type AND a.amoprighttype = base.type
                JOIN pg_operator AS o ON o.oid = a.amopopr
                JOIN pg_namespace AS n ON n.oid = o.oprnamespace
                WHERE base.type >= 16384 AND c.opcdefault AND c.opcintype = base.type
            ) AS equality, (
                SELECT NOT c.collisdeterministic
                FROM threadline.audited_tables AS t
                JOIN pg_attribute AS a ON a.attrelid = t.relation AND a.attname = live.name
                JOIN pg_collation AS c ON c.oid = a.attcollation
                WHERE t.id = audited_table
            ) AS loose
            FROM threadline.live_key(audited_table) AS live
            CROSS JOIN LATERAL threadline.base_type(live.type::regtype) AS base (type)
        ) AS k;
    END IF;
    RETURN concat_ws(' AND ', tl_by_column,
        CASE WHEN tl_exactly THEN format('(%s) = %L', threadline.key_expression(audited_table, row_name), record_key) END);
END
$$;
