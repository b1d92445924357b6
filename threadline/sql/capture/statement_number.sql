-- A number that no other statement of the transaction has.
CREATE FUNCTION threadline.statement_number() RETURNS integer
LANGUAGE sql VOLATILE
RETURN (pg_catalog.nextval('threadline.audit_changes_id_seq'::pg_catalog.regclass) % 2147483648)::integer;
