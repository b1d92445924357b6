-- Returns the table for a name in a policy: a name without a schema is one of the table's own
-- schema.
CREATE OR REPLACE FUNCTION threadline.subject_table_of(of_schema text, named text) RETURNS regclass
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
BEGIN
    RETURN CASE cardinality(parse_ident(named))
        WHEN 1 THEN to_regclass(format('%I.%s', of_schema, named))
        WHEN 2 THEN to_regclass(named) END;
EXCEPTION WHEN invalid_parameter_value OR invalid_name THEN
    RETURN NULL;
END
$$;
