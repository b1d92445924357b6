coalesce(CASE
    WHEN c.op <> 'U' THEN {values} ? (c.row_data ->> {column})
    WHEN c.changed_to ? {column} THEN {values} ? (c.changed_from ->> {column}) AND {values} ? (c.changed_to ->> {column})
    -- The value after earlier changes, before later ones, or in the current row.
    ELSE {values} ? (coalesce(
        c.row_data -> {column},
        (SELECT CASE WHEN p.op IN ('D', 'T') THEN 'null' ELSE coalesce(p.changed_to -> {column}, p.row_data -> {column}, 'null') END
         FROM threadline.audit_changes AS p
         WHERE p.table_id = c.table_id AND p.record_key = coalesce(c.previous_key, c.record_key) AND p.id < c.id AND p.id > (SELECT k.after FROM threadline.key_span(c.table_id, c.id) AS k)
           AND (p.op <> 'U' OR p.changed_to ? {column} OR p.previous_key IS NOT NULL)
         ORDER BY p.id DESC
         LIMIT 1),
        (SELECT n.value
         FROM (
            (SELECT n.id, CASE WHEN n.op IN ('D', 'T') THEN coalesce(n.row_data -> {column}, 'null')
                               WHEN n.op = 'U' AND n.previous_key IS NULL THEN coalesce(n.changed_from -> {column}, 'null')
                               ELSE 'null' END AS value
             FROM threadline.audit_changes AS n
             WHERE n.table_id = c.table_id AND n.record_key = c.record_key AND n.id > c.id AND n.id <= (SELECT k.up_to FROM threadline.key_span(c.table_id, c.id) AS k)
               AND (n.op <> 'U' OR n.changed_to ? {column} OR n.previous_key IS NOT NULL)
             ORDER BY n.id
             LIMIT 1)
            UNION ALL
            (SELECT n.id, coalesce(n.row_data -> {column}, 'null')
             FROM threadline.audit_changes AS n
             WHERE n.table_id = c.table_id AND n.previous_key = c.record_key AND n.id > c.id AND n.id <= (SELECT k.up_to FROM threadline.key_span(c.table_id, c.id) AS k)
             ORDER BY n.id
             LIMIT 1)
         ) AS n (id, value)
         ORDER BY n.id
         LIMIT 1),
        -- The query of a table is the same for each of its records: it is built once, when the first needs it.
        CASE WHEN c.id > threadline.key_since(c.table_id)
             THEN threadline.live_value(c.table_id, to_regclass({tables} ->> c.table_id::text), c.record_key, {column}, CASE c.table_id{queries} END) END
    ) #>> ARRAY[]::text[]) END, false)
