SELECT b.transaction_id, b.id, b.captured_at
FROM threadline.blind_truncates(threadline.find_audited_table({0})) AS b
ORDER BY b.id
