-- Returns why one column of another table cannot name the records of a table; NULL if it can.
-- `policy` is one that the table gets now.
CREATE OR REPLACE FUNCTION threadline.not_nameable(target regclass, policy jsonb DEFAULT NULL) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT CASE
        WHEN cardinality(k.names) = 0 THEN 'it has no primary key'
        WHEN cardinality(k.names) > 1 THEN format('its primary key has several columns: %s', array_to_string(k.names, ', '))
        WHEN coalesce(not_nameable.policy -> 'hash' ? k.names[1], threadline.is_hash(t.columns, k.names[1]))
        THEN format('its primary key %s is recorded as a keyed hash', k.names[1]) END
    FROM (SELECT ARRAY(SELECT c.name FROM threadline.key_columns_of(target) AS c) AS names) AS k
    LEFT JOIN threadline.audited_tables AS t ON t.id = threadline.audited_table_of(target);
END;
