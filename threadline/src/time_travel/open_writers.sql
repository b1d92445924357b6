SELECT (SELECT jsonb_agg(to_jsonb(w)) FROM threadline.open_writers({0}) AS w WHERE NOT pg_is_in_recovery())
