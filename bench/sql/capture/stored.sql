-- Bytes of the tables that audit rows stay in, with their indexes. Not the journal: it is
-- emptied by posting.
SELECT sum(pg_total_relation_size(c.oid))::bigint AS n
FROM pg_class AS c
WHERE c.relkind = 'r' AND (
    c.relnamespace IN ('textbook'::regnamespace, 'typed'::regnamespace)
    OR c.oid IN ('threadline.ledger_transactions'::regclass, 'threadline.ledger_changes'::regclass))
