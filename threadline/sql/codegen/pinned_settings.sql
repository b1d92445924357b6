-- Returns the settings that a table's capture function pins, as clauses of the function. The code
-- of threadline.named_images() needs the search_path and is recognized by a word that it always
-- contains; testing for the absence of a word would not be safe, because a column name can
-- contain any word. The names of objects need it too. Hashing instants needs the time zone; otherwise
-- it is applied later.
CREATE OR REPLACE FUNCTION threadline.pinned_settings(audited_table integer, target regclass, source text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT concat_ws(' ',
        CASE WHEN strpos(source, 'tl_careful') > 0 OR 'quote_all_identifiers' = ANY (max(needed.names))
             THEN 'SET search_path = pg_catalog, threadline, pg_temp' END,
        string_agg(format('SET %s = %L', setting.name, setting.value), ' ' ORDER BY setting.name))
    FROM threadline.audited_tables AS t
    CROSS JOIN (SELECT threadline.settings_needed(target) AS names OFFSET 0) AS needed
    JOIN threadline.text_settings() AS setting
        ON setting.name = ANY (needed.names) AND (
            setting.name <> 'timezone' OR t.policy ? 'hash'
            -- Ranges, composites and the like.
            OR 'datestyle' = ANY (needed.names))
    WHERE t.id = audited_table;
END;
