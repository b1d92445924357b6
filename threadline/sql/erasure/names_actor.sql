-- Returns whether the text of a context that could not be read contains the id of an actor, as a
-- word of its own.
CREATE OR REPLACE FUNCTION threadline.names_actor(context text, actor_id text) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN context ~ ('(^|[^[:alnum:]_])' || pg_catalog.regexp_replace(actor_id, '([^[:alnum:]_])', '\\\1', 'g') || '($|[^[:alnum:]_])');
