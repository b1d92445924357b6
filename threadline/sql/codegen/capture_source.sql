-- Returns the source of a table's capture function.
CREATE OR REPLACE FUNCTION threadline.capture_source(audited_table integer, target regclass) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off AS $capture_source$
DECLARE
    tl_table threadline.audited_tables;
    tl_captured text := format('threadline.captured_relation(%s, %L::pg_catalog.oid)', audited_table, target::oid);
    tl_built_for text := quote_literal(threadline.built_for(audited_table, target)) || '::pg_catalog.jsonb';
    tl_images text;
    -- Instants are converted to UTC when they are posted.
    tl_settings text[] := threadline.settings_needed(target) || '{timezone}'::text[];
    tl_restored text := format('threadline.audited_relation(TG_RELID, %L::pg_catalog.oid)', target::oid);
    -- PostgreSQL evaluates it when it plans; for a restored table it is evaluated for each write.
    tl_guard text := format(
        'CASE WHEN pg_catalog.oideq(TG_RELID, %1$L::pg_catalog.oid) OR pg_catalog.oideq(pg_catalog.pg_partition_root(TG_RELID)::pg_catalog.oid, %1$L::pg_catalog.oid) THEN %%s ELSE %%s END',
        target::oid);
    -- Even compressed by the maximum factor of 255, 16 kB are far below the limits of jsonb. An update
    -- of a row of 8 kB is recorded without its long values that stay the same, which would be
    -- compressed and written twice.
    tl_large text := 'pg_catalog.int4gt(pg_catalog.int4pl(coalesce(pg_catalog.pg_column_size(OLD), 0), coalesce(pg_catalog.pg_column_size(NEW), 0)), 16000)';
    tl_whole boolean;
    tl_plain boolean := threadline.plain_columns(target, tl_settings, apart => true);
    tl_hides boolean;
    tl_changed text;
    -- Without redaction, for any columns.
    tl_redacted_for text;
BEGIN
    SELECT * INTO STRICT tl_table FROM threadline.audited_tables WHERE id = audited_table;
    SELECT bool_and(c.column_policy = 'plain') IS NOT false, bool_or(c.column_policy = 'exclude') OR tl_table.policy ? 'ignore', string_agg(
        format('CASE WHEN NOT record_image_eq(ROW(OLD.%1$s), ROW(NEW.%1$s)) THEN %2$L END', threadline.quoted(live.name), c.name), ', ' ORDER BY c.number
    ) FILTER (WHERE c.column_policy IN ('mask', 'hash') OR c.column_policy = 'plain' AND threadline.merges_values(live.type))
    INTO tl_whole, tl_hides, tl_changed
    FROM jsonb_to_recordset(tl_table.columns) AS c (number smallint, name text, column_policy text)
    JOIN threadline.columns_of(target) AS live
        -- A restore closes the gaps that dropped columns left in the numbers.
        ON CASE WHEN tl_table.relation = target THEN live.number = c.number ELSE live.name = c.name END;
    tl_whole := tl_whole AND tl_changed IS NULL AND NOT tl_table.policy ? 'ignore' AND tl_plain;

    -- A dropped column that was redacted may come back.
    tl_whole := tl_whole AND NOT jsonb_path_exists(tl_table.columns, '$[*] ? (@.column_policy <> "plain")');
    tl_redacted_for := CASE WHEN tl_whole THEN $$'{}'::pg_catalog.jsonb$$ ELSE tl_built_for END;
    tl_images := threadline.filled(
        CASE WHEN tl_whole THEN threadline.plain_images() ELSE threadline.named_images() END,
        jsonb_build_object(
            'try', CASE WHEN tl_plain THEN '' ELSE E'\n            BEGIN' END,
            'catch', CASE WHEN tl_plain THEN '' ELSE $catch$
            EXCEPTION WHEN program_limit_exceeded OR untranslatable_character OR data_exception OR internal_error THEN
                tl_careful := true;
            END;$catch$ END,
            'id', audited_table,
            'large', tl_large,
            'plain', format(tl_guard,
                format('threadline.plain_columns(%L::pg_catalog.oid, %L, %L)', target::oid, tl_settings, NOT tl_whole),
                format('threadline.columns_now(%s, NULL, %L, %L)', tl_restored, tl_settings, NOT tl_whole)),
            'stands', format(tl_guard,
                format('threadline.columns_stand(%L::pg_catalog.oid, %s)', target::oid, tl_built_for),
                format('threadline.columns_now(%s, %s, NULL, NULL)', tl_restored, tl_built_for)),
            'redaction', format(tl_guard,
                format('threadline.redaction_now(%L::pg_catalog.oid, %s)', target::oid, tl_redacted_for),
                format('threadline.redaction_now(%s, %s)', tl_restored, tl_redacted_for)),
            'query', format(tl_guard, format('threadline.image_query(%L::pg_catalog.oid)', target::oid), 'NULL'),
            'old_image', CASE WHEN tl_whole THEN 'pg_catalog.to_jsonb(OLD.*)' ELSE threadline.image_expression(audited_table, target, 'OLD') END,
            'new_image', CASE WHEN tl_whole THEN 'pg_catalog.to_jsonb(NEW.*)' ELSE threadline.image_expression(audited_table, target, 'NEW') END,
            'changed', CASE WHEN tl_changed IS NULL THEN 'NULL' ELSE format('array_remove(ARRAY[%s], NULL)', tl_changed) END));
    IF tl_hides THEN
        -- An update of only these columns is not visible in the images.
        tl_images := tl_images || format(
            $unseen$    IF TG_OP = 'UPDATE' AND (tl_old - %1$L::text[])::text = (tl_new - %1$L::text[])::text AND coalesce(tl_changed, '{}') <@ %1$L::text[] THEN
        RETURN NULL;
    END IF;
$unseen$, coalesce((SELECT array_agg(i) FROM jsonb_array_elements_text(tl_table.policy -> 'ignore') AS i), '{}'));
    END IF;
    IF (tl_table.policy -> 'require_actor')::boolean THEN
        tl_images := tl_images || format(E'    PERFORM threadline.require_actor(%s);\n', audited_table);
    END IF;
    RETURN threadline.filled(threadline.capture_template(), jsonb_build_object(
        'id', audited_table,
        'relation', target::oid::bigint,
        'captured', tl_captured,
        -- Only where PostgreSQL knows that a plan depends on the columns; they need no other check.
        'usual', CASE WHEN tl_whole THEN format('CASE WHEN pg_catalog.oideq(%1$s, %2$L::pg_catalog.oid) AND %3$s THEN %2$L::pg_catalog.oid ELSE 0 END',
            tl_captured, target::oid, format('threadline.plain_columns(%L::pg_catalog.oid, %L, %L)', target::oid, tl_settings, false)) ELSE tl_captured END,
        'built_for_oid', format('%L::pg_catalog.oid', target::oid),
        'built_for', tl_built_for,
        'or_large', CASE WHEN tl_whole THEN 'OR ' || tl_large || E'\n       ' ELSE '' END,
        'images', btrim(tl_images, E'\n')));
END
$capture_source$;
