-- Rebuilds the capture functions of all audited tables from the installed code. Takes no lock on
-- the tables: their writers continue, each write with the old function or the new one. The policy
-- of a table stays, also where its columns changed since; threadline.refresh() handles those.
CREATE OR REPLACE FUNCTION threadline.rebuild_captures() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp
SET standard_conforming_strings = on
SET quote_all_identifiers = off AS $$
DECLARE
    tl_audited record;
BEGIN
    FOR tl_audited IN
        SELECT t.id, t.relation, at.relation AS target
        FROM threadline.audited_tables AS t
        CROSS JOIN LATERAL (SELECT threadline.locate_table(t.id) AS relation) AS at
        WHERE at.relation IS NOT NULL AND to_regproc('threadline.capture_' || t.id) IS NOT NULL
        ORDER BY t.id
    LOOP
        PERFORM threadline.build_function(tl_audited.id, tl_audited.target);
        IF tl_audited.relation <> tl_audited.target THEN
            -- For a restored table, the function names the OID that the table had.
            EXECUTE regexp_replace(
                pg_get_functiondef(to_regproc('threadline.capture_' || tl_audited.id)),
                '\m' || tl_audited.target::oid || '\M', tl_audited.relation::text, 'g');
        END IF;
        UPDATE threadline.audited_tables
        SET capture_version = threadline.capture_version(),
            columns = CASE WHEN relation = tl_audited.target THEN threadline.with_column_states(tl_audited.target, columns) ELSE columns END
        WHERE id = tl_audited.id;
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION threadline.rebuild_captures() FROM PUBLIC;
