SELECT l.actor_type || ':' || l.actor_id AS actor, l.actions, l.transactions
FROM threadline.texts_left($1) AS l
