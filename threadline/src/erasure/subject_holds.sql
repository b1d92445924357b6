SELECT to_jsonb(h) || jsonb_build_object('kind', 'hold')
FROM threadline.legal_holds AS h
JOIN threadline.audited_tables AS t ON t.id = h.table_id
WHERE t.id = threadline.known_table_of({0}::regclass) AND (h.record_keys IS NULL OR {1} = ANY (h.record_keys))
UNION ALL
SELECT to_jsonb(e) - ARRAY['plan', 'looked_through', 'reached_transaction', 'reached_id', 'reached_position', 'found_at'] || jsonb_build_object('kind', 'erasure')
FROM threadline.erasures AS e
WHERE e.subject_table::regclass = {0}::regclass AND {1} = ANY (e.record_keys)
