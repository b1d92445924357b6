-- Returns the record key of the row of an audited table that has the given values of its key:
-- record_key(7, ROW(42)) is '42', record_key(8, ROW(7, 'x')) is '["7", "x"]'. Pins the settings
-- that capture pins, so that both write an instant, an interval or a byte string the same way.
-- Blanks at the end of a char(n) are not part of its value. A text stands for the value that it is
-- of the column's type, as a key that a person writes.
CREATE OR REPLACE FUNCTION threadline.record_key(audited_table integer, key_values record) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_part record;
    tl_text text;
    tl_texts text[] := '{}';
BEGIN
    FOR tl_part IN
        SELECT parts.value, parts.parts, k.name, k.type, k.is_hash
        FROM (
            SELECT substr(name, 2)::integer AS position, value, count(*) OVER ()::integer AS parts
            FROM jsonb_each(to_jsonb(key_values)) AS field (name, value)
        ) AS parts
        LEFT JOIN (
            SELECT k.name, k.type, k.ordinal, threadline.is_hash(t.columns, k.name) AS is_hash
            FROM threadline.audited_tables AS t
            CROSS JOIN ROWS FROM (unnest(t.key_columns), unnest(t.key_types)) WITH ORDINALITY AS k (name, type, ordinal)
            WHERE t.id = audited_table
        ) AS k ON k.ordinal = parts.position
        ORDER BY parts.position
    LOOP
        -- Not a CASE: its other branch needs the right to call the function, too.
        IF tl_part.is_hash THEN
            tl_text := threadline.key_hash(audited_table, tl_part.name, tl_part.value);
        ELSE
            tl_text := threadline.key_text(tl_part.value);
            IF jsonb_typeof(tl_part.value) = 'string' AND tl_part.type NOT IN ('text', 'character varying', 'character', 'jsonb') THEN
                tl_text := threadline.canonical_part(tl_text, tl_part.type, or_same => true);
            END IF;
        END IF;
        IF tl_part.type = 'character' AND tl_part.is_hash IS NOT TRUE THEN
            tl_text := rtrim(tl_text, ' ');
        END IF;
        tl_texts := tl_texts || threadline.bounded_key(tl_text, tl_part.parts);
    END LOOP;
    RETURN CASE cardinality(tl_texts)
        WHEN 1 THEN tl_texts[1]
        ELSE to_jsonb(tl_texts)::text
    END;
END
$$;
SELECT threadline.pin_settings('threadline.record_key(integer, record)');
