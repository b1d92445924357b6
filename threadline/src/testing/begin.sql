SELECT b.name_before,
       pg_catalog.set_config('application_name', b.name, false) AS name,
       b.at,
       b.entry,
       b.transaction
FROM (
    SELECT n.name_before,
           -- A nested recording appends its name to that of the outer one, which sees it too.
           CASE WHEN starts_with(n.name_before, 'threadline::testing ') THEN n.name_before ELSE 'threadline::testing ' END
               || left(pg_catalog.gen_random_uuid()::text, 8) || '.' AS name,
           pg_catalog.clock_timestamp() AS at,
           (SELECT CASE WHEN s.is_called THEN s.last_value ELSE s.last_value - 1 END FROM threadline.entry_ids AS s) AS entry,
           {transaction} AS transaction
    FROM (SELECT pg_catalog.current_setting('application_name') AS name_before) AS n
    OFFSET 0
) AS b
