INSERT INTO threadline.audit_transactions (xact_id, occurred_at, actor_origin, session_user_name)
VALUES (pg_current_xact_id(), now(), 'none', session_user);
