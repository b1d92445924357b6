-- Returns the bytes of the tables that keep audit rows, with their indexes. Not the journal,
-- which posting empties.
SELECT sum(pg_total_relation_size(c.oid))::bigint AS n
FROM pg_class AS c
WHERE c.relkind = 'r' AND (
    c.relnamespace IN ('textbook'::regnamespace, 'typed'::regnamespace)
    OR c.oid IN ('threadline.ledger_transactions'::regclass, 'threadline.ledger_changes'::regclass))
