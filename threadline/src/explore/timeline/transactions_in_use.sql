-- The transactions that can have changes captured in a span of time. One is in
-- use for an hour at most, or says for how long; the rest is allowance for
-- clocks that were set back.
SELECT coalesce(
           least(
               (SELECT id FROM threadline.audit_transactions
                WHERE opened_at >= {0}::timestamptz - interval '2 hours' ORDER BY opened_at LIMIT 1),
               (SELECT min(id) FROM (
                   SELECT id FROM threadline.audit_transactions WHERE extended_until >= {0}::timestamptz OFFSET 0
               ) AS extended)),
           9223372036854775807),
       coalesce(
           (SELECT id FROM threadline.audit_transactions
            WHERE opened_at <= {1}::timestamptz + interval '1 hour' ORDER BY opened_at DESC LIMIT 1),
           0)
