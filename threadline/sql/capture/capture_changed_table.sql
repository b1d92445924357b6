-- The slow and careful way to the same result, for a table whose columns are
-- no longer those its capture function was built for, until
-- threadline.refresh() builds it anew. What the policy redacts stays redacted:
-- on a table with redaction a value is stored in clear only if its column can
-- be traced to one that the policy left clear, by column number while the
-- table is the one it was, by name after a restore. A column added since could
-- hold anything and is left out, and so is one that is generated from something
-- else. On a table without redaction nothing is.
-- `built_for` is written into the capture function: nothing here depends on
-- rows that may be missing.
CREATE FUNCTION threadline.capture_changed_table(
    target oid, built_for jsonb, old_row jsonb, new_row jsonb,
    OUT record_key text, OUT previous_key text, OUT old_image jsonb, OUT new_image jsonb,
    OUT moved_row jsonb
)
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_relation regclass := threadline.audited_relation(target, (built_for ->> 'relation')::oid);
    tl_same boolean := tl_relation::oid = (built_for ->> 'relation')::oid;
    tl_clear text[];
    tl_masks jsonb;
    tl_tokens jsonb;
    tl_keys text[];
    tl_key_types text[];
BEGIN
    WITH known AS (
        SELECT * FROM jsonb_to_recordset(built_for -> 'columns') AS c (number smallint, name text, treatment text, token_key integer, made_by oid)
    ), traced AS (
        SELECT live.name, live.type, namesake.treatment AS by_name,
               CASE WHEN tl_same THEN former.treatment END AS by_number,
               threadline.made_as_before(live.name, former.made_by) AS made_as_before,
               former.name AS known_name,
               CASE WHEN former.treatment = 'token' THEN former.token_key END AS token_key
        FROM threadline.present_columns(tl_relation) AS live
        LEFT JOIN known AS namesake ON namesake.name = live.name
        LEFT JOIN known AS former ON CASE WHEN tl_same THEN former.number = live.number ELSE former.name = live.name END
    )
    SELECT array_agg(name) FILTER (
               WHERE coalesce(by_number, CASE WHEN NOT tl_same THEN by_name END) = 'clear'
                 AND coalesce(by_name, 'clear') = 'clear' AND made_as_before),
           jsonb_object_agg(name, coalesce(threadline.placeholder(type), '"***"')) FILTER (
               WHERE ARRAY[by_number, by_name] && '{mask,token}'
                 AND 'exclude' NOT IN (coalesce(by_number, 'mask'), coalesce(by_name, 'mask'))),
           jsonb_object_agg(name, token_key) FILTER (WHERE token_key IS NOT NULL AND by_name IS DISTINCT FROM 'mask'),
           -- The key that the function was built for, under the names of now.
           array_agg(name ORDER BY array_position(
               ARRAY(SELECT jsonb_array_elements_text(built_for -> 'key')), known_name)
           ) FILTER (WHERE built_for -> 'key' ? known_name),
           array_agg(type::text ORDER BY array_position(
               ARRAY(SELECT jsonb_array_elements_text(built_for -> 'key')), known_name)
           ) FILTER (WHERE built_for -> 'key' ? known_name)
    INTO tl_clear, tl_masks, tl_tokens, tl_keys, tl_key_types
    FROM traced;

    record_key := threadline.key_in_image(coalesce(new_row, old_row), tl_keys, tl_key_types);
    IF old_row IS NOT NULL AND new_row IS NOT NULL THEN
        previous_key := nullif(threadline.key_in_image(old_row, tl_keys, tl_key_types), record_key);
    END IF;
    IF built_for @? '$.columns[*] ? (@.treatment != "clear")' THEN
        old_image := threadline.redacted_image(old_row, tl_clear, tl_masks);
        new_image := threadline.redacted_image(new_row, tl_clear, tl_masks);
        IF tl_tokens IS NOT NULL THEN
            old_image := threadline.with_tokens(old_image, old_row, tl_tokens);
            new_image := threadline.with_tokens(new_image, new_row, tl_tokens);
        END IF;
    ELSE
        old_image := old_row;
        new_image := new_row;
    END IF;

    IF old_row IS NOT NULL AND new_row IS NOT NULL THEN
        moved_row := old_image;
        SELECT coalesce(jsonb_object_agg(key, old_image -> key), '{}'),
               coalesce(jsonb_object_agg(key, new_image -> key), '{}')
        INTO old_image, new_image
        FROM jsonb_object_keys(new_image) AS key
        WHERE old_row -> key IS DISTINCT FROM new_row -> key
           OR (old_row -> key)::text <> (new_row -> key)::text;
    END IF;
END
$$;
