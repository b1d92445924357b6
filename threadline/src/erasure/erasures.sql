SELECT id, subject_table AS "table", record_key, chosen_columns AS columns, actor_type || ':' || actor_id AS actor, actions,
       reason, erased_by, begun_at, ended_at, changes, texts
FROM threadline.erasures
WHERE $1 IS NULL OR id = $1
ORDER BY id
