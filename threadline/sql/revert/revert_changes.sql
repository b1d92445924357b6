-- Undoes changes, newest first, as new audited changes: all of them, or none
-- and the reasons. What fails for the order alone, such as a row whose parent
-- is yet to be put back, is tried again after the others.
CREATE FUNCTION threadline.revert_changes(
    changes threadline.audit_changes[],
    OUT change_id bigint, OUT schema_name text, OUT table_name text, OUT key jsonb, OUT reason text
) RETURNS SETOF record
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    tl_pending threadline.audit_changes[];
    tl_left threadline.audit_changes[];
    tl_reasons text[];
    tl_change threadline.audit_changes;
    tl_reason text;
BEGIN
    SELECT array_agg(c ORDER BY c.id DESC) INTO tl_pending FROM unnest(changes) AS c;
    BEGIN
        WHILE cardinality(tl_pending) > 0 LOOP
            tl_left := '{}';
            tl_reasons := '{}';
            FOREACH tl_change IN ARRAY tl_pending LOOP
                BEGIN
                    tl_reason := threadline.revert_change(tl_change);
                EXCEPTION
                    WHEN integrity_constraint_violation OR data_exception OR insufficient_privilege OR undefined_column THEN
                        tl_reason := SQLERRM;
                END;
                IF tl_reason IS NOT NULL THEN
                    tl_left := tl_left || tl_change;
                    tl_reasons := tl_reasons || tl_reason;
                END IF;
            END LOOP;
            IF cardinality(tl_left) = cardinality(tl_pending) THEN
                RAISE EXCEPTION USING ERRCODE = 'TL001', MESSAGE = 'conflicts';
            END IF;
            tl_pending := tl_left;
        END LOOP;
    EXCEPTION WHEN SQLSTATE 'TL001' THEN
        RETURN QUERY
        SELECT c.id, t.schema_name, t.table_name,
               threadline.key_json(t.key_columns, t.key_types, c.record_key), c.reason
        FROM (
            SELECT (tl_left[position]).id, (tl_left[position]).table_id, (tl_left[position]).record_key,
                   tl_reasons[position] AS reason
            FROM generate_subscripts(tl_left, 1) AS position
        ) AS c
        LEFT JOIN threadline.audited_tables AS t ON t.id = c.table_id;
    END;
END
$$;
