SELECT id, subject_table AS "table", record_key, chosen_columns AS columns, actor_type || ':' || actor_id AS actor, actions,
       reason, erased_by, begun_at, ended_at, changes, texts
FROM threadline.erasures
WHERE subject_table::regclass = $1::regclass AND threadline.canonical_key(threadline.known_table_of($1::regclass), $2) = ANY (record_keys)
ORDER BY id
