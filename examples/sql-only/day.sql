-- Each transaction says who acts; any driver can send the same statement.
BEGIN;
SELECT threadline.set_context('{"actor": {"type": "anonymous"}, "source": "web", "request_id": "r-1"}');
INSERT INTO members (name, email, password_hash) VALUES ('Ada Byron', 'ada@example.com', 's3cr3t');
COMMIT;

BEGIN;
SELECT threadline.set_context('{"actor": {"type": "service_account", "id": "bank-import"}, "job_id": "17"}');
INSERT INTO payments (member_id, cents) VALUES (1, 4200);
COMMIT;

BEGIN;
SELECT threadline.set_context('{"actor": {"type": "admin", "id": "grace"}, "source": "web", "request_id": "r-2"}');
SELECT threadline.record_action('member.renamed', 'admin', 'grace', reason => 'she married');
UPDATE members SET name = 'Ada Lovelace' WHERE id = 1;
COMMIT;
