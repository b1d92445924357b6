-- Returns the renames that apply to a table's images: both those noted by threadline.audit() and
-- those not yet noted. [{"at": ..., "names": {"former": "now"}}], oldest first, NULL if there are
-- none. Columns renamed at once are exchanged at once.
CREATE OR REPLACE FUNCTION threadline.renames_of(audited_table integer) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_relation oid;
BEGIN
    SELECT t.relation INTO tl_relation FROM threadline.audited_tables AS t WHERE t.id = audited_table;
    IF EXISTS (SELECT FROM threadline.unnoted_renames(audited_table, tl_relation))
       AND threadline.audited_table_of(tl_relation) IS DISTINCT FROM audited_table THEN
        tl_relation := NULL;
    END IF;
    RETURN (
        SELECT jsonb_agg(jsonb_build_object('at', batch.renamed_at, 'names', batch.names) ORDER BY batch.renamed_at)
        FROM (
            SELECT r.renamed_at, jsonb_object_agg(r.former_name, r.name) AS names
            FROM (
                SELECT noted.former_name, noted.name, noted.renamed_at
                FROM threadline.renamed_columns AS noted
                WHERE noted.table_id = audited_table
                UNION ALL
                SELECT unnoted.former_name, unnoted.name, coalesce(unnoted.renamed_at, 'infinity')
                FROM threadline.unnoted_renames(audited_table, tl_relation) AS unnoted
            ) AS r
            GROUP BY r.renamed_at
        ) AS batch);
END
$$;
