-- Returns the name of a reference: posts.user_id, or posts(tenant, author).
CREATE OR REPLACE FUNCTION threadline.reference_name(referring integer, columns text[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
BEGIN ATOMIC
    SELECT CASE cardinality(reference_name.columns)
               WHEN 1 THEN format('%I.%I', t.table_name, reference_name.columns[1])
               ELSE format('%I(%s)', t.table_name, (SELECT string_agg(quote_ident(c.name), ', ' ORDER BY c.place) FROM unnest(reference_name.columns) WITH ORDINALITY AS c (name, place)))
           END
    FROM threadline.audited_tables AS t
    WHERE t.id = referring;
END;
