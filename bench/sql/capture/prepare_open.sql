-- Prepares how the limit opens its AuditTransaction: actor, request and source as parameters.
PREPARE open_limit (text, text, text, text) AS
INSERT INTO threadline.ledger_transactions (
    id, xact_id, occurred_at, opened_at, actor_type, actor_id, actor_origin, request_id, source, session_user_name)
VALUES (
    nextval('bench.limit_transactions'), pg_current_xact_id(), now(), clock_timestamp(),
    $1, $2, 'explicit', $3, $4, session_user);
