-- The slow and careful way to the same result, for a table whose columns are
-- no longer those its capture function was built for, until
-- threadline.refresh() builds it anew. What the policy redacts stays redacted:
-- on a table with redaction a value is stored in clear only if its column can
-- be traced to one that the policy left clear, by column number while the
-- table is the one it was, by name after a restore. A column added since could
-- hold anything and is left out. On a table without redaction nothing is.
CREATE FUNCTION threadline.capture_changed_table(
    audited_table integer, target oid, old_row jsonb, new_row jsonb,
    OUT record_key text, OUT previous_key text, OUT old_image jsonb, OUT new_image jsonb
)
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_table threadline.audited_tables;
    tl_root regclass := coalesce(pg_partition_root(target), target);
    tl_clear text[];
    tl_masks jsonb;
    tl_keys text[];
BEGIN
    SELECT * INTO tl_table FROM threadline.audited_tables WHERE id = audited_table;

    IF NOT EXISTS (
        SELECT FROM jsonb_to_recordset(tl_table.columns) AS c (treatment text) WHERE c.treatment <> 'clear'
    ) THEN
        SELECT array_agg(name) INTO tl_clear FROM threadline.columns_of(tl_root);
        tl_masks := '{}';
    ELSE
        WITH known AS (
            SELECT * FROM jsonb_to_recordset(tl_table.columns) AS c (number smallint, name text, treatment text)
        ), traced AS (
            SELECT live.name, live.type,
                   (SELECT k.treatment FROM known AS k WHERE k.name = live.name) AS by_name,
                   (SELECT k.treatment FROM known AS k
                    WHERE k.number = live.number AND tl_table.relation = tl_root::oid) AS by_number
            FROM threadline.columns_of(tl_root) AS live
        )
        SELECT array_agg(name) FILTER (
                   WHERE coalesce(by_number, CASE WHEN tl_table.relation <> tl_root::oid THEN by_name END) = 'clear'
                     AND coalesce(by_name, 'clear') = 'clear'),
               jsonb_object_agg(name, threadline.placeholder(type)) FILTER (
                   WHERE 'mask' IN (by_number, by_name)
                     AND 'exclude' NOT IN (coalesce(by_number, 'mask'), coalesce(by_name, 'mask')))
        INTO tl_clear, tl_masks
        FROM traced;
    END IF;

    SELECT coalesce(array_agg(name), '{}') INTO tl_keys FROM threadline.key_columns_of(tl_root);
    record_key := threadline.key_in_image(coalesce(new_row, old_row), tl_keys);
    IF old_row IS NOT NULL AND new_row IS NOT NULL THEN
        previous_key := nullif(threadline.key_in_image(old_row, tl_keys), record_key);
    END IF;
    old_image := threadline.redacted_image(old_row, tl_clear, tl_masks);
    new_image := threadline.redacted_image(new_row, tl_clear, tl_masks);

    IF old_row IS NOT NULL AND new_row IS NOT NULL THEN
        SELECT coalesce(jsonb_object_agg(key, old_image -> key), '{}'),
               coalesce(jsonb_object_agg(key, new_image -> key), '{}')
        INTO old_image, new_image
        FROM jsonb_object_keys(new_image) AS key
        WHERE old_row -> key IS DISTINCT FROM new_row -> key
           OR (old_row -> key)::text <> (new_row -> key)::text;
    END IF;
END
$$;
