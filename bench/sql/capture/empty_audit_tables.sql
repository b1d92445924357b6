-- Empties the audit tables of the variants.
DO $$
BEGIN
    EXECUTE (
        SELECT 'TRUNCATE threadline.journal, threadline.ledger_transactions, threadline.ledger_changes, '
            || string_agg(format('%I.%I', schemaname, tablename), ', ')
        FROM pg_tables
        WHERE schemaname IN ('textbook', 'typed'));
END
$$;
