CREATE VIEW threadline.waiting AS
SELECT (SELECT count(*) FROM threadline.journal) AS entries,
       (SELECT min(j.captured_at) FROM threadline.journal AS j) AS since,
       (SELECT count(*) FROM threadline.unposted) AS set_aside,
       (SELECT p.posted_at FROM threadline.posting AS p) AS last_posted_at;
COMMENT ON VIEW threadline.waiting IS
    'The number of entries in the journal that are not in the ledger yet, and since when';
