\echo Who changed what?
SELECT op, table_name, key, concat_ws(':', actor_type, actor_id) AS actor
FROM threadline.changes ORDER BY transaction_id, id;

\echo And why?
SELECT name, actor_id, reason FROM threadline.actions;

\echo What was it before?
SELECT changed_from ->> 'name' AS before, changed_to ->> 'name' AS after
FROM threadline.changes WHERE op = 'update' AND table_name = 'members';
