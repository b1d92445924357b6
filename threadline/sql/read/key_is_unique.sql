-- Returns whether the key with which the changes of a table are recorded identifies its rows: until
-- threadline.refresh() follows a change of the primary key, several rows may have one key.
CREATE OR REPLACE FUNCTION threadline.key_is_unique(audited_table integer, target regclass) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT EXISTS (
        SELECT
        FROM pg_index AS i
        WHERE i.indrelid = target AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
          AND NOT EXISTS (
              SELECT
              FROM generate_series(0, i.indnkeyatts - 1) AS n (at)
              LEFT JOIN pg_attribute AS a ON a.attrelid = target AND a.attnum = i.indkey[n.at]
              WHERE a.attname IS NULL OR a.attname NOT IN (SELECT k.name FROM threadline.live_key(audited_table) AS k)));
END;
