-- Leaves columns of an audited table unrecorded until a policy or threadline.refresh() decides
-- about them, like columns of a table with redaction that came after its policy.
CREATE OR REPLACE FUNCTION threadline.withhold_columns(target regclass, numbers smallint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off AS $$
DECLARE
    tl_table threadline.audited_tables;
    tl_withheld jsonb;
BEGIN
    PERFORM threadline.require_handed_over(target);
    SELECT * INTO STRICT tl_table FROM threadline.audited_tables AS t WHERE t.id = threadline.known_table_of(target);
    SELECT jsonb_agg(k.document) INTO tl_withheld
    FROM jsonb_array_elements(tl_table.columns) AS k (document)
    WHERE (k.document ->> 'number')::smallint = ANY (numbers)
      AND k.document ->> 'column_policy' = 'plain' AND k.document ->> 'name' <> ALL (tl_table.key_columns)
      -- Without redaction, columns that the capture was not built for are recorded.
      AND jsonb_path_exists(tl_table.columns, '$[*] ? (@.column_policy <> "plain")');
    IF tl_withheld IS NULL THEN
        RETURN;
    END IF;
    UPDATE threadline.audited_tables AS t
    SET columns = (
            SELECT jsonb_agg(k.document ORDER BY k.ordinal)
            FROM jsonb_array_elements(t.columns) WITH ORDINALITY AS k (document, ordinal)
            WHERE NOT tl_withheld @> jsonb_build_array(k.document)),
        numeric_columns = ARRAY(
            SELECT n.name
            FROM unnest(t.numeric_columns) WITH ORDINALITY AS n (name, ordinal)
            WHERE n.name NOT IN (SELECT w.name FROM jsonb_to_recordset(tl_withheld) AS w (name text))
            ORDER BY n.ordinal),
        fingerprint = threadline.fingerprint_but(target, ARRAY(
            SELECT w.number FROM jsonb_to_recordset(tl_withheld) AS w (number smallint)))
    WHERE t.id = tl_table.id;
    PERFORM threadline.build_function(tl_table.id, target);
    PERFORM threadline.own_action('audit.policy_changed', jsonb_build_object(
        'table', target, 'table_id', tl_table.id, 'policy', tl_table.policy,
        'unrecorded', (SELECT jsonb_agg(w.name) FROM jsonb_to_recordset(tl_withheld) AS w (name text))));
END
$$;
REVOKE ALL ON FUNCTION threadline.withhold_columns(regclass, smallint[]) FROM PUBLIC;
